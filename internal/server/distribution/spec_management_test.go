package distribution_test

import (
	"encoding/json"
	"slices"

	"github.com/longshore-registry/longshore/internal/digest"
)

func managementRequirements() []requirement {
	return []requirement{
		{"Deleting tags", "a deleted tag is 202, then 404; its manifest is still read by digest", func(s *specification) {
			d := digest.SHA256.Of(s.tagged("v1"))
			s.want(s.at("DELETE", "/manifests/v1", nil), 202)
			s.want(s.at("GET", "/manifests/v1", nil), 404)
			s.want(s.at("GET", "/manifests/"+d.String(), nil), 200)
			s.want(s.at("DELETE", "/manifests/v1", nil), 404)
		}},
		{"Deleting Manifests", "a deleted manifest is 202, then 404 by digest and by every tag", func(s *specification) {
			m := s.tagged("v1")
			s.push(s.token, s.repo, "v2", m)
			d := digest.SHA256.Of(m)
			s.want(s.at("DELETE", "/manifests/"+d.String(), nil), 202)
			for _, reference := range []string{d.String(), "v1", "v2"} {
				s.want(s.at("GET", "/manifests/"+reference, nil), 404)
			}
		}},
		{"Deleting Manifests", "a manifest that never had a tag can be deleted", func(s *specification) {
			m := s.image(s.token, s.repo, "x")
			d := s.push(s.token, s.repo, digest.SHA256.Of(m).String(), m)
			s.want(s.at("DELETE", "/manifests/"+d.String(), nil), 202)
			s.want(s.at("GET", "/manifests/"+d.String(), nil), 404)
		}},
		{"Deleting Manifests", "a repository that does not exist is 404", func(s *specification) {
			s.want(s.at("DELETE", "/manifests/"+missingDigest.String(), nil), 404)
			s.want(s.at("DELETE", "/manifests/v1", nil), 404)
		}},
		{"Deleting Blobs", "a deleted blob is 202, then 404", func(s *specification) {
			d := s.blob("a blob that nothing uses")
			s.want(s.at("DELETE", "/blobs/"+d.String(), nil), 202)
			s.want(s.at("GET", "/blobs/"+d.String(), nil), 404)
		}},
		{"Deleting Blobs", "a blob that is not there is 404", func(s *specification) {
			s.tagged("v1")
			s.want(s.at("DELETE", "/blobs/"+missingDigest.String(), nil), 404)
		}},
		{"Deleting Blobs", "where deletion is refused, because a manifest uses the blob, it is 405", func(s *specification) {
			m := s.tagged("v1")
			layer := "/blobs/" + digest.SHA256.Of([]byte("layer v1")).String()
			s.want(s.at("DELETE", layer, nil), 405)
			s.want(s.at("DELETE", "/manifests/"+digest.SHA256.Of(m).String(), nil), 202)
			s.want(s.at("DELETE", layer, nil), 202)
		}},
		{"Error Codes", "errors have the given form and a code of the list", func(s *specification) {
			s.tagged("v1")
			s.tagged("gone")
			s.want(s.at("DELETE", "/manifests/gone", nil), 202)
			location := s.begin()
			for _, a := range []answer{
				s.at("GET", "/manifests/v2", nil), s.at("GET", "/manifests/gone", nil), s.at("GET", "/manifests/.x", nil), s.at("GET", "/manifests/sha256:x", nil),
				s.at("GET", "/blobs/"+missingDigest.String(), nil), s.at("GET", "/blobs/sha256:x", nil), s.at("PUT", "/manifests/v1", []byte("{")),
				s.at("PUT", "/manifests/v1", []byte("{}"), "Content-Type", "text/plain"), s.at("PATCH", "/blobs/uploads/none", nil), s.to("PUT", location, nil),
				s.to("PATCH", location, nil, "Content-Range", "x"), s.at("POST", "/blobs/uploads/?digest=x", nil), s.at("GET", "/referrers/x", nil),
				s.at("PUT", "/manifests/"+digest.SHA256.Of([]byte("{}")).String()+"?tag=.x", []byte("{}")), s.at("POST", "/manifests/v1", nil), s.at("GET", "/nothing", nil),
				s.to("GET", "/v2/spec/missing/tags/list", nil), s.to("GET", "/v2/A/tags/list", nil), s.to("PUT", "/v2/", nil),
				s.send(call{path: "/v2/" + s.repo + "/tags/list"}), s.send(call{path: "/v2/", token: "x"}),
			} {
				s.wellFormed(a)
			}
		}},
	}
}

// wellFormed fails unless an answer is an error as the specification wants it.
func (s *specification) wellFormed(a answer) {
	s.t.Helper()
	var e struct {
		Errors []struct {
			Code    string
			Message string
			Detail  json.RawMessage
		}
	}
	if a.status < 400 || a.status > 499 {
		s.t.Errorf("status %d", a.status)
	}
	if err := json.Unmarshal(a.body, &e); err != nil || len(e.Errors) == 0 {
		s.t.Fatalf("status %d: %v in %s", a.status, err, a.body)
	}
	codes := []string{
		"BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID", "MANIFEST_UNKNOWN",
		"NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED", "DENIED", "UNSUPPORTED", "TOOMANYREQUESTS",
	}
	for _, x := range e.Errors {
		if !slices.Contains(codes, x.Code) || x.Message == "" {
			s.t.Errorf("status %d: %s", a.status, a.body)
		}
	}
	if len(a.header.Values("Warning")) != 0 {
		s.t.Error("there are warnings")
	}
}
