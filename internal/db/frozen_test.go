package db_test

import (
	"context"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// freezer is a proxy whose connections stand, and pass nothing on while it is locked.
type freezer struct{ sync.RWMutex }

func (f *freezer) start(t *testing.T, target string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			go f.pass(client, server)
			go f.pass(server, client)
		}
	}()
	return l.Addr().String()
}

func (f *freezer) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		f.RLock()
		_, failed := to.Write(buf[:n])
		f.RUnlock()
		if err != nil || failed != nil {
			return
		}
	}
}

// TestARequestDoesNotWaitAgainForAFrozenServer asks six things of a server that has stopped answering: only the first
// waits as long as one usually may. It takes seconds, since that is what is shown.
func TestARequestDoesNotWaitAgainForAFrozenServer(t *testing.T) {
	proxied, err := url.Parse(dbtest.URI(t, dbtest.PostgreSQL))
	if err != nil {
		t.Fatal(err)
	}
	var frozen freezer
	proxied.Host = frozen.start(t, proxied.Host)
	d := open(t, dbtest.Options(proxied.String()))
	ask := func() error {
		var one int
		return d.QueryRow(t.Context(), "SELECT 1").Scan(&one)
	}
	change := func() error {
		return d.Hard(t.Context(), "change", func(ctx context.Context, tx db.Tx) error {
			_, err := tx.Exec(ctx, "SELECT 1")
			return err
		})
	}
	var open []db.Rows // so that every step finds a connection that stands
	for range 6 {
		rows, err := d.Query(t.Context(), "SELECT 1")
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, rows)
	}
	for _, rows := range open {
		rows.Close()
	}
	frozen.Lock()
	start := time.Now()
	for n, step := range []func() error{ask, ask, change, ask, change, ask} {
		err := step()
		if !problem.Is(err, problem.Unavailable) {
			t.Errorf("step %d: %v, want one that says unavailable", n, err)
		} else if e := problem.From(err); e.RetryAfter <= 0 {
			t.Errorf("step %d does not say when to come back: %v", n, err)
		}
	}
	const each = 6 * time.Second // what each of them would take alone
	if took := time.Since(start); took > 3*each {
		t.Errorf("six steps took %s", took)
	}
	frozen.Unlock()
	for end := time.Now().Add(time.Minute); ; {
		if err = ask(); err == nil || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		t.Fatalf("the server answers again, but: %v", err)
	}
	if err := change(); err != nil {
		t.Error(err)
	}
}
