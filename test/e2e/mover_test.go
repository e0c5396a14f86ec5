//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
)

// mover is a client that copies images between an OCI layout and a registry without changing a byte.
type mover struct {
	up   func(s *session, layout, ref string) error
	down func(s *session, ref, layout string) error
}

func (m mover) place(s *session, repository string) (string, error) {
	digest := s.zoo.digest(s.t, gzipImage)
	return digest, m.up(s, s.zoo.layout(gzipImage), s.ref(repository, "v1"))
}

func (m mover) fetch(s *session, repository, digest string) error {
	layout := s.path("pulled-" + strings.ReplaceAll(repository, "/", "-"))
	if err := m.down(s, s.ref(repository, digest), layout); err != nil {
		return err
	}
	s.zoo.sameImage(s.t, gzipImage, layout)
	return nil
}

// cells are the images that a mover carries there and back.
func (m mover) cells(more map[cell]func(*session)) map[cell]func(*session) {
	carry := func(images ...string) func(*session) {
		return func(s *session) {
			for _, image := range images {
				m.carry(s, image)
			}
		}
	}
	cells := map[cell]func(*session){
		gzipLayers: carry(gzipImage), zstdLayers: carry(zstdImage), multiArch: carry(indexImage), encrypted: carry(encryptedImage),
		seekable: func(s *session) {
			for _, image := range []string{estargzImage, zstdChunkedImage} {
				readLazily(s, image, m.carry(s, image))
			}
		},
	}
	for name, check := range more {
		cells[name] = check
	}
	return cells
}

// carry pushes an image, compares what the registry stores, pulls it by tag and compares every blob.
func (m mover) carry(s *session, image string) (repository string) {
	repository = s.repository(image)
	s.check(m.up(s, s.zoo.layout(image), s.ref(repository, "v1")))
	want := layoutImage(s.t, s.zoo.layout(image))
	if got := s.stored(repository, "v1"); got.digest != want.Digest || got.mediaType != want.MediaType {
		s.t.Fatalf("%s: the registry stores %s as %s, pushed was %s as %s", image, got.digest, got.mediaType, want.Digest, want.MediaType)
	}
	layout := s.path("pulled-" + image)
	s.check(m.down(s, s.ref(repository, "v1"), layout))
	s.zoo.sameImage(s.t, image, layout)
	return repository
}

// readLazily reads one file of a seekable image by ranges, as a lazy-pulling snapshotter does.
func readLazily(s *session, image, repository string) {
	s.t.Helper()
	var manifest struct{ Layers []descriptor }
	s.check(json.Unmarshal(s.stored(repository, s.zoo.digest(s.t, image)).body, &manifest))
	layer := manifest.Layers[0]
	args := []string{"lazyread", "-toc", layer.Annotations["containerd.io/snapshot/stargz/toc.digest"],
		"-header", "Authorization: Bearer " + s.registry.pullToken(s.t, repository)}
	args = append(args, s.flags(nil, []string{"-ca", s.registry.CA})...)
	reader := s.in(s.t)
	reader.login.password = strings.TrimPrefix(args[4], "Authorization: Bearer ")
	out := reader.must(append(args, s.registry.URL("/v2/"+repository+"/blobs/"+layer.Digest), "hello.txt")...)
	if want := fmt.Sprintf("hello from the %s image", image); out != want {
		s.t.Fatalf("%s read by ranges: %q, want %q", image, out, want)
	}
}

// seed puts a fixture into a repository with regctl, for clients that only pull it.
func seed(s *session, image, repository string) {
	s.t.Helper()
	s.as(regctl()).must("regctl", "image", "copy", "ocidir://"+s.zoo.layout(image)+":v1", s.ref(repository, "v1"))
}
