package distribution_test

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/digest"
)

func pushRequirements() []requirement {
	const section = "Pushing Manifests"
	return []requirement{
		{section, "a push is 201 with the Location of the manifest and its digest", func(s *specification) {
			m := s.image(s.token, s.repo, "x")
			for _, reference := range []string{"v1", digest.SHA256.Of(m).String()} {
				a := s.want(s.put(s.token, s.repo, reference, m), 201)
				s.header(a, "Docker-Content-Digest", digest.SHA256.Of(m).String())
				s.same(s.want(s.to("GET", a.header.Get("Location"), nil), 200).body, m)
			}
		}},
		{section, "the bytes are kept exactly as they came", func(s *specification) {
			m := append([]byte("\n  \t"), s.image(s.token, s.repo, "x", with("org.example.unknown", []any{1.50, nil, "ü"}))...)
			m = append(m, "  \n\n"...)
			s.push(s.token, s.repo, "v1", m)
			s.same(s.want(s.at("GET", "/manifests/v1", nil), 200).body, m)
		}},
		{section, "a digest that is not the content's is refused", func(s *specification) {
			m := s.image(s.token, s.repo, "x")
			s.want(s.put(s.token, s.repo, missingDigest.String(), m), 400)
			s.want(s.put(s.token, s.repo, "sha256:baddigeststring", m), 400)
			s.want(s.at("GET", "/manifests/"+missingDigest.String(), nil), 404)
		}},
		{section, "a manifest may have no layers, an index no manifests", func(s *specification) {
			config := []byte("{}")
			s.blob("{}")
			s.push(s.token, s.repo, "image", manifest(map[string]any{"schemaVersion": 2, "mediaType": imageType, "config": descriptor(configType, config), "layers": []any{}}))
			s.push(s.token, s.repo, "index", manifest(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": []any{}}))
		}},
		{section, "a manifest whose mediaType differs from the Content-Type is refused", func(s *specification) {
			m := s.image(s.token, s.repo, "x")
			s.want(s.at("PUT", "/manifests/v1", m, "Content-Type", indexType), 400)
			s.want(s.at("PUT", "/manifests/v1", m, "Content-Type", imageType+"; charset=utf-8"), 201)
			s.header(s.at("GET", "/manifests/v1", nil), "Content-Type", imageType)
		}},
		{section, "a manifest over the limit is 413", func(s *specification) {
			m := s.image(s.token, s.repo, "x", with("annotations", map[string]string{"a": strings.Repeat("x", 4<<20)}))
			s.want(s.put(s.token, s.repo, "v1", m), http.StatusRequestEntityTooLarge)
		}},
		{"Push", "a manifest that names a blob or manifest that is not there is MANIFEST_BLOB_UNKNOWN", func(s *specification) {
			s.tagged("v1")
			image := manifest(map[string]any{"schemaVersion": 2, "mediaType": imageType, "config": descriptor(configType, []byte("not pushed")), "layers": []any{}})
			index := manifest(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": []any{descriptor(imageType, []byte("not pushed"))}})
			for _, m := range [][]byte{image, index} {
				if a := s.want(s.put(s.token, s.repo, "v2", m), 400, 404); a.code() != "MANIFEST_BLOB_UNKNOWN" {
					s.t.Errorf("code %s: %s", a.code(), a.body)
				}
			}
		}},
		{"Push", "a subject need not be there", func(s *specification) {
			s.artifact(missingDigest)
		}},
		{"Pushing Manifests with Subject", "the subject is repeated in OCI-Subject, of images and indexes, by digest and by tag", func(s *specification) {
			_, a := s.artifact(missingDigest)
			s.header(a, "OCI-Subject", missingDigest.String())
			index := manifest(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": []any{}, "subject": map[string]any{"mediaType": imageType, "digest": missingDigest.String(), "size": 1}})
			s.header(s.want(s.put(s.token, s.repo, "v1", index), 201), "OCI-Subject", missingDigest.String())
		}},
		{"main: Pushing Manifests", "several tags come with a push by digest, and each is named in OCI-Tag", func(s *specification) {
			m := s.image(s.token, s.repo, "x")
			var parameters []string
			var want []string
			for i := range 10 {
				want = append(want, fmt.Sprintf("v1.%d", i))
				parameters = append(parameters, "tag="+want[i])
			}
			a := s.want(s.put(s.token, s.repo, digest.SHA256.Of(m).String()+"?"+strings.Join(parameters, "&"), m), 201)
			if diff := cmp.Diff(want, a.header.Values("OCI-Tag")); diff != "" {
				s.t.Error(diff)
			}
			_, tags := s.tags("")
			if diff := cmp.Diff(want, tags); diff != "" {
				s.t.Error(diff)
			}
		}},
		{"main: Pushing Manifests", "a tag remembers the algorithm it was pushed with", func(s *specification) {
			m := s.image(s.token, s.repo, "x")
			d := digest.SHA512.Of(m).String()
			s.header(s.want(s.put(s.token, s.repo, d+"?tag=v1", m), 201), "Docker-Content-Digest", d)
			s.header(s.want(s.at("HEAD", "/manifests/v1", nil), 200), "Docker-Content-Digest", d)
		}},
	}
}
