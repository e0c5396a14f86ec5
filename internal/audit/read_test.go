package audit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// counting counts the queries of lists.
type counting struct {
	db.Queryer
	n atomic.Int64
}

func (c *counting) Query(ctx context.Context, query string, args ...any) (db.Rows, error) {
	c.n.Add(1)
	return c.Queryer.Query(ctx, query, args...)
}

// history records entries of a few kinds, accounts and repositories over five months, many at one moment, by both ways,
// and gives them the newest first.
func history(t *testing.T, l *Log, n int) []Entry {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)
	moment := time.Duration(0)
	var all []Entry
	for i := range n {
		if random.IntN(3) > 0 {
			moment += time.Duration(random.Int64N(int64(100 * 24 * time.Hour / time.Duration(n))))
		}
		e := Entry{
			Kind: []Kind{PullRepo, PushRepo, ServiceKeyCreate}[random.IntN(3)], At: start.Add(moment).Truncate(time.Millisecond),
			PerformerID: random.Int64N(4), NamespaceID: 10 + random.Int64N(3), Metadata: []Field{Int("n", int64(i))},
		}
		e.RepositoryID = e.NamespaceID*10 + random.Int64N(2)
		if i%2 == 0 {
			record(t, l, e)
		} else {
			check(t, l.Pulled(e))
			if i%5 == 0 {
				check(t, l.Flush(t.Context()))
			}
		}
		all = append(all, e)
	}
	check(t, l.Flush(t.Context()))
	slices.Reverse(all)
	return all
}

func (q Query) matches(e Entry) bool {
	is := func(want, got int64) bool { return want == 0 || want == got }
	return is(q.NamespaceID, e.NamespaceID) && is(q.RepositoryID, e.RepositoryID) && is(q.PerformerID, e.PerformerID) &&
		!e.At.Before(q.From) && e.At.Before(q.To) &&
		(len(q.Kinds) == 0 || slices.Contains(q.Kinds, e.Kind)) && !slices.Contains(q.Without, e.Kind)
}

// TestPagesAreTheList compares pages of every query with the entries that were recorded.
func TestPagesAreTheList(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := open(t, optionsFor(t, d, at("2027-02-01 00:00:00")))
		all := history(t, l, 400)
		reads := &counting{Queryer: d}
		l.read = reads
		rapid.Check(t, func(r *rapid.T) {
			q := drawQuery(r, all)
			size := rapid.SampledFrom([]int{1, 7, 20, 100}).Draw(r, "size")
			var want, got []string
			counts := map[string]int64{}
			for _, e := range all {
				if q.matches(e) {
					want = append(want, string(appendMetadata(nil, e.Metadata, nil, 0)))
					counts[fmt.Sprint(e.At.Truncate(24*time.Hour), e.Kind.String())]++
				}
			}
			if size == 1 && len(want) > 40 {
				size = 3
			}
			for after := (*Cursor)(nil); ; {
				before := reads.n.Load()
				p, err := l.List(t.Context(), q, after, size)
				check(t, err)
				if n := reads.n.Load() - before; n > 3 {
					t.Fatalf("a page took %d queries", n)
				}
				for _, e := range p.Entries {
					got = append(got, string(e.Metadata))
				}
				if after = p.Next; after == nil {
					break
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%+v in pages of %d: %s", q, size, diff)
			}
			aggregated, err := l.Counts(t.Context(), q)
			check(t, err)
			for _, c := range aggregated {
				if counts[fmt.Sprint(c.Day, c.Kind)] != c.Count || c.Count == 0 {
					t.Fatalf("%+v of %+v, expected %v", c, q, counts)
				}
			}
			if len(aggregated) != len(counts) {
				t.Fatalf("%d counts, expected %d", len(aggregated), len(counts))
			}
			var exported []string
			for e, err := range l.All(t.Context(), q) {
				check(t, err)
				exported = append(exported, string(e.Metadata))
			}
			if diff := cmp.Diff(want, exported); diff != "" {
				t.Fatal(diff)
			}
		})
	})
}

func drawQuery(r *rapid.T, all []Entry) Query {
	bound := rapid.OneOf(
		rapid.Just(time.UnixMilli(0).UTC()), rapid.Just(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)),
		rapid.Just(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)),
		rapid.Map(rapid.SampledFrom(all), func(e Entry) time.Time { return e.At }),
	)
	return Query{
		NamespaceID: rapid.SampledFrom([]int64{0, 10, 11, 99}).Draw(r, "namespace"), RepositoryID: rapid.SampledFrom([]int64{0, 0, 100, 111}).Draw(r, "repository"),
		PerformerID: rapid.SampledFrom([]int64{0, 0, 1, 2}).Draw(r, "performer"), From: bound.Draw(r, "from"), To: bound.Draw(r, "to"),
		Kinds:   rapid.SampledFrom([][]Kind{nil, {PullRepo}, {PushRepo, ServiceKeyCreate}}).Draw(r, "kinds"),
		Without: rapid.SampledFrom([][]Kind{nil, ServiceKeyKinds()}).Draw(r, "without"),
	}
}

func TestOnlySoManyPagesAreGiven(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	o := optionsFor(t, d, at("2027-02-01 00:00:00"))
	o.MaxPages = 2
	l := open(t, o)
	for range 10 {
		record(t, l, Entry{Kind: PushRepo})
	}
	if got := list(t, l, ever(Query{}), 3); len(got) != 6 {
		t.Errorf("%d entries on two pages of 3", len(got))
	}
}

// TestAPageThatAMonthFillsReadsThatMonth: the older ones are not asked. Where the month ends on a page, the rest of it
// comes from all others at once.
func TestAPageThatAMonthFillsReadsThatMonth(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2026-11-22 10:00:00")
		l := open(t, optionsFor(t, d, now))
		for back := range 4 {
			for range 3 {
				record(t, l, Entry{Kind: PushRepo, At: now.now().AddDate(0, -back, 0)})
			}
		}
		reads := &counting{Queryer: d}
		l.read = reads
		for size, want := range map[int]int64{2: 2, 3: 3, 12: 3} {
			before := int64(reads.n.Load())
			p, err := l.List(t.Context(), Query{To: now.now().AddDate(0, 0, 1)}, nil, size)
			check(t, err)
			if n := int64(reads.n.Load()) - before; n != want || len(p.Entries) != size {
				t.Errorf("%d of %d entries took %d queries, want %d", len(p.Entries), size, n, want)
			}
		}
	})
}

// TestAMonthIsRemovedWhileItIsRead takes a table away between the queries of a page.
func TestAMonthIsRemovedWhileItIsRead(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2026-11-22 10:00:00")
		l := open(t, optionsFor(t, d, now))
		record(t, l, Entry{Kind: PushRepo}, Entry{Kind: PullRepo, At: now.now().AddDate(0, -2, 0)})
		removed := false
		l.read = after{Queryer: d, do: func() {
			if !removed {
				removed = true
				check(t, l.removeMonth(t.Context(), 202609))
			}
		}}
		if got := list(t, l, ever(Query{}), 10); len(got) != 1 || !removed {
			t.Errorf("%v", got)
		}
	})
}

// after does something after each query for the months.
type after struct {
	db.Queryer
	do func()
}

func (a after) Query(ctx context.Context, query string, args ...any) (db.Rows, error) {
	rows, err := a.Queryer.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return closing{rows, a.do}, nil
}

type closing struct {
	db.Rows
	do func()
}

func (c closing) Close() {
	c.Rows.Close()
	c.do()
}
