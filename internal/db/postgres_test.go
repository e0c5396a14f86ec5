package db_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func open(t *testing.T, options db.Options) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

type transact = func(context.Context, string, func(context.Context, db.Tx) error) error

func TestPostgreSQLLimits(t *testing.T) {
	for name, pooler := range map[string]bool{"direct": false, "behind a pooler": true} {
		t.Run(name, func(t *testing.T) {
			options := dbtest.Options(dbtest.URI(t, dbtest.PostgreSQL))
			options.Pooler = pooler
			d := open(t, options)
			settings := func(run transact) map[string]string {
				got := map[string]string{}
				err := run(t.Context(), "look", func(ctx context.Context, tx db.Tx) error {
					for _, name := range []string{
						"lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "synchronous_commit",
						"transaction_isolation", "application_name",
					} {
						var value string
						if err := tx.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
							return err
						}
						got[name] = value
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			want := map[string]string{
				"lock_timeout": "2s", "statement_timeout": "5s", "idle_in_transaction_session_timeout": "10s",
				"synchronous_commit": "on", "transaction_isolation": "read committed", "application_name": "longshore",
			}
			if diff := cmp.Diff(want, settings(d.Hard)); diff != "" {
				t.Errorf("hard: -want +got\n%s", diff)
			}
			want["synchronous_commit"] = "off"
			if diff := cmp.Diff(want, settings(d.Soft)); diff != "" {
				t.Errorf("soft: -want +got\n%s", diff)
			}
		})
	}
}

func TestBehindAPoolerNothingIsPrepared(t *testing.T) {
	options := dbtest.Options(dbtest.URI(t, dbtest.PostgreSQL))
	options.Pooler, options.HardConns = true, 1
	d := open(t, options)
	values(t, d)
	for i := range 3 {
		insert(t, d, i, i, fmt.Sprint(i), []byte{byte(i)})
		var small int64
		var b []byte
		query := "SELECT s, b FROM v WHERE s = $1 AND t = $2 AND b = $3"
		if err := d.QueryRow(t.Context(), query, i, fmt.Sprint(i), []byte{byte(i)}).Scan(&small, &b); err != nil || small != int64(i) {
			t.Errorf("got %d, %v", small, err)
		}
	}
	var n int
	if err := d.QueryRow(t.Context(), "SELECT count(*) FROM pg_prepared_statements").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d prepared statements, %v", n, err)
	}
}

func TestAConflictIsRunAgain(t *testing.T) {
	t.Parallel() // it mostly waits
	d := dbtest.Open(t, dbtest.PostgreSQL)
	for _, name := range []string{"a", "b"} {
		if _, err := d.Exec(t.Context(), addLocation, name); err != nil {
			t.Fatal(err)
		}
	}
	// Two transactions change the same rows in opposite order: one of them is broken off as a deadlock.
	var runs, ready sync.WaitGroup
	ready.Add(2)
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		runs.Go(func() {
			first := true
			err := d.Hard(t.Context(), "crossing", func(ctx context.Context, tx db.Tx) error {
				for i, name := range order {
					if _, err := tx.Exec(ctx, "UPDATE storage_location SET hold = hold + 1 WHERE name = $1", name); err != nil {
						return fmt.Errorf("wrapped: %w", err)
					}
					if i == 0 && first {
						first = false
						ready.Done()
						ready.Wait()
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	runs.Wait()
	if got := column(t, d, "SELECT name FROM storage_location WHERE hold = 2 ORDER BY name"); len(got) != 2 {
		t.Errorf("changed twice: %v", got)
	}
}

func TestWhoWaitsForALockTooLongTriesAgain(t *testing.T) {
	t.Parallel() // it mostly waits
	d := dbtest.Open(t, dbtest.PostgreSQL)
	locked, runs := make(chan struct{}), 0
	var group sync.WaitGroup
	group.Go(func() {
		err := d.Hard(t.Context(), "first", func(ctx context.Context, tx db.Tx) error {
			err := tx.Lock(ctx, db.LockRepository, 7, db.Exclusive)
			close(locked)
			time.Sleep(2500 * time.Millisecond)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-locked
	err := d.Hard(t.Context(), "second", func(ctx context.Context, tx db.Tx) error {
		runs++
		if err := tx.Lock(ctx, db.LockNamespace, 7, db.Exclusive); err != nil { // another space is free
			return err
		}
		return tx.Lock(ctx, db.LockRepository, 7, db.Shared)
	})
	if err != nil || runs != 2 {
		t.Errorf("got %v after %d runs", err, runs)
	}
	group.Wait()
}

func TestAFullPoolIsTold(t *testing.T) {
	t.Parallel() // it mostly waits
	options := dbtest.Options(dbtest.URI(t, dbtest.PostgreSQL))
	options.HardConns = 1
	d := open(t, options)
	rows, err := d.Query(t.Context(), "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	err = d.Hard(t.Context(), "waits", func(context.Context, db.Tx) error { return nil })
	if !problem.Is(err, problem.Unavailable) || problem.From(err).RetryAfter == 0 || time.Since(start) > 4*time.Second {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
	rows.Close()
	if err := d.Hard(t.Context(), "goes on", func(context.Context, db.Tx) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestConnectionsThatDiedInThePoolAreReplaced(t *testing.T) {
	d := dbtest.Open(t, dbtest.PostgreSQL)
	var group sync.WaitGroup
	for range 5 { // fill the pool
		group.Go(func() { _ = d.QueryRow(t.Context(), "SELECT pg_sleep(0.05)").Scan(new(any)) })
	}
	group.Wait()
	if _, err := d.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := d.Exec(t.Context(), "UPDATE storage_location SET hold = 0"); err != nil {
			t.Error(err)
		}
	}
}

func TestAStatementThatTakesTooLongIsUnavailable(t *testing.T) {
	d := dbtest.Open(t, dbtest.PostgreSQL)
	runs := 0
	err := d.Hard(t.Context(), "slow", func(ctx context.Context, tx db.Tx) error {
		runs++
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 100"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "SELECT pg_sleep(10)")
		return err
	})
	if !problem.Is(err, problem.Unavailable) || runs != 1 {
		t.Errorf("got %v after %d runs", err, runs)
	}
}

func TestAServerThatIsAwayIsUnavailable(t *testing.T) {
	for _, uri := range []string{"postgresql://u:hunter2@127.0.0.1:9/d", "postgresql://u:hunter2@/d?host=/nonexistent"} {
		_, err := db.Open(t.Context(), db.Options{URI: uri})
		if !problem.Is(err, problem.Unavailable) || strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: got %v", uri, err)
		}
	}
}

func TestALostCommitIsUncertainAndNeverRepeated(t *testing.T) {
	t.Parallel() // it mostly waits
	for name, arrives := range map[string]bool{"the commit arrived": true, "it did not": false} {
		t.Run(name, func(t *testing.T) {
			uri := dbtest.URI(t, dbtest.PostgreSQL)
			direct := dbtest.OpenURI(t, uri)
			proxied, err := url.Parse(uri)
			if err != nil {
				t.Fatal(err)
			}
			cut := cutAtCommit(t, proxied.Host, arrives)
			proxied.Host = cut.address
			d := open(t, dbtest.Options(proxied.String()))
			runs, after := 0, 0
			cut.armed.Store(true)
			err = d.Hard(t.Context(), "uncertain", func(ctx context.Context, tx db.Tx) error {
				runs++
				tx.AfterCommit(func() { after++ })
				_, err := tx.Exec(ctx, addLocation, "a")
				return err
			})
			cut.armed.Store(false)
			if !problem.Is(err, problem.Unavailable) || runs != 1 || after != 1 {
				t.Errorf("got %v after %d runs, %d calls after the commit", err, runs, after)
			}
			got := locations(t, direct)
			for deadline := time.Now().Add(10 * time.Second); arrives && got == "" && time.Now().Before(deadline); got = locations(t, direct) {
				time.Sleep(10 * time.Millisecond) // the server takes its time with a commit whose client has gone
			}
			if (got == "a") != arrives {
				t.Errorf("the database holds %q", got)
			}
			if _, err := d.Exec(t.Context(), addLocation, "b"); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestADeadlineEndsAStatement(t *testing.T) {
	d := dbtest.Open(t, dbtest.PostgreSQL)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := d.QueryRow(ctx, "SELECT pg_sleep(4)").Scan(new(any))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
