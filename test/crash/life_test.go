//go:build e2e

package crash

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// TestRestartWithOpenUploads stops and kills the program while uploads are open.
func TestRestartWithOpenUploads(t *testing.T) {
	eachDatabase(t, func(t *testing.T, kind dbtest.Kind) {
		r := start(t, kind)
		p := r.person(t)
		for _, how := range []string{"stop", "kill"} {
			b := p.fresh(50_000)
			open := p.start(b[:30_000])
			if how == "kill" {
				r.Kill()
			} else if err := r.Stop(); err != nil {
				t.Fatal(err)
			}
			r.restart(t)
			if r.ready > readyIn {
				t.Errorf("ready after %s", r.ready)
			}
			answer := p.send(http.MethodGet, open, nil, nil)
			if answer.status != http.StatusNoContent || answer.header.Get("Range") != "0-29999" {
				t.Errorf("after %s: %v, Range %q", how, answer, answer.header.Get("Range"))
			}
			p.want("the rest after "+how, p.finish(open, b[30_000:], b), http.StatusCreated)
			p.wantBlob("after "+how, b)
		}
		p.wantSound()
		outcome(t, "after a stop and after a kill an open upload goes on where its answer said")
	})
}

// TestClockSteps moves the clock either way while clients work: by an hour, and further than a signing key lives.
func TestClockSteps(t *testing.T) {
	for _, step := range []string{"1h", "-1h", "90m", "-90m"} {
		t.Run(step, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, kind dbtest.Kind) { stepClock(t, kind, step) })
		})
	}
}

func stepClock(t *testing.T, kind dbtest.Kind, step string) {
	r := start(t, kind)
	r.client.patient = true
	p := r.person(t)
	b := p.fresh(30_000)
	open := p.start(b[:10_000])
	promised := p.fresh(1000)
	p.want("a blob for later", p.whole(promised), http.StatusCreated)
	kept := p.image("v1")
	r.plan(t, "clock "+step)
	p.want("the upload goes on", p.finish(open, b[10_000:], b), http.StatusCreated)
	p.wantBlob("after the step", b)
	p.wantTag("after the step", "v1", kept)
	p.want("a manifest on the promised blob", p.tag("v2", image(7, promised)), http.StatusCreated)
	for n := range 3 { // a tag that began later than now is moved
		moved := image(8+n, promised)
		p.want("moving a tag", p.tag("v1", moved), http.StatusCreated)
		p.wantTag("moved", "v1", moved)
	}
	r.plan(t)
	moved := p.image("v1")
	p.wantTag("after the step back", "v1", moved)
	rows := r.rows(t)
	overlaps, err := rows.strings(t.Context(), `SELECT h.name FROM tag_history h WHERE h.end_ms <= h.start_ms
				OR EXISTS (SELECT 1 FROM tag_history o WHERE o.repo_id = h.repo_id AND o.name = h.name AND o.start_ms < h.start_ms AND o.end_ms > h.start_ms)
				OR EXISTS (SELECT 1 FROM tag l WHERE l.repo_id = h.repo_id AND l.name = h.name AND l.start_ms < h.end_ms)`)
	if err != nil || len(overlaps) > 0 {
		t.Errorf("periods that overlap or are empty: %q, %v", overlaps, err)
	}
	p.wantSound()
	outcome(t, "uploads, promises, tokens and tags go on; periods of a tag do not overlap")
}

// TestTwoProcesses starts a second server on the same embedded database, and runs a command beside the first.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	r := start(t, dbtest.SQLite)
	p := r.person(t)
	second := exec.Command(program, "serve", "--config", r.Config, "--data", r.Data, "--listen", "127.0.0.1:0", "--admin-listen=")
	began := time.Now()
	out, err := second.CombinedOutput()
	if err == nil || !strings.Contains(string(out), fmt.Sprintf("process %d", r.PID())) || time.Since(began) > 10*time.Second {
		t.Errorf("the second server ended after %s with %v:\n%s", time.Since(began), err, out)
	}
	p.image("v1")
	if out, err := r.Run(t.Context(), password+"\n", "user", "create", "bob", "--email", "bob@example.org", "--password-stdin"); err != nil {
		t.Error(out, err)
	}
	p.image("v2")
	outcome(t, "the second server refuses and names the first; a command works beside it")
}

// TestDyingTwice dies in the middle of a chunk, and again at each step of taking the upload over after the restart.
func TestDyingTwice(t *testing.T) {
	eachDatabase(t, func(t *testing.T, kind dbtest.Kind) {
		r := start(t, kind)
		p := r.person(t)
		again := []string{"fs/truncate-upload/before", "fs/truncate-upload/after"}
		if kind != dbtest.SQLite {
			again = []string{"fs/copy-upload/after", "db/adopt-upload/after-commit"}
			if os.Getenv("LONGSHORE_SOAK") != "" {
				again = append(again, "fs/copy-upload/before", "db/adopt-upload/begin", "db/adopt-upload/before-commit",
					"fs/remove-upload/before", "fs/remove-upload/after")
			}
		}
		for _, point := range again {
			b := p.fresh(50_000)
			open := p.start(b[:10_000])
			r.plan(t, "fs/writeat-rest-upload/after kill 1")
			if _, err := r.client.registry(t.Context(), http.MethodPatch, open, b[10_000:30_000], octets, places[0]); err == nil {
				t.Fatal("the process did not die")
			}
			<-r.Ended()
			r.plan(t, point+" kill 1")
			r.restart(t)
			answer, err := r.client.registry(t.Context(), http.MethodPatch, open, b[10_000:20_000], octets, places[0])
			if err == nil {
				t.Fatalf("%s was not reached: %v", point, answer)
			}
			<-r.Ended()
			r.plan(t)
			r.restart(t)
			status := p.send(http.MethodGet, open, nil, nil)
			if status.header.Get("Range") != "0-9999" {
				t.Errorf("%s: %v, Range %q", point, status, status.header.Get("Range"))
			}
			p.want(point, p.finish(open, b[10_000:], b), http.StatusCreated)
			p.wantBlob(point, b)
		}
		p.wantSound()
		outcome(t, "the upload goes on where its last answer said")
	})
}

func itoa(n int) string { return fmt.Sprint(n) }
