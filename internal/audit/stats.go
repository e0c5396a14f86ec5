package audit

import (
	"sync/atomic"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
)

// counters count since the start.
type counters struct {
	recorded, pulled, skipped, dropped, refused, stored, late, damaged, setAside, uncounted atomic.Uint64
	oldest                                                                                  atomic.Int64 // time of the first entry that waits, in ms; 0 for none
}

// Stats are counters and gauges for the metrics page. Counters begin at the start of the process; Stored and Late also
// count what an earlier process has left.
type Stats struct {
	Recorded uint64 // entries written in the transaction of a change, whether or not that was committed
	Pulled   uint64 // pulls taken into the spool
	Stored   uint64 // pulls brought to the database
	Skipped  uint64 // pulls of namespaces that are not recorded
	Dropped  uint64 // pulls that went unrecorded because the spool was full
	Refused  uint64 // pulls that were refused because they could not be recorded
	Late     uint64 // pulls that reached the database after their month was removed
	// Uncounted are pushes, and pulls of namespaces that are not recorded, that are known to be missing in the repositories' counts.
	Uncounted uint64
	Damaged   uint64 // bytes of spools that could not be read
	SetAside  uint64 // files of spools that could not be read
	// SpoolBytes is what the spools hold on disk and in memory, SpoolLimit what they may hold. A segment counts until
	// all of it is stored.
	SpoolBytes, SpoolLimit int64
	// SpoolReserve is the room on the disk that is set aside for when the disk is full and is not used yet.
	SpoolReserve int64
	// Lag is the age of the oldest pull that is known to wait for the database; 0 when none is.
	Lag time.Duration
}

// Stats gives the present numbers.
func (l *Log) Stats() Stats {
	c := &l.counts
	s := Stats{
		Recorded: c.recorded.Load(), Pulled: c.pulled.Load(), Stored: c.stored.Load(), Skipped: c.skipped.Load(),
		Dropped: c.dropped.Load(), Refused: c.refused.Load(), Late: c.late.Load(), Damaged: c.damaged.Load(), SetAside: c.setAside.Load(), Uncounted: c.uncounted.Load(),
	}
	if l.pulls != nil {
		s.SpoolBytes, s.SpoolLimit = l.pulls.options.Budget.Used(), l.options.SpoolBytes
		s.SpoolReserve = l.pulls.own.Reserved()
	}
	if oldest := c.oldest.Load(); oldest != 0 {
		s.Lag = max(0, l.options.Clock().Sub(db.Time(oldest)))
	}
	return s
}
