package audit

import (
	"errors"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// dies ends a log as kill -9 does a moment after it wrote its spool: nothing is stored any more, and the spool stays.
func dies(t *testing.T, l *Log) {
	t.Helper()
	l.closed.Store(true)
	l.stop()
	l.done.Wait()
	check(t, errors.Join(l.pulls.own.Close(), l.pulls.own.Leave()))
}

// quiet are options of a log that stores when it is told to.
func quiet(t *testing.T, d *db.DB, c *clock) Options {
	o := optionsFor(t, d, c)
	o.storeEvery = time.Hour
	return o
}

func pulls100(t *testing.T, l *Log, from int) {
	t.Helper()
	for n := range 100 {
		check(t, l.Pulled(pull(from+n)))
	}
}

// TestAnIdleSpoolKeepsItsPosition has a process that stored nothing for longer than positions are remembered: what it
// records afterwards, and leaves to the next process, is stored and counted once, and so is what came before.
func TestAnIdleSpoolKeepsItsPosition(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2026-01-01 10:00:00")
		o := quiet(t, d, now)
		l := open(t, o)
		pulls100(t, l, 0)
		check(t, l.Flush(t.Context()))
		now.add(spoolKept + time.Hour)
		check(t, l.Retain(t.Context()))
		if n := rowsOf(t, d, "audit_spool"); n != 1 {
			t.Fatalf("%d positions are remembered", n)
		}
		pulls100(t, l, 100)
		dies(t, l)
		again := open(t, o)
		check(t, again.Flush(t.Context()))
		if s := again.Stats(); s.Stored != 100 {
			t.Errorf("the next process stored %d pulls", s.Stored)
		}
		pulled(t, again, 0, 200)
		countedAs(t, d)
	})
}

// TestASpoolWhosePositionWasForgottenIsNotCountedAgain has a machine come back after others have forgotten its spool, and
// one that comes back earlier.
func TestASpoolWhosePositionWasForgottenIsNotCountedAgain(t *testing.T) {
	for _, c := range []struct {
		name      string
		after     time.Duration
		remembers int64
	}{
		{"after positions are forgotten", spoolKept + time.Hour, 0},
		{"before that", spoolKept - time.Hour, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				now := at("2026-01-01 10:00:00")
				o := quiet(t, d, now)
				l := open(t, o)
				pulls100(t, l, 0)
				check(t, l.Flush(t.Context()))
				dies(t, l)
				now.add(c.after)
				other := open(t, quiet(t, d, now))
				check(t, other.Retain(t.Context()))
				if n := rowsOf(t, d, "audit_spool"); n != c.remembers {
					t.Fatalf("%d positions are remembered", n)
				}
				back := open(t, o)
				check(t, back.Flush(t.Context()))
				pulled(t, back, 0, 100)
				countedAs(t, d)
			})
		})
	}
}

// TestASpoolThatNeverHadAPositionIsCounted has a process die before it stored anything.
func TestASpoolThatNeverHadAPositionIsCounted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2026-01-01 10:00:00")
		o := quiet(t, d, now)
		l := open(t, o)
		pulls100(t, l, 0)
		dies(t, l)
		now.add(spoolKept - time.Hour)
		again := open(t, o)
		check(t, again.Flush(t.Context()))
		pulled(t, again, 0, 100)
		countedAs(t, d)
	})
}
