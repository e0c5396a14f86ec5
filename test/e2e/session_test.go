//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// commandIn is how long one client command may take.
const commandIn = time.Minute

// session is one client against one registry with a home of its own: nothing of the developer's configuration is read
// or written.
type session struct {
	t        *testing.T
	zoo      *zoo
	registry *registry
	client   client
	home     string
	env      []string
	login    credential // who is logged in, for clients that send credentials with every command
	daemon   string     // socket of the client's daemon
}

func newSession(t *testing.T, z *zoo, r *registry, c client) *session {
	t.Helper()
	s := &session{t: t, zoo: z, registry: r, client: c}
	s.settle(temporary(t))
	return s
}

// settle gives the session a home and configures the client in it.
func (s *session) settle(home string) {
	s.t.Helper()
	s.home, s.login = home, credential{}
	for _, d := range []string{"run", "tmp", ".docker", ".config/containers", "trust"} {
		s.check(os.MkdirAll(filepath.Join(home, d), 0o700))
	}
	// Debian's default, spelled out: the developer's own policy does not decide what the tests see.
	s.check(os.WriteFile(filepath.Join(home, ".config/containers/policy.json"), []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`), 0o600))
	s.env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + home, "LANG=C.UTF-8",
		"TMPDIR=" + s.path("tmp"), "XDG_RUNTIME_DIR=" + s.path("run"), "XDG_CONFIG_HOME=" + s.path(".config"),
		"XDG_DATA_HOME=" + s.path(".local/share"), "XDG_CACHE_HOME=" + s.path(".cache"),
		"DOCKER_CONFIG=" + s.path(".docker"), "REGISTRY_AUTH_FILE=" + s.path("auth.json"),
		// Nothing but the registry may be reached: what a client tries elsewhere fails at once.
		"HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9", "NO_PROXY=127.0.0.1,localhost," + ipOf(s.registry.Host),
		"REGCTL_CONFIG=" + s.path("regctl.json"), "COSIGN_PASSWORD=" + signingPassword,
	}
	if s.registry.CA != "" {
		pem, err := os.ReadFile(s.registry.CA)
		s.check(err)
		s.check(os.WriteFile(s.path("trust/ca.crt"), pem, 0o600))
	}
	if s.client.configure != nil {
		s.client.configure(s)
	}
}

func ipOf(address string) string {
	ip, _, _ := strings.Cut(address, ":")
	return ip
}

// fresh is the same client with the same daemon and another home: nobody is logged in.
func (s *session) fresh(t *testing.T) *session {
	t.Helper()
	other := *s
	other.t = t
	other.settle(temporary(t))
	return &other
}

// as is another client, logged in as the first user. It does what this session's client needs done before or after.
func (s *session) as(c client) *session {
	s.t.Helper()
	other := *s
	other.client = c
	other.settle(temporary(s.t))
	s.check(c.login(&other, s.registry.owner))
	return &other
}

// in is the same session reporting to another test.
func (s *session) in(t *testing.T) *session {
	other := *s
	other.t = t
	return &other
}

func (s *session) path(name string) string { return filepath.Join(s.home, name) }

// secure says whether the registry speaks TLS.
func (s *session) secure() bool { return s.registry.CA != "" }

// flags are either flags, for plain HTTP or for TLS.
func (s *session) flags(plain, tls []string) []string {
	if s.secure() {
		return tls
	}
	return plain
}

// run runs a command of this client and returns what it prints on standard output. The error carries both outputs.
func (s *session) run(args ...string) (string, error) { return s.runWith("", args...) }

func (s *session) runWith(stdin string, args ...string) (string, error) {
	s.t.Helper()
	stdout, _, err := s.execute(stdin, args)
	return stdout, err
}

func (s *session) execute(stdin string, args []string) (stdout, stderr string, err error) {
	s.t.Helper()
	program, err := findProgram(args[0])
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), commandIn)
	defer cancel()
	command := exec.CommandContext(ctx, program, args[1:]...)
	command.Env, command.Dir, command.WaitDelay = s.env, s.home, time.Second
	var out, log bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &out, &log
	shown := s.redact(strings.Join(args, " "))
	started := time.Now()
	err = command.Run()
	took := time.Since(started).Round(time.Millisecond)
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", shown, err, s.redact(tail(log.String()+out.String(), 15)))
		s.t.Logf("$ %s  (%s, failed)", shown, took)
	} else {
		s.t.Logf("$ %s  (%s)", shown, took)
	}
	return out.String(), log.String(), err
}

// must runs a command that has to work.
func (s *session) must(args ...string) string {
	s.t.Helper()
	out, err := s.run(args...)
	s.check(err)
	return strings.TrimSpace(out)
}

// refused runs a command that has to fail and returns what it said.
func (s *session) refused(args ...string) string {
	s.t.Helper()
	out, err := s.run(args...)
	if err == nil {
		s.t.Fatalf("%s worked and should have been refused\n%s", args, out)
	}
	return err.Error()
}

func (s *session) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// redact takes passwords out of what is logged.
func (s *session) redact(text string) string {
	for _, c := range []credential{s.registry.owner, s.registry.robot, s.login} {
		if c.password != "" {
			text = strings.ReplaceAll(text, c.password, "[redacted]")
		}
	}
	return text
}

// repository is the name of a repository of this client, below the organization.
func (s *session) repository(name string) string {
	return organization + "/" + s.client.name + "/" + name
}

func (s *session) ref(repository, reference string) string {
	if strings.HasPrefix(reference, "sha256:") {
		return s.registry.Host + "/" + repository + "@" + reference
	}
	return s.registry.Host + "/" + repository + ":" + reference
}

// stored is the manifest that the registry serves; there has to be one.
func (s *session) stored(repository, reference string) stored {
	s.t.Helper()
	m, ok := s.registry.manifest(s.t, repository, reference)
	if !ok {
		s.t.Fatalf("the registry has no %s in %s", reference, repository)
	}
	return m
}

// tail is the end of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
