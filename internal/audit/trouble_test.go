package audit

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// left makes a spool with pulls from..to-1 as a process leaves it that was killed, in segments of 2 kB, and gives its
// folder.
func left(t *testing.T, o Options, from, to int) string {
	t.Helper()
	o.storeEvery, o.SpoolBytes = time.Hour, 16<<10
	l := open(t, o)
	for n := from; n < to; n++ {
		check(t, l.Pulled(pull(n)))
	}
	l.stop()
	l.done.Wait()
	check(t, l.pulls.own.Close())
	for _, s := range l.pulls.sources {
		check(t, s.files.Leave())
	}
	return filepath.Join(o.Dir, l.pulls.own.ID())
}

// unreadable puts a folder in a segment's place, which can be opened and not read.
func unreadable(t *testing.T, name string) {
	t.Helper()
	check(t, os.Remove(name))
	check(t, os.Mkdir(name, 0o700))
}

// TestASegmentThatCannotBeReadStopsNobody has one in the middle of a spool that a process left: what lies behind it,
// what another process left and what is recorded now arrive at once, or when it is given up.
func TestASegmentThatCannotBeReadStopsNobody(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2026-11-22 10:00:00")
		o := optionsFor(t, d, now)
		folder := left(t, o, 0, 200)
		now.add(time.Second)
		left(t, o, 200, 300)
		now.add(time.Second)
		unreadable(t, filepath.Join(folder, "000000000002.seg"))
		l := open(t, o)
		for n := 300; n < 350; n++ {
			check(t, l.Pulled(pull(n)))
		}
		eventually(t, "the other spools are stored", func() bool { return has(t, d, 299) && has(t, d, 349) })
		if s := l.Stats(); s.SetAside != 0 || has(t, d, 199) {
			t.Fatalf("given up at once: %+v", s)
		}
		now.add(troubleTime)
		eventually(t, "the rest of the spool is stored", func() bool { return has(t, d, 199) })
		check(t, l.Flush(t.Context()))
		if s := l.Stats(); s.SetAside != 1 || s.Damaged == 0 || s.Stored < 250 || s.Stored > 320 { // a segment holds some 60
			t.Errorf("%+v", s)
		}
		aside, err := filepath.Glob(filepath.Join(o.Dir, "*.damaged"))
		if err != nil || len(aside) != 1 {
			t.Errorf("set aside: %v, %v", aside, err)
		}
		if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the spool is still there: %v", err)
		}
	})
}

// has reports whether a pull is stored.
func has(t *testing.T, d *db.DB, n int) bool {
	t.Helper()
	return rowsIn(t, d, "metadata = $1", string(appendMetadata(nil, pull(n).Metadata, nil, 100))) == 1
}

// TestTheOwnSegmentMayBeDeleted deletes the file that is written to.
func TestTheOwnSegmentMayBeDeleted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := at("2026-11-22 10:00:00")
		o := optionsFor(t, d, now)
		l := open(t, o)
		check(t, l.Pulled(pull(0)))
		eventually(t, "the first is stored", func() bool { return has(t, d, 0) })
		check(t, os.Remove(filepath.Join(o.Dir, l.pulls.own.ID(), "000000000001.seg")))
		check(t, l.Pulled(pull(1)))
		eventually(t, "it is noticed", func() bool { return l.Flush(t.Context()) != nil })
		now.add(troubleTime)
		eventually(t, "it is given up", func() bool { return l.Stats().SetAside == 1 })
		check(t, l.Pulled(pull(2)))
		eventually(t, "what came later is stored", func() bool { return has(t, d, 2) })
		if s := l.Stats(); s.Damaged == 0 || s.SpoolBytes > 1000 {
			t.Errorf("%+v", s)
		}
	})
}

// TestAFileThatIsFoundAgainIsStored puts what was set aside back as the operator's manual says.
func TestAFileThatIsFoundAgainIsStored(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := optionsFor(t, d, at("2026-11-22 10:00:00"))
		folder := left(t, o, 0, 30)
		found := filepath.Join(o.Dir, "found")
		check(t, os.Mkdir(found, 0o700))
		check(t, os.Link(filepath.Join(folder, "000000000001.seg"), filepath.Join(found, "000000000001.seg")))
		l := open(t, o)
		eventually(t, "all is stored", func() bool { return l.Stats().Stored >= 60 })
		check(t, l.Flush(t.Context()))
		pulled(t, l, 0, 30)
		countedAs(t, d)
	})
}

// TestASpoolIsForgottenAfterAFailure lets the database fail at the one moment when the spool's files are gone and its
// position is not.
func TestASpoolIsForgottenAfterAFailure(t *testing.T) {
	eachKind(t, func(t *testing.T, kind dbtest.Kind) {
		var failures atomic.Int32
		d := watched(t, kind, func(transaction string, m db.Moment) bool {
			return transaction == "forget a spool" && m == db.Begun && failures.Add(1) == 1
		})
		now := at("2026-11-22 10:00:00")
		o := optionsFor(t, d, now)
		left(t, o, 0, 10)
		now.add(time.Second)
		l := open(t, o)
		check(t, l.Pulled(pull(10)))
		eventually(t, "what came later is stored", func() bool { return has(t, d, 10) })
		check(t, l.Flush(t.Context()))
		if failures.Load() < 2 || rowsOf(t, d, "audit_spool") != 1 {
			t.Errorf("%d tries, %d positions", failures.Load(), rowsOf(t, d, "audit_spool"))
		}
	})
}
