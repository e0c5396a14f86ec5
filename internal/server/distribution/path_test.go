package distribution

import (
	"net/url"
	"strings"
	"testing"
)

const someDigest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

func TestPathsNameWhatTheirLastRouteWordSays(t *testing.T) {
	for _, row := range []struct {
		path string
		want target
	}{
		{"/v2", target{kind: kindBase}},
		{"/v2/", target{kind: kindBase}},
		{"/v2/auth", target{kind: kindToken}},
		{"/v2/_catalog", target{kind: kindCatalog}},
		{"/v2/busybox/manifests/latest", target{kind: kindManifest, path: "busybox", reference: "latest"}},
		{"/v2/acme/app/manifests/v1", target{kind: kindManifest, path: "acme/app", reference: "v1"}},
		{"/v2/acme/a/b/c/d/manifests/" + someDigest, target{kind: kindManifest, path: "acme/a/b/c/d", reference: someDigest}},
		{"/v2/acme/app/manifests/sha256%3Aabc", target{kind: kindManifest, path: "acme/app", reference: "sha256:abc"}},
		{"/v2/acme/app/blobs/" + someDigest, target{kind: kindBlob, path: "acme/app", reference: someDigest}},
		{"/v2/acme/app/blobs/uploads/", target{kind: kindUploads, path: "acme/app"}},
		{"/v2/acme/app/blobs/uploads/5e1b", target{kind: kindUpload, path: "acme/app", reference: "5e1b"}},
		{"/v2/acme/app/tags/list", target{kind: kindTags, path: "acme/app"}},
		{"/v2/acme/app/referrers/" + someDigest, target{kind: kindReferrers, path: "acme/app", reference: someDigest}},
		{"/keys/services/quay/keys", target{kind: kindKeys, service: "quay"}},
		{"/keys/services/quay/keys/abc", target{kind: kindKey, service: "quay", reference: "abc"}},
		// Repositories, tags and services that are named after route words.
		{"/v2/acme/app/tags/list/tags/list", target{kind: kindTags, path: "acme/app/tags/list"}},
		{"/v2/acme/app/tags/v1/manifests/tags", target{kind: kindManifest, path: "acme/app/tags/v1", reference: "tags"}},
		{"/v2/acme/manifests/manifests/manifests", target{kind: kindManifest, path: "acme/manifests", reference: "manifests"}},
		{"/v2/acme/manifests/tags/list", target{kind: kindTags, path: "acme/manifests"}},
		{"/v2/acme/blobs/uploads/manifests/latest", target{kind: kindManifest, path: "acme/blobs/uploads", reference: "latest"}},
		{"/v2/acme/blobs/uploads/blobs/uploads/", target{kind: kindUploads, path: "acme/blobs/uploads"}},
		{"/v2/acme/referrers/blobs/" + someDigest, target{kind: kindBlob, path: "acme/referrers", reference: someDigest}},
		{"/v2/tags/tags/list", target{kind: kindTags, path: "tags"}},
		{"/v2/auth/app/tags/list", target{kind: kindTags, path: "auth/app"}},
		{"/v2/_catalog/tags/list", target{kind: kindTags, path: "_catalog"}},
		{"/keys/services/keys/keys/keys", target{kind: kindKey, service: "keys", reference: "keys"}},
	} {
		t.Run(row.path, func(t *testing.T) {
			got, err := parsePath(row.path)
			if err != nil {
				t.Fatal(err)
			}
			if got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}

func TestPathsThatNameNothing(t *testing.T) {
	for _, path := range []string{
		"", "*", "v2/", "/", "/v1/", "//v2/", "/v2//", "/v2/auth/", "/v2/_catalog/",
		"/v2/manifests/latest", "/v2/blobs/uploads/", "/v2/tags/list",
		"/v2/acme/app", "/v2/acme/app/manifests", "/v2/acme/app/manifests/", "/v2/acme/app/blobs/", "/v2/acme/app/referrers/",
		"/v2/acme/app/tags/list/", "/v2/acme/app/tags/", "/v2/acme/app/tags/latest", "/v2/acme/app/blobs/uploads",
		"/v2/acme/app/manifests/latest/", "/v2/acme/app/manifests/latest/x", "/v2/acme/app/blobs/uploads/id/",
		"/v2/acme//app/tags/list", "/v2/acme/./app/tags/list", "/v2/acme/../app/tags/list", "/v2/acme/%2e%2e/app/tags/list",
		"/v2/acme/a%00b/tags/list", "/v2/acme/a%0Ab/tags/list", "/v2/acme/a%7Fb/tags/list", "/v2/acme/%FF/tags/list", "/v2/acme/%zz/tags/list",
		"/v2/acme%2Fapp/manifests/latest", "/v2/acme/app%2Fmanifests/latest", "/v2/acme/app/manifests%2Flatest/x",
		"/v2/acme/app%5Cx/tags/list", "/v2/acme/app/manifests/a%2Fb", "/v2/acme/app/tags%2Flist",
		"/keys/", "/keys/services/quay", "/keys/services/quay/keys/", "/keys/services/quay/keys/a/b", "/keys/services/a%2Fb/keys",
	} {
		t.Run(path, func(t *testing.T) {
			if got, err := parsePath(path); err == nil {
				t.Errorf("is taken for %+v", got)
			}
		})
	}
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{
		"/v2/", "/v2/acme/app/manifests/latest", "/v2/acme/app/blobs/uploads/", "/v2/a/tags/list/tags/list",
		"/v2/a%2fb/tags/list", "/v2/a/../b/tags/list", "/keys/services/quay/keys/x", "/v2/a/blobs/uploads/manifests/uploads/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got, err := parsePath(path)
		if err != nil {
			return
		}
		for _, part := range []string{got.reference, got.service} {
			if strings.ContainsAny(part, "/\\\x00") {
				t.Errorf("%q: part %q holds a separator", path, part)
			}
		}
		for _, segment := range strings.Split(got.path, "/") {
			if got.path != "" && (segment == "" || segment == "." || segment == "..") {
				t.Errorf("%q: repository %q has segment %q", path, got.path, segment)
			}
		}
		// What was understood, written down again, is understood the same way.
		again, err := parsePath(got.write())
		if err != nil {
			t.Fatalf("%q: %q is no route any more: %v", path, got.write(), err)
		}
		if got != again {
			t.Errorf("%q and %q differ: %+v, %+v", path, got.write(), got, again)
		}
	})
}

// write spells a target as a path.
func (t target) write() string {
	segments := strings.Split(t.path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	base, reference, service := "/v2/"+strings.Join(segments, "/"), url.PathEscape(t.reference), url.PathEscape(t.service)
	switch t.kind {
	case kindToken:
		return "/v2/auth"
	case kindCatalog:
		return "/v2/_catalog"
	case kindBlob:
		return base + "/blobs/" + reference
	case kindUploads:
		return base + "/blobs/uploads/"
	case kindUpload:
		return base + "/blobs/uploads/" + reference
	case kindManifest:
		return base + "/manifests/" + reference
	case kindTags:
		return base + "/tags/list"
	case kindReferrers:
		return base + "/referrers/" + reference
	case kindKeys:
		return "/keys/services/" + service + "/keys"
	case kindKey:
		return "/keys/services/" + service + "/keys/" + reference
	}
	return "/v2/"
}
