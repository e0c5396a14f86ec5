package distribution_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/digest"
)

func discoveryRequirements() []requirement {
	const tags, referrers = "Listing Tags", "Listing Referrers"
	many := func(s *specification) []string {
		m := s.image(s.token, s.repo, "x")
		names := []string{"10", "9", "A", "Z", "a", "b", "v1.0", "v1.0-rc", "z"}
		s.want(s.put(s.token, s.repo, digest.SHA256.Of(m).String()+"?tag="+strings.Join([]string{"z", "v1.0-rc", "9", "a", "Z", "A", "v1.0", "b", "10"}, "&tag="), m), 201)
		return names
	}
	return []requirement{
		{tags, "the list is 200 in the given form, in byte order", func(s *specification) {
			want := many(s)
			a := s.want(s.at("GET", "/tags/list", nil), 200)
			got := decode[map[string]any](s.t, a)
			list := make([]any, len(want))
			for i, name := range want {
				list[i] = name
			}
			if diff := cmp.Diff(map[string]any{"name": s.repo, "tags": list}, got); diff != "" {
				s.t.Error(diff)
			}
			s.header(a, "Link", "")
		}},
		{tags, "a list without tags is an empty list", func(s *specification) {
			s.blob("only a blob")
			if _, got := s.tags(""); got == nil || len(got) != 0 {
				s.t.Errorf("%v", got)
			}
		}},
		{tags, "n gives exactly n tags and a Link to the rest; together the pages are the list", func(s *specification) {
			want := many(s)
			for n := 1; n <= len(want)+1; n++ {
				next := fmt.Sprintf("/v2/%s/tags/list?n=%d", s.repo, n)
				var all []string
				for next != "" {
					a := s.want(s.to("GET", next, nil), 200)
					page := decode[struct{ Tags []string }](s.t, a).Tags
					if more := a.header.Get("Link") != ""; more && len(page) != n {
						s.t.Fatalf("n=%d: a page of %d with a Link", n, len(page))
					}
					all = append(all, page...)
					next = linkNext(s.t, a)
				}
				if diff := cmp.Diff(want, all); diff != "" {
					s.t.Errorf("n=%d: %s", n, diff)
				}
			}
		}},
		{tags, "n=0 is an empty list without Link", func(s *specification) {
			many(s)
			a, got := s.tags("?n=0")
			if len(got) != 0 || a.header.Get("Link") != "" {
				s.t.Errorf("%v, Link %q", got, a.header.Get("Link"))
			}
		}},
		{tags, "last begins after a tag, with n and without, whether the tag exists or not", func(s *specification) {
			want := many(s)
			for i, last := range want {
				_, got := s.tags("?last=" + last)
				if diff := cmp.Diff(want[i+1:], got, cmp.Transformer("nil", func(l []string) []string { return append([]string{}, l...) })); diff != "" {
					s.t.Errorf("after %s: %s", last, diff)
				}
			}
			if _, got := s.tags("?n=2&last=aa"); !slices.Equal(got, []string{"b", "v1.0"}) {
				s.t.Errorf("two after aa: %v", got)
			}
		}},
		{referrers, "the list is 200 and an index with its media type", func(s *specification) {
			subject := digest.SHA256.Of(s.tagged("v1"))
			s.artifact(subject)
			a, list := s.referrers(subject, "")
			s.header(a, "Content-Type", indexType)
			index := decode[map[string]any](s.t, a)
			if index["schemaVersion"] != 2.0 || index["mediaType"] != indexType || len(list) != 1 {
				s.t.Errorf("%s", a.body)
			}
		}},
		{referrers, "a digest that nothing refers to has an empty list, never 404, in any repository", func(s *specification) {
			if a, list := s.referrers(missingDigest, ""); list == nil || len(list) != 0 {
				s.t.Errorf("before the repository exists: %s", a.body)
			}
			s.tagged("v1")
			if a, list := s.referrers(missingDigest, ""); list == nil || len(list) != 0 {
				s.t.Errorf("%s", a.body)
			}
		}},
		{referrers, "a malformed digest is 400", func(s *specification) {
			s.tagged("v1")
			for _, bad := range []string{"sha256:abc", "latest", "sha256:" + strings.Repeat("g", 64), "sha256"} {
				if a := s.want(s.at("GET", "/referrers/"+bad, nil), 400); a.code() != "DIGEST_INVALID" {
					s.t.Errorf("%s: code %s", bad, a.code())
				}
			}
		}},
		{referrers, "artifactType is the manifest's, else an image's config type, else absent; annotations are all there", func(s *specification) {
			own, _ := s.artifact(missingDigest, with("annotations", map[string]string{"org.example.a": "1", "org.example.b": "2"}))
			config, _ := s.artifact(missingDigest, func(m map[string]any) { delete(m, "artifactType") })
			index := manifest(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": []any{}, "subject": map[string]any{"mediaType": imageType, "digest": missingDigest.String(), "size": 1}})
			s.push(s.token, s.repo, "index", index)
			_, list := s.referrers(missingDigest, "")
			got, annotations := map[string]any{}, map[string]any{}
			for _, d := range list {
				digest := d["digest"].(string)
				got[digest], annotations[digest] = d["artifactType"], d["annotations"]
			}
			want := map[string]any{own.String(): "application/vnd.example.sbom.v1", config.String(): "application/vnd.oci.empty.v1+json", digest.SHA256.Of(index).String(): nil}
			if diff := cmp.Diff(want, got); diff != "" {
				s.t.Error(diff)
			}
			if diff := cmp.Diff(map[string]any{"org.example.a": "1", "org.example.b": "2"}, annotations[own.String()]); diff != "" {
				s.t.Error(diff)
			}
		}},
		{referrers, "a filter that was applied is named, and nothing else is in the list", func(s *specification) {
			s.artifact(missingDigest)
			other, _ := s.artifact(missingDigest, with("artifactType", "application/vnd.example.other+json"))
			a, list := s.referrers(missingDigest, "?artifactType=application/vnd.example.other%2Bjson")
			s.header(a, "OCI-Filters-Applied", "artifactType")
			if len(list) != 1 || list[0]["digest"] != other.String() {
				s.t.Errorf("%v", list)
			}
			if a, list := s.referrers(missingDigest, "?artifactType=none"); list == nil || len(list) != 0 {
				s.t.Errorf("%s", a.body)
			}
		}},
		{referrers, "a list too large for one manifest goes on behind a Link", func(s *specification) {
			big := with("annotations", map[string]string{"a": strings.Repeat("A", 1<<20), "b": strings.Repeat("B", 1<<20), "c": strings.Repeat("C", 1<<20)})
			var want, got []string
			for i := range 4 {
				d, _ := s.artifact(missingDigest, big, with("org.example.n", i))
				want = append(want, d.String())
			}
			next := "/v2/" + s.repo + "/referrers/" + missingDigest.String() + "?artifactType=application/vnd.example.sbom.v1"
			for pages := 0; next != ""; pages++ {
				if pages == len(want) {
					s.t.Fatal("the pages do not end")
				}
				a := s.want(s.to("GET", next, nil), 200)
				s.header(a, "OCI-Filters-Applied", "artifactType")
				for _, d := range decode[struct{ Manifests []struct{ Digest string } }](s.t, a).Manifests {
					got = append(got, d.Digest)
				}
				next = linkNext(s.t, a)
				if pages == 0 && next == "" {
					s.t.Error("there is no Link")
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				s.t.Error(diff)
			}
		}},
		{"Enabling the Referrers API", "manifests that the referrers tag lists are in the list", func(s *specification) {
			subject := digest.SHA256.Of(s.tagged("v1"))
			a, _ := s.artifact(subject)
			m := s.image(s.token, s.repo, "no-subject")
			s.push(s.token, s.repo, digest.SHA256.Of(m).String(), m)
			s.push(s.token, s.repo, "sha256-"+subject.Hex(), manifest(map[string]any{"schemaVersion": 2, "mediaType": indexType,
				"manifests": []any{descriptor(imageType, m), map[string]any{"mediaType": imageType, "digest": a.String(), "size": s.size(a)}}}))
			_, list := s.referrers(subject, "")
			var got []string
			for _, d := range list {
				got = append(got, d["digest"].(string))
			}
			slices.Sort(got)
			want := []string{a.String(), digest.SHA256.Of(m).String()}
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				s.t.Error(diff)
			}
		}},
	}
}

func (s *specification) size(d digest.Digest) int {
	s.t.Helper()
	return len(s.want(s.at("GET", "/manifests/"+d.String(), nil), 200).body)
}

// linkNext is the address of the next page, empty when there is none.
func linkNext(t *testing.T, a answer) string {
	t.Helper()
	link := a.header.Get("Link")
	if link == "" {
		return ""
	}
	m := regexp.MustCompile(`^<([^<>]+)>; rel="next"$`).FindStringSubmatch(link)
	if m == nil {
		t.Fatalf("Link is %q", link)
	}
	return m[1]
}
