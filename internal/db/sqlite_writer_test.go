package db

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/longshore-registry/longshore/internal/problem"
)

// openFile opens a new SQLite file with one table, t.
func openFile(t *testing.T) *DB {
	t.Helper()
	d, err := Open(t.Context(), Options{URI: "sqlite:///" + filepath.Join(t.TempDir(), "t.db"), LogBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := d.Exec(t.Context(), "CREATE TABLE t (name TEXT PRIMARY KEY) STRICT"); err != nil {
		t.Fatal(err)
	}
	return d
}

func addRow(name string) func(ctx context.Context, tx Tx) error {
	return func(ctx context.Context, tx Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO t (name) VALUES ($1)", name)
		return err
	}
}

func count(t *testing.T, d *DB) (n int) {
	t.Helper()
	if err := d.QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// hold occupies the writer until release is called, so that what is queued meanwhile forms the next batch.
func hold(t *testing.T, d *DB) (release func()) {
	t.Helper()
	held, let, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		err := d.Soft(t.Context(), "hold", func(context.Context, Tx) error { close(held); <-let; return nil })
		if err != nil {
			t.Error(err)
		}
	}()
	<-held
	return func() { close(let); <-done }
}

// waitQueued waits until n transactions are queued.
func waitQueued(t *testing.T, l *lane, n int) {
	t.Helper()
	for range 1000 {
		if len(l.queue) >= n {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%d of %d transactions are queued", len(l.queue), n)
}

func TestConcurrentTransactionsShareACommit(t *testing.T) {
	d := openFile(t)
	w := d.sqlite.writer
	release := hold(t, d)
	var group sync.WaitGroup
	mine := errors.New("mine")
	for i := range 30 {
		group.Go(func() {
			err := d.Hard(t.Context(), "member", func(ctx context.Context, tx Tx) error {
				if err := addRow(fmt.Sprint(i))(ctx, tx); err != nil {
					return err
				}
				if i%10 == 3 {
					return mine
				}
				if i%10 == 4 { // the row is there already: the statement fails, and with it this member
					return addRow(fmt.Sprint(i))(ctx, tx)
				}
				return nil
			})
			switch {
			case i%10 == 3 && err != mine, i%10 == 4 && !IsUnique(err), i%10 != 3 && i%10 != 4 && err != nil:
				t.Errorf("member %d: %v", i, err)
			}
		})
	}
	waitQueued(t, w.requests, 30)
	before := w.commits.Load()
	release()
	group.Wait()
	if n := count(t, d); n != 24 {
		t.Errorf("%d rows, want those of the 24 that succeeded", n)
	}
	if n := w.commits.Load() - before; n > 10 { // the held one, and batches of at least 4 ms
		t.Errorf("30 transactions took %d commits", n)
	}
}

func TestABatchWithAHardMemberIsSynced(t *testing.T) {
	d := openFile(t)
	w := d.sqlite.writer
	synced := func() int64 {
		var n int64
		// Inside a batch the setting is that of the batch.
		if err := d.Soft(t.Context(), "look", func(ctx context.Context, tx Tx) error {
			return tx.QueryRow(ctx, "PRAGMA synchronous").Scan(&n)
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := synced(); n != 1 {
		t.Errorf("a soft batch has synchronous = %d, want 1 (NORMAL)", n)
	}
	release := hold(t, d)
	var group sync.WaitGroup
	group.Go(func() {
		if n := synced(); n != 2 {
			t.Errorf("a soft member of a hard batch saw synchronous = %d, want 2 (FULL)", n)
		}
	})
	waitQueued(t, w.requests, 1)
	// The one that holds the writer is soft, so a hard one does not join its batch but takes the other with it.
	group.Go(func() {
		var n int64
		err := d.Hard(t.Context(), "hard", func(ctx context.Context, tx Tx) error {
			return tx.QueryRow(ctx, "PRAGMA synchronous").Scan(&n)
		})
		if err != nil || n != 2 {
			t.Errorf("a hard member saw synchronous = %d, %v", n, err)
		}
	})
	waitQueued(t, w.requests, 2)
	// Beyond batchTime nothing joins.
	time.Sleep(2 * batchTime)
	release()
	group.Wait()
}

func TestAWaitingRequestThatWentAwayIsSkipped(t *testing.T) {
	d := openFile(t)
	release := hold(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		if err := d.Hard(ctx, "gone", addRow("gone")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	waitQueued(t, d.sqlite.writer.requests, 1)
	cancel()
	group.Wait() // it returns while the writer is still held
	release()
	if err := d.Hard(t.Context(), "next", addRow("next")); err != nil || count(t, d) != 1 {
		t.Errorf("got %v and %d rows", err, count(t, d))
	}
}

func TestAStatementOfARequestThatWentAwayIsNotInterrupted(t *testing.T) {
	d := openFile(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := d.Hard(ctx, "leaving", func(ctx context.Context, tx Tx) error {
		cancel()
		return addRow("a")(ctx, tx)
	})
	if err != nil || count(t, d) != 1 {
		t.Errorf("got %v and %d rows", err, count(t, d))
	}
}

func TestBackgroundWorkHasItsShare(t *testing.T) {
	d := openFile(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var requests, background time.Duration
	load := func(ctx context.Context, total *time.Duration) {
		for ctx.Err() == nil {
			_ = d.Soft(ctx, "load", func(context.Context, Tx) error {
				start := time.Now()
				time.Sleep(time.Millisecond)
				*total += time.Since(start)
				return nil
			})
		}
	}
	var group sync.WaitGroup
	group.Go(func() { load(ctx, &background) })
	group.Go(func() { load(Background(ctx), &requests) })
	group.Wait()
	background, requests = requests, background
	share := float64(background) / float64(background+requests)
	if share < 0.05 || share > 0.3 {
		t.Errorf("background work had %.0f %% of the writer", 100*share)
	}
	quiet, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	background = 0
	load(Background(quiet), &background)
	if background < 150*time.Millisecond {
		t.Errorf("without requests background work had %v of 300 ms", background)
	}
}

// failCommits makes commits of the writer fail while fail says so.
func failCommits(t *testing.T, d *DB, fail func() bool) {
	t.Helper()
	err := d.sqlite.writer.conn.Raw(func(c any) error {
		hooks, ok := c.(sqlite.HookRegisterer)
		if !ok {
			return fmt.Errorf("%T has no hooks", c)
		}
		hooks.RegisterCommitHook(func() int32 {
			if fail() {
				return 1
			}
			return 0
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFailedCommitRefusesWritesUntilOneSucceeds(t *testing.T) {
	d := openFile(t)
	var broken atomic.Bool
	var commits atomic.Int32
	// The first commit is that of the one that holds the writer.
	failCommits(t, d, func() bool { return commits.Add(1) > 1 && broken.Load() })
	broken.Store(true)
	release := hold(t, d)
	var group sync.WaitGroup
	for i := range 3 {
		group.Go(func() {
			if err := d.Hard(t.Context(), "failing", addRow(fmt.Sprint(i))); !problem.Is(err, problem.Unavailable) {
				t.Errorf("a member of a batch whose commit failed got %v", err)
			}
		})
	}
	waitQueued(t, d.sqlite.writer.requests, 3)
	release()
	group.Wait()
	for range 3 {
		err := d.Hard(t.Context(), "refused", func(context.Context, Tx) error { t.Error("it was run"); return nil })
		if !problem.Is(err, problem.Unavailable) || problem.From(err).RetryAfter == 0 {
			t.Errorf("got %v", err)
		}
	}
	if n := count(t, d); n != 0 {
		t.Errorf("%d rows that were never acknowledged", n)
	}
	broken.Store(false)
	time.Sleep(3 * watchEvery)
	if err := d.Hard(t.Context(), "again", addRow("again")); err != nil || count(t, d) != 1 {
		t.Errorf("after the fault: %v and %d rows", err, count(t, d))
	}
}

func TestAFullFileSpoilsNobodyElse(t *testing.T) {
	d := openFile(t)
	w := d.sqlite.writer
	if err := w.exec("PRAGMA max_page_count = 40"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec(t.Context(), "CREATE TABLE big (b BLOB) STRICT"); err != nil {
		t.Fatal(err)
	}
	release := hold(t, d)
	var group sync.WaitGroup
	var told sync.Map
	for i := range 6 {
		group.Go(func() {
			err := d.Hard(t.Context(), "member", func(ctx context.Context, tx Tx) error {
				if i == 2 {
					_, err := tx.Exec(ctx, "INSERT INTO big (b) VALUES ($1)", make([]byte, 1<<20))
					return err
				}
				return addRow(fmt.Sprint(i))(ctx, tx)
			})
			if i == 2 && !problem.Is(err, problem.Unavailable) {
				t.Errorf("the one that did not fit got %v", err)
			}
			if err == nil {
				told.Store(i, true)
			}
		})
	}
	waitQueued(t, w.requests, 6)
	release()
	group.Wait()
	acknowledged := 0
	told.Range(func(any, any) bool { acknowledged++; return true })
	if n := count(t, d); n != acknowledged {
		t.Errorf("%d rows, %d were acknowledged", n, acknowledged)
	}
	if err := d.Hard(t.Context(), "later", addRow("later")); err != nil {
		t.Errorf("later: %v", err)
	}
}
