//go:build e2e && linux

package crash

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const (
	databaseFile = "longshore.db"
	databaseLog  = "longshore.db-wal"
)

// get starts a pull of a blob and gives the answer with its body unread.
func (p *person) get(path string, header http.Header) (*http.Response, error) {
	p.t.Helper()
	token, err := p.r.client.token(p.t.Context(), false, []string{places[0]})
	if err != nil {
		p.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.r.URL(path), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("Authorization", "Bearer "+token)
	return http.DefaultClient.Do(request)
}

// TestReadsFail has the disk give no bytes of an object, at once and in the middle: the client sees an error or a body
// that breaks off, never an answer that looks complete. The next pull succeeds.
func TestReadsFail(t *testing.T) {
	t.Parallel()
	r, g := startGated(t)
	p := r.person(t)
	b := p.fresh(100)
	b = append(b, make([]byte, 16<<20)...)
	p.want("push", p.whole(b), http.StatusCreated)
	path := "/v2/" + places[0] + "/blobs/" + digestOf(b)
	for name, header := range map[string]http.Header{"whole": nil, "range": {"Range": {"bytes=1000-12000000"}}} {
		for _, after := range []int{0, 3} {
			g.refuse(refusal{call: "sendfile", suffix: "/storage/sha256/", after: after, errno: syscall.EIO},
				refusal{call: "read", suffix: "/storage/sha256/", errno: syscall.EIO})
			response, err := p.get(path, header)
			if err != nil {
				continue // the connection broke
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err == nil && response.StatusCode < 300 {
				t.Errorf("%s, after %d calls: %d with %d bytes ended cleanly", name, after, response.StatusCode, len(body))
			}
			if err != nil && !bytes.HasPrefix(b[map[string]int{"whole": 0, "range": 1000}[name]:], body) {
				t.Errorf("%s, after %d calls: other bytes than the blob's", name, after)
			}
		}
	}
	g.mu.Lock()
	if g.seen["sendfile /storage/sha256/"]+g.seen["read /storage/sha256/"] == 0 {
		t.Error("no read of an object came by")
	}
	g.mu.Unlock()
	g.refuse()
	p.wantBlob("afterwards", b)
	outcome(t, "EIO at once or midway: the connection breaks, never a clean end; the next pull succeeds")
}

// TestDatabaseFileFails has each kind of call on the embedded database's files fail for a while. What was acknowledged
// is there, before and after a crash; nothing that failed is acknowledged; writes come back by themselves.
func TestDatabaseFileFails(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]refusal{
		"the log cannot be synced":  {call: "sync", suffix: databaseLog, errno: syscall.EIO},
		"the log cannot be written": {call: "write", suffix: databaseLog, errno: syscall.EIO},
		"the log finds no room":     {call: "write", suffix: databaseLog, errno: syscall.ENOSPC},
		"the log is read-only":      {call: "write", suffix: databaseLog, errno: syscall.EROFS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, g := startGated(t)
			p := r.person(t)
			b := p.fresh(3000)
			p.want("push", p.whole(b), http.StatusCreated)
			kept := p.image("v1")
			g.refuse(rule)
			for n := range 3 {
				p.wantClear("a tag", p.tag(fmt.Sprintf("no-%d", n), kept), "database")
			}
			p.wantClear("a blob", p.whole(p.fresh(2000)), "database")
			p.wantBlob("meanwhile", b)
			p.wantTag("meanwhile", "v1", kept)
			g.wantSeen(t)
			g.refuse()
			back := p.wantBack(kept)
			p.want("a tag", p.tag("v2", kept), http.StatusCreated)
			r.Kill()
			r.restart(t)
			p.wantBlob("after a crash", b)
			p.wantTag("after a crash", "v1", kept)
			p.wantTag("after a crash, what was acknowledged since", "v2", kept)
			p.wantSound()
			outcome(t, fmt.Sprintf("pulls go on, pushes get 503 and the reason; writes are back after %s without a restart, and survive a crash", back.Round(10*time.Millisecond)))
		})
	}
}

