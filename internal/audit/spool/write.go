package spool

import (
	"errors"
	"fmt"
	"os"
)

// output is the segment that is written to.
type output struct {
	file    *os.File // nil before the first one
	number  int64
	size    int64
	pending []byte // frames that could not be written yet, or nil
	done    int    // bytes of pending that are written
	spare   []byte // memory that can be the next buffer
	dirty   bool   // something is written and not synced
	fresh   bool   // the segment's name is not synced
}

func (o *output) close() error {
	if o.file == nil {
		return nil
	}
	err := o.file.Close()
	o.file = nil
	return err
}

// Write writes what is in memory. Records that cannot be written stay there.
func (s *Spool) Write() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.write()
}

// write is Write for who holds writing: first what an earlier failure has left, then what came since.
func (s *Spool) write() error {
	o := &s.out
	if err := s.flush(); err != nil {
		return err
	}
	s.mu.Lock()
	o.pending, s.buffer = s.buffer, o.spare[:0]
	s.mu.Unlock()
	o.spare = nil
	return s.flush()
}

// flush writes the pending frames at a known place, so that a repetition after a failure overwrites what part of them
// was written. Their memory becomes the next buffer.
func (s *Spool) flush() error {
	o := &s.out
	for o.done < len(o.pending) {
		if err := s.flushPart(); err != nil {
			return err
		}
	}
	if cap(o.pending) > cap(o.spare) {
		o.spare = o.pending
	}
	o.pending, o.done = nil, 0
	return nil
}

// flushPart writes what fits into a segment.
func (s *Spool) flushPart() error {
	o := &s.out
	part := o.part(s.options.Segment)
	if o.file == nil || len(part) == 0 {
		if err := s.nextSegment(); err != nil {
			return err
		}
		part = o.part(s.options.Segment)
	}
	err := s.options.call("write", func() error {
		_, err := o.file.WriteAt(part, o.size)
		return err
	})
	if err != nil {
		return err
	}
	o.size += int64(len(part))
	o.done += len(part)
	o.dirty = true
	s.grow(o.number, o.size)
	signal(s.more)
	return nil
}

// part is what of the pending frames goes into the segment: whole ones that fit, and at least one if it is empty.
func (o *output) part(limit int64) []byte {
	rest, room := o.pending[o.done:], int(limit-o.size)
	if len(rest) <= room {
		return rest
	}
	n := 0
	for n < len(rest) {
		next := n + frameLength(rest[n:])
		if next > room && (n > 0 || o.size > headerBytes) {
			break
		}
		n = next
	}
	return rest[:n]
}

// nextSegment ends a segment and begins one.
func (s *Spool) nextSegment() error {
	if err := s.out.close(); err != nil { // what was written is in the file nonetheless
		s.options.Log.Warn("a segment of the spool could not be closed", "folder", s.path, "error", err)
	}
	return s.options.call("begin-segment", s.beginSegment)
}

// beginSegment makes a file on the disk, or one of the reserve if the disk is full.
func (s *Spool) beginSegment() error {
	o := &s.out
	name := s.segmentName(o.number + 1)
	f, err := s.newSegment(name)
	if isFull(err) && s.reserve.take(name) {
		f, err = openSegment(name, 0, magicReserved)
	}
	if err != nil {
		return err
	}
	o.file, o.number, o.size, o.fresh = f, o.number+1, headerBytes, true
	s.budget.used.Add(headerBytes)
	return nil
}

// newSegment makes a segment. With a reserve it has its room from the beginning, so that writing to it cannot fail for
// want of it; without one it grows.
func (s *Spool) newSegment(name string) (*os.File, error) {
	f, err := openSegment(name, os.O_CREATE|os.O_TRUNC, magic)
	if err != nil || s.reserve == nil {
		return f, err
	}
	if err := s.options.allocate(f); isFull(err) {
		return nil, errors.Join(err, f.Close(), os.Remove(name))
	}
	signal(s.reserve.work) // there is room: perhaps for what it lacks, too
	return f, nil
}

func openSegment(name string, flags int, magic string) (*os.File, error) {
	f, err := os.OpenFile(name, flags|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteAt([]byte(magic), 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Release deletes what lies before a position, by whole segments. The one that is written to goes too when all of it
// lies before and it is not nearly empty: else what is taken would count against the budget until something is appended,
// and a full spool takes nothing.
func (s *Spool) Release(before Position) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	o := &s.out
	if o.file != nil && before == (Position{o.number, o.size}) && o.size >= s.options.Segment/4 {
		if err := o.close(); err != nil {
			return fmt.Errorf("close a segment of the spool: %w", err)
		}
		before = Position{Segment: o.number + 1}
	}
	return s.Files.Release(before)
}

// Sync makes what is written survive a power cut. It writes nothing that is still in memory.
func (s *Spool) Sync() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	o := &s.out
	if o.file == nil || !o.dirty {
		return nil
	}
	if err := s.options.call("sync", o.file.Sync); err != nil {
		return fmt.Errorf("sync the spool: %w", err)
	}
	if o.fresh {
		for _, dir := range []string{s.path, s.options.Dir} {
			if err := syncDir(dir); err != nil {
				return fmt.Errorf("sync the spool's folder: %w", err)
			}
		}
	}
	o.dirty, o.fresh = false, false
	return nil
}

// SetAside is that of Files. What is appended goes to another segment.
func (s *Spool) SetAside(number int64) (file string, lost int64, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.out.number == number {
		if err := s.out.close(); err != nil {
			s.options.Log.Warn("a segment of the spool could not be closed", "folder", s.path, "error", err)
		}
	}
	return s.Files.SetAside(number)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
