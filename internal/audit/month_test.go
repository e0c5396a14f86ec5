package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

func TestMonths(t *testing.T) {
	for text, want := range map[string]month{"1970-01-01 00:00:00": 197001, "2026-11-30 23:59:59": 202611, "2026-12-01 00:00:00": 202612} {
		if got := monthOf(at(text).ms.Load()); got != want {
			t.Errorf("%s is in %d", text, got)
		}
	}
	if m := month(202612); m.next() != 202701 || m.table() != "audit_202612" || month(202611).next() != m ||
		monthOf(m.start()) != m || monthOf(m.start()-1) != 202611 {
		t.Error(m, m.next(), m.table())
	}
}

// TestEveryMonthHasTheIndexesThatListsNeed compares what the databases say about a table that was made ahead.
func TestEveryMonthHasTheIndexesThatListsNeed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		open(t, optionsFor(t, d, at("2026-12-22 10:00:00")))
		query := "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'audit_202701' AND sql IS NOT NULL ORDER BY name"
		if d.Dialect() == db.PostgreSQL {
			query = "SELECT relname::text FROM pg_class WHERE relkind = 'i' AND relname LIKE 'audit_202701%' AND relname NOT LIKE '%pkey' ORDER BY relname"
		}
		rows, err := d.Query(t.Context(), query)
		check(t, err)
		got, err := collect(rows, func(s *string) []any { return []any{s} })
		check(t, err)
		want := []string{"audit_202701_namespace", "audit_202701_performer", "audit_202701_repository"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestAMonthBeginsInsideChanges has processes that know of no table for the month that has just begun record changes at
// once, each in a transaction of its own, some of which fail for another reason.
func TestAMonthBeginsInsideChanges(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2026-01-31 23:59:59")
		logs := make([]*Log, 4)
		for i := range logs {
			logs[i] = open(t, optionsFor(t, d, now))
		}
		begun := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC) // the tables that were made ahead are others'
		mine := errors.New("mine")
		var group sync.WaitGroup
		for i := range 32 {
			group.Go(func() {
				err := d.Hard(t.Context(), "change", func(ctx context.Context, tx db.Tx) error {
					if err := logs[i%4].RecordTx(ctx, tx, Entry{Kind: CreateRepo, NamespaceID: int64(1 + i), At: begun}); err != nil {
						return err
					}
					if i%8 < 2 {
						return mine
					}
					_, err := tx.Exec(ctx, "INSERT INTO storage_location (name) VALUES ($1)", fmt.Sprint(i))
					return err
				})
				if want := error(nil); i%8 >= 2 && err != want || i%8 < 2 && err != mine {
					t.Errorf("change %d: %v", i, err)
				}
			})
		}
		group.Wait()
		if n := rowsIn(t, d, "kind = $1", int64(CreateRepo)); n != 24 {
			t.Errorf("%d entries, expected 24", n)
		}
		now.set(begun)
		for i, l := range logs {
			check(t, l.makeAhead(t.Context()))
			if !l.months.has(202703) || !l.months.has(202704) {
				t.Errorf("log %d does not know its months", i)
			}
		}
	})
}

func TestATableThatFailedToBeMadeIsMadeByTheNextChange(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := open(t, optionsFor(t, d, at("2026-01-31 23:59:59")))
		mine := errors.New("mine")
		for _, want := range []error{mine, nil, nil} {
			err := d.Hard(t.Context(), "change", func(ctx context.Context, tx db.Tx) error {
				return errors.Join(l.RecordTx(ctx, tx, Entry{Kind: CreateRepo, At: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)}), want)
			})
			if !errors.Is(err, want) {
				t.Fatal(err)
			}
		}
		if n := rowsIn(t, d, "1 = 1"); n != 2 {
			t.Errorf("%d entries", n)
		}
	})
}

func TestATableThatWasDroppedByHandIsMadeAtTheNextStart(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2026-01-31 23:59:59")
		open(t, optionsFor(t, d, now))
		_, err := d.Exec(t.Context(), "DROP TABLE audit_202601")
		check(t, err)
		record(t, open(t, optionsFor(t, d, now)), Entry{Kind: CreateRepo})
	})
}

func TestManyProcessesStartAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2026-12-31 23:59:59")
		o := optionsFor(t, d, now)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				l, err := Open(t.Context(), o)
				if err != nil {
					t.Error(err)
					return
				}
				if err := l.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	})
}

func TestRetentionRemovesWholeMonths(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2026-01-15 00:00:00")
		o := optionsFor(t, d, now)
		l := open(t, o)
		for range 6 {
			for range 5 * retainRows / 2 {
				check(t, l.Pulled(Entry{Kind: PullRepo, NamespaceID: 1}))
			}
			check(t, l.Flush(t.Context()))
			now.set(now.now().AddDate(0, 1, 0))
		}
		now.set(time.Date(2026, 7, 10, 0, 0, 0, 0, time.UTC))
		check(t, l.Retain(t.Context()))
		if n := rowsIn(t, d, "1 = 1"); n != 6*5*retainRows/2 {
			t.Fatalf("%d entries are left without a retention", n)
		}
		o.Retention = 90 * 24 * time.Hour // to April 11th
		l = open(t, o)
		check(t, l.Retain(t.Context()))
		rows, err := d.Query(t.Context(), "SELECT month FROM audit_month ORDER BY month")
		check(t, err)
		left, err := collect(rows, func(m *month) []any { return []any{m} })
		check(t, err)
		if diff := cmp.Diff([]month{202604, 202605, 202606, 202607, 202608}, left); diff != "" {
			t.Error(diff)
		}
		if n := len(list(t, l, ever(Query{NamespaceID: 1}), 100)); n != 3*5*retainRows/2 {
			t.Errorf("%d entries are listed", n)
		}
		check(t, l.Pulled(Entry{Kind: PullRepo, NamespaceID: 1, At: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}))
		check(t, l.Pulled(Entry{Kind: PullRepo, NamespaceID: 1, At: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)}))
		check(t, l.Flush(t.Context()))
		if s := l.Stats(); s.Late != 1 || rowsIn(t, d, "at_ms >= $1", month(202608).start()) != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestARemovalThatWasInterruptedIsFinished stops it after the first slice, with a month half empty: the one that is
// asked for and the ones that the log begins by itself.
func TestARemovalThatWasInterruptedIsFinished(t *testing.T) {
	eachKind(t, func(t *testing.T, kind dbtest.Kind) {
		var hits atomic.Int64
		var released atomic.Bool
		d := watched(t, kind, func(transaction string, m db.Moment) bool {
			if m == db.Ready && (transaction == "empty a month of the action log" || transaction == "drop a month of the action log") {
				first := hits.Add(1) == 1 && kind == dbtest.SQLite
				return !first && !released.Load()
			}
			return false
		})
		now := at("2026-01-15 00:00:00")
		o := optionsFor(t, d, now)
		o.Retention = 24 * time.Hour
		l := open(t, o)
		for range 3 * retainRows {
			check(t, l.Pulled(Entry{Kind: PullRepo, NamespaceID: 1}))
		}
		check(t, l.Flush(t.Context()))
		now.set(time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC))
		if err := l.Retain(t.Context()); !errors.Is(err, errAway) {
			t.Fatal(err)
		}
		if p, err := l.List(t.Context(), ever(Query{NamespaceID: 1}), nil, 10); err != nil || len(p.Entries) > 0 {
			t.Errorf("a month in removal is listed: %v, %v", p, err)
		}
		released.Store(true)
		o.Retention = 0 // a retention that was lengthened does not bring the rest back
		check(t, open(t, o).Retain(t.Context()))
		if n := rowsIn(t, d, "1 = 1"); n != 0 {
			t.Errorf("%d entries are left", n)
		}
	})
}

func TestSeveralRemoveAMonthAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2026-01-15 00:00:00")
		o := optionsFor(t, d, now)
		l := open(t, o)
		for range 10 * retainRows {
			check(t, l.Pulled(Entry{Kind: PullRepo, NamespaceID: 1}))
		}
		check(t, l.Flush(t.Context()))
		now.set(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC))
		o.Retention = time.Hour
		l = open(t, o)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if err := l.Retain(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if n := rowsIn(t, d, "1 = 1"); n != 0 {
			t.Errorf("%d entries are left", n)
		}
	})
}
