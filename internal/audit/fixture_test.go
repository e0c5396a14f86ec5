package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// clock is a time that tests set.
type clock struct{ ms atomic.Int64 }

func at(text string) *clock {
	t, err := time.Parse(time.DateTime, text)
	if err != nil {
		panic(err)
	}
	c := &clock{}
	c.set(t)
	return c
}

func (c *clock) now() time.Time      { return db.Time(c.ms.Load()) }
func (c *clock) set(t time.Time)     { c.ms.Store(db.Millis(t)) }
func (c *clock) add(d time.Duration) { c.ms.Add(d.Milliseconds()) }

func optionsFor(t testing.TB, d *db.DB, c *clock) Options {
	return Options{
		DB: d, Dir: filepath.Join(t.TempDir(), "audit"), Clock: c.now, Log: slog.New(slog.DiscardHandler),
		storeEvery: 5 * time.Millisecond, gather: time.Millisecond,
	}
}

func open(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(t.Context(), o)
	check(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = l.Close(ctx)
	})
	return l
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// account adds an account and gives its id.
func account(t testing.TB, d *db.DB, name string, kind int) (id int64) {
	t.Helper()
	check(t, d.Hard(t.Context(), "account", func(ctx context.Context, tx db.Tx) error {
		owner := any(nil)
		if prefix, _, robot := strings.Cut(name, "+"); robot {
			if err := tx.QueryRow(ctx, "SELECT id FROM account WHERE name = $1", prefix).Scan(&id); err != nil {
				return err
			}
			owner = id
		}
		return tx.QueryRow(ctx, `INSERT INTO account (uuid, kind, name, owner_id, email, tag_window_s)
			VALUES ($1, $2, $3, $4, $5, 0) RETURNING id`, "uuid of "+name, kind, name, owner, name+"@example.com").Scan(&id)
	}))
	return id
}

// record writes entries in a transaction of their own.
func record(t testing.TB, l *Log, entries ...Entry) {
	t.Helper()
	check(t, l.db.Hard(t.Context(), "record", func(ctx context.Context, tx db.Tx) error {
		for _, e := range entries {
			if err := l.RecordTx(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	}))
}

// ever is a query's whole time.
func ever(q Query) Query {
	q.From, q.To = time.UnixMilli(0), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	return q
}

// list reads a whole list page by page, as one line an entry.
func list(t testing.TB, l *Log, q Query, size int) []string {
	t.Helper()
	var lines []string
	for after := (*Cursor)(nil); ; {
		p, err := l.List(t.Context(), q, after, size)
		check(t, err)
		if len(p.Entries) > size || len(p.Entries) == 0 && after != nil {
			t.Fatalf("a page of %d has %d entries", size, len(p.Entries))
		}
		for _, e := range p.Entries {
			lines = append(lines, line(e))
		}
		if p.Next == nil {
			return lines
		}
		after = p.Next
	}
}

func line(e Recorded) string {
	who := func(p *Party) string {
		if p == nil {
			return "-"
		}
		return fmt.Sprintf("%s(%d%s)", p.Name, p.Kind, map[bool]string{true: ",deleted"}[p.Deleted])
	}
	return fmt.Sprintf("%s %s %s in %s/%d from %s: %s", e.At.Format(time.DateTime), who(e.Performer), e.Kind, who(e.Namespace), e.RepositoryID, e.IP, e.Metadata)
}

// errAway is what a database that is away answers in tests.
var errAway = errors.New("away")

// watched opens a database whose transactions of a name fail while fail says so.
func watched(t *testing.T, kind dbtest.Kind, fail func(transaction string, m db.Moment) bool) *db.DB {
	t.Helper()
	o := dbtest.Options(dbtest.URI(t, kind))
	o.Watch = func(transaction string, m db.Moment) error {
		if fail(transaction, m) {
			return errAway
		}
		return nil
	}
	d, err := db.Open(t.Context(), o)
	check(t, err)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// eachKind runs a test that opens its databases itself.
func eachKind(t *testing.T, fn func(t *testing.T, kind dbtest.Kind)) {
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) { fn(t, kind) })
	}
}

// eventually waits until a claim holds.
func eventually(t testing.TB, claim string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 15 s: %s", claim)
		}
	}
}

// rowsIn counts what the month tables hold.
func rowsIn(t testing.TB, d *db.DB, where string, args ...any) (n int64) {
	t.Helper()
	rows, err := d.Query(t.Context(), "SELECT month FROM audit_month")
	check(t, err)
	all, err := collect(rows, func(m *month) []any { return []any{m} })
	check(t, err)
	for _, m := range all {
		var of int64
		check(t, d.QueryRow(t.Context(), "SELECT COUNT(*) FROM "+m.table()+" WHERE "+where, args...).Scan(&of))
		n += of
	}
	return n
}
