// Package audit is the action log: who did what to what, and from where, in Quay's words.
//
// The entry of a change is written in the change's own transaction: RecordTx, Change. One is there exactly if the other
// is.
//
// Pulls must not wait for a database. Pulled puts the entry into memory; 20 ms later it is in a file under the data
// folder, from there it goes to the database in batches, in order. A process that is killed loses the pulls of its last
// moments, at most 100 ms. A batch is stored in one transaction with the place in the spool that it ends at, so that no
// crash makes an entry appear twice. While the database is away the spool grows to its bound; then pulls are refused, or
// go unrecorded if the configuration allows that.
//
// What the spool brings is also counted, in the same transaction: pulls and pushes of a repository by day and, with
// CountPulls, pulls of each tag and manifest. A push's entry is in its own transaction; that it is to be counted goes
// through the spool, so that pushes to one repository do not wait for each other's count.
//
// Entries lie in one table a month, audit_202611, on both databases. The tables of this and the next month are made
// ahead of time. Whole months are removed when the retention is over.
//
// Lists are newest first and paged by key over the months; a page takes two queries however many entries there are.
package audit

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longshore-registry/longshore/internal/audit/spool"
	blobfiles "github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/db"
)

const (
	defaultSpoolBytes = 1 << 30
	tidyEvery         = 30 * time.Second // names are looked up, tables made ahead
	retainEvery       = 20               // of these rounds: old months and abandoned spools are looked for
)

// Options are what the log needs. DB, Dir, Clock and Log are required.
type Options struct {
	DB   *db.DB
	Read db.Queryer // for lists, perhaps a replica; nil for DB
	Dir  string     // folder of the spools; it is made
	// Retention is how long entries are kept at least; a month goes when all of it is older. 0 for ever.
	Retention time.Duration
	// SpoolBytes bounds what waits for the database; 0 for 1 GiB.
	SpoolBytes int64
	// SpoolReserve is room on the disk, in bytes, that is set aside for when the disk is full; 0 for none. At most half of
	// SpoolBytes counts.
	SpoolReserve int64
	// DropPulls lets pulls go unrecorded when the spool is full (ALLOW_PULLS_WITHOUT_STRICT_LOGGING); else they are
	// refused.
	DropPulls bool
	// DropNotes is the same for what Noted records (ALLOW_WITHOUT_STRICT_LOGGING).
	DropNotes bool
	// Silent and SilentPulls name accounts in whose namespaces nothing, or no pull, is recorded (DISABLED_FOR_AUDIT_LOGS,
	// DISABLED_FOR_PULL_LOGS). A name that is given to an account later is noticed within 30 s.
	Silent, SilentPulls []string
	// MaxPages is how many pages of a list are given (ACTION_LOG_MAX_PAGE); 0 for all.
	MaxPages int
	// CountPulls adds up how often and when each tag and manifest is pulled (FEATURE_IMAGE_PULL_STATS), also in namespaces
	// whose pulls are not recorded.
	CountPulls bool
	// ReadOnly is for a registry that changes nothing: nothing is recorded, lists work.
	ReadOnly bool
	Clock    func() time.Time
	Log      *slog.Logger

	// SpoolCall is told of every step of the spool; see spool.Options.Call.
	SpoolCall func(step string, do func() error) error

	// allocate is the spool's.
	allocate func(f *os.File, n int64) error

	storeEvery time.Duration // how long written pulls gather for a batch; 0 for 1 s
	gather     time.Duration // the spool's
}

// Log is the action log. Its methods may be called concurrently.
type Log struct {
	options Options
	db      *db.DB
	read    db.Queryer
	months  months
	silence atomic.Pointer[silence]

	numbers atomic.Int64 // of entries; see number
	process int64
	scratch sync.Pool // *[]byte
	counts  counters

	pulls *pulls // nil when nothing is recorded
	stop  context.CancelFunc
	done  sync.WaitGroup

	closed atomic.Bool
}

