//go:build e2e

package e2e

// crane is go-containerregistry's client. It speaks plain HTTP to loopback by itself and trusts what Go trusts.
func crane() client {
	run := func(s *session, args ...string) error {
		_, err := s.run(append([]string{"crane"}, args...)...)
		return err
	}
	m := mover{
		up: func(s *session, layout, ref string) error { return run(s, "push", layout, ref) },
		down: func(s *session, ref, layout string) error {
			return run(s, "pull", "--format", "oci", ref, layout)
		},
	}
	return client{
		name: "crane", needs: []string{"crane"},
		configure: trustByEnvironment,
		login: func(s *session, c credential) error {
			_, err := s.runWith(c.password, "crane", "auth", "login", s.registry.Host, "-u", c.user, "--password-stdin")
			return err
		},
		probe: func(s *session) error { return run(s, "catalog", s.registry.Host) },
		place: m.place, fetch: m.fetch,
		cells: m.cells(map[cell]func(*session){
			artifact: func(s *session) { copyArtifact(s, func(from, to string) { s.must("crane", "copy", from, to) }) },
			remove: func(s *session) {
				repository := s.repository("delete")
				digest, err := m.place(s, repository)
				s.check(err)
				s.must("crane", "validate", "--remote", s.ref(repository, "v1"))
				s.must("crane", "tag", s.ref(repository, "v1"), "v2")
				s.must("crane", "delete", s.ref(repository, "v1"))
				gone(s, repository, "v1")
				s.stored(repository, "v2")
				s.must("crane", "delete", s.ref(repository, digest))
				gone(s, repository, digest)
				gone(s, repository, "v2")
			},
		}),
	}
}

// trustByEnvironment makes a Go program trust the registry's authority and nothing else.
func trustByEnvironment(s *session) {
	if s.secure() {
		s.env = append(s.env, "SSL_CERT_FILE="+s.registry.CA, "SSL_CERT_DIR=/nonexistent")
	}
}

// copyArtifact has a client copy an artifact that oras pushed to another repository, where it must be the same.
func copyArtifact(s *session, copy func(from, to string)) {
	s.t.Helper()
	digest := seedArtifact(s, s.repository("artifact"))
	copy(s.ref(s.repository("artifact"), digest), s.ref(s.repository("artifact-copy"), "v1"))
	if got := s.stored(s.repository("artifact-copy"), "v1").digest; got != digest {
		s.t.Fatalf("the copy is %s, the artifact was %s", got, digest)
	}
}

// gone checks that a manifest was deleted.
func gone(s *session, repository, reference string) {
	s.t.Helper()
	if _, ok := s.registry.manifest(s.t, repository, reference); ok {
		s.t.Fatalf("%s of %s is still there after it was deleted", reference, repository)
	}
}
