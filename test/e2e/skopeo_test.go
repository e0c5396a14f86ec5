//go:build e2e

package e2e

import (
	"os"
	"strings"
)

// containersFlags are how skopeo, podman and buildah are told to trust the registry. side is "src-", "dest-" or "".
func containersFlags(s *session, side string) []string {
	return s.flags([]string{"--" + side + "tls-verify=false"}, []string{"--" + side + "cert-dir=" + s.path("trust")})
}

// containersLogin is the same command in skopeo, podman and buildah.
func containersLogin(command func(*session) []string) func(*session, credential) error {
	return func(s *session, c credential) error {
		args := append(command(s), "login", "-u", c.user, "--password-stdin")
		_, err := s.runWith(c.password, append(append(args, containersFlags(s, "")...), s.registry.Host)...)
		return err
	}
}

// skopeo copies images, and encrypts and decrypts them on the way.
func skopeo() client {
	m := mover{
		up: func(s *session, layout, ref string) error {
			args := []string{"skopeo", "copy", "-q", "--all", "--preserve-digests", "oci:" + layout + ":v1", "docker://" + ref}
			_, err := s.run(append(args, containersFlags(s, "dest-")...)...)
			return err
		},
		down: func(s *session, ref, layout string) error {
			args := []string{"skopeo", "copy", "-q", "--all", "--preserve-digests", "docker://" + ref, "oci:" + layout + ":v1"}
			_, err := s.run(append(args, containersFlags(s, "src-")...)...)
			return err
		},
	}
	c := client{
		name: "skopeo", needs: []string{"skopeo"},
		login: containersLogin(func(*session) []string { return []string{"skopeo"} }),
		place: m.place, fetch: m.fetch,
	}
	carried := m.cells(nil)
	c.cells = m.cells(map[cell]func(*session){
		zstdLayers: func(s *session) {
			carried[zstdLayers](s)
			skopeoRecompress(s)
		},
		encrypted: func(s *session) {
			carried[encrypted](s)
			skopeoDecrypt(s)
		},
		artifact: func(s *session) {
			copyArtifact(s, func(from, to string) {
				s.must(append(append([]string{"skopeo", "copy", "-q", "--preserve-digests", "docker://" + from, "docker://" + to},
					containersFlags(s, "src-")...), containersFlags(s, "dest-")...)...)
			})
		},
		remove: func(s *session) { skopeoDelete(s, m) },
	})
	return c
}

// skopeoRecompress pushes a gzip image with zstd layers.
func skopeoRecompress(s *session) {
	repository := s.repository("recompressed")
	s.must(append([]string{"skopeo", "copy", "-q", "--dest-compress-format", "zstd", "oci:" + s.zoo.layout(secretImage) + ":v1",
		"docker://" + s.ref(repository, "v1")}, containersFlags(s, "dest-")...)...)
	someLayer(s, s.stored(repository, "v1"), "+zstd")
}

// skopeoDecrypt pulls an encrypted image with the key: the layers must be those from before the encryption.
func skopeoDecrypt(s *session) {
	from := append([]string{"skopeo", "copy", "-q", "docker://" + s.ref(s.repository(encryptedImage), "v1")}, containersFlags(s, "src-")...)
	s.must(append(from, "--decryption-key", s.zoo.key("decrypt.pem"), "oci:"+s.path("clear")+":v1")...)
	for _, blob := range layersOf(s.t, s.zoo.layout(secretImage)) {
		if _, err := os.Stat(s.path("clear/blobs/sha256/" + strings.TrimPrefix(blob, "sha256:"))); err != nil {
			s.t.Fatalf("a layer of the image before its encryption is missing after decryption: %v", err)
		}
	}
}

func skopeoDelete(s *session, m mover) {
	repository := s.repository("delete")
	digest, err := m.place(s, repository)
	s.check(err)
	list := s.must(append([]string{"skopeo", "list-tags", "docker://" + s.registry.Host + "/" + repository}, containersFlags(s, "")...)...)
	if !strings.Contains(list, `"v1"`) {
		s.t.Fatalf("skopeo list-tags printed\n%s", list)
	}
	s.must(append([]string{"skopeo", "delete", "docker://" + s.ref(repository, "v1")}, containersFlags(s, "")...)...)
	gone(s, repository, "v1")
	gone(s, repository, digest)
}

// someLayer checks that a manifest has a layer whose media type ends in suffix.
func someLayer(s *session, m stored, suffix string) {
	s.t.Helper()
	types := m.layers(s.t)
	for _, mediaType := range types {
		if strings.HasSuffix(mediaType, suffix) {
			return
		}
	}
	s.t.Fatalf("no layer of %s is %s: %v", m.digest, suffix, types)
}
