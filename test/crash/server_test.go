//go:build e2e

package crash

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/test/process"
)

// program is the program under test, built once by TestMain.
var program string

// servers counts the servers of this run: each has an address of its own, so that no two want the same port.
var servers atomic.Int32

func TestMain(m *testing.M) {
	if os.Getenv(gatedProgram) != "" {
		fmt.Println(becomeGated())
		os.Exit(1)
	}
	code := build(m.Run)
	if err := tables.print(); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

func build(then func() int) int {
	folder, err := os.MkdirTemp("", "ls-crash-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(folder)
	program = filepath.Join(folder, "longshore")
	command := exec.Command("go", "build", "-tags", "crashpoints", "-o", program, "github.com/longshore-registry/longshore/cmd/longshore")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		fmt.Printf("building the program: %v\n%s", err, out)
		return 1
	}
	return then()
}

// registry is a server with its faults.
type registry struct {
	*process.Server
	uri    string // of the database, "" for the embedded one
	faults string // the file
	client *client
	ready  time.Duration // how long the last start took
}

// start gives a fresh registry that runs, with its first user and the places that the workload pushes to.
func start(t *testing.T, kind dbtest.Kind) *registry {
	t.Helper()
	uri := ""
	if kind != dbtest.SQLite {
		uri = dbtest.EmptyURI(t, kind)
	}
	return startAt(t, uri)
}

// startAt is start on an empty database of PostgreSQL, or on the embedded one if there is no address.
func startAt(t *testing.T, uri string) *registry {
	t.Helper()
	r := prepare(t, uri)
	r.begin(t)
	return r
}

// begin starts a registry for the first time.
func (r *registry) begin(t *testing.T) {
	t.Helper()
	r.restart(t)
	if err := r.Initialize(t.Context(), user, password); err != nil {
		t.Fatal(err)
	}
	r.client = newClient("http://"+r.Host, r.Token)
	for _, place := range places {
		_, name, _ := strings.Cut(place, "/")
		if err := r.CreateRepository(t.Context(), user, name); err != nil {
			t.Fatal(err)
		}
	}
}

// startAs is start with the embedded database and something in the program's place, which has its command line.
func startAs(t *testing.T, program string, env ...string) *registry {
	t.Helper()
	r := prepareAs(t, "", program, env...)
	r.begin(t)
	return r
}

// prepare gives a registry that does not run yet.
func prepare(t *testing.T, uri string) *registry { return prepareAs(t, uri, program) }

func prepareAs(t *testing.T, uri, program string, env ...string) *registry {
	t.Helper()
	folder := t.TempDir()
	r := &registry{uri: uri, faults: filepath.Join(folder, "faults")}
	configuration := process.FirstUser
	if uri != "" {
		configuration += "SECRET_KEY: a text for tests\nDATABASE_SECRET_KEY: another text for tests\nDB_URI: " + r.uri + "\n"
	}
	var err error
	n := servers.Add(1)
	r.Server, err = process.New(process.Options{
		Program: program, Folder: folder, Configuration: configuration, Env: append(env, "LONGSHORE_FAULTS="+r.faults),
		IP: net.IPv4(127, 1, byte(n/250), byte(1+n%250)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.running() {
			r.Kill()
		}
	})
	return r
}

// restart starts the program, which must not run.
func (r *registry) restart(t *testing.T) {
	t.Helper()
	var err error
	if r.ready, err = r.Start(); err != nil {
		t.Fatal(err)
	}
}

// running reports whether the program was started and has not ended.
func (r *registry) running() bool {
	if r.Ended() == nil {
		return false
	}
	select {
	case <-r.Ended():
		return false
	default:
		return true
	}
}

// complaints are what the program said that is more than a request's line.
func (r *registry) complaints() string {
	var list []string
	for _, line := range strings.Split(r.Log(400), "\n") {
		if !strings.Contains(line, `"level":"INFO"`) {
			list = append(list, line)
		}
	}
	return strings.Join(list[max(0, len(list)-10):], "\n")
}

// plan replaces the faults.
func (r *registry) plan(t *testing.T, rules ...string) {
	t.Helper()
	err := os.WriteFile(r.faults+".new", []byte(strings.Join(rules, "\n")), 0o600)
	if err == nil {
		err = os.Rename(r.faults+".new", r.faults)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rows opens the database beside the server.
func (r *registry) rows(t *testing.T) *rows {
	t.Helper()
	rows, err := openRows(r.uri, r.Data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rows.db.Close() })
	return rows
}
