package audit

import (
	"errors"
	"time"

	"github.com/longshore-registry/longshore/internal/audit/spool"
)

// A segment of a spool is given up when it could not be read so often, over so long: a disk that is away for a moment
// costs no entries.
const (
	troubleTries = 3
	troubleTime  = 30 * time.Second
)

// spoolFault is an error of one spool's files, which is none of the others'.
type spoolFault struct{ cause error }

// Error implements error.
func (f *spoolFault) Error() string { return f.cause.Error() }

// Unwrap gives the system's error.
func (f *spoolFault) Unwrap() error { return f.cause }

// trouble is since when and how often a segment could not be read.
type trouble struct {
	segment int64
	since   time.Time
	tries   int
}

// unreadable notes that a spool could not be read. After a few times the segment is set aside, so that what lies behind
// it does not wait for ever, and nil is returned: go on.
func (l *Log) unreadable(s *source, err error) error {
	var read *spool.ReadError
	if !errors.As(err, &read) || read.Passing() {
		return &spoolFault{err}
	}
	now := l.options.Clock()
	if s.trouble.tries == 0 || s.trouble.segment != read.Segment {
		s.trouble = trouble{segment: read.Segment, since: now}
	}
	if s.trouble.tries++; s.trouble.tries < troubleTries || now.Sub(s.trouble.since) < troubleTime {
		return &spoolFault{err}
	}
	s.trouble = trouble{}
	file, lost, moved := s.files.SetAside(read.Segment)
	if s.at.Segment == read.Segment {
		lost -= s.at.Offset
	}
	s.at = spool.Position{Segment: read.Segment + 1}
	l.counts.setAside.Add(1)
	l.counts.damaged.Add(uint64(max(0, lost)))
	l.options.Log.Error("a file of the action log's spool cannot be read: its entries are missing in the log", "spool", s.files.ID(),
		"file", read.File, "set_aside_as", file, "bytes", lost, "error", errors.Join(err, moved))
	return nil
}