// TestCheckpointFails has the database's own file refuse while its log takes everything.
func TestCheckpointFails(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]refusal{
		"no room":    {call: "write", suffix: databaseFile, errno: syscall.ENOSPC},
		"not synced": {call: "sync", suffix: databaseFile, errno: syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, g := startGated(t)
			p := r.person(t)
			kept := p.image("v1")
			g.refuse(rule)
			deadline := time.Now().Add(20 * time.Second)
			last := 0
			for ; time.Now().Before(deadline) && len(g.applied()) == 0; last++ { // a checkpoint comes at four MiB of log
				p.want("a tag", p.tag(fmt.Sprintf("t-%d", last), kept), http.StatusCreated)
			}
			g.wantSeen(t)
			for n := range 20 {
				p.want("a tag after a failed checkpoint", p.tag(fmt.Sprintf("u-%d", n), kept), http.StatusCreated)
			}
			p.wantTag("meanwhile", "v1", kept)
			r.Kill()
			g.refuse()
			r.restart(t)
			for n := range 20 {
				p.wantTag("after a crash", fmt.Sprintf("u-%d", n), kept)
			}
			p.wantTag("after a crash", fmt.Sprintf("t-%d", last-1), kept)
			p.wantSound()
			outcome(t, "writes and reads go on from the log; nothing is lost in a crash then")
		})
	}
}

// applied are the rules that were applied to a call.
func (g *gate) applied() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []string
	for name := range g.seen {
		list = append(list, name)
	}
	return list
}

