package distribution_test

import (
	"fmt"

	"github.com/longshore-registry/longshore/internal/digest"
)

func uploadRequirements() []requirement {
	const post, chunked, mount = "POST then PUT", "Pushing a blob in chunks", "Mounting a blob from another repository"
	blob := []byte("first chunk, second chunk")
	d := digest.SHA256.Of(blob)
	return []requirement{
		{post, "an upload begins with 202 and a Location that holds a unique id", func(s *specification) {
			first, second := s.begin(), s.begin()
			if !uuidPattern.MatchString(first) || first == second {
				s.t.Errorf("locations %q and %q", first, second)
			}
		}},
		{post, "PUT of the content ends it with 201 and the Location of the blob", func(s *specification) {
			a := s.want(s.to("PUT", query(s.begin(), "digest="+d.String()), blob, "Content-Type", octetStream), 201)
			s.same(s.want(s.to("GET", a.header.Get("Location"), nil), 200).body, blob)
			s.header(a, "Docker-Content-Digest", d.String())
		}},
		{"Single POST", "a POST with the content ends with 201 and the Location of the blob", func(s *specification) {
			a := s.want(s.at("POST", "/blobs/uploads/?digest="+d.String(), blob, "Content-Type", octetStream), 201)
			s.same(s.want(s.to("GET", a.header.Get("Location"), nil), 200).body, blob)
		}},
		{"Single POST", "the digest must be the content's", func(s *specification) {
			if a := s.want(s.at("POST", "/blobs/uploads/?digest="+missingDigest.String(), blob), 400); a.code() != "DIGEST_INVALID" {
				s.t.Errorf("code %s", a.code())
			}
			s.want(s.to("PUT", query(s.begin(), "digest="+missingDigest.String()), blob), 400)
			s.want(s.at("HEAD", "/blobs/"+missingDigest.String(), nil), 404)
		}},
		{chunked, "chunks go up in order; each is 202 with Location and the range so far", func(s *specification) {
			location := s.begin()
			for _, part := range [][2]int{{0, 11}, {12, 24}} {
				contentRange := fmt.Sprintf("%d-%d", part[0], part[1])
				a := s.want(s.to("PATCH", location, blob[part[0]:part[1]+1], "Content-Range", contentRange, "Content-Type", octetStream), 202)
				s.header(a, "Range", fmt.Sprintf("0-%d", part[1]))
				location = a.header.Get("Location")
			}
			a := s.want(s.to("PUT", query(location, "digest="+d.String()), nil), 201)
			s.same(s.want(s.to("GET", a.header.Get("Location"), nil), 200).body, blob)
		}},
		{chunked, "the last chunk may come with the PUT", func(s *specification) {
			location := s.begin()
			s.want(s.to("PATCH", location, blob[:12], "Content-Range", "0-11"), 202)
			s.want(s.to("PUT", query(location, "digest="+d.String()), blob[12:], "Content-Range", "12-24"), 201)
			s.want(s.at("HEAD", "/blobs/"+d.String(), nil), 200)
		}},
		{chunked, "a chunk may be a stream without a range", func(s *specification) {
			location := s.begin()
			s.want(s.to("PATCH", location, blob), 202)
			s.want(s.to("PUT", query(location, "digest="+d.String()), nil), 201)
		}},
		{chunked, "a range that is none is refused", func(s *specification) {
			for _, contentRange := range []string{"bytes=0-11", "0", "11-0", "a-b"} {
				s.want(s.to("PATCH", s.begin(), blob[:12], "Content-Range", contentRange), 400)
			}
		}},
		{chunked, "the first chunk begins with byte 0", func(s *specification) {
			s.want(s.to("PATCH", s.begin(), blob[12:], "Content-Range", "12-24"), 416)
		}},
		{chunked, "a chunk out of order is 416, ahead or behind, and the upload goes on", func(s *specification) {
			location := s.begin()
			s.want(s.to("PATCH", location, blob[:12], "Content-Range", "0-11"), 202)
			for _, wrong := range []string{"13-24", "0-11", "5-16"} {
				a := s.want(s.to("PATCH", location, blob[:12], "Content-Range", wrong), 416)
				s.header(a, "Range", "0-11")
				s.same(a.body, nil)
			}
			s.want(s.to("PUT", query(location, "digest="+d.String()), blob[12:], "Content-Range", "12-24"), 201)
		}},
		{"main: Pushing a blob in chunks", "a last chunk out of order is 416, and the upload goes on", func(s *specification) {
			location := s.begin()
			s.want(s.to("PATCH", location, blob[:12], "Content-Range", "0-11"), 202)
			wrong := query(location, "digest="+d.String())
			s.header(s.want(s.to("PUT", wrong, blob[:12], "Content-Range", "0-11"), 416), "Range", "0-11")
			s.header(s.want(s.to("GET", wrong, nil), 204), "Range", "0-11")
			s.want(s.to("PUT", wrong, blob[12:], "Content-Range", "12-24"), 201)
		}},
		{chunked, "the closing PUT names the digest of the whole blob", func(s *specification) {
			location := s.begin()
			s.want(s.to("PUT", location, blob), 400)
			s.want(s.to("PUT", query(location, "digest=sha256:abc"), blob), 400)
			s.want(s.to("PUT", query(location, "digest="+d.String()), blob), 201)
		}},
		{chunked, "the state of an upload is 204 with Location and range", func(s *specification) {
			location := s.begin()
			s.header(s.want(s.to("GET", location, nil), 204), "Range", "0-0")
			s.want(s.to("PATCH", location, blob[:12], "Content-Range", "0-11"), 202)
			a := s.want(s.to("GET", location, nil), 204)
			s.header(a, "Range", "0-11")
			s.want(s.to("PATCH", a.header.Get("Location"), blob[12:], "Content-Range", "12-24"), 202)
		}},
		{chunked, "a closed upload is unknown", func(s *specification) {
			location := s.begin()
			s.want(s.to("PUT", query(location, "digest="+d.String()), blob), 201)
			for _, method := range []string{"GET", "PATCH", "DELETE"} {
				if a := s.want(s.to(method, location, nil), 404); a.code() != "BLOB_UPLOAD_UNKNOWN" {
					s.t.Errorf("%s: code %s", method, a.code())
				}
			}
		}},
		{"main: Cancel a blob upload", "DELETE ends an upload with 204", func(s *specification) {
			location := s.begin()
			s.want(s.to("DELETE", location, nil), 204)
			s.want(s.to("GET", location, nil), 404)
			s.want(s.to("PUT", query(location, "digest="+d.String()), blob), 404)
		}},
		{"main: Pushing a blob in chunks", "another algorithm may be announced, and need not be", func(s *specification) {
			d := digest.SHA512.Of(blob)
			location := s.want(s.at("POST", "/blobs/uploads/?digest-algorithm=sha512", nil), 202).header.Get("Location")
			s.want(s.to("PATCH", location, blob), 202)
			s.header(s.want(s.to("PUT", query(location, "digest="+d.String()), nil), 201), "Docker-Content-Digest", d.String())
			s.want(s.to("PUT", query(s.begin(), "digest="+d.String()), blob), 201)
			s.same(s.want(s.at("GET", "/blobs/"+d.String(), nil), 200).body, blob)
			s.want(s.at("HEAD", "/blobs/"+digest.SHA256.Of(blob).String(), nil), 404)
		}},
		{"main: Pushing blobs", "a digest that is malformed or of an unknown algorithm is 400", func(s *specification) {
			s.want(s.at("POST", "/blobs/uploads/?digest-algorithm=md5", nil), 400)
			s.want(s.at("POST", "/blobs/uploads/?digest=sha256:abc", blob), 400)
			s.want(s.at("POST", "/blobs/uploads/?digest=md5:d41d8cd98f00b204e9800998ecf8427e", blob), 400)
			s.want(s.to("PUT", query(s.begin(), "digest=md5:d41d8cd98f00b204e9800998ecf8427e"), blob), 400)
		}},
		{mount, "a mount is 201 with the Location of the blob", func(s *specification) {
			source := *s
			source.repo = s.repo + "-source"
			source.token = s.rig.token("spec", scopeOf(source.repo, "pull,push"))
			source.blob(string(blob))
			a := s.want(s.at("POST", "/blobs/uploads/?mount="+d.String()+"&from="+source.repo, nil), 201)
			s.header(a, "Location", "/v2/"+s.repo+"/blobs/"+d.String())
			s.header(a, "Docker-Content-Digest", d.String())
			s.same(s.want(s.to("GET", a.header.Get("Location"), nil), 200).body, blob)
		}},
		{mount, "the source need not be named", func(s *specification) {
			source := *s
			source.repo = s.repo + "-source"
			source.token = s.rig.token("spec", scopeOf(source.repo, "pull,push"))
			d := source.blob("to be found without a name")
			s.want(s.at("POST", "/blobs/uploads/?mount="+d.String(), nil), 201)
			s.want(s.at("GET", "/blobs/"+d.String(), nil), 200)
		}},
		{mount, "what cannot be mounted is an upload that has begun", func(s *specification) {
			for _, parameters := range []string{"mount=" + missingDigest.String(), "mount=" + missingDigest.String() + "&from=spec/elsewhere", "mount=sha256:abc", "mount=" + d.String() + "&from=A"} {
				location := s.want(s.at("POST", "/blobs/uploads/?"+parameters, nil), 202, 201).header.Get("Location")
				if location == "" {
					s.t.Errorf("%s: no Location", parameters)
				}
			}
		}},
	}
}
