//go:build e2e

package e2e

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// engine is a client with an image store of its own: docker, podman, buildah. It unpacks what it pulls and compresses
// what it pushes, so images are compared by the digest it reports and by a file read from the unpacked image.
type engine struct {
	create func(s *session, name string)                                  // make a small image of that name, hello.txt says "hello from the docker image"
	push   func(s *session, name string, flags ...string) (string, error) // push it and return the digest
	pull   func(s *session, ref string, flags ...string) error
	read   func(s *session, ref, file string) string // a file of a pulled image
	digest func(s *session, ref string) string       // the digest that the store notes for a pulled image
	forget func(s *session)                          // remove all images
}

func (e engine) place(s *session, repository string) (string, error) {
	name := s.ref(repository, "v1")
	e.create(s, name)
	digest, err := e.push(s, name)
	if err == nil && s.stored(repository, "v1").digest != digest {
		err = fmt.Errorf("the client reports %s, the registry stores %s", digest, s.stored(repository, "v1").digest)
	}
	return digest, err
}

func (e engine) fetch(s *session, repository, digest string) error {
	e.forget(s)
	ref := s.ref(repository, digest)
	if err := e.pull(s, ref); err != nil {
		return err
	}
	if got := e.digest(s, ref); got != digest {
		return fmt.Errorf("pulled %s, the store calls it %s", digest, got)
	}
	if got := e.read(s, ref, "hello.txt"); got != "hello from the docker image" {
		return fmt.Errorf("hello.txt of the pulled image says %q", got)
	}
	return nil
}

// pullFixture pulls an image that regctl pushed and reads a file of it.
func (e engine) pullFixture(s *session, image string) (name string) {
	repository := s.repository(image)
	seed(s, image, repository)
	e.forget(s)
	name = s.ref(repository, "v1")
	s.check(e.pull(s, name))
	says := image
	if image == indexImage {
		says = runtime.GOARCH
	}
	if got, want := e.read(s, name, "hello.txt"), "hello from the "+says+" image"; got != want {
		s.t.Fatalf("hello.txt of the %s image says %q, want %q", image, got, want)
	}
	return name
}

// cells are the images that an engine pulls. Those it can make itself are in the client's own cells.
func (e engine) cells(more map[cell]func(*session)) map[cell]func(*session) {
	cells := map[cell]func(*session){
		gzipLayers: func(s *session) {
			name := e.pullFixture(s, gzipImage)
			if got, want := e.digest(s, name), s.zoo.digest(s.t, gzipImage); got != want {
				s.t.Fatalf("pulled %s, the store calls it %s", want, got)
			}
			repository := s.repository("pushed-gzip")
			e.create(s, s.ref(repository, "v1"))
			_, err := e.push(s, s.ref(repository, "v1"))
			s.check(err)
			someLayer(s, s.stored(repository, "v1"), "gzip")
		},
		multiArch: func(s *session) { e.pullFixture(s, indexImage) },
		seekable: func(s *session) {
			e.pullFixture(s, estargzImage)
			e.pullFixture(s, zstdChunkedImage)
		},
	}
	for name, check := range more {
		cells[name] = check
	}
	return cells
}

// pushZstd builds an image, pushes it with zstd layers and pulls it back. What it builds is new, because podman and
// buildah do not compress again what they know to be in the registry already.
func (e engine) pushZstd(s *session, command []string) {
	e.pullFixture(s, zstdImage)
	repository, source := s.repository("pushed-zstd"), s.path("source")
	s.check(os.MkdirAll(source, 0o700))
	for name, text := range map[string]string{
		"Containerfile": "FROM scratch\nCOPY hello.txt unique /\n",
		"hello.txt":     "hello from the docker image\n", "unique": rand.Text(),
	} {
		s.check(os.WriteFile(filepath.Join(source, name), []byte(text), 0o600))
	}
	name := s.ref(repository, "v1")
	s.must(append(append([]string{}, command...), "build", "-q", "-t", name, source)...)
	digest, err := e.push(s, name, "--compression-format", "zstd", "--format", "oci")
	s.check(err)
	someLayer(s, s.stored(repository, "v1"), "+zstd")
	s.check(e.fetch(s, repository, digest))
}

// pushList builds an index from the fixture's two images and pushes it.
func pushList(s *session, command []string) {
	repository := s.repository("list")
	run := func(args ...string) { s.must(append(append([]string{}, command...), args...)...) }
	run("manifest", "create", "zoo-list")
	run("manifest", "add", "--all", "zoo-list", "oci:"+s.zoo.layout(indexImage)+":v1")
	run(append([]string{"manifest", "push", "--all", "--digestfile", s.path("list-digest"), "zoo-list", "docker://" + s.ref(repository, "v1")},
		containersFlags(s, "")...)...)
	if got, want := s.stored(repository, "v1"), digestFile(s, "list-digest"); got.digest != want || !strings.Contains(got.mediaType, "image.index") {
		s.t.Fatalf("pushed the index %s, the registry stores %s as %s", want, got.digest, got.mediaType)
	}
}

func digestFile(s *session, name string) string {
	data, err := os.ReadFile(s.path(name))
	s.check(err)
	return strings.TrimSpace(string(data))
}
