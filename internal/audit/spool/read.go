package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
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

// Read gives at most so many of the records that were written after a position. Next is the position asked for when
// there are none. The records are valid until the next call; there may be one at a time.
func (f *Files) Read(from Position, records int) (Batch, error) {
	at, size, last, ok := f.locate(from)
	if !ok {
		return Batch{Next: from}, nil
	}
	chunk, final, err := f.chunk(at, size)
	if err != nil {
		return Batch{Next: from}, fmt.Errorf("read the spool: %w", err)
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
			b.Damaged = size - b.Next.Offset
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

// chunk reads from a position; final: there is nothing behind it. A segment that does not begin with the magic has
// nothing at all.
func (f *Files) chunk(at Position, size int64) (chunk []byte, final bool, err error) {
	file, err := os.Open(f.segmentName(at.Segment))
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	head := make([]byte, headerBytes)
	if _, err := file.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	if string(head) != magic {
		return nil, true, nil
	}
	chunk = f.buffer(int(min(chunkBytes, size-at.Offset)))
	n, err := file.ReadAt(chunk, at.Offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	return chunk[:n], n < len(chunk) || at.Offset+int64(n) == size, nil
}

// buffer is n bytes that are used again: what is read once a second is no garbage.
func (f *Files) buffer(n int) []byte {
	if cap(f.read) < n {
		f.read = make([]byte, n)
	}
	return f.read[:n]
}
