//go:build e2e

package e2e

import (
	"os"
	"strings"
)

// podmanCommand runs podman on a store of its own. The plain vfs driver works everywhere, also inside containers.
func podmanCommand(s *session) []string {
	return []string{"podman", "--root", s.path("store"), "--runroot", s.path("run/store"), "--tmpdir", s.path("tmp/podman"),
		"--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none"}
}

func podman() client {
	run := func(s *session, args ...string) (string, error) { return s.run(append(podmanCommand(s), args...)...) }
	must := func(s *session, args ...string) string { return s.must(append(podmanCommand(s), args...)...) }
	e := engine{
		create: func(s *session, name string) {
			must(s, "load", "-q", "-i", s.zoo.layout("docker.tar"))
			must(s, "tag", "longshore.test/fixture:v1", name)
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
			container := must(s, "create", ref, "x")
			must(s, "cp", container+":/"+file, s.path("read"))
			must(s, "rm", "-f", container)
			data, err := os.ReadFile(s.path("read"))
			s.check(err)
			return strings.TrimSpace(string(data))
		},
		digest: func(s *session, ref string) string {
			return must(s, "image", "inspect", "--format", "{{.Digest}}", ref)
		},
		forget: func(s *session) { must(s, "rmi", "-a", "-f") },
	}
	return client{
		name: "podman", needs: []string{"podman"},
		login: containersLogin(podmanCommand),
		place: e.place, fetch: e.fetch,
		cells: e.cells(map[cell]func(*session){
			zstdLayers: func(s *session) { e.pushZstd(s, podmanCommand(s)) },
			multiArch: func(s *session) {
				e.pullFixture(s, indexImage)
				pushList(s, podmanCommand(s))
			},
		}),
	}
}
