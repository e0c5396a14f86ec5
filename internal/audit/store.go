package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/longshore-registry/longshore/internal/audit/spool"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/tally"
)

const (
	defaultStoreEvery = time.Second     // a list does not wait for it: see Flush
	storeLongest      = 5 * time.Second // between two tries while the database is away
	lockPause         = time.Millisecond
	batchRows         = 1024 // so that a batch holds SQLite's writer for some ten milliseconds
)

// store empties the spools until ctx ends: some time after something was written, and again until it succeeds.
func (l *Log) store(ctx context.Context) {
	wait, away := time.Duration(0), false
	for {
		if !away {
			select {
			case <-l.pulls.own.More():
			case <-ctx.Done():
				return
			}
		}
		if !pause(ctx, max(wait, l.options.storeEvery)) {
			return
		}
		err := l.drain(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			if away {
				l.options.Log.Info("pulls are stored in the action log again")
			}
			wait, away = 0, false
			continue
		}
		if !away {
			l.options.Log.Warn("pulls cannot be stored in the action log and wait in the spool", "error", err)
		}
		wait, away = min(max(2*wait, l.options.storeEvery), storeLongest), true
		if err := l.pulls.own.Sync(); err != nil {
			l.options.Log.Warn("the action log's spool could not be synced", "error", err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// adopt looks for the spools of processes that are gone.
func (l *Log) adopt() error {
	found, err := spool.Adopt(l.pulls.options)
	if err == nil {
		l.takeOver(found)
	}
	return err
}

// takeOver has spools of processes that are gone stored. They are older than our own and are emptied first.
func (l *Log) takeOver(found []*spool.Files) {
	if len(found) == 0 {
		return
	}
	l.pulls.mu.Lock()
	defer l.pulls.mu.Unlock()
	own := len(l.pulls.sources) - 1
	for _, f := range found {
		l.options.Log.Info("pulls that an earlier process has left are stored", "spool", f.ID())
		l.pulls.sources = slices.Insert(l.pulls.sources, own, &source{files: f})
		own++
	}
	l.pulls.own.Nudge()
}

// drain stores all that is written in the spools. Those of other processes are removed when they are empty.
func (l *Log) drain(ctx context.Context) error {
	p := l.pulls
	for !p.mu.TryLock() {
		if !pause(ctx, lockPause) {
			return ctx.Err()
		}
	}
	defer p.mu.Unlock()
	if len(p.sources) == 0 {
		return problem.Wrap(spool.ErrClosed, problem.Unavailable, "the action log is closed")
	}
	var left []*source
	var broken []error // of single spools
	own := p.sources[len(p.sources)-1]
	for i, s := range p.sources {
		err := l.empty(ctx, s)
		if err == nil && s != own {
			if err = l.remove(ctx, s); err == nil {
				continue
			}
		}
		left = append(left, s)
		if fault := (&spoolFault{}); errors.As(err, &fault) {
			broken = append(broken, err)
		} else if err != nil { // the others would meet it, too
			p.sources = append(left, p.sources[i+1:]...)
			return errors.Join(append(broken, err)...)
		}
	}
	p.sources = left
	return errors.Join(broken...)
}

// leave empties the spools a last time and gives them up: removed if empty, else for the next process.
func (l *Log) leave(ctx context.Context) error {
	failed := l.drain(ctx)
	p := l.pulls
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for i, s := range p.sources {
		if failed == nil && i == 0 { // only our own is left
			errs = append(errs, l.remove(ctx, s))
		} else {
			errs = append(errs, s.files.Leave())
		}
	}
	p.sources = nil // they may be another process's from now on
	if failed != nil {
		l.options.Log.Warn("pulls are left in the spool for the next process", "error", failed)
	}
	return errors.Join(errs...)
}

// remove deletes an empty spool, and then what the database remembers of it: the other way round, a crash between the
// two would have it stored once more.
func (l *Log) remove(ctx context.Context, s *source) error {
	if err := s.files.Remove(); err != nil {
		return &spoolFault{err}
	}
	return l.db.Soft(ctx, "forget a spool", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM audit_spool WHERE id = $1", s.files.ID())
		return err
	})
}

// empty stores what is written in one spool, batch by batch. After a failure, which may have come after the commit,
// the database is asked where to go on.
func (l *Log) empty(ctx context.Context, s *source) (err error) {
	defer func() {
		if err != nil {
			s.loaded = false
			l.noteOldest(s)
			if !problem.Is(err, problem.Unavailable) {
				l.months.forget() // a table may have been dropped
			}
		}
	}()
	if !s.loaded {
		at, known, err := l.position(ctx, s.files.ID())
		if err != nil {
			return fmt.Errorf("look up the spool's position: %w", err)
		}
		s.at, s.loaded = at, true
		s.silent = !known && l.options.Clock().Sub(s.files.Begun()) > spoolKept
	}
	var kept error // what is stored and could not be deleted
	for {
		batch, err := s.files.Read(s.at, batchRows)
		if err != nil {
			if err := l.unreadable(s, err); err != nil {
				return err
			}
			continue
		}
		s.trouble = trouble{}
		if batch.Next == s.at {
			l.counts.oldest.Store(0)
			return kept
		}
		if err := l.storeBatch(ctx, s, batch); err != nil {
			return err
		}
		s.at = batch.Next
		if err := s.files.Release(s.at); err != nil {
			kept = &spoolFault{err}
		}
	}
}

// noteOldest looks how long what could not be stored has been waiting, as far as it is known where to go on.
func (l *Log) noteOldest(s *source) {
	batch, err := s.files.Read(s.at, 1)
	if err != nil || len(batch.Records) == 0 {
		return
	}
	if r, err := parseRow(batch.Records[0]); err == nil {
		l.counts.oldest.Store(r.atMS)
	}
}

func (l *Log) position(ctx context.Context, id string) (at spool.Position, known bool, err error) {
	err = l.db.QueryRow(ctx, "SELECT segment, position FROM audit_spool WHERE id = $1", id).Scan(&at.Segment, &at.Offset)
	if errors.Is(err, db.ErrNoRows) {
		return at, false, nil
	}
	return at, err == nil, err
}

// storeBatch adds a batch, its counts and its end in one transaction. Losing it to a power cut
// loses only pulls and what was counted of pushes, so it is soft.
func (l *Log) storeBatch(ctx context.Context, s *source, batch spool.Batch) error {
	id := s.files.ID()
	rows, actions, late, damaged := l.decode(batch.Records)
	if s.silent {
		actions = nil
	}
	if len(rows) > 0 {
		l.counts.oldest.Store(rows[0].atMS)
	}
	for _, group := range byMonth(rows) {
		if err := l.makeMonth(ctx, group.month); err != nil {
			return err
		}
	}
	err := l.db.Soft(ctx, "store pulls", func(ctx context.Context, tx db.Tx) error {
		if err := insertMonthsTx(ctx, tx, rows); err != nil {
			return err
		}
		if err := tally.AddTx(ctx, tx, actions); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO audit_spool (id, segment, position, moved_ms) VALUES ($1, $2, $3, $4)
			ON CONFLICT (id) DO UPDATE SET segment = excluded.segment, position = excluded.position, moved_ms = excluded.moved_ms`,
			id, batch.Next.Segment, batch.Next.Offset, db.Millis(l.options.Clock()))
		return err
	})
	if err != nil {
		return fmt.Errorf("store %d pulls: %w", len(rows), err)
	}
	l.counts.stored.Add(uint64(len(rows)))
	l.counts.late.Add(uint64(late))
	if batch.Damaged > 0 || damaged > 0 {
		l.counts.damaged.Add(uint64(batch.Damaged + damaged))
		l.options.Log.Warn("part of the action log's spool cannot be read: the end of a process that was killed, or a damaged file",
			"spool", id, "before_segment", batch.Next.Segment, "before_byte", batch.Next.Offset, "bytes", batch.Damaged+damaged)
	}
	return nil
}

// decode reads records. rows are entries of the log, actions what is to be counted, late those whose month the retention
// has removed; damaged are bytes of what is no record.
func (l *Log) decode(records [][]byte) (rows []row, actions []tally.Action, late int, damaged int64) {
	first := l.firstKept().start()
	rows, actions = make([]row, 0, len(records)), make([]tally.Action, 0, len(records))
	for _, b := range records {
		r, err := parseRow(b)
		switch {
		case err != nil:
			damaged += int64(len(b))
		case r.atMS < first:
			late++
		default:
			if !r.counted.only {
				rows = append(rows, r)
			}
			if a, ok := r.action(); ok {
				actions = append(actions, a)
			}
		}
	}
	return rows, actions, late, damaged
}
