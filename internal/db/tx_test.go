package db_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

const addLocation = "INSERT INTO storage_location (name) VALUES ($1)"

func locations(t *testing.T, d *db.DB) string {
	t.Helper()
	return strings.Join(column(t, d, "SELECT name FROM storage_location ORDER BY name"), " ")
}

// both runs fn for a hard and a soft transaction on each database.
func both(t *testing.T, fn func(t *testing.T, d *db.DB, transact func(context.Context, string, func(context.Context, db.Tx) error) error)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Run("hard", func(t *testing.T) { fn(t, d, d.Hard) })
		t.Run("soft", func(t *testing.T) { fn(t, d, d.Soft) })
	})
}

func TestTransactions(t *testing.T) {
	both(t, func(t *testing.T, d *db.DB, transact func(context.Context, string, func(context.Context, db.Tx) error) error) {
		if _, err := d.Exec(t.Context(), "DELETE FROM storage_location"); err != nil {
			t.Fatal(err)
		}
		var after []string
		err := transact(t.Context(), "commits", func(ctx context.Context, tx db.Tx) error {
			tx.AfterCommit(func() { after = append(after, locations(t, d)) })
			_, err := tx.Exec(ctx, addLocation, "a")
			return err
		})
		if err != nil || locations(t, d) != "a" || strings.Join(after, ",") != "a" {
			t.Fatalf("a committed change is not there: %v, %q, after %q", err, locations(t, d), after)
		}
		mine := errors.New("mine")
		err = transact(t.Context(), "fails", func(ctx context.Context, tx db.Tx) error {
			tx.AfterCommit(func() { t.Error("AfterCommit of a failed transaction was called") })
			if _, err := tx.Exec(ctx, addLocation, "b"); err != nil {
				return err
			}
			return mine
		})
		if err != mine || locations(t, d) != "a" {
			t.Fatalf("a failed transaction left %q and gave %v", locations(t, d), err)
		}
	})
}

func TestAFailedStatementEndsTheTransaction(t *testing.T) {
	both(t, func(t *testing.T, d *db.DB, transact func(context.Context, string, func(context.Context, db.Tx) error) error) {
		err := transact(t.Context(), "swallows", func(ctx context.Context, tx db.Tx) error {
			if _, err := tx.Exec(ctx, addLocation, "before"); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "INSERT INTO blob_ref (repo_id, blob_id, manifest_id) VALUES (1, 99, 1)"); err == nil {
				t.Error("a missing foreign key was not noticed")
			}
			if _, err := tx.Exec(ctx, addLocation, "after"); err == nil {
				t.Error("a statement ran after a failed one")
			}
			return nil
		})
		if !db.IsForeignKey(err) || locations(t, d) != "" {
			t.Errorf("got %v and %q", err, locations(t, d))
		}
	})
}

func TestAValueThatDoesNotFitEndsTheTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		err := d.Hard(t.Context(), "swallows", func(ctx context.Context, tx db.Tx) error {
			if _, err := tx.Exec(ctx, addLocation, "a"); err != nil {
				return err
			}
			if err := tx.QueryRow(ctx, "SELECT name FROM storage_location").Scan(new(int64)); err == nil {
				t.Error("a name was read as a number")
			}
			if _, err := tx.Exec(ctx, addLocation, "b"); err == nil {
				t.Error("a statement ran after a failed one")
			}
			return nil
		})
		if err == nil || locations(t, d) != "" {
			t.Errorf("got %v and %q", err, locations(t, d))
		}
	})
}

func TestNoRowIsNoFailure(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		err := d.Hard(t.Context(), "looks", func(ctx context.Context, tx db.Tx) error {
			if err := tx.QueryRow(ctx, "SELECT id FROM storage_location").Scan(new(int64)); !errors.Is(err, db.ErrNoRows) {
				t.Errorf("got %v", err)
			}
			_, err := tx.Exec(ctx, addLocation, "a")
			return err
		})
		if err != nil || locations(t, d) != "a" {
			t.Errorf("got %v and %q", err, locations(t, d))
		}
	})
}

func TestExecCountsRows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, c := range []struct {
			query string
			want  int64
		}{
			{"INSERT INTO storage_location (name) VALUES ('a'), ('b')", 2},
			{"INSERT INTO storage_location (name) VALUES ('a') ON CONFLICT DO NOTHING", 0},
			{"INSERT INTO storage_location (name) VALUES ('a') ON CONFLICT (name) DO UPDATE SET hold = 1", 1},
			{"UPDATE storage_location SET hold = 1", 2},
			{"UPDATE storage_location SET hold = 1 WHERE name = 'c'", 0},
			{"DELETE FROM storage_location WHERE name = 'c'", 0},
			{"DELETE FROM storage_location", 2},
		} {
			if n, err := d.Exec(t.Context(), c.query); err != nil || n != c.want {
				t.Errorf("%s: %d rows, want %d (%v)", c.query, n, c.want, err)
			}
		}
	})
}

