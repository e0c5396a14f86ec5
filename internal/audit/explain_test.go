package audit

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

var long = flag.Bool("long", false, "run with 1,000,000 log entries instead of 30,000, and print times")

// fill brings entries into three months: of a hundred namespaces with ten repositories and three performers each, the
// first with half of all.
func fill(t *testing.T, d *db.DB, l *Log, n int) {
	t.Helper()
	start := time.Date(2026, 9, 2, 0, 0, 0, 0, time.UTC)
	step := 85 * 24 * time.Hour / time.Duration(n)
	began := time.Now()
	for i := range n {
		ns := int64(1 + i/2%100*(i%2))
		check(t, l.Pulled(Entry{
			Kind: Kind(1 + i%5), At: start.Add(time.Duration(i) * step), NamespaceID: ns, RepositoryID: 10*ns + int64(i/200%10),
			PerformerID: 3*ns + int64(i/7%3),
			Metadata:    []Field{Text("repo", "team/service"), Text("namespace", "acme"), Text("user-agent", "containerd/2.1.4"), Text("tag", "v1")},
		}))
		if i%10_000 == 9999 {
			check(t, l.Flush(t.Context()))
		}
	}
	check(t, l.Flush(t.Context()))
	t.Logf("%d entries stored at %.0f/s", n, float64(n)/time.Since(began).Seconds())
	if d.Dialect() == db.PostgreSQL {
		for m := range 3 {
			_, err := d.Exec(t.Context(), "ANALYZE "+month(202609+m).table())
			check(t, err)
		}
	}
}

// explain gives the lines of a query's plan.
func explain(t *testing.T, d *db.DB, text string, args []any) []string {
	t.Helper()
	prefix, scan := "EXPLAIN QUERY PLAN ", func(s *string) []any { var n int64; return []any{&n, &n, &n, s} }
	if d.Dialect() == db.PostgreSQL {
		prefix, scan = "EXPLAIN ", func(s *string) []any { return []any{s} }
	}
	rows, err := d.Query(t.Context(), prefix+text, args...)
	check(t, err)
	lines, err := collect(rows, scan)
	check(t, err)
	return lines
}

// TestPagesReadIndexes reads the plans of pages over large months: each month by the index of what was asked for, in
// its order, without a scan.
func TestPagesReadIndexes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		n := 30_000
		if *long {
			n = 1_000_000
		}
		o := optionsFor(t, d, at("2026-11-26 10:00:00"))
		o.storeEvery = time.Hour
		l := open(t, o)
		fill(t, d, l, n)
		months := []month{202611, 202610, 202609}
		for _, test := range []struct {
			claim, index string
			q            Query
			covered      bool
		}{
			{"a namespace", "_namespace", Query{NamespaceID: 7}, true},
			{"the largest namespace", "_namespace", Query{NamespaceID: 1}, d.Dialect() == db.SQLite}, // PostgreSQL may count half of a table in the table
			{"a repository", "_repository", Query{RepositoryID: 71}, true},
			{"a repository and its namespace", "_repository", Query{NamespaceID: 7, RepositoryID: 71}, false},
			{"a performer", "_performer", Query{PerformerID: 22}, true},
			{"a performer in a namespace", "_performer", Query{NamespaceID: 1, PerformerID: 22}, true},
			{"all but some kinds", "_namespace", Query{NamespaceID: 7, Without: ServiceKeyKinds()}, true},
			{"everything", "", Query{}, false},
		} {
			t.Run(test.claim, func(t *testing.T) {
				q := ever(test.q)
				text, args := listText(d.Dialect(), q, months, begin(q, nil), 21)
				used(t, d, explain(t, d, text, args), months, test.index, false)
				if test.covered {
					countsText, countsArgs := countText(q, months)
					used(t, d, explain(t, d, countsText, countsArgs), months, test.index, d.Dialect() == db.SQLite)
				}
				if *long {
					times(t, l, q)
				}
			})
		}
	})
}

// used looks for the index of each month in a plan, and for what must not be there. covered: its table is not read.
func used(t *testing.T, d *db.DB, plan []string, months []month, index string, covered bool) {
	t.Helper()
	all := strings.Join(plan, "\n")
	bad := "Seq Scan on audit_"
	if d.Dialect() == db.SQLite {
		bad = "SCAN audit_"
	}
	missing := false
	for _, m := range months {
		name := m.table() + index
		if index == "" {
			name = map[bool]string{true: "SEARCH " + m.table() + " USING PRIMARY KEY", false: m.table() + "_pkey"}[d.Dialect() == db.SQLite]
		} else if covered {
			name = "COVERING INDEX " + name
		}
		missing = missing || !strings.Contains(all, name)
	}
	if missing || strings.Contains(all, bad) {
		t.Errorf("expected %q and no %q in\n%s", index, bad, all)
	}
}

// times prints how long pages and counts take.
func times(t *testing.T, l *Log, q Query) {
	t.Helper()
	var report strings.Builder
	var after *Cursor
	for page := range 20 {
		began := time.Now()
		p, err := l.List(t.Context(), q, after, 20)
		check(t, err)
		if page == 1 || page == 19 {
			fmt.Fprintf(&report, "page %d %v, ", page, time.Since(began))
		}
		after = p.Next
	}
	began := time.Now()
	counts, err := l.Counts(t.Context(), q)
	var sum int64
	for _, c := range counts {
		sum += c.Count
	}
	t.Logf("%scounts of %d %v (%v)", report.String(), sum, time.Since(began), err)
}
