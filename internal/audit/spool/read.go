package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

const chunkBytes = 2 * MaxRecord // of a segment that are read at once; a record of any size lies in it whole

// Position is a place in a spool. The zero value is its beginning; a later place is greater in (Segment, Offset).
type Position struct{ Segment, Offset int64 }

// Batch are records in the order in which they were appended.
type Batch struct {
	Records [][]byte
	Next    Position // where to go on
	Damaged int64    // bytes before Next that are no records and were left out
}

// ReadError is that a segment cannot be read.
type ReadError struct {
	File    string
	Segment int64
	Err     error
}

// Error implements error.
func (e *ReadError) Error() string { return fmt.Sprintf("read the spool: %v", e.Err) }

// Unwrap gives the system's error.
func (e *ReadError) Unwrap() error { return e.Err }

// Passing reports whether the process lacks something, so that the error tells nothing about the segment.
func (e *ReadError) Passing() bool {
	for _, of := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.EINTR} {
		if errors.Is(e.Err, of) {
			return true
		}
	}
	return false
}

// Read gives at most so many of the records that were written after a position. Next is the position asked for when
// there are none. An error is a ReadError. The records are valid until the next call; there may be one at a time.
func (f *Files) Read(from Position, records int) (Batch, error) {
	at, size, last, ok := f.locate(from)
	if !ok {
		return Batch{Next: from}, nil
	}
	chunk, final, reserved, err := f.chunk(at, size)
	if err != nil {
		return Batch{Next: from}, &ReadError{File: f.segmentName(at.Segment), Segment: at.Segment, Err: err}
	}
	b := Batch{Next: at}
	for len(b.Records) < records {
		record, n, s := parse(chunk)
		if s == whole {
			b.Records = append(b.Records, record)
			b.Next.Offset += int64(n)
			chunk = chunk[n:]
			continue
		}
		if s == bad || final {
			if b.Damaged, err = f.damaged(b.Next, size, reserved); err != nil {
				return Batch{Next: from}, &ReadError{File: f.segmentName(at.Segment), Segment: at.Segment, Err: err}
			}
			b.Next.Offset = size
		}
		break
	}
	if b.Next.Offset == size && !last {
		b.Next = Position{Segment: b.Next.Segment + 1}
	}
	return b, nil
}

// locate finds the first segment at or after a position that has something to read, and its present size. last: the
// segment may yet grow.
func (f *Files) locate(from Position) (at Position, size int64, last, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.segments {
		if s.number < from.Segment || s.number == from.Segment && from.Offset >= s.size || s.size <= headerBytes {
			continue
		}
		at = Position{Segment: s.number, Offset: headerBytes}
		if s.number == from.Segment {
			at.Offset = max(from.Offset, headerBytes)
		}
		return at, s.size, s.number == f.active, true
	}
	return Position{}, 0, false, false
}

// chunk reads from a position; final: there is nothing behind it. A segment that does not begin with a magic has
// nothing at all. reserved: zeros behind the last record are its end.
func (f *Files) chunk(at Position, size int64) (chunk []byte, final, reserved bool, err error) {
	file, err := os.Open(f.segmentName(at.Segment))
	if err != nil {
		return nil, false, false, err
	}
	defer file.Close()
	head := make([]byte, headerBytes)
	if _, err := file.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, false, false, err
	}
	if reserved = string(head) == magicReserved; !reserved && string(head) != magic {
		return nil, true, false, nil
	}
	chunk = f.buffer(int(min(chunkBytes, size-at.Offset)))
	n, err := file.ReadAt(chunk, at.Offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, false, err
	}
	return chunk[:n], n < len(chunk) || at.Offset+int64(n) == size, reserved, nil
}

// damaged counts the bytes from a position on, which are no record: none if they are the zeros at the end of a segment
// that was made of the reserve.
func (f *Files) damaged(at Position, size int64, reserved bool) (int64, error) {
	if !reserved {
		return size - at.Offset, nil
	}
	file, err := os.Open(f.segmentName(at.Segment))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	rest := io.NewSectionReader(file, at.Offset, size-at.Offset)
	for b := make([]byte, 64<<10); ; {
		n, err := rest.Read(b)
		if len(bytes.Trim(b[:n], "\x00")) > 0 {
			return size - at.Offset, nil
		}
		switch {
		case errors.Is(err, io.EOF):
			return 0, nil
		case err != nil:
			return 0, err
		}
	}
}

// buffer is n bytes that are used again: what is read once a second is no garbage.
func (f *Files) buffer(n int) []byte {
	if cap(f.read) < n {
		f.read = make([]byte, n)
	}
	return f.read[:n]
}
