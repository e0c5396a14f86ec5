package registry_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

var (
	on  = registry.NameOptions{Extended: true, Library: "library"}
	off = registry.NameOptions{}
)

func TestParseName(t *testing.T) {
	long := strings.Repeat("a", 255)
	tests := []struct {
		path            string
		options         registry.NameOptions
		namespace, name string
		err             string // with NAME_INVALID
	}{
		{"acme/app", on, "acme", "app", ""},
		{"acme/a/b/c/d/e", on, "acme", "a/b/c/d/e", ""},
		{"acme/app/tag/v1", on, "acme", "app/tag/v1", ""},
		{"acme/blobs/uploads", on, "acme", "blobs/uploads", ""},
		{"acme/manifests", on, "acme", "manifests", ""},
		{"v2/_catalog", on, "", "", "Invalid repository name: v2/_catalog"},
		{"ubuntu", on, "library", "ubuntu", ""},
		{"ubuntu", off, "", "", "A namespace must be specified explicitly"},
		{"acme/app", off, "acme", "app", ""},
		{"acme/a/b", off, "", "", "Nested repositories are not supported. Found: acme/a/b"},
		{"acme/A/b", off, "", "", "Invalid repository name: acme/A/b"},
		{"acme/a..b--c__d", on, "acme", "a..b--c__d", ""},
		{"a.b_c-d/x", on, "a.b_c-d", "x", ""},
		{long + "/" + long, on, long, long, ""},
		{long + "a/x", on, "", "", "Invalid repository name: "},
		{"acme/" + long + "a", on, "", "", "Invalid repository name: "},
		{"a/x", on, "", "", "Invalid repository name: a/x"},
		{"a..b/x", on, "", "", "Invalid repository name: a..b/x"},
		{"-ab/x", on, "", "", "Invalid repository name: -ab/x"},
		{"ab-/x", on, "", "", "Invalid repository name: ab-/x"},
		{"acme+ci/x", on, "", "", "Invalid repository name: acme+ci/x"},
		{"acme/", on, "", "", "Invalid repository name: acme/"},
		{"acme/app/", on, "", "", "Invalid repository name: acme/app/"},
		{"acme//app", on, "", "", "Invalid repository name: acme//app"},
		{"/acme/app", on, "", "", "Invalid repository name: /acme/app"},
		{"acme/.hidden", on, "", "", "Invalid repository name: acme/.hidden"},
		{"acme/../x", on, "", "", "Invalid repository name: acme/../x"},
		{"acme/a%2fb", on, "", "", "Invalid repository name: acme/a%2fb"},
		{"acme/a\x00", on, "", "", "Invalid repository name: acme/a\x00"},
		{"acme/аpp", on, "", "", "Invalid repository name: acme/аpp"}, // a Cyrillic letter
		{"", on, "", "", "Invalid repository name: "},
		{"", off, "", "", "A namespace must be specified explicitly"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			namespace, name, err := registry.ParseName(tt.path, tt.options)
			if tt.err == "" {
				if err != nil || namespace != tt.namespace || name != tt.name {
					t.Errorf("got %q, %q, %v", namespace, name, err)
				}
				return
			}
			if p := wantCode(t, err, problem.Invalid, "NAME_INVALID"); !strings.HasPrefix(p.Message, tt.err) {
				t.Errorf("message %q, want %q", p.Message, tt.err)
			}
		})
	}
}

// Quay's own expressions, as reference/registry-protocol.md §2 and the distribution specification have them.
var (
	namespaceRule = regexp.MustCompile(`^([a-z0-9]+(?:[._-][a-z0-9]+)*)$`)
	nameRule      = regexp.MustCompile(`^[a-z0-9][\.a-z0-9_-]*(?:\/[a-z0-9][\.a-z0-9_-]*)*$`)
	tagRule       = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"acme/app", "acme/a/b", "ubuntu", "a/b", "acme/", "//", "acme/..", "acme/tag/v1/_x", strings.Repeat("ab/", 90)} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, path string, extended bool) {
		namespace, name, err := registry.ParseName(path, registry.NameOptions{Extended: extended, Library: "library"})
		first, rest, nested := strings.Cut(path, "/")
		if !nested {
			first, rest = "library", path
		}
		valid := namespaceRule.MatchString(first) && len(first) >= 2 && len(first) <= 255 && nameRule.MatchString(rest) && len(rest) <= 255 &&
			(extended || !strings.Contains(rest, "/"))
		if valid != (err == nil) {
			t.Fatalf("%q: the rule says %v, we say %v", path, valid, err)
		}
		if err != nil {
			return
		}
		if got := (registry.Repository{Namespace: namespace, Name: name}).Path(); got != path && got != "library/"+path {
			t.Errorf("%q became %q", path, got)
		}
		if strings.ContainsAny(namespace, "/+") || strings.HasPrefix(name, "/") || strings.Contains(name, "//") || strings.Contains(name, "/.") {
			t.Errorf("%q gave %q and %q", path, namespace, name)
		}
	})
}

func TestNamesSurviveARoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		namespace := rapid.StringMatching(`[a-z0-9]{2,5}([._-][a-z0-9]{1,5}){0,3}`).Draw(t, "namespace")
		name := rapid.StringMatching(`[a-z0-9][a-z0-9._-]{0,8}(/[a-z0-9][a-z0-9._-]{0,8}){0,6}`).Draw(t, "name")
		path := registry.Repository{Namespace: namespace, Name: name}.Path()
		gotNamespace, gotName, err := registry.ParseName(path, on)
		if err != nil || gotNamespace != namespace || gotName != name {
			t.Errorf("%q: %q, %q, %v", path, gotNamespace, gotName, err)
		}
	})
}

func TestParseReference(t *testing.T) {
	sum := digest.SHA256.Of([]byte("x"))
	tests := []struct {
		name, ref string
		want      registry.Reference
		kind      problem.Kind
		code      string
	}{
		{"a tag", "v1.0_x-y", registry.Reference{Tag: "v1.0_x-y"}, 0, ""},
		{"a tag like a signature's", "sha256-" + sum.Hex() + ".sig", registry.Reference{Tag: "sha256-" + sum.Hex() + ".sig"}, 0, ""},
		{"a tag of 128", strings.Repeat("t", 128), registry.Reference{Tag: strings.Repeat("t", 128)}, 0, ""},
		{"a digest", sum.String(), registry.Reference{Digest: sum}, 0, ""},
		{"a sha512 digest", digest.SHA512.Of(nil).String(), registry.Reference{Digest: digest.SHA512.Of(nil)}, 0, ""},
		{"a tag of 129", strings.Repeat("t", 129), registry.Reference{}, problem.NotFound, "TAG_INVALID"},
		{"nothing", "", registry.Reference{}, problem.NotFound, "TAG_INVALID"},
		{"a leading dot", ".INVALID_MANIFEST_NAME", registry.Reference{}, problem.NotFound, "TAG_INVALID"},
		{"a leading hyphen", "-x", registry.Reference{}, problem.NotFound, "TAG_INVALID"},
		{"a slash", "a/b", registry.Reference{}, problem.NotFound, "TAG_INVALID"},
		{"a letter beyond ASCII", "é", registry.Reference{}, problem.NotFound, "TAG_INVALID"},
		{"a bad digest", "sha256:baddigeststring", registry.Reference{}, problem.Invalid, "DIGEST_INVALID"},
		{"an unknown algorithm", "md5:" + strings.Repeat("a", 32), registry.Reference{}, problem.Invalid, "DIGEST_INVALID"},
		{"a digest in capitals", "sha256:" + strings.ToUpper(sum.Hex()), registry.Reference{}, problem.Invalid, "DIGEST_INVALID"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := registry.ParseReference(tt.ref)
			if tt.code != "" {
				wantCode(t, err, tt.kind, tt.code)
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"latest", "a:b", digest.SHA256.Of(nil).String(), "sha512:00", ".", strings.Repeat("x", 129), "v1\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := registry.ParseReference(s)
		if err != nil {
			if tagRule.MatchString(s) && !strings.HasSuffix(s, "\n") {
				t.Fatalf("the tag %q was refused: %v", s, err)
			}
			return
		}
		if ref.String() != s {
			t.Errorf("%q became %q", s, ref)
		}
		if (ref.Tag == "") == ref.Digest.IsZero() {
			t.Errorf("%q is %+v", s, ref)
		}
	})
}
