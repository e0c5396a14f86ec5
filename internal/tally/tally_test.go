package tally

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
)

func one() digest.Digest { return digest.SHA256.Of([]byte("one")) }
func two() digest.Digest { return digest.SHA256.Of([]byte("two")) }

func add(t *testing.T, d *db.DB, actions ...Action) {
	t.Helper()
	if err := d.Hard(t.Context(), "count", func(ctx context.Context, tx db.Tx) error { return AddTx(ctx, tx, actions) }); err != nil {
		t.Fatal(err)
	}
}

// days are the counts by day, one a line.
func days(t *testing.T, d *db.DB) []string {
	t.Helper()
	return lines(t, d, `SELECT repo_id, day, pulls, pushes FROM repo_day ORDER BY repo_id, day`, func(rows db.Rows) (string, error) {
		var repository, day, pulls, pushes int64
		err := rows.Scan(&repository, &day, &pulls, &pushes)
		return fmt.Sprintf("repository %d, day %d: %d pulls, %d pushes", repository, day, pulls, pushes), err
	})
}

// pulls are the counts by tag and manifest, one a line.
func pulls(t *testing.T, d *db.DB) []string {
	t.Helper()
	names := map[string]string{one().String(): "one", two().String(): "two"}
	return lines(t, d, `SELECT repo_id, kind, key, pulls, last_ms, digest FROM pull_stat ORDER BY repo_id, kind, key`, func(rows db.Rows) (string, error) {
		var repository, kind, n, last int64
		var key string
		var of digest.Digest
		err := rows.Scan(&repository, &kind, &key, &n, &last, &of)
		if kind == Manifests {
			key = names[key]
		}
		return fmt.Sprintf("repository %d, kind %d %s: %d pulls, last at %d of %s", repository, kind, key, n, last, names[of.String()]), err
	})
}

func lines(t *testing.T, d *db.DB, query string, line func(db.Rows) (string, error)) (all []string) {
	t.Helper()
	rows, err := d.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		text, err := line(rows)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestActionsAreAddedByDayTagAndManifest(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		add(t, d,
			Action{RepositoryID: 2, AtMS: DayMS - 1, Daily: true, Tag: "v1", Digest: one()},
			Action{RepositoryID: 1, AtMS: DayMS, Daily: true, Tag: "v1", Digest: one()},
			Action{RepositoryID: 1, AtMS: 2*DayMS - 1, Daily: true, Digest: one()}, // by digest
			Action{RepositoryID: 1, AtMS: DayMS + 5, Daily: true, Push: true, Tag: "v1", Digest: two()},
			Action{RepositoryID: 1, AtMS: DayMS + 6, Tag: "v2", Digest: two()}, // not for the day
			Action{RepositoryID: 1, AtMS: DayMS + 7, Daily: true, Tag: "v3"},   // of no manifest
		)
		add(t, d)
		add(t, d, Action{RepositoryID: 1, AtMS: DayMS + 9, Daily: true, Tag: "v1", Digest: two()})
		same(t, "by day", []string{
			"repository 1, day 1: 4 pulls, 1 pushes",
			"repository 2, day 0: 1 pulls, 0 pushes",
		}, days(t, d))
		same(t, "by tag and manifest", []string{
			fmt.Sprintf("repository 1, kind 1 v1: 2 pulls, last at %d of two", DayMS+9),
			fmt.Sprintf("repository 1, kind 1 v2: 1 pulls, last at %d of two", DayMS+6),
			fmt.Sprintf("repository 1, kind 2 two: 2 pulls, last at %d of two", DayMS+9),
			fmt.Sprintf("repository 1, kind 2 one: 2 pulls, last at %d of one", 2*DayMS-1),
			fmt.Sprintf("repository 2, kind 1 v1: 1 pulls, last at %d of one", DayMS-1),
			fmt.Sprintf("repository 2, kind 2 one: 1 pulls, last at %d of one", DayMS-1),
		}, pulls(t, d))
	})
}

// TestALateActionCountsAndIsNotTheLast has pulls arrive out of order, in one transaction and over two.
func TestALateActionCountsAndIsNotTheLast(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		pull := func(ms int64, of digest.Digest) Action {
			return Action{RepositoryID: 1, AtMS: ms, Tag: "v1", Digest: of}
		}
		add(t, d, pull(20, two()), pull(10, one()))
		add(t, d, pull(5, one()))
		same(t, "by tag", []string{"repository 1, kind 1 v1: 3 pulls, last at 20 of two"}, pulls(t, d)[:1])
		add(t, d, pull(20, one())) // of two at one time the one that is stored later
		same(t, "by tag", []string{"repository 1, kind 1 v1: 4 pulls, last at 20 of one"}, pulls(t, d)[:1])
	})
}

// TestAnyNumberOfRowsIsWritten crosses the bounds of how many rows a statement takes.
func TestAnyNumberOfRowsIsWritten(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var want []string
		next := int64(1)
		for _, n := range []int{1, together - 1, together, together + 1, 3*together + 2} {
			var actions []Action
			for range n {
				actions = append(actions, Action{RepositoryID: next, Daily: true}, Action{RepositoryID: next, Daily: true, Push: true})
				want = append(want, fmt.Sprintf("repository %d, day 0: 1 pulls, 1 pushes", next))
				next++
			}
			add(t, d, actions...)
		}
		same(t, "by day", want, days(t, d))
	})
}

func TestWhatIsRolledBackIsNotCounted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		undone := errors.New("undone")
		err := d.Hard(t.Context(), "count", func(ctx context.Context, tx db.Tx) error {
			return errors.Join(AddTx(ctx, tx, []Action{{RepositoryID: 1, Daily: true, Tag: "v1", Digest: one()}}), undone)
		})
		if !errors.Is(err, undone) || days(t, d) != nil || pulls(t, d) != nil {
			t.Errorf("%v; %v, %v", err, days(t, d), pulls(t, d))
		}
	})
}

// TestTheSameRepositoriesAreCountedAtOnce has transactions count the same rows, named in opposite orders.
func TestTheSameRepositoriesAreCountedAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const writers, rounds, repositories = 4, 10, 20
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for range rounds {
					var actions []Action
					for r := range int64(repositories) {
						if w%2 == 1 {
							r = repositories - 1 - r
						}
						actions = append(actions, Action{RepositoryID: r, Daily: true})
					}
					if err := d.Soft(t.Context(), "count", func(ctx context.Context, tx db.Tx) error { return AddTx(ctx, tx, actions) }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		var want []string
		for r := range repositories {
			want = append(want, fmt.Sprintf("repository %d, day 0: %d pulls, 0 pushes", r, writers*rounds))
		}
		same(t, "by day", want, days(t, d))
	})
}
