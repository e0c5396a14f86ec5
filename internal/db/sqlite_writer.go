package db

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	batchMembers = 64                     // transactions that share a commit at most
	batchTime    = 4 * time.Millisecond   // no further one is added to a batch that has run so long
	slowTurn     = 100 * time.Millisecond // a transaction that held the writer so long is logged
	watchEvery   = 250 * time.Millisecond // how late a foreign commit is noticed at most
	shrinkTicks  = 20                     // of watchEvery without a batch until the writer's page cache is given back
)

// errClosed is what a transaction gets after Close.
func errClosed() error { return problem.New(problem.Unavailable, "the database is closed") }

// writer owns the only connection that writes. Its loop goroutine forms batches: it takes what is queued, lends the
// connection to one member after the other, each under a savepoint, commits once and answers all. Nobody waits for
// company: the next batch gathers while the current one syncs.
//
// Why no acknowledged change is lost: a member is answered after its batch's commit, and a batch with one hard member
// commits with synchronous=FULL. Why one failure spoils nothing: a failed member is rolled back to its savepoint; an
// error after which SQLite may have rolled back more ends the batch, and no member of it is told that it succeeded.
type writer struct {
	ctx     context.Context // of the loop's own statements; it never ends before them
	conn    *sql.Conn
	stmts   statements
	log     *slog.Logger
	checker *checkpointer
	watch   func(transaction string, m Moment) error // nil for nobody

	requests, background *lane
	pace                 pace
	closing              chan struct{}
	stopped              chan struct{}
	closeOnce            sync.Once

	logBytes int64 // the log is grown to it when there is a moment; <= 0: it is not, or it has been
	rested   int   // ticks without a batch; -1 once the page cache was given back

	full      bool  // synchronous=FULL is set
	broken    error // the commit that failed; nothing is written until a probe succeeds
	probed    time.Time
	version   int64 // PRAGMA data_version at the last look
	onChanged []func()
	mu        sync.Mutex // guards onChanged

	commits, members atomic.Uint64
}

func newWriter(ctx context.Context, conn *sql.Conn, log *slog.Logger, checker *checkpointer) (*writer, error) {
	w := &writer{
		ctx: context.WithoutCancel(ctx), conn: conn, log: log, checker: checker, full: true,
		stmts:    statements{on: conn},
		requests: newLane(), background: newLane(),
		closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	var err error
	w.version, err = w.stmts.number(w.ctx, "PRAGMA data_version")
	return w, err
}

// run queues a transaction, runs it when its turn comes and waits for its commit.
func (w *writer) run(ctx context.Context, r request) error {
	lane := w.requests
	if isBackground(ctx) {
		lane = w.background
	}
	m := newMember(ctx, r)
	select {
	case <-w.closing:
		return errClosed()
	case <-ctx.Done():
		return ctx.Err()
	case lane.queue <- m:
	}
	tx, err := m.wait(w.stopped)
	if err != nil {
		return err
	}
	failed := m.call(tx)
	if err := <-m.answer; err != nil {
		return err // also for one that failed: the rows its failure rests on are gone
	}
	return failed
}

// loop forms batches until close. It ends after the last one that was begun.
func (w *writer) loop() {
	defer close(w.stopped)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		lane, first := w.next(tick.C)
		if first == nil {
			w.requests.refuseAll(errClosed())
			w.background.refuseAll(errClosed())
			return
		}
		start := time.Now()
		w.batch(lane, first)
		w.rested = 0
		w.pace.worked(lane == w.background, start, time.Now())
		if w.checker.wantsPause() {
			w.finishCheckpoint()
		}
	}
}

// next waits for the first member of a batch: requests first, background work when its share allows. It returns nil
// when the writer is to stop.
func (w *writer) next(tick <-chan time.Time) (*lane, *member) {
	for {
		wait := w.pace.wait(time.Now())
		if wait <= 0 {
			if m := w.background.poll(); m != nil {
				return w.background, m
			}
		}
		if m := w.requests.poll(); m != nil {
			return w.requests, m
		}
		low, timer := w.background.queue, (<-chan time.Time)(nil)
		if wait > 0 {
			low, timer = nil, time.After(wait)
		}
		select {
		case m := <-w.requests.queue:
			return w.requests, m
		case m := <-low:
			return w.background, m
		case <-timer:
		case <-tick:
			w.idle()
		case <-w.closing:
			return nil, nil
		}
	}
}

// idle is what the writer does a few times a second when nothing is queued.
func (w *writer) idle() {
	if w.broken != nil {
		w.probe()
		return
	}
	w.noticeForeign()
	if w.logBytes > 0 {
		w.grow()
	}
	w.rest()
}

// rest gives the page cache's memory back when nothing was written for a while.
func (w *writer) rest() {
	if w.rested < 0 {
		return
	}
	if w.rested++; w.rested < shrinkTicks {
		return
	}
	w.rested = -1
	if err := w.exec("PRAGMA shrink_memory"); err != nil {
		w.log.Warn("the database's unused memory could not be given back", "error", err)
	}
}

// grow makes the log as long as it will usually be. It is not tried twice: the log grows by itself, but slower.
func (w *writer) grow() {
	if err := growLog(w.ctx, w.conn, w.checker.file, w.logBytes); err != nil {
		w.log.Warn("commits may be slower than usual", "error", err)
	}
	w.logBytes = 0
	w.checker.grown.Store(true)
	w.checker.nudge()
}

// close lets the batch in hand end, refuses the rest and gives the connection back.
func (w *writer) close() {
	w.closeOnce.Do(func() { close(w.closing) })
	<-w.stopped
	w.stmts.close()
	_ = w.conn.Close()
}

func (w *writer) exec(query string) error {
	_, err := w.stmts.exec(w.ctx, query)
	return err
}

// onForeign registers a callback for commits of other connections.
func (w *writer) onForeign(fn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onChanged = append(w.onChanged, fn)
}

// noticeForeign calls back when the file was changed through another connection.
func (w *writer) noticeForeign() {
	v, err := w.stmts.number(w.ctx, "PRAGMA data_version")
	if err != nil {
		w.log.Warn("the database file's version could not be read", "error", err)
		return
	}
	if v == w.version {
		return
	}
	w.version = v
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, fn := range w.onChanged {
		fn()
	}
}