func TestRowsMustBeReadBeforeTheNextStatement(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		err := d.Hard(t.Context(), "rows", func(ctx context.Context, tx db.Tx) error {
			rows, err := tx.Query(ctx, "SELECT 1 UNION ALL SELECT 2")
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, addLocation, "a"); err == nil {
				t.Error("a statement ran while rows were open")
			}
			for rows.Next() {
			}
			if err := rows.Err(); err != nil {
				return err
			}
			rows.Close()
			rows, err = tx.Query(ctx, "SELECT 1 UNION ALL SELECT 2") // left open
			if err == nil && !rows.Next() {
				t.Error("no row")
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if err := d.Hard(t.Context(), "next", func(ctx context.Context, tx db.Tx) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

func TestATransactionInsideAnotherIsRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		err := d.Hard(t.Context(), "outer", func(ctx context.Context, tx db.Tx) error {
			return d.Soft(ctx, "inner", func(context.Context, db.Tx) error { return nil })
		})
		if err == nil || !strings.Contains(err.Error(), `"inner"`) {
			t.Errorf("got %v", err)
		}
	})
}

func TestATxIsOverWhenItsFunctionReturns(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var kept db.Tx
		if err := d.Hard(t.Context(), "keep", func(_ context.Context, tx db.Tx) error { kept = tx; return nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := kept.Exec(t.Context(), addLocation, "late"); err == nil {
			t.Error("a statement ran after the transaction")
		}
	})
}

func TestWhateverAFunctionDoesOthersGoOn(t *testing.T) {
	for name, leave := range map[string]func(){
		"panic":  func() { panic("in a transaction") },
		"goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				var group sync.WaitGroup
				group.Go(func() {
					defer func() { _ = recover() }()
					_ = d.Hard(t.Context(), "leaves", func(ctx context.Context, tx db.Tx) error {
						_, err := tx.Exec(ctx, addLocation, "lost")
						leave()
						return err
					})
					t.Error("the function returned")
				})
				group.Wait()
				if _, err := d.Exec(t.Context(), addLocation, "kept"); err != nil || locations(t, d) != "kept" {
					t.Errorf("got %v and %q", err, locations(t, d))
				}
			})
		})
	}
}

func TestARequestThatWentAwayIsNotRun(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := d.Hard(ctx, "gone", func(context.Context, db.Tx) error { t.Error("it was run"); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAClientThatLeavesDuringTheCommitStopsNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := d.Hard(ctx, "leaving", func(ctx context.Context, tx db.Tx) error {
			_, err := tx.Exec(ctx, addLocation, "a")
			cancel()
			return err
		})
		if err != nil || locations(t, d) != "a" {
			t.Errorf("got %v and %q", err, locations(t, d))
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	both(t, func(t *testing.T, d *db.DB, transact func(context.Context, string, func(context.Context, db.Tx) error) error) {
		var group sync.WaitGroup
		for i := range 40 {
			group.Go(func() {
				err := transact(t.Context(), "one of many", func(ctx context.Context, tx db.Tx) error {
					var id int64
					return tx.QueryRow(ctx, addLocation+" RETURNING id", fmt.Sprintf("l%d-%p", i, &group)).Scan(&id)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if n := len(column(t, d, "SELECT name FROM storage_location WHERE name LIKE $1", fmt.Sprintf("%%-%p", &group))); n != 40 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestSoftIsVisibleAtOnce(t *testing.T) {
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			uri := dbtest.URI(t, kind)
			d := dbtest.OpenURI(t, uri)
			options := dbtest.Options(uri)
			options.Beside = true
			other, err := db.Open(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			for i := range 10 {
				name := fmt.Sprint("l", i)
				err := d.Soft(t.Context(), "soft", func(ctx context.Context, tx db.Tx) error {
					_, err := tx.Exec(ctx, addLocation, name)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := other.QueryRow(t.Context(), "SELECT name FROM storage_location WHERE name = $1", name).Scan(&name); err != nil {
					t.Fatalf("row %d: %v", i, err)
				}
			}
		})
	}
}

func TestAfterCloseNothingRuns(t *testing.T) {
	for _, kind := range []dbtest.Kind{dbtest.SQLite, dbtest.PostgreSQL} {
		t.Run(string(kind), func(t *testing.T) {
			d, err := db.Open(t.Context(), dbtest.Options(dbtest.URI(t, kind)))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(d.Close(), d.Close()); err != nil {
				t.Fatal(err)
			}
			if err := d.Hard(t.Context(), "late", func(context.Context, db.Tx) error { return nil }); !problem.Is(err, problem.Unavailable) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestStatsCount(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		before := d.Stats()
		if _, err := d.Exec(t.Context(), addLocation, "a"); err != nil {
			t.Fatal(err)
		}
		after := d.Stats()
		if d.Dialect() == db.SQLite && (after.Transactions != before.Transactions+1 || after.Commits != before.Commits+1) {
			t.Errorf("before %+v, after %+v", before, after)
		}
		if d.Dialect() == db.PostgreSQL && (after.Hard.Limit != 10 || after.Soft.Limit != 4 || after.Hard.Idle == 0) {
			t.Errorf("got %+v", after)
		}
	})
}
