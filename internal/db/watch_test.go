package db_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

func TestMomentsAreWatchedAndMayFail(t *testing.T) {
	stop := errors.New("stop")
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			var seen []string
			fail := ""
			o := dbtest.Options(dbtest.URI(t, kind))
			o.Watch = func(transaction string, m db.Moment) error {
				if transaction == db.Batch {
					return nil
				}
				seen = append(seen, transaction+"/"+string(m))
				if fail == string(m) {
					return stop
				}
				return nil
			}
			d, err := db.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			insert := func(id string) error {
				return d.Hard(t.Context(), "add", func(ctx context.Context, tx db.Tx) error {
					seen = append(seen, "run")
					_, err := tx.Exec(ctx, `INSERT INTO instance (id, version, schema, seen_ms) VALUES ($1, '1', 1, 1)`, id)
					return err
				})
			}
			for _, test := range []struct {
				fail  string
				seen  []string
				there int
			}{
				{"", []string{"add/begin", "run", "add/before-commit", "add/after-commit"}, 1},
				{"begin", []string{"add/begin"}, 0},
				{"before-commit", []string{"add/begin", "run", "add/before-commit"}, 0},
				{"after-commit", []string{"add/begin", "run", "add/before-commit", "add/after-commit"}, 1},
			} {
				seen, fail = nil, test.fail
				err := insert("id" + test.fail)
				if (err != nil) != (fail != "") || fail != "" && !errors.Is(err, stop) {
					t.Errorf("failing at %q: %v", fail, err)
				}
				if diff := cmp.Diff(test.seen, seen); diff != "" {
					t.Errorf("failing at %q (-want +seen):\n%s", fail, diff)
				}
				var n int
				if err := d.QueryRow(t.Context(), `SELECT COUNT(*) FROM instance WHERE id = $1`, "id"+test.fail).Scan(&n); err != nil || n != test.there {
					t.Errorf("failing at %q: %d rows, %v; want %d", fail, n, err, test.there)
				}
			}
		})
	}
}
