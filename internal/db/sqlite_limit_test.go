package db_test

import (
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// endlessQuery counts until it is stopped.
const endlessQuery = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000000) SELECT COUNT(*) FROM n`

// TestAReadHasALimitOfTime: a query that runs for ever is stopped, who finds no connection meanwhile is told to come
// back, and heavy queries leave some to others.
func TestAReadHasALimitOfTime(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	unavailable := func(err error, within time.Duration, began time.Time) {
		t.Helper()
		if took := time.Since(began); !problem.Is(err, problem.Unavailable) || problem.From(err).RetryAfter == 0 || took > within {
			t.Errorf("%v after %s", err, took)
		}
	}
	const clients = 20 // more than there are connections
	answers := make(chan error, clients)
	run := func(heavy bool) {
		ctx := t.Context()
		if heavy {
			ctx = db.Heavy(ctx)
		}
		var n int64
		answers <- d.QueryRow(ctx, endlessQuery).Scan(&n)
	}
	began := time.Now()
	for range clients {
		go run(true)
	}
	time.Sleep(100 * time.Millisecond)
	asked := time.Now()
	var n int
	if err := d.QueryRow(t.Context(), `SELECT 1`).Scan(&n); err != nil || time.Since(asked) > time.Second {
		t.Errorf("beside heavy queries: %v after %s", err, time.Since(asked))
	}
	for range clients {
		unavailable(<-answers, 20*time.Second, began)
	}
	began = time.Now()
	for range clients {
		go run(false)
	}
	for range clients {
		unavailable(<-answers, 20*time.Second, began)
	}
	for range 50 { // all connections are back
		rows, err := d.Query(t.Context(), `SELECT 1 UNION SELECT 2`)
		if err != nil {
			t.Fatal(err)
		}
		rows.Next()
		rows.Close()
		rows.Close()
	}
}
