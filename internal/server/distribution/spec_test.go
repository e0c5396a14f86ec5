package distribution_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
)

// requirement is something that the OCI distribution specification demands of a registry. Each has a repository of its
// own, and a token that may do everything there.
type requirement struct {
	section string // of v1.1.1; "main:" before those that only the main branch has
	claim   string
	check   func(*specification)
}

type specification struct {
	*rig
	repo  string
	token string
}

// TestSpecification holds every MUST of the specification that binds a registry. What binds clients only is theirs.
func TestSpecification(t *testing.T) {
	all := slices.Concat(pullRequirements(), uploadRequirements(), pushRequirements(), discoveryRequirements(), managementRequirements())
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		base := newRig(t, d)
		for i, requirement := range all {
			t.Run(requirement.section+": "+requirement.claim, func(t *testing.T) {
				r := *base
				r.t = t
				s := &specification{rig: &r, repo: fmt.Sprintf("spec/r%d", i)}
				s.token = s.rig.token("spec", scopeOf(s.repo, "pull,push"))
				requirement.check(s)
			})
		}
	})
}

// at sends a request below the repository, with the token.
func (s *specification) at(method, below string, body []byte, header ...string) answer {
	s.t.Helper()
	return s.to(method, "/v2/"+s.repo+below, body, header...)
}

// to sends a request to a path or Location, with the token; header holds names and values in turn.
func (s *specification) to(method, location string, body []byte, header ...string) answer {
	s.t.Helper()
	h := map[string]string{}
	for i := 0; i+1 < len(header); i += 2 {
		h[header[i]] = header[i+1]
	}
	return s.send(call{method: method, path: path(location), token: s.token, body: body, header: h})
}

// blob uploads a blob.
func (s *specification) blob(content string) digest.Digest {
	s.t.Helper()
	return s.upload(s.token, s.repo, []byte(content))
}

// tagged pushes an image under a tag and gives its bytes.
func (s *specification) tagged(tag string) []byte {
	s.t.Helper()
	m := s.image(s.token, s.repo, tag)
	s.push(s.token, s.repo, tag, m)
	return m
}

// begin starts an upload and gives its Location.
func (s *specification) begin() string {
	s.t.Helper()
	return s.want(s.at("POST", "/blobs/uploads/", nil), 202).header.Get("Location")
}

// header fails unless the answer has exactly this header.
func (s *specification) header(a answer, name, want string) {
	s.t.Helper()
	if got := a.header.Get(name); got != want {
		s.t.Errorf("%s is %q, want %q", name, got, want)
	}
}

func (s *specification) same(got, want []byte) {
	s.t.Helper()
	if !bytes.Equal(got, want) {
		s.t.Errorf("%d bytes came back that differ from the %d pushed", len(got), len(want))
	}
}

func (s *specification) tags(query string) (answer, []string) {
	s.t.Helper()
	a := s.want(s.at("GET", "/tags/list"+query, nil), 200)
	return a, decode[struct{ Tags []string }](s.t, a).Tags
}

func (s *specification) referrers(d digest.Digest, query string) (answer, []map[string]any) {
	s.t.Helper()
	a := s.want(s.at("GET", "/referrers/"+d.String()+query, nil), 200)
	return a, decode[struct{ Manifests []map[string]any }](s.t, a).Manifests
}

// artifact pushes a manifest with a subject, which need not be there.
func (s *specification) artifact(subject digest.Digest, more ...func(map[string]any)) (digest.Digest, answer) {
	s.t.Helper()
	s.blob("{}")
	m := manifest(map[string]any{
		"schemaVersion": 2, "mediaType": imageType, "artifactType": "application/vnd.example.sbom.v1",
		"config": descriptor("application/vnd.oci.empty.v1+json", []byte("{}")), "layers": []any{descriptor("application/vnd.oci.empty.v1+json", []byte("{}"))},
		"subject": map[string]any{"mediaType": imageType, "digest": subject.String(), "size": 123},
	}, more...)
	d := digest.SHA256.Of(m)
	return d, s.want(s.put(s.token, s.repo, d.String(), m), 201)
}

var (
	missingDigest = digest.SHA256.Of([]byte("nobody ever pushed this"))
	uuidPattern   = regexp.MustCompile(`[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}`)
)
