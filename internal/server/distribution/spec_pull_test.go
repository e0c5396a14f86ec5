package distribution_test

import (
	"strconv"
	"strings"

	"github.com/longshore-registry/longshore/internal/digest"
)

func pullRequirements() []requirement {
	const manifests, blobs, checks = "Pulling manifests", "Pulling blobs", "Checking if content exists in the registry"
	return []requirement{
		{"Determining Support", "the base answers 200 to whoever is let in", func(s *specification) {
			s.want(s.to("GET", "/v2/", nil), 200)
		}},
		{manifests, "a manifest is read by tag and by digest, byte for byte", func(s *specification) {
			m := s.tagged("v1")
			for _, reference := range []string{"v1", digest.SHA256.Of(m).String()} {
				a := s.want(s.at("GET", "/manifests/"+reference, nil, "Accept", imageType), 200)
				s.same(a.body, m)
				s.header(a, "Content-Type", imageType)
				s.header(a, "Docker-Content-Digest", digest.SHA256.Of(m).String())
			}
		}},
		{manifests, "a reference is a tag or a digest and nothing else", func(s *specification) {
			s.tagged("v1")
			for reference, status := range map[string]int{
				".v1": 404, "-v1": 404, "v1+2": 404, strings.Repeat("a", 129): 404, "sha256:totallywrong": 400, "sha256:" + strings.Repeat("A", 64): 400,
				"md5:d41d8cd98f00b204e9800998ecf8427e": 400, "v1%2Fx": 404,
			} {
				s.want(s.at("GET", "/manifests/"+reference, nil), status)
				s.want(s.at("PUT", "/manifests/"+reference, []byte("{}"), "Content-Type", imageType), status)
			}
		}},
		{manifests, "a tag has up to 128 characters of the given alphabet", func(s *specification) {
			m := s.image(s.token, s.repo, "tags")
			for _, tag := range []string{"a", "_", "0", "A.b-c_D", strings.Repeat("x", 128)} {
				s.push(s.token, s.repo, tag, m)
				s.want(s.at("GET", "/manifests/"+tag, nil), 200)
			}
		}},
		{manifests, "a repository's name has any number of segments of the given alphabet", func(s *specification) {
			for _, name := range []string{"spec/a", "spec/a.b", "spec/a_b", "spec/a__b", "spec/a---b", "spec/a/b/c/d/e", "spec/0"} {
				token := s.rig.token("spec", scopeOf(name, "pull,push"))
				s.want(s.put(token, name, "v1", s.image(token, name, "x")), 201)
			}
			for _, name := range []string{"spec/A", "spec/a%40b", "Spec/a", "spec/.a", "spec/-a"} {
				s.want(s.to("GET", "/v2/"+name+"/manifests/v1", nil), 400)
			}
		}},
		{manifests, "a manifest that is not there is 404", func(s *specification) {
			s.tagged("v1")
			for _, reference := range []string{"v2", missingDigest.String()} {
				if a := s.want(s.at("GET", "/manifests/"+reference, nil), 404); a.code() != "MANIFEST_UNKNOWN" {
					s.t.Errorf("code %s", a.code())
				}
			}
		}},
		{blobs, "a blob is read byte for byte, and its digest header matches the body", func(s *specification) {
			d := s.blob("some blob")
			a := s.want(s.at("GET", "/blobs/"+d.String(), nil), 200)
			s.same(a.body, []byte("some blob"))
			s.header(a, "Docker-Content-Digest", digest.SHA256.Of(a.body).String())
			s.header(a, "Content-Length", "9")
		}},
		{blobs, "a blob that is not there is 404", func(s *specification) {
			s.tagged("v1")
			if a := s.want(s.at("GET", "/blobs/"+missingDigest.String(), nil), 404); a.code() != "BLOB_UNKNOWN" {
				s.t.Errorf("code %s", a.code())
			}
		}},
		{blobs, "ranges are served", func(s *specification) {
			d := s.blob("0123456789")
			a := s.want(s.at("GET", "/blobs/"+d.String(), nil, "Range", "bytes=2-4"), 206)
			s.same(a.body, []byte("234"))
			s.header(a, "Content-Range", "bytes 2-4/10")
			s.header(a, "Content-Length", "3")
			s.want(s.at("GET", "/blobs/"+d.String(), nil, "Range", "bytes=10-"), 416)
		}},
		{checks, "HEAD of what is there is 200 with digest and length and no body", func(s *specification) {
			m := s.tagged("v1")
			blob := s.blob("some blob")
			for below, want := range map[string][]byte{
				"/manifests/v1": m, "/manifests/" + digest.SHA256.Of(m).String(): m, "/blobs/" + blob.String(): []byte("some blob"),
			} {
				a := s.want(s.at("HEAD", below, nil), 200)
				s.header(a, "Docker-Content-Digest", digest.SHA256.Of(want).String())
				s.header(a, "Content-Length", strconv.Itoa(len(want)))
				s.same(a.body, nil)
			}
		}},
		{checks, "HEAD of what is not there is 404", func(s *specification) {
			s.tagged("v1")
			for _, below := range []string{"/manifests/v2", "/manifests/" + missingDigest.String(), "/blobs/" + missingDigest.String()} {
				s.same(s.want(s.at("HEAD", below, nil), 404).body, nil)
			}
		}},
		{"Pushing Manifests", "a repository that does not exist is 404", func(s *specification) {
			for _, below := range []string{"/manifests/v1", "/blobs/" + missingDigest.String(), "/tags/list"} {
				s.want(s.at("GET", below, nil), 404)
			}
		}},
		{"main: Pulling manifests", "digest and length are told of manifests of 4 MB too", func(s *specification) {
			m := s.image(s.token, s.repo, "large", with("annotations", map[string]string{"a": strings.Repeat("A", 1_000_000), "b": strings.Repeat("B", 1_000_000),
				"c": strings.Repeat("C", 1_000_000), "d": strings.Repeat("D", 1_000_000)}))
			s.push(s.token, s.repo, "large", m)
			for _, method := range []string{"GET", "HEAD"} {
				s.header(s.want(s.at(method, "/manifests/large", nil), 200), "Content-Length", strconv.Itoa(len(m)))
			}
		}},
	}
}
