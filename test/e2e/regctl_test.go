//go:build e2e

package e2e

import (
	"os"
	"slices"
	"strings"
)

// regctl is regclient's client.
func regctl() client {
	m := mover{
		up: func(s *session, layout, ref string) error {
			_, err := s.run("regctl", "image", "copy", "ocidir://"+layout+":v1", ref)
			return err
		},
		down: func(s *session, ref, layout string) error {
			_, err := s.run("regctl", "image", "copy", ref, "ocidir://"+layout+":v1")
			return err
		},
	}
	trust := func(s *session) {
		how := []string{"--tls", "disabled"}
		if s.secure() {
			pem, err := os.ReadFile(s.registry.CA)
			s.check(err)
			how = []string{"--cacert", string(pem)}
		}
		s.must(append([]string{"regctl", "registry", "set", s.registry.Host, "--skip-check"}, how...)...)
	}
	return client{
		name: "regctl", needs: []string{"regctl"},
		configure: trust,
		login: func(s *session, c credential) error {
			_, err := s.runWith(c.password, "regctl", "registry", "login", s.registry.Host, "-u", c.user, "--pass-stdin")
			return err
		},
		place: m.place, fetch: m.fetch,
		cells: m.cells(map[cell]func(*session){
			artifact:     regctlArtifact,
			referrers:    func(s *session) { regctlReferrers(s, m) },
			signatureTag: regctlSignature,
			remove:       func(s *session) { regctlDelete(s, m) },
		}),
	}
}

func regctlArtifact(s *session) {
	ref := s.ref(s.repository("artifact"), "v1")
	s.check(os.WriteFile(s.path("notes.txt"), []byte("an artifact\n"), 0o600))
	s.must("regctl", "artifact", "put", "--artifact-type", "application/vnd.example.notes", "-f", s.path("notes.txt"), ref)
	if got := s.must("regctl", "artifact", "get", ref); got != "an artifact" {
		s.t.Fatalf("the artifact came back as %q", got)
	}
}

func regctlReferrers(s *session, m mover) {
	repository := s.repository("referrers")
	digest, err := m.place(s, repository)
	s.check(err)
	s.check(os.WriteFile(s.path("report.txt"), []byte("all good\n"), 0o600))
	for _, kind := range []string{"application/vnd.example.report", "application/vnd.example.sbom"} {
		s.must("regctl", "artifact", "put", "--artifact-type", kind, "-f", s.path("report.txt"), "--subject", s.ref(repository, digest))
	}
	want := []string{"application/vnd.example.report", "application/vnd.example.sbom"}
	if got := s.registry.referrers(s.t, repository, digest); !slices.Equal(got, want) {
		s.t.Fatalf("the registry lists %v as referrers, want %v", got, want)
	}
	only := s.must("regctl", "artifact", "list", "--filter-artifact-type", want[1], "--format", "{{range .Descriptors}}{{.ArtifactType}} {{end}}", s.ref(repository, digest))
	if strings.TrimSpace(only) != want[1] {
		s.t.Fatalf("filtered referrers are %q, want %s alone", only, want[1])
	}
	if got := s.must("regctl", "artifact", "get", "--subject", s.ref(repository, digest), "--filter-artifact-type", want[0]); got != "all good" {
		s.t.Fatalf("the referrer's content came back as %q", got)
	}
}

// regctlSignature copies an image with its digest tags: the signature must arrive with it and still verify.
func regctlSignature(s *session) {
	from, to := s.repository("signed"), s.repository("signed-copy")
	digest := seedSigned(s, from)
	s.must("regctl", "image", "copy", "--digest-tags", s.ref(from, digest), s.ref(to, "v1"))
	verifySignatureTag(s, s.ref(to, digest))
}

func regctlDelete(s *session, m mover) {
	repository := s.repository("delete")
	digest, err := m.place(s, repository)
	s.check(err)
	s.must("regctl", "image", "copy", s.ref(repository, "v1"), s.ref(repository, "v2"))
	s.must("regctl", "tag", "rm", s.ref(repository, "v1"))
	gone(s, repository, "v1")
	s.stored(repository, "v2")
	if got := s.must("regctl", "tag", "ls", s.registry.Host+"/"+repository); got != "v2" {
		s.t.Fatalf("tags after the delete: %q, want v2", got)
	}
	s.must("regctl", "manifest", "delete", s.ref(repository, digest))
	gone(s, repository, digest)
}
