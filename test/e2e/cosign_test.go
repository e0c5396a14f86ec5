//go:build e2e

package e2e

import (
	"os"
	"regexp"
	"slices"
	"strings"
)

// bundleType is the artifact type under which cosign 3 stores signatures and attestations as referrers.
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// cosign signs with a key pair and talks to no service but the registry: no transparency log, no certificate
// authority. What it pushes is a signature, so "push" and "pull" are sign and verify.
func cosign() client {
	return client{
		name: "cosign3", needs: []string{"cosign"},
		login: func(s *session, c credential) error {
			_, err := s.runWith(c.password, "cosign", "login", s.registry.Host, "-u", c.user, "--password-stdin")
			return err
		},
		probe: func(s *session) error {
			// There is no such repository: who is known is told so, who is not is told nothing.
			err := verify(s, s.ref(s.login.user+"/none", "v1"))
			if err == nil || regexp.MustCompile(`\b404\b|_UNKNOWN`).MatchString(err.Error()) {
				return nil
			}
			return err
		},
		place: func(s *session, repository string) (string, error) {
			seed(s, gzipImage, repository)
			digest := s.zoo.digest(s.t, gzipImage)
			return digest, sign(s, s.ref(repository, digest))
		},
		fetch: func(s *session, repository, digest string) error { return verify(s, s.ref(repository, digest)) },
		cells: map[cell]func(*session){
			multiArch:    cosignIndex,
			referrers:    cosignReferrers,
			signatureTag: cosignTag,
			remove:       cosignClean,
		},
	}
}

func cosignFlags(s *session) []string {
	return s.flags([]string{"--allow-http-registry"}, []string{"--registry-cacert", s.registry.CA})
}

// sign signs a digest with a bundle that refers to it.
func sign(s *session, ref string, flags ...string) error {
	args := append([]string{"cosign", "sign", "-y", "--key", s.zoo.key("cosign.key"), "--signing-config", s.zoo.key("signing-config.json"),
		"--trusted-root", s.zoo.key("trusted-root.json")}, flags...)
	_, err := s.run(append(append(args, cosignFlags(s)...), ref)...)
	return err
}

// verify verifies what sign made, or with more flags something else.
func verify(s *session, ref string, flags ...string) error {
	args := append([]string{"cosign", "verify", "--key", s.zoo.key("cosign.pub"), "--trusted-root", s.zoo.key("trusted-root.json"),
		"--insecure-ignore-tlog"}, flags...)
	_, err := s.run(append(append(args, cosignFlags(s)...), ref)...)
	return err
}

// signTag signs a digest in the older form, as a .sig tag.
func signTag(s *session, ref string) error {
	args := append([]string{"cosign", "sign", "-y", "--key", s.zoo.key("cosign.key"), "--use-signing-config=false", "--tlog-upload=false",
		"--new-bundle-format=false"}, cosignFlags(s)...)
	_, err := s.run(append(args, ref)...)
	return err
}

// seedSigned puts an image into a repository with a signature as a .sig tag beside it.
func seedSigned(s *session, repository string) (digest string) {
	s.t.Helper()
	seed(s, gzipImage, repository)
	digest = s.zoo.digest(s.t, gzipImage)
	s.check(signTag(s.as(cosign()), s.ref(repository, digest)))
	return digest
}

// verifySignatureTag verifies the .sig tag of an image.
func verifySignatureTag(s *session, ref string) {
	s.t.Helper()
	s.check(verify(s.as(cosign()), ref, "--new-bundle-format=false"))
}

// cosignReferrers: signature and attestation are referrers of the image, verify, and need no tag.
func cosignReferrers(s *session) {
	repository := s.repository("referrers")
	digest, err := s.client.place(s, repository)
	s.check(err)
	ref := s.ref(repository, digest)
	s.check(os.WriteFile(s.path("predicate.json"), []byte(`{"builder":"e2e"}`), 0o600))
	s.must(append([]string{"cosign", "attest", "-y", "--key", s.zoo.key("cosign.key"), "--signing-config", s.zoo.key("signing-config.json"),
		"--predicate", "predicate.json", "--type", "custom"}, append(cosignFlags(s), ref)...)...)
	if got, want := s.registry.referrers(s.t, repository, digest), []string{bundleType, bundleType}; !slices.Equal(got, want) {
		s.t.Fatalf("the registry lists %v as referrers, want %v", got, want)
	}
	s.check(s.client.fetch(s, repository, digest))
	s.must(append([]string{"cosign", "verify-attestation", "--key", s.zoo.key("cosign.pub"), "--trusted-root", s.zoo.key("trusted-root.json"),
		"--insecure-ignore-tlog", "--type", "custom"},
		append(cosignFlags(s), ref)...)...)
	if _, ok := s.registry.manifest(s.t, repository, signatureTagOf(digest)); ok {
		s.t.Fatal("a bundle was stored as a tag as well")
	}
}

// cosignTag: the older form, a tag named after the digest in the same repository.
func cosignTag(s *session) {
	repository := s.repository("sig-tag")
	digest := seedSigned(s, repository)
	someLayer(s, s.stored(repository, signatureTagOf(digest)), "application/vnd.dev.cosign.simplesigning.v1+json")
	verifySignatureTag(s, s.ref(repository, digest))
}

func signatureTagOf(digest string) string { return strings.Replace(digest, ":", "-", 1) + ".sig" }

// cosignIndex signs an index and each of its images.
func cosignIndex(s *session) {
	repository := s.repository("index")
	seed(s, indexImage, repository)
	digest := s.zoo.digest(s.t, indexImage)
	s.check(sign(s, s.ref(repository, digest), "--recursive"))
	s.check(s.client.fetch(s, repository, digest))
	if got := s.registry.referrers(s.t, repository, digest); !slices.Equal(got, []string{bundleType}) {
		s.t.Fatalf("the index has the referrers %v, want one bundle", got)
	}
}

// cosignClean removes the signatures and leaves the image.
func cosignClean(s *session) {
	repository := s.repository("delete")
	digest := seedSigned(s, repository)
	s.must(append([]string{"cosign", "clean", "-f", "--type", "signature"}, append(cosignFlags(s), s.ref(repository, digest))...)...)
	gone(s, repository, signatureTagOf(digest))
	s.stored(repository, digest)
}
