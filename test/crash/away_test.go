//go:build e2e

package crash

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// TestDatabaseLocked has another process hold the lock of the embedded database longer than anybody waits.
func TestDatabaseLocked(t *testing.T) {
	t.Parallel()
	r := start(t, dbtest.SQLite)
	p := r.person(t)
	b := p.fresh(3000)
	p.want("push", p.whole(b), http.StatusCreated)
	kept := p.image("v1")
	other, err := sql.Open("sqlite", "file:"+filepath.Join(r.Data, "longshore.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	p.wantBlob("while locked", b)
	p.wantTag("while locked", "v1", kept)
	began := time.Now()
	p.wantClear("push", p.tag("v2", kept), "database")
	waited := time.Since(began)
	if waited > 15*time.Second {
		t.Errorf("a write waited %s", waited)
	}
	if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	p.want("afterwards", p.tag("v2", kept), http.StatusCreated)
	outcome(t, fmt.Sprintf("pulls go on, a push gets 503 after %s and succeeds afterwards", waited.Round(time.Second)))
}

// postmaster finds the server's process by its data folder.
func postmaster(t *testing.T, uri string) int {
	t.Helper()
	db, err := sql.Open("pgx", uri)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var folder string
	if err := db.QueryRowContext(t.Context(), "SHOW data_directory").Scan(&folder); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(folder, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// family is a process with its children.
func family(t *testing.T, pid int) []int {
	t.Helper()
	list := []int{pid}
	found, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range found {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		if words := strings.Fields(rest); len(words) > 1 && words[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			list = append(list, child)
		}
	}
	return list
}

func signal(t *testing.T, pids []int, s syscall.Signal) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, s); err != nil && err != syscall.ESRCH {
			t.Errorf("signal %d to %d: %v", s, pid, err)
		}
	}
}

// wantBack waits until a push succeeds again, without a restart.
func (p *person) wantBack(manifest []byte) time.Duration {
	p.t.Helper()
	began := time.Now()
	for n := 0; ; n++ {
		if r := p.tag(fmt.Sprintf("back-%d", n), manifest); r.status == http.StatusCreated {
			return time.Since(began)
		} else if time.Since(began) > 30*time.Second {
			p.t.Errorf("30 s after the database is back a push gets %v", r)
			return 0
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestDatabaseStopped freezes the PostgreSQL server, which then takes connections and answers nothing.
func TestDatabaseStopped(t *testing.T) {
	t.Parallel()
	server := private(t)
	r := startAt(t, server.uri(t))
	p := r.person(t)
	b := p.fresh(3000)
	p.want("push", p.whole(b), http.StatusCreated)
	kept := p.image("v1")
	pids := family(t, postmaster(t, server.URI))
	signal(t, pids, syscall.SIGSTOP)
	thaw := func() { signal(t, pids, syscall.SIGCONT) }
	defer thaw()
	began := time.Now()
	answer := p.tag("v2", kept)
	took := time.Since(began)
	p.wantClear("a push while the database is frozen", answer, "database")
	if took > 20*time.Second {
		t.Errorf("it was answered after %s", took)
	}
	if answer.header.Get("Retry-After") == "" {
		t.Error("it does not say when to try again")
	}
	began = time.Now()
	again := p.tag("v2", kept)
	known := time.Since(began)
	p.wantClear("another push while the database is known to be frozen", again, "database")
	if known > took/2 {
		t.Errorf("the first push was refused after %s, and another one only after %s", took, known)
	}
	answer = p.send(http.MethodGet, "/v2/"+places[0]+"/blobs/"+digestOf(b), nil, nil)
	if answer.status != http.StatusOK && answer.status != http.StatusServiceUnavailable {
		t.Errorf("a pull while the database is frozen: %v", answer)
	}
	pull := answer.status
	thaw()
	back := p.wantBack(kept)
	p.wantBlob("afterwards", b)
	p.wantTag("afterwards", "v1", kept)
	outcome(t, fmt.Sprintf("a push gets 503 after %s, the next one after %s, a pull %d; %s after the database goes on a push succeeds", took.Round(time.Second), known.Round(time.Second), pull, back.Round(10*time.Millisecond)))
}

// TestDatabaseSlow has every answer of the PostgreSQL server come late, then cuts all connections once.
func TestDatabaseSlow(t *testing.T) {
	t.Parallel()
	server := private(t)
	line := slowLine(t, server.uri(t))
	r := startAt(t, line.uri)
	p := r.person(t)
	b := p.fresh(3000)
	p.want("push", p.whole(b), http.StatusCreated)
	kept := p.image("v1")
	line.delay.Store(int64(200 * time.Millisecond))
	began := time.Now()
	p.want("a tag", p.tag("v2", kept), http.StatusCreated)
	tagged := time.Since(began)
	p.want("a blob", p.whole(p.fresh(2000)), http.StatusCreated)
	p.wantBlob("meanwhile", b)
	p.wantTag("meanwhile", "v2", kept)
	line.delay.Store(int64(15 * time.Second)) // longer than anybody waits
	began = time.Now()
	p.wantClear("a tag", p.tag("v3", kept), "database")
	if took := time.Since(began); took > 25*time.Second {
		t.Errorf("it was answered after %s", took)
	}
	line.delay.Store(0)
	p.wantBack(kept)
	line.cut()
	back := p.wantBack(kept)
	p.wantTag("afterwards", "v2", kept)
	p.wantSound()
	outcome(t, fmt.Sprintf("200 ms an answer: a tag takes %s; 15 s an answer: 503; a push succeeds %s after all connections were cut",
		tagged.Round(10*time.Millisecond), back.Round(10*time.Millisecond)))
}

// TestDatabaseGone kills the PostgreSQL server and starts it again.
func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	server := private(t)
	r := startAt(t, server.uri(t))
	p := r.person(t)
	b := p.fresh(3000)
	p.want("push", p.whole(b), http.StatusCreated)
	kept := p.image("v1")
	half := p.fresh(20_000)
	open := p.start(half[:10_000])
	unseen := p.image("unseen")
	pulled := []string{"/manifests/v1", "/manifests/" + digestOf(kept), "/blobs/" + digestOf(b)}
	pull := func(what string) result { return p.send(http.MethodGet, "/v2/"+places[0]+what, nil, nil) }
	for _, what := range pulled {
		p.want(what, pull(what), http.StatusOK)
	}
	server.kill(t)
	began := time.Now()
	for range 2 {
		for _, what := range pulled {
			answer := pull(what)
			p.want("a pull of what was pulled before: "+what, answer, http.StatusOK)
			if stale := answer.header.Get("Warning") != ""; stale != (what == pulled[0]) {
				t.Errorf("%s: Warning %q", what, answer.header.Get("Warning"))
			}
		}
	}
	took := time.Since(began) / time.Duration(2*len(pulled))
	p.wantClear("a tag that nobody pulled", pull("/manifests/unseen"), "database")
	p.wantClear("a manifest that nobody pulled", pull("/manifests/"+digestOf(unseen)), "database")
	p.wantClear("a push", p.tag("v2", kept), "database")
	p.wantClear("the rest of an upload", p.finish(open, half[10_000:], half), "database")
	server.start(t)
	back := p.wantBack(kept)
	// The row of an open upload is soft: a database that was killed may have forgotten it, or what it last received. The
	// upload goes on where its status says or is unknown, and then its file is a leak that a check of the store lists.
	status := p.send(http.MethodGet, open, nil, nil)
	if status.status == http.StatusNoContent {
		from := 0
		if status.header.Get("Range") == "0-9999" {
			from = 10_000
		}
		p.want("the upload goes on", p.finish(open, half[from:], half), http.StatusCreated)
		p.wantBlob("the upload went on", half)
	} else {
		p.want("the upload is unknown", status, http.StatusNotFound)
	}
	p.wantBlob("afterwards", b)
	p.wantTag("afterwards", "v1", kept)
	if answer := pull(pulled[0]); answer.header.Get("Warning") != "" {
		t.Errorf("afterwards a tag is still the last one known: %q", answer.header.Get("Warning"))
	}
	outcome(t, fmt.Sprintf("pushes get 503, pulls of what was pulled before 200 in %s; a push succeeds %s after the start", took.Round(time.Millisecond), back.Round(10*time.Millisecond)))
}