// TestDatabaseReadFails has the database's files give no bytes: an answer is an error or right.
func TestDatabaseReadFails(t *testing.T) {
	t.Parallel()
	r, g := startGated(t)
	p := r.person(t)
	kept := p.image("v1")
	for n := range 50 { // more than what is remembered from the push
		p.want("a tag", p.tag(fmt.Sprintf("t-%d", n), image(2_000_000+n, p.config())), http.StatusCreated)
	}
	r.Kill()
	r.restart(t)
	g.refuse(refusal{call: "read", suffix: databaseFile, errno: syscall.EIO}, refusal{call: "read", suffix: databaseLog, errno: syscall.EIO})
	failed := 0
	for n := range 50 {
		response, err := p.get("/v2/"+places[0]+"/manifests/"+fmt.Sprintf("t-%d", n), nil)
		if err != nil {
			failed++
			continue
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		switch {
		case response.StatusCode >= 500:
			failed++
		case response.StatusCode != http.StatusOK || response.Header.Get("Docker-Content-Digest") != digestOf(body):
			t.Errorf("%d %.100s", response.StatusCode, body)
		}
	}
	if len(g.applied()) == 0 || failed == 0 {
		t.Errorf("no read failed: %q, %d requests", g.applied(), failed)
	}
	g.refuse()
	p.wantTag("afterwards", "v1", kept)
	p.wantBack(kept)
	p.wantSound()
	outcome(t, fmt.Sprintf("%d of 50 pulls of manifests get an error, none a wrong answer, no 404; afterwards all is as before", failed))
}

// config pushes a small config, the same each time.
func (p *person) config() []byte {
	p.t.Helper()
	b := fill(999, 100)
	p.want("config", p.whole(b), http.StatusCreated)
	return b
}

// TestSlowDisk has every sync of the database's log take long: pushes wait for it, pulls do not.
func TestSlowDisk(t *testing.T) {
	t.Parallel()
	const slow = time.Second
	r, g := startGated(t)
	p := r.person(t)
	b := p.fresh(3000)
	p.want("push", p.whole(b), http.StatusCreated)
	kept := p.image("v1")
	g.refuse(refusal{call: "sync", suffix: databaseLog, wait: slow})
	pushed := make(chan result)
	began := time.Now()
	go func() {
		q := r.person(t)
		pushed <- q.tag("v2", kept)
	}()
	worst := time.Duration(0)
	for time.Since(began) < slow {
		one := time.Now()
		p.wantBlob("meanwhile", b)
		p.wantTag("meanwhile", "v1", kept)
		worst = max(worst, time.Since(one))
	}
	p.want("the slow push", <-pushed, http.StatusCreated)
	if took := time.Since(began); took < slow {
		t.Errorf("a push was acknowledged after %s, before its sync was done", took)
	}
	g.wantSeen(t)
	if worst > slow/2 {
		t.Errorf("a pull took %s meanwhile", worst)
	}
	outcome(t, fmt.Sprintf("a sync takes %s: a push waits for it, two pulls take %s at most", slow, worst.Round(time.Millisecond)))
}

// TestFullFileSystem puts the data on a file system of its own and fills that up, the database's log and all.
func TestFullFileSystem(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", t.TempDir()).CombinedOutput(); err != nil {
		t.Skipf("no file system can be mounted in a namespace here: %v %s", err, out)
	}
	wrapper := filepath.Join(t.TempDir(), "longshore")
	script := `#!/bin/sh
for argument; do [ "$before" = --data ] && data=$argument; before=$argument; done
[ "$1" = serve ] || exec ` + program + ` "$@"
exec unshare -rm sh -c 'mount -t tmpfs -o size=64m tmpfs "$0" && exec ` + program + ` "$@"' "$data" "$@"
`
	if err := os.WriteFile(wrapper, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	r := startAs(t, wrapper)
	inside := filepath.Join("/proc", itoa(r.PID()), "root", r.Data)
	p := r.person(t)
	b := p.fresh(30_000)
	p.want("push", p.whole(b), http.StatusCreated)
	kept := p.image("v1")
	half := p.fresh(20_000)
	open := p.start(half[:10_000])
	config := p.config()
	fillUp(t, filepath.Join(inside, "ballast"))
	p.wantClear("POST", p.send(http.MethodPost, "/v2/"+places[0]+"/blobs/uploads/", nil, octets), "insufficient storage")
	p.wantClear("a blob", p.whole(p.fresh(100_000)), "insufficient storage")
	p.wantClear("the rest of an upload", p.finish(open, half[10_000:], half), "insufficient storage")
	p.wantBlob("while full", b)
	p.wantTag("while full", "v1", kept)
	tags := 0
	refused := result{}
	for n := range 3000 { // the log was grown before, so that it has room for some
		refused = p.tag(fmt.Sprintf("t-%d", n), image(3_000_000+n, config))
		if refused.status != http.StatusCreated {
			break
		}
		tags++
	}
	if refused.status != http.StatusCreated {
		p.wantClear("a tag when the log is full, too", refused, "database")
	}
	p.wantBlob("while full", b)
	p.wantTag("while full", "v1", kept)
	for n := max(0, tags-20); n < tags; n++ {
		p.wantTag("acknowledged while full", fmt.Sprintf("t-%d", n), image(3_000_000+n, config))
	}
	if err := os.Remove(filepath.Join(inside, "ballast")); err != nil {
		t.Fatal(err)
	}
	p.wantBack(kept)
	p.want("the upload goes on", p.finish(open, half[10_000:], half), http.StatusCreated)
	p.wantBlob("afterwards", half)
	copied := filepath.Join(t.TempDir(), "data") // SQLite finds no way through /proc
	if out, err := exec.Command("cp", "-a", inside, copied).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	rows, err := openRows("", copied)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.db.Close()
	if found, err := rows.faults(t.Context()); err != nil || len(found) > 0 {
		t.Error(found, err)
	}
	outcome(t, fmt.Sprintf("no byte is left: pulls go on, uploads get 503 and the reason, %d tags still fit the log; all goes on when there is room", tags))
}

// fillUp writes a file until no byte is left.
func fillUp(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
