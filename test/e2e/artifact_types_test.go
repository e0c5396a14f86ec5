//go:build e2e

package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/test/process"
)

// allowList is the default of Quay 3.6, to the letter, in front of what this test needs to sign in.
const allowList = `FEATURE_GENERAL_OCI_SUPPORT: true
ALLOWED_OCI_ARTIFACT_TYPES:
  application/vnd.oci.image.config.v1+json:
    - application/vnd.dev.cosign.simplesigning.v1+json
  application/vnd.cncf.helm.config.v1+json:
    - application/tar+gzip
` + process.FirstUser

// TestArtifactTypes: with Quay 3.6's allow-list a chart and a cosign signature are taken, any other artifact is refused
// with an error that names the type and what is allowed, and what was refused is not there.
func TestArtifactTypes(t *testing.T) {
	z := newZoo(t)
	r := startRegistry(t, false, allowList)
	in := func(t *testing.T, c client) *session {
		return (&session{t: t, zoo: z, registry: r, client: c}).as(c)
	}
	t.Run("an image is taken", func(t *testing.T) {
		s := in(t, regctl())
		_, err := s.client.place(s, s.repository("image"))
		s.check(err)
	})
	t.Run("a chart is taken and comes back", func(t *testing.T) {
		s := in(t, helm(4))
		digest, err := s.client.place(s, s.repository("charts/greeter"))
		s.check(err)
		s.check(s.client.fetch(s, s.repository("charts/greeter"), digest))
	})
	t.Run("a cosign signature is taken and verifies", func(t *testing.T) {
		s := in(t, cosign())
		digest := seedSigned(s, s.repository("signed"))
		verifySignatureTag(s, s.ref(s.repository("signed"), digest))
	})
	t.Run("another artifact type is refused", func(t *testing.T) {
		s := in(t, oras())
		s.check(os.WriteFile(s.path("policy.rego"), []byte("package policy\n"), 0o600))
		said := s.refused(append([]string{"oras", "push", "--no-tty", "--config", "policy.rego:application/vnd.example.policy.config.v1+json",
			s.ref(s.repository("policy"), "v1"), "policy.rego:application/vnd.example.policy.layer.v1"}, orasFlags(s)...)...)
		names(t, said, "application/vnd.example.policy.config.v1+json", "application/vnd.cncf.helm.config.v1+json")
		nothingIn(s, "policy")
	})
	t.Run("another layer type in an image is refused", func(t *testing.T) {
		s := in(t, oras())
		s.check(os.WriteFile(s.path("config.json"), []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`), 0o600))
		said := s.refused(append([]string{"oras", "push", "--no-tty", "--config", "config.json:application/vnd.oci.image.config.v1+json",
			s.ref(s.repository("layer"), "v1"), "config.json:application/vnd.example.layer.v1"}, orasFlags(s)...)...)
		names(t, said, "application/vnd.example.layer.v1", "application/vnd.oci.image.layer.v1.tar+gzip", "application/tar+gzip")
		nothingIn(s, "layer")
	})
	t.Run("a cosign bundle is refused, its type is not on the list", func(t *testing.T) {
		s := in(t, cosign())
		seed(s, gzipImage, s.repository("bundle"))
		err := sign(s, s.ref(s.repository("bundle"), s.zoo.digest(t, gzipImage)))
		if err == nil {
			t.Fatal("the bundle was taken")
		}
		names(t, err.Error(), bundleType, "application/vnd.cncf.helm.config.v1+json")
	})
}

// names checks that what a client printed names the refused type and those that are allowed.
func names(t *testing.T, said string, types ...string) {
	t.Helper()
	announce(t, t.Name()+": the client printed\n"+said+"\n")
	for _, want := range types {
		if !strings.Contains(said, want) {
			t.Errorf("what the client printed does not name %s", want)
		}
	}
}

func nothingIn(s *session, repository string) {
	s.t.Helper()
	if _, ok := s.registry.manifest(s.t, s.repository(repository), "v1"); ok {
		s.t.Errorf("%s was refused and is there", s.repository(repository))
	}
}
