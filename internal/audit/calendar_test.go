package audit

import (
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// TestMonthsOfTheCalendar goes over leap days, the end of 32-bit times and the turn of years.
func TestMonthsOfTheCalendar(t *testing.T) {
	for _, row := range []struct {
		last  string // the last moment of a month but for a millisecond
		month month
		next  month
	}{
		{"2026-12-31 23:59:59.999", 202612, 202701},
		{"2028-02-29 23:59:59.999", 202802, 202803},
		{"2038-01-31 23:59:59.999", 203801, 203802},
		{"2039-12-31 23:59:59.999", 203912, 204001},
		{"2100-02-28 23:59:59.999", 210002, 210003}, // no leap year
		{"2106-02-28 23:59:59.999", 210602, 210603},
		{"9999-11-30 23:59:59.999", 999911, 999912},
	} {
		last, err := time.Parse("2006-01-02 15:04:05.000", row.last)
		check(t, err)
		ms := db.Millis(last)
		if monthOf(ms) != row.month || monthOf(ms+1) != row.next || row.month.next() != row.next || row.next.start() != ms+1 {
			t.Errorf("%s: %d, then %d, whose start is %d", row.last, monthOf(ms), monthOf(ms+1), row.next.start())
		}
	}
}

// TestTheLogAfter2038 records, lists and counts a pull and a change on a leap day behind the end of 32-bit times, and
// removes what is older than a year then.
func TestTheLogAfter2038(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2040-01-19 03:14:08")
		o := optionsFor(t, d, now)
		o.Retention = 31 * 24 * time.Hour
		l := open(t, o)
		record(t, l, Entry{Kind: CreateRepo, NamespaceID: 1, RepositoryID: 2})
		now.set(time.Date(2040, 2, 29, 23, 59, 59, 0, time.UTC))
		record(t, l, Entry{Kind: CreateRepo, NamespaceID: 1, RepositoryID: 2})
		check(t, l.Pulled(pull(1)))
		check(t, l.Flush(t.Context()))
		counts, err := l.Counts(t.Context(), ever(Query{NamespaceID: 1}))
		check(t, err)
		leap := time.Date(2040, 2, 29, 0, 0, 0, 0, time.UTC)
		if len(counts) != 3 || !counts[1].Day.Equal(leap) || !counts[2].Day.Equal(leap) {
			t.Errorf("%+v", counts)
		}
		now.set(time.Date(2040, 3, 3, 0, 0, 0, 0, time.UTC))
		check(t, l.Retain(t.Context()))
		if n := len(list(t, l, ever(Query{NamespaceID: 1}), 10)); n != 2 {
			t.Errorf("%d entries are kept, those of February are expected", n)
		}
	})
}
