package registry_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/registry"
)

// counted is a transaction that counts its statements.
type counted struct {
	db.Tx
	n *int
}

func (c counted) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	*c.n++
	return c.Tx.Exec(ctx, query, args...)
}

func (c counted) Query(ctx context.Context, query string, args ...any) (db.Rows, error) {
	*c.n++
	return c.Tx.Query(ctx, query, args...)
}

func (c counted) QueryRow(ctx context.Context, query string, args ...any) db.Row {
	*c.n++
	return c.Tx.QueryRow(ctx, query, args...)
}

// statements runs a transaction and counts its statements and log calls.
func (f *fixture) statements(run func(ctx context.Context, tx db.Tx) error) (n int) {
	f.t.Helper()
	err := f.db.Hard(f.t.Context(), "counted", func(ctx context.Context, tx db.Tx) error {
		n = 0
		return run(ctx, counted{tx, &n})
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// calls is a recorder that makes a statement for each call.
type calls struct{}

func (calls) Change(ctx context.Context, tx db.Tx, _ string, _, _ int64, metadata ...map[string]any) error {
	var n int
	if len(metadata) == 0 {
		return fmt.Errorf("nothing to record")
	}
	return tx.QueryRow(ctx, `SELECT 1`).Scan(&n)
}

// TestManyTagsTakeFewStatements: the tags of an image end and come back together, 64 with a statement.
func TestManyTagsTakeFewStatements(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, func(o *registry.Options) { o.Audit, o.Limits.TagsPerPush = calls{}, 1000 })
		var deleted, restored [3]int
		for i, tags := range []int{2, 60, 500} {
			image := f.image(f.repo, fmt.Sprint("image ", i), nil)
			var names []string
			for n := range tags {
				names = append(names, fmt.Sprintf("i%d-%03d", i, n))
			}
			f.push(image, names...)
			before := f.history(registry.TagFilter{OnlyLive: true, Page: 1, Limit: 1000})
			f.pass(time.Minute)
			deleted[i] = f.statements(func(ctx context.Context, tx db.Tx) error {
				return f.reg.DeleteManifestTx(ctx, tx, f.repo, image.digest())
			})
			f.wantTags()
			f.pass(time.Minute)
			restored[i] = f.statements(func(ctx context.Context, tx db.Tx) error {
				return f.reg.RestoreTagTx(ctx, tx, f.repo, names[0], image.digest())
			})
			f.wantTags(names...)
			if after := f.history(registry.TagFilter{OnlyLive: true, Page: 1, Limit: 1000}); len(after) != len(before) {
				t.Errorf("%d tags are back of %d", len(after), len(before))
			}
			if n := f.number(`SELECT COUNT(*) FROM tag_history h JOIN manifest m ON m.id = h.manifest_id
				WHERE m.digest = $1 AND h.end_ms - h.start_ms = 60000 AND h.purge_ms - h.end_ms = $2 AND h.cause IS NOT NULL`, image.digest(), window.Milliseconds()); n != int64(tags) {
				t.Errorf("%d of %d periods ended as they should", n, tags)
			}
			f.pass(time.Minute)
			if _, err := f.reg.DeleteManifest(t.Context(), f.repo, image.digest()); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("2, 60 and 500 tags: %v statements to delete, %v to restore", deleted, restored)
		for _, n := range [][3]int{deleted, restored} {
			if n[1] != n[0] || n[2] > n[0]+2*(500/64) || n[0] > 20 {
				t.Errorf("%v statements", n)
			}
		}
	})
}

// TestLabelsOfAnIndexTakeOneStatement: what its images have in common, however many there are, and nothing where one
// has none.
func TestLabelsOfAnIndexTakeOneStatement(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		random := rand.New(rand.NewPCG(1, 2))
		var few, many int
		for round, children := range []int{3, 60, 1, 2, 2, 3, 3, 4, 5, 8} {
			var images []doc
			var want map[string]string
			for c := range children {
				labels := map[string]string{"shared": "yes", "quay.expires-after": "1w", "own": fmt.Sprint(c)}
				for n := range 6 {
					if random.IntN(8) > 0 {
						labels[fmt.Sprint("label", n)] = fmt.Sprint(random.IntN(8) / 7)
					}
				}
				if round == 9 && c == 7 {
					labels = nil
				}
				image := f.image(f.repo, fmt.Sprintf("round %d child %d", round, c), labels)
				f.push(image)
				images = append(images, image)
				if c == 0 {
					want = maps.Clone(labels)
				}
				maps.DeleteFunc(want, func(key, value string) bool { other, has := labels[key]; return !has || other != value })
			}
			list := index(images...)
			n := f.statements(func(ctx context.Context, tx db.Tx) error {
				return f.reg.PushTx(ctx, tx, f.repo, registry.Push{Digest: list.digest(), ContentType: list.MediaType, Bytes: list.bytes()})
			})
			if round == 0 {
				few = n
			} else if round == 1 {
				many = n
			}
			f.wantLabels(list, want)
		}
		if few != many {
			t.Errorf("an index of 3 images takes %d statements, one of 60 %d", few, many)
		}
	})
}

func (f *fixture) wantLabels(d doc, want map[string]string) {
	f.t.Helper()
	labels, err := f.reg.Labels(f.t.Context(), f.repo, d.digest(), "")
	if err != nil {
		f.t.Fatal(err)
	}
	got := map[string]string{}
	for _, l := range labels {
		got[l.Key] = l.Value
	}
	if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
		f.t.Errorf("labels: %s", diff)
	}
}

// TestLabelsOfAnIndexAreBounded: beyond what is compared an index has none of its own.
func TestLabelsOfAnIndexAreBounded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		short, long := map[string]string{"short": "yes"}, map[string]string{"short": "yes", "long": strings.Repeat("x", 4097)}
		a, b := f.image(f.repo, "a", long), f.image(f.repo, "b", long)
		f.push(a)
		f.push(b)
		list := index(a, b)
		f.push(list)
		f.wantLabels(list, short)
		var images []doc
		many := map[string]string{}
		for n := range 1000 {
			many[fmt.Sprintf("label%03d", n)] = "x"
		}
		for n := range 21 {
			image := f.image(f.repo, fmt.Sprint("many ", n), many)
			f.push(image)
			images = append(images, image)
		}
		inside, beyond := index(images[:20]...), index(images...)
		f.push(inside)
		f.wantLabels(inside, many)
		f.push(beyond)
		f.wantLabels(beyond, nil)
	})
}
