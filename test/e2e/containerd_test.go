//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

const containerdConfig = `version = 2
root = "%[1]s/root"
state = "%[1]s/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "%[1]s/containerd.sock"
[ttrpc]
  address = "%[1]s/containerd.sock.ttrpc"
`

// containerd is ctr with a containerd of its own. ctr sends its credentials with every command.
func containerd() client {
	remote := func(s *session, command ...string) (string, error) {
		args := append([]string{"ctr", "--address", s.daemon, "--namespace", "zoo"}, command[:2]...)
		args = append(append(args, "--user", s.login.user+":"+s.login.password), s.flags([]string{"--plain-http"}, []string{"--tlscacert", s.registry.CA})...)
		return s.run(append(args, command[2:]...)...)
	}
	m := mover{
		up: func(s *session, layout, ref string) error {
			archive := s.path("up.tar")
			pack(s, layout, archive)
			// The name in the archive is the tag v1, what stands before it is given here.
			local(s, "images", "import", "--no-unpack", "--all-platforms", "--base-name", strings.TrimSuffix(ref, ":v1"), archive)
			_, err := remote(s, "images", "push", ref)
			return err
		},
		down: func(s *session, ref, layout string) error {
			s.forgetContainerd()
			if _, err := remote(s, "content", "fetch", "--all-platforms", ref); err != nil {
				return err
			}
			archive := s.path("down.tar")
			local(s, "images", "export", "--all-platforms", archive, ref)
			return unpack(archive, layout)
		},
	}
	c := client{
		name: "containerd", needs: []string{"containerd", "ctr", "runc"}, root: true,
		start: startContainerd,
		login: func(s *session, c credential) error { s.login = c; return nil },
		place: m.place, fetch: m.fetch,
	}
	// What a real node does: pull, unpack, read the root file system.
	unpacked := func(image string) func(*session) {
		return func(s *session) {
			m.carry(s, image)
			s.forgetContainerd()
			ref := s.ref(s.repository(image), "v1")
			_, err := remote(s, "images", "pull", "--snapshotter", "native", ref)
			s.check(err)
			if got, want := readSnapshot(s, ref), "hello from the "+image+" image"; got != want {
				s.t.Fatalf("hello.txt of the unpacked image says %q, want %q", got, want)
			}
		}
	}
	c.cells = m.cells(map[cell]func(*session){gzipLayers: unpacked(gzipImage), zstdLayers: unpacked(zstdImage)})
	return c
}

func local(s *session, command ...string) string {
	s.t.Helper()
	return s.must(append([]string{"ctr", "--address", s.daemon, "--namespace", "zoo"}, command...)...)
}

func (s *session) forgetContainerd() {
	s.t.Helper()
	if all := local(s, "images", "ls", "-q"); all != "" {
		local(s, append([]string{"images", "rm", "--sync"}, strings.Fields(all)...)...)
	}
}

func readSnapshot(s *session, ref string) string {
	s.t.Helper()
	mount := s.path("mnt")
	s.check(os.MkdirAll(mount, 0o700))
	local(s, "images", "mount", "--snapshotter", "native", ref, mount)
	data, err := os.ReadFile(mount + "/hello.txt")
	local(s, "images", "unmount", "--rm", "--snapshotter", "native", mount)
	s.check(err)
	return strings.TrimSpace(string(data))
}

func startContainerd(s *session) {
	folder := s.path("ctd")
	s.check(os.Mkdir(folder, 0o700))
	s.check(os.WriteFile(folder+"/config.toml", fmt.Appendf(nil, containerdConfig, folder), 0o600))
	s.daemon = folder + "/containerd.sock"
	s.runDaemon("containerd", []string{"containerd", "--config", folder + "/config.toml"},
		func() bool { _, err := s.run("ctr", "--address", s.daemon, "version"); return err == nil })
}

// pack and unpack turn a layout into an archive and back.
func pack(s *session, layout, archive string) {
	s.t.Helper()
	if out, err := exec.CommandContext(s.t.Context(), "tar", "-C", layout, "-cf", archive, ".").CombinedOutput(); err != nil {
		s.t.Fatalf("tar: %v\n%s", err, out)
	}
}

func unpack(archive, layout string) error {
	if err := os.MkdirAll(layout, 0o700); err != nil {
		return err
	}
	if out, err := exec.Command("tar", "-C", layout, "-xf", archive).CombinedOutput(); err != nil {
		return fmt.Errorf("tar: %w\n%s", err, out)
	}
	return nil
}
