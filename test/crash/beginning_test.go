//go:build e2e

package crash

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// TestBeginningDies dies at each durable step of a first start, and at each step of making the first user.
func TestBeginningDies(t *testing.T) {
	eachDatabase(t, func(t *testing.T, kind dbtest.Kind) {
		uri := func() string {
			if kind == dbtest.SQLite {
				return ""
			}
			return dbtest.URI(t, kind) // with its tables, which take PostgreSQL longer than all the rest
		}
		for _, p := range starts() {
			r := prepare(t, uri())
			r.plan(t, p.name+" kill 1")
			if _, err := r.Start(); err == nil {
				t.Fatalf("%s was not reached", p.name)
			}
			r.plan(t)
			r.restart(t)
			r.wantReady(t, kind, p.name, 0)
			r.Kill()
		}
		for _, p := range append(moments("initialize", 0, 1), answer("POST-initialize", 0, 1)...) {
			r := prepare(t, uri())
			r.restart(t)
			r.dieInitializing(t, kind, p.name)
		}
	})
}

// starts are the points of a first start.
func starts() []point {
	var list []point
	for _, some := range [][]point{
		moments("obtain-a-service-key", 0, 1), around("mkdir-root", 0, 1), around("opendir-root", 0, 1), around("syncdir-root", 0, 1),
		moments("register-storage-location", 0, 1),
		around("create-marker", 0, 1), around("writeat-marker", 0, 1), around("sync-marker", 0, 1), around("rename-marker", 0, 1),
	} {
		list = append(list, some...)
	}
	return list
}

// wantReady wants that the last start was quick, and notes what was seen.
func (r *registry) wantReady(t *testing.T, kind dbtest.Kind, point string, acknowledged int) {
	t.Helper()
	if r.ready > readyIn {
		t.Errorf("%s: ready after %s, promised are %s", point, r.ready, readyIn)
	}
	crashed(string(kind), point, acknowledged, 1, r.ready, !t.Failed())
}

// dieInitializing dies while the first user is made: the user is there or not, never half, and one whose making was
// acknowledged is.
func (r *registry) dieInitializing(t *testing.T, kind dbtest.Kind, point string) {
	t.Helper()
	r.plan(t, point+" kill 1")
	answered := r.Initialize(t.Context(), user, password) == nil
	<-r.Ended()
	r.plan(t)
	r.restart(t)
	made := strings.HasSuffix(point, "after-commit") || strings.Contains(point, "answer")
	if answered && !made {
		t.Errorf("%s: acknowledged before the commit", point)
	}
	token := r.Token
	err := r.Initialize(t.Context(), user+"2", password)
	if made && err == nil {
		t.Errorf("%s: there was no user: a second first one was made", point)
	}
	if !made && err != nil {
		t.Errorf("%s: the repetition: %v", point, err)
	}
	name := user
	if !made {
		name = user + "2"
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL("/v2/auth?service=longshore"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(name, password)
	client := newClient("http://"+r.Host, token)
	if answer, err := client.do(request); err != nil || answer.status != http.StatusOK {
		t.Errorf("%s: %s signs in: %v %v", point, name, answer, err)
	}
	acknowledged := 0
	if answered {
		acknowledged = 1
		if answer, err := client.change(t.Context(), http.MethodGet, "user/", nil); err != nil || answer.status != http.StatusOK {
			t.Errorf("%s: the token of the answer: %v %v", point, answer, err)
		}
	}
	r.wantReady(t, kind, point, acknowledged)
}

// TestCommandDies kills a command at each step of it: what it changes is changed or not, and a repetition ends well.
func TestCommandDies(t *testing.T) {
	eachDatabase(t, func(t *testing.T, kind dbtest.Kind) {
		r := start(t, kind)
		for _, p := range moments("create-user", 0, 1) {
			name := "user-" + strings.ToLower(p.name[strings.LastIndex(p.name, "/")+1:])
			committed := strings.HasSuffix(p.name, "after-commit")
			r.dieInCommand(t, p.name, "user", "create", name, "--email", name+"@example.org", "--password-stdin")
			if out, err := r.Run(t.Context(), password+"\n", "user", "create", name, "--email", name+"@example.org", "--password-stdin"); committed == (err == nil) {
				t.Errorf("%s: the repetition ended with %v\n%s", p.name, err, out)
			}
			r.wantSignIn(t, p.name, name, password, true)
			crashed(string(kind), p.name, 0, 1, 0, !t.Failed())
		}
		r.addUser(t, visitor)
		for i, p := range moments("set-password", 0, 1) {
			next := password + strings.Repeat("x", i+1)
			committed := strings.HasSuffix(p.name, "after-commit")
			r.dieInCommandWith(t, next, p.name, "user", "passwd", visitor, "--password-stdin")
			r.wantSignIn(t, p.name, visitor, next, committed)
			crashed(string(kind), p.name, 0, 1, 0, !t.Failed())
		}
	})
}

func (r *registry) dieInCommand(t *testing.T, point string, args ...string) {
	t.Helper()
	r.dieInCommandWith(t, password, point, args...)
}

// dieInCommandWith runs a command of the program, with a line of input, that dies at a point.
func (r *registry) dieInCommandWith(t *testing.T, input, point string, args ...string) {
	t.Helper()
	faults := r.faults + ".command"
	if err := os.WriteFile(faults, []byte(point+" kill"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, append(args, "--config", r.Config, "--data", r.Data)...)
	command.Stdin = strings.NewReader(input + "\n")
	command.Env = append(os.Environ(), "LONGSHORE_FAULTS="+faults)
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("%s: %v\n%s", point, err, out)
	}
}

// wantSignIn wants that a password is somebody's, or that it is not.
func (r *registry) wantSignIn(t *testing.T, what, name, password string, want bool) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL("/v2/auth?service=longshore"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(name, password)
	answer, err := r.client.do(request)
	if err != nil || (answer.status == http.StatusOK) != want || want && !strings.Contains(string(answer.body), "token") {
		t.Errorf("%s: %s signs in: %v %v, want success %v", what, name, answer, err, want)
	}
}
