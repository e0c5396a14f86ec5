// Package spool keeps records in files until somebody has taken them, so that a process which dies loses no more than
// its last moments.
//
// A record is appended to memory, which takes no system call, and a goroutine writes what has gathered to the newest of
// a row of files, called segments, some 20 ms later. Who reads says where it begins and deletes what it no longer needs;
// where it stopped is its own to remember. Nothing is appended to a segment of another process, and each record is
// framed with a checksum, so the torn end that a dying process leaves is noticed and left out.
//
// With a reserve, records can be written when the disk has no room left: see reserve.
//
// What is written survives the death of the process. Surviving a power cut takes a Sync.
//
// The spools of all processes lie side by side in one folder. Each belongs to the process that holds its lock; those
// that nobody holds can be adopted.
package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of Append.
var (
	ErrFull   = errors.New("the spool is full")
	ErrClosed = errors.New("the spool is closed")
	ErrSize   = fmt.Errorf("a record has 1 to %d bytes", MaxRecord)
)

const (
	defaultSegment = 4 << 20
	defaultGather  = 20 * time.Millisecond
	memoryLimit    = 4 << 20                // records that wait for the goroutine, in bytes
	retryPause     = 100 * time.Millisecond // after a failed write
)

// Options say where spools lie and how much they may hold.
type Options struct {
	Dir     string           // the folder of all spools; it is made
	Budget  *Budget          // shared by the spools of the process
	Segment int64            // bytes after which a new segment is begun; 0 for 4 MiB
	Gather  time.Duration    // how long a record waits in memory; 0 for 20 ms
	Clock   func() time.Time // for the names of spools
	Log     *slog.Logger
	// Reserve is room on the disk, in bytes, that is set aside for when the disk is full; 0 for none. It is taken in
	// the background, as far as Free, bytes that the disk of a folder has to spare, allows. Where the file system
	// cannot do that, a warning says so.
	Reserve int64
	Free    func(folder string) (int64, error) // nil: as if without end
	// Allocate takes room for n bytes of a file and leaves its size; nil for the system's.
	Allocate func(f *os.File, n int64) error
	// Call is told of every step, append, begin-segment, write, sync, remove-segment and remove, and does it, for tests
	// that stop the program there; nil for nobody.
	Call func(step string, do func() error) error
}

// call does a step.
func (o *Options) call(step string, do func() error) error {
	if o.Call == nil {
		return do()
	}
	return o.Call(step, do)
}

// Budget bounds the bytes of several spools, on disk and in memory.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget makes a budget of so many bytes.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Used is how many bytes are taken.
func (b *Budget) Used() int64 { return b.used.Load() }

// take takes n bytes if they are free.
func (b *Budget) take(n int64) bool {
	if b.used.Add(n) <= b.limit {
		return true
	}
	b.used.Add(-n)
	return false
}

// Spool is a spool that is appended to. Its methods may be called concurrently.
type Spool struct {
	*Files
	options Options
	more    chan struct{} // something was written
	wake    chan struct{} // something waits in memory
	closing chan struct{}
	stopped sync.WaitGroup
	once    sync.Once

	mu      sync.Mutex // held for the time of a copy only
	buffer  []byte     // frames that wait for the goroutine
	closed  bool
	writing sync.Mutex // held while files are written
	out     output
}

// Open makes a new spool and starts its goroutines.
func Open(o Options) (*Spool, error) {
	if o.Segment <= 0 {
		o.Segment = defaultSegment
	}
	if o.Gather <= 0 {
		o.Gather = defaultGather
	}
	files, err := create(o)
	if err != nil {
		return nil, fmt.Errorf("make a spool in %s: %w", o.Dir, err)
	}
	s := &Spool{
		Files: files, options: o, more: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		closing: make(chan struct{}),
	}
	s.reserve = newReserve(&s.options, s.path)
	s.stopped.Go(s.loop)
	if s.reserve != nil {
		s.stopped.Go(func() { s.reserve.keep(s.closing) })
	}
	return s, nil
}

// Append takes a copy of a record. It returns ErrFull when the budget or the memory is used up, ErrSize, ErrClosed.
func (s *Spool) Append(record []byte) error {
	if s.options.Call == nil { // saves what a function value costs
		return s.append(record)
	}
	return s.options.Call("append", func() error { return s.append(record) })
}

func (s *Spool) append(record []byte) error {
	if len(record) == 0 || len(record) > MaxRecord {
		return ErrSize
	}
	head := frameHead(record)
	n := len(head) + len(record)
	if !s.options.Budget.take(int64(n)) {
		return ErrFull
	}
	first, err := s.keep(head, record)
	if err != nil {
		s.options.Budget.used.Add(int64(-n))
		return err
	}
	if first {
		signal(s.wake)
	}
	return nil
}

// keep puts a frame into memory and reports whether it is the only one there.
func (s *Spool) keep(head [frameBytes]byte, record []byte) (first bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return false, ErrClosed
	case len(s.buffer)+len(head)+len(record) > memoryLimit:
		return false, ErrFull
	}
	first = len(s.buffer) == 0
	s.buffer = append(append(s.buffer, head[:]...), record...)
	return first, nil
}

// More is sent to after records were written that were not there before.
func (s *Spool) More() <-chan struct{} { return s.more }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// loop writes what gathers in memory until Close.
func (s *Spool) loop() {
	for {
		select {
		case <-s.closing:
			return
		case <-s.wake:
		}
		if !s.pause(s.options.Gather) {
			return
		}
		if err := s.Write(); err != nil {
			s.options.Log.Error("records cannot be written to the spool and wait in memory", "folder", s.path, "error", err)
			if !s.retry() {
				return
			}
			s.options.Log.Info("records can be written to the spool again", "folder", s.path)
		}
	}
}

// retry writes again until it succeeds; false when the spool is closing.
func (s *Spool) retry() bool {
	for s.pause(retryPause) {
		if s.Write() == nil {
			return true
		}
	}
	return false
}

// pause waits; false when the spool is closing.
func (s *Spool) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.closing:
		return false
	}
}

// Close takes no more records, writes those in memory and ends the goroutine. The files stay, with their lock, until
// Remove or Leave.
func (s *Spool) Close() error {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		close(s.closing)
	})
	s.stopped.Wait()
	s.writing.Lock()
	defer s.writing.Unlock()
	return errors.Join(s.write(), s.out.close(), s.reserve.close())
}

// Reserved is how much room is set aside on the disk and not used, in bytes.
func (s *Spool) Reserved() int64 { return s.reserve.bytes() }

// Nudge makes More be sent to although nothing was written.
func (s *Spool) Nudge() { signal(s.more) }
