//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
)

func buildahCommand(s *session) []string {
	return []string{"buildah", "--root", s.path("store"), "--runroot", s.path("run/store"), "--storage-driver", "vfs"}
}

// buildah builds the image that it pushes.
func buildah() client {
	run := func(s *session, args ...string) (string, error) { return s.run(append(buildahCommand(s), args...)...) }
	must := func(s *session, args ...string) string { return s.must(append(buildahCommand(s), args...)...) }
	e := engine{
		create: func(s *session, name string) {
			s.check(os.WriteFile(s.path("hello.txt"), []byte("hello from the docker image\n"), 0o644))
			container := must(s, "from", "scratch")
			must(s, "copy", "-q", container, s.path("hello.txt"), "/hello.txt")
			must(s, "commit", "-q", "--timestamp", "0", "--rm", container, name)
		},
		push: func(s *session, name string, flags ...string) (string, error) {
			args := append([]string{"push", "-q", "--digestfile", s.path("digest")}, containersFlags(s, "")...)
			if _, err := run(s, append(append(args, flags...), name)...); err != nil {
				return "", err
			}
			return digestFile(s, "digest"), nil
		},
		pull: func(s *session, ref string, flags ...string) error {
			_, err := run(s, append(append(append([]string{"pull", "-q"}, containersFlags(s, "")...), flags...), ref)...)
			return err
		},
		read: func(s *session, ref, file string) string {
			container := must(s, "from", "--pull-never", ref)
			data, err := os.ReadFile(filepath.Join(must(s, "mount", container), file))
			must(s, "rm", container)
			s.check(err)
			return strings.TrimSpace(string(data))
		},
		digest: func(s *session, ref string) string {
			return must(s, "inspect", "--type", "image", "--format", "{{.FromImageDigest}}", ref)
		},
		forget: func(s *session) { must(s, "rmi", "-a", "-f") },
	}
	return client{
		name: "buildah", needs: []string{"buildah"}, root: true, // it mounts what it pulled, to read it
		login: containersLogin(buildahCommand),
		place: e.place, fetch: e.fetch,
		cells: e.cells(map[cell]func(*session){
			zstdLayers: func(s *session) { e.pushZstd(s, buildahCommand(s)) },
			encrypted:  func(s *session) { buildahEncrypted(s, e) },
			multiArch: func(s *session) {
				e.pullFixture(s, indexImage)
				pushList(s, buildahCommand(s))
			},
		}),
	}
}

// buildahEncrypted pushes an encrypted image and pulls it with the key; without the key it must not unpack.
func buildahEncrypted(s *session, e engine) {
	repository := s.repository(encryptedImage)
	name := s.ref(repository, "v1")
	e.create(s, name)
	_, err := e.push(s, name, "--encryption-key", "jwe:"+s.zoo.key("encrypt.pem"))
	s.check(err)
	someLayer(s, s.stored(repository, "v1"), "+encrypted")
	e.forget(s)
	if e.pull(s, name) == nil {
		s.t.Fatal("an encrypted image was unpacked without a key")
	}
	s.check(e.pull(s, name, "--decryption-key", s.zoo.key("decrypt.pem")))
	if got := e.read(s, name, "hello.txt"); got != "hello from the docker image" {
		s.t.Fatalf("hello.txt of the decrypted image says %q", got)
	}
}