// Open makes the tables of this month and the next, a spool, and starts the goroutines that empty it and tidy up. They
// outlive ctx and end with Close.
func Open(ctx context.Context, o Options) (*Log, error) {
	if o.SpoolBytes <= 0 {
		o.SpoolBytes = defaultSpoolBytes
	}
	if o.storeEvery <= 0 {
		o.storeEvery = defaultStoreEvery
	}
	l := &Log{options: o, db: o.DB, read: o.Read, process: processNumber(), stop: func() {}}
	l.scratch.New = func() any { return new([]byte) }
	if l.read == nil {
		l.read = o.DB
	}
	if err := l.listen(ctx); err != nil {
		return nil, err
	}
	if o.ReadOnly {
		return l, nil
	}
	if err := l.makeAhead(ctx); err != nil {
		return nil, err
	}
	if err := l.openSpool(); err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(db.Background(context.WithoutCancel(ctx)))
	l.stop = stop
	l.done.Go(func() { l.store(background) })
	l.done.Go(func() { l.tidy(background) })
	return l, nil
}

func (l *Log) openSpool() error {
	budget := spool.NewBudget(l.options.SpoolBytes)
	o := spool.Options{
		Dir: l.options.Dir, Budget: budget, Segment: min(4<<20, l.options.SpoolBytes/8), Gather: l.options.gather,
		Clock: l.options.Clock, Log: l.options.Log, Call: l.options.SpoolCall,
		Reserve: min(l.options.SpoolReserve, l.options.SpoolBytes/2), Free: spareSpace, Allocate: l.options.allocate,
	}
	found, err := spool.Adopt(o) // first: on a full disk the room that a killed process had set aside is needed
	if err != nil {
		return err
	}
	own, err := spool.Open(o)
	if err != nil {
		for _, f := range found {
			err = errors.Join(err, f.Leave())
		}
		return fmt.Errorf("open the action log: %w", err)
	}
	l.pulls = &pulls{options: o, own: own, sources: []*source{{files: own}}}
	l.takeOver(found)
	return nil
}

// spareSpace is how much of a folder's disk the blob store would still take.
func spareSpace(folder string) (int64, error) { return blobfiles.Spare(blobfiles.OS{}, folder) }

// Close stores what can be stored until ctx ends, writes the rest into the spool, where the next process finds it, and
// ends the goroutines. Afterwards Pulled refuses; lists and RecordTx work as long as the database does. A second call
// does nothing.
func (l *Log) Close(ctx context.Context) error {
	if l.pulls == nil || l.closed.Swap(true) {
		return nil
	}
	written := l.pulls.own.Close()
	l.stop()
	l.done.Wait()
	return errors.Join(written, l.leave(db.Background(ctx)))
}

// Flush writes the pulls that were recorded before and stores them: what is listed afterwards has them. It must not be
// called inside a transaction. It ends with ctx while others are at it, which takes long when much waits.
func (l *Log) Flush(ctx context.Context) error {
	if l.pulls == nil {
		return nil
	}
	if err := l.pulls.own.Write(); err != nil {
		return fmt.Errorf("write the action log's spool: %w", err)
	}
	return l.drain(ctx)
}

// tidy does what is due now and then. What fails is tried again at the next round.
func (l *Log) tidy(ctx context.Context) {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	for round := 1; ; round++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		steps := []func(context.Context) error{l.makeAhead, l.listen}
		if round%retainEvery == 1 {
			steps = append(steps, l.Retain, func(context.Context) error { return l.adopt() })
		}
		for _, step := range steps {
			if err := step(ctx); err != nil && ctx.Err() == nil {
				l.options.Log.Warn("the action log could not be tidied; it is tried again", "error", err)
			}
		}
	}
}

// number gives the next entry's id. Ids of one process rise; those of two differ, but for a chance of 1 in 16 million
// that only counts within one millisecond.
func (l *Log) number() int64 { return l.numbers.Add(1)<<processBits | l.process }

const processBits = 24

func processNumber() int64 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return int64(binary.LittleEndian.Uint32(b[:]) >> (32 - processBits))
}
