package audit

import (
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/tally"
)

// counted is what of a record is counted by tag and manifest, and whether the record is only there to be counted.
type counted struct {
	tag    string
	digest digest.Digest
	only   bool
}

// Bits of a record's kind in the spool.
const (
	flagPulled = 1 << (15 + iota) // tag and digest follow
	flagOnly                      // it is no entry of the log
)

func (c *counted) flags() (flags uint64) {
	if !c.digest.IsZero() {
		flags |= flagPulled
	}
	if c.only {
		flags |= flagOnly
	}
	return flags
}

// append adds tag and digest, each behind its length in one byte; no valid tag is longer.
func (c *counted) append(b []byte) []byte {
	if c.digest.IsZero() {
		return b
	}
	tag := cut(c.tag, 255)
	b = append(append(b, byte(len(tag))), tag...)
	b = append(b, byte(1+c.digest.Algorithm().Size()))
	return c.digest.Append(b)
}

// counted reads what append wrote.
func (d *decoder) counted(flags uint64) (c counted) {
	c.only = flags&flagOnly != 0
	switch {
	case flags&^(flagPulled|flagOnly) != 0:
		d.failed = true
		return c
	case flags&flagPulled == 0:
		return c
	}
	tag := d.short()
	of, err := digest.FromBytes(d.short())
	if err != nil || of.IsZero() || !plain(tag) {
		d.failed = true
		return c
	}
	c.tag, c.digest = string(tag), of
	return c
}

// short reads bytes behind their length.
func (d *decoder) short() []byte {
	if len(d.rest) == 0 || len(d.rest) <= int(d.rest[0]) {
		d.failed, d.rest = true, nil
		return nil
	}
	n := 1 + int(d.rest[0])
	b := d.rest[1:n]
	d.rest = d.rest[n:]
	return b
}

// action is what a record counts as; ok is false when it counts nowhere. As in Quay a day counts what the log has, and
// pulls of namespaces whose pulls are not recorded count by tag and manifest alone.
func (r *row) action() (a tally.Action, ok bool) {
	if r.repoID == 0 || r.kind != PullRepo && r.kind != PushRepo {
		return a, false
	}
	push := r.kind == PushRepo
	return tally.Action{
		RepositoryID: r.repoID, AtMS: r.atMS, Push: push, Daily: push || !r.counted.only, Tag: r.counted.tag, Digest: r.counted.digest,
	}, true
}

// countOnly counts a pull that is not recorded. A count that cannot be kept is dropped.
func (l *Log) countOnly(e *Entry) {
	if !l.options.CountPulls || e.Digest.IsZero() || e.RepositoryID == 0 {
		return
	}
	at := e.At
	if at.IsZero() {
		at = l.options.Clock()
	}
	l.keepCount(&row{
		atMS: db.Millis(at), kind: e.Kind, namespaceID: e.NamespaceID, repoID: e.RepositoryID,
		counted: counted{tag: e.Tag, digest: e.Digest, only: true},
	})
}

// countPush counts a push whose entry was written in its own transaction.
func (l *Log) countPush(atMS, namespaceID, repositoryID int64) {
	if l.pulls == nil || repositoryID == 0 {
		return
	}
	l.keepCount(&row{atMS: atMS, kind: PushRepo, namespaceID: namespaceID, repoID: repositoryID, counted: counted{only: true}})
}

func (l *Log) keepCount(r *row) {
	r.metadata = []byte("{}")
	buffer, _ := l.scratch.Get().(*[]byte)
	*buffer = appendRow((*buffer)[:0], r)
	if err := l.pulls.own.Append(*buffer); err != nil {
		l.counts.uncounted.Add(1)
	}
	l.scratch.Put(buffer)
}
