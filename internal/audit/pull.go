package audit

import (
	"errors"
	"sync"
	"time"

	"github.com/longshore-registry/longshore/internal/audit/spool"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	textLimit = 4 << 10         // bytes of a text in a pull's metadata; the rest is cut off
	fullRetry = 5 * time.Second // what a refused client is told to wait
)

// pulls is what there is between Pulled and the database.
type pulls struct {
	options spool.Options
	own     *spool.Spool

	mu      sync.Mutex // held while the spools are emptied
	sources []*source  // in the order in which they are emptied; the last is our own
}

// files are a spool's: of our own, or of a process that is gone.
type files interface {
	ID() string
	Begun() time.Time
	Read(from spool.Position, records int) (spool.Batch, error)
	Release(before spool.Position) error
	SetAside(segment int64) (file string, lost int64, err error)
	Remove() error
	Leave() error
}

// ids are those of the spools that this process has.
func (p *pulls) ids() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sources {
		all = append(all, s.files.ID())
	}
	return all
}

// source is a spool and how far it is in the database.
type source struct {
	files   files
	at      spool.Position
	loaded  bool // at is what the database says
	trouble trouble
	silent  bool // its position may have been forgotten, so that what it counts may have been counted
}

// Pulled records a pull, or something else that must not wait and whose entry may be lost with the process's last 100 ms.
// It takes neither a system call nor a lock that is held for longer than a copy, and keeps nothing of e.
//
// An error of kind problem.Unavailable means that the entry cannot be kept and the pull must be refused: the spool is
// full or cannot be written, and DropPulls is off.
func (l *Log) Pulled(e Entry) error {
	if l.pulls == nil {
		return nil
	}
	if l.silence.Load().pulls[e.NamespaceID] {
		l.counts.skipped.Add(1)
		l.countOnly(&e)
		return nil
	}
	return l.spool(e, l.options.DropPulls, pullRefused)
}

// Noted records what changes nothing in the database and is no pull, such as a sign-in, in the way of Pulled. It counts
// as a pull in Stats.
func (l *Log) Noted(e Entry) error {
	if l.pulls == nil {
		return nil
	}
	if l.silence.Load().all[e.NamespaceID] {
		l.counts.skipped.Add(1)
		return nil
	}
	return l.spool(e, l.options.DropNotes, noteRefused)
}

// What a client is told whose request is refused because it cannot be recorded.
const (
	pullRefused = "the pull cannot be recorded in the action log, and ALLOW_PULLS_WITHOUT_STRICT_LOGGING is off"
	noteRefused = "the request cannot be recorded in the action log, and ALLOW_WITHOUT_STRICT_LOGGING is off"
)

func (l *Log) spool(e Entry, drop bool, refused string) error {
	if e.At.IsZero() {
		e.At = l.options.Clock()
	}
	r := row{
		atMS: db.Millis(e.At), id: l.number(), kind: e.Kind, ip: e.IP,
		namespaceID: e.NamespaceID, repoID: e.RepositoryID, performerID: e.PerformerID,
	}
	if l.options.CountPulls {
		r.counted = counted{tag: e.Tag, digest: e.Digest}
	}
	if err := r.check(); err != nil {
		return err
	}
	buffer, _ := l.scratch.Get().(*[]byte)
	*buffer = appendRow((*buffer)[:0], &r)
	*buffer = appendMetadata(*buffer, e.Metadata, nil, textLimit)
	err := l.pulls.own.Append(*buffer)
	l.scratch.Put(buffer)
	if err != nil {
		return l.notKept(err, drop, refused)
	}
	l.counts.pulled.Add(1)
	return nil
}

// notKept counts an entry that the spool did not take, and says whether its request may go on.
func (l *Log) notKept(err error, drop bool, refused string) error {
	if drop && errors.Is(err, spool.ErrFull) {
		l.counts.dropped.Add(1)
		return nil
	}
	if errors.Is(err, spool.ErrSize) {
		return problem.Wrap(err, problem.Internal, "the log entry of the request is too large")
	}
	l.counts.refused.Add(1)
	refusal := problem.Wrap(err, problem.Unavailable, "%s", refused)
	refusal.RetryAfter = fullRetry
	return refusal
}
