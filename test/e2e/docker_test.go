//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// docker is the docker command with a real dockerd that has nothing but this test.
func docker() client {
	command := func(s *session) []string { return []string{"docker", "--host", "unix://" + s.daemon} }
	run := func(s *session, args ...string) (string, error) { return s.run(append(command(s), args...)...) }
	must := func(s *session, args ...string) string { return s.must(append(command(s), args...)...) }
	reported := regexp.MustCompile(`digest: (sha256:[0-9a-f]{64})`)
	e := engine{
		create: func(s *session, name string) {
			must(s, "load", "-q", "-i", s.zoo.layout("docker.tar"))
			must(s, "tag", "longshore.test/fixture:v1", name)
		},
		push: func(s *session, name string, _ ...string) (string, error) {
			out, err := run(s, "push", name)
			if err != nil {
				return "", err
			}
			match := reported.FindStringSubmatch(out)
			if match == nil {
				return "", fmt.Errorf("docker push printed no digest:\n%s", out)
			}
			return match[1], nil
		},
		pull: func(s *session, ref string, _ ...string) error {
			_, err := run(s, "pull", "-q", ref)
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
			_, digest, _ := strings.Cut(must(s, "image", "inspect", "--format", "{{index .RepoDigests 0}}", ref), "@")
			return digest
		},
		forget: func(s *session) {
			if all := must(s, "image", "ls", "-aq"); all != "" {
				must(s, append([]string{"image", "rm", "-f"}, strings.Fields(all)...)...)
			}
		},
	}
	return client{
		name: "docker", needs: []string{"docker", "dockerd", "containerd", "runc"}, root: true,
		configure: trustByEnvironment, start: startDocker,
		login: func(s *session, c credential) error {
			_, err := s.runWith(c.password, append(command(s), "login", "-u", c.user, "--password-stdin", s.registry.Host)...)
			return err
		},
		place: e.place, fetch: e.fetch,
		cells: e.cells(map[cell]func(*session){
			seekable: func(s *session) { e.pullFixture(s, estargzImage) },
			multiArch: func(s *session) {
				e.pullFixture(s, indexImage)
				dockerList(s, e, must)
			},
		}),
	}
}

// dockerList makes a manifest list of an image and pushes it; docker pulls the image through the list.
func dockerList(s *session, e engine, must func(*session, ...string) string) {
	child, list := s.repository("list"), s.ref(s.repository("list"), "all")
	e.create(s, s.ref(child, "amd64"))
	_, err := e.push(s, s.ref(child, "amd64"))
	s.check(err)
	insecure := s.flags([]string{"--insecure"}, nil)
	must(s, append(append([]string{"manifest", "create"}, insecure...), list, s.ref(child, "amd64"))...)
	must(s, append(append([]string{"manifest", "push"}, insecure...), list)...)
	if got := s.stored(child, "all").mediaType; got != "application/vnd.docker.distribution.manifest.list.v2+json" {
		s.t.Fatalf("the manifest list is stored as %s", got)
	}
	e.forget(s)
	s.check(e.pull(s, list))
}

// startDocker starts a dockerd. It takes the registry's authority from the environment, as every Go program does;
// /etc/docker stays untouched.
func startDocker(s *session) {
	folder := s.path("docker")
	s.check(os.Mkdir(folder, 0o700))
	settings := "{}"
	if strings.Contains(s.must("dockerd", "--version"), " 20.10") {
		settings = fmt.Sprintf(`{"deprecated-key-path": "%s/key.json"}`, folder) // later versions make no key
	}
	s.check(os.WriteFile(folder+"/daemon.json", []byte(settings), 0o600))
	s.daemon = folder + "/docker.sock"
	s.runDaemon("dockerd", []string{"dockerd", "--host", "unix://" + s.daemon, "--data-root", folder + "/data", "--exec-root", folder + "/exec",
		"--pidfile", folder + "/pid", "--config-file", folder + "/daemon.json", "--bridge", "none", "--iptables=false", "--ip-masq=false"},
		func() bool { _, err := s.run("docker", "--host", "unix://"+s.daemon, "version"); return err == nil })
}
