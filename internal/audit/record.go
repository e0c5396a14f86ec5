package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/longshore-registry/longshore/internal/db"
)

// RecordTx writes the entry of a change in the change's transaction. What the entry leaves out of performer, address
// and metadata is taken from the context's Actor; metadata only as far as the kind takes it.
//
// It does not fail for want of a table: at the border of a month whose table nobody has made yet it makes it, in the
// same transaction.
func (l *Log) RecordTx(ctx context.Context, tx db.Tx, e Entry) error {
	if l.options.ReadOnly || l.silence.Load().all[e.NamespaceID] {
		return nil
	}
	r := l.rowOf(actorOf(ctx), e)
	if err := r.check(); err != nil {
		return err
	}
	if err := l.monthTx(ctx, tx, monthOf(r.atMS)); err != nil {
		return fmt.Errorf("record %s: %w", e.Kind, err)
	}
	if _, err := tx.Exec(ctx, insertText(monthOf(r.atMS), 1, false), r.values()...); err != nil {
		return fmt.Errorf("record %s: %w", e.Kind, err)
	}
	l.counts.recorded.Add(1)
	if e.Kind == PushRepo {
		tx.AfterCommit(func() { l.countPush(r.atMS, r.namespaceID, r.repoID) })
	}
	return nil
}

// Record is RecordTx in a transaction of its own, for what changes nothing else.
func (l *Log) Record(ctx context.Context, e Entry) error {
	return l.db.Hard(ctx, "record in the action log", func(ctx context.Context, tx db.Tx) error { return l.RecordTx(ctx, tx, e) })
}

// Change is RecordTx for packages that know nothing of this one: the kind is Quay's name, such as "create_repo", and an
// identifier of 0 is none. Performer and address come from the context's Actor.
func (l *Log) Change(ctx context.Context, tx db.Tx, kind string, namespaceID, repositoryID int64, metadata map[string]any) error {
	k, ok := ParseKind(kind)
	if !ok {
		return fmt.Errorf("there is no kind of log entry %q", kind)
	}
	fields, err := Fields(metadata)
	if err != nil {
		return err
	}
	return l.RecordTx(ctx, tx, Entry{Kind: k, NamespaceID: namespaceID, RepositoryID: repositoryID, Metadata: fields})
}

// rowOf completes an entry.
func (l *Log) rowOf(a *Actor, e Entry) row {
	fields := e.Metadata
	for _, f := range a.Who {
		if e.Kind.tellsWho(f.Name) && !named(fields, f.Name) {
			fields = append(slices.Clip(fields), f)
		}
	}
	r := row{
		id: l.number(), kind: e.Kind, namespaceID: e.NamespaceID, repoID: e.RepositoryID, performerID: e.PerformerID, ip: e.IP,
		metadata: appendMetadata(nil, fields, a.Fields, 0),
	}
	if r.performerID == 0 {
		r.performerID = a.AccountID
	}
	if !r.ip.IsValid() {
		r.ip = a.IP
	}
	if e.At.IsZero() {
		e.At = l.options.Clock()
	}
	r.atMS = db.Millis(e.At)
	return r
}

// monthTx makes sure that a month has its table. What the transaction makes counts as known when it is committed.
func (l *Log) monthTx(ctx context.Context, tx db.Tx, m month) error {
	if l.months.has(m) {
		return nil
	}
	if _, err := l.claimMonthTx(ctx, tx, m); err != nil {
		return err
	}
	tx.AfterCommit(func() { l.months.add(m) })
	return nil
}

// rowColumns is the number of columns.
const rowColumns = 8

// insertText inserts so many rows into a month. again: rows that are there already are left alone.
func insertText(m month, rows int, again bool) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + m.table() + " (" + columns + ") VALUES ")
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		n := i * rowColumns
		fmt.Fprintf(&b, "($%d, $%d, $%d, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6, n+7, n+8)
	}
	if again {
		b.WriteString(" ON CONFLICT (at_ms, id) DO NOTHING")
	}
	return b.String()
}

// insertTx inserts rows of one month. Statements come in few sizes, so that few are prepared: the last rows of an
// uneven number are repeated, which changes nothing. SQLite's driver looks for each parameter's name among all others,
// so there they are shorter.
func insertTx(ctx context.Context, tx db.Tx, m month, rows []row) error {
	many, some := 64, 8
	if tx.Dialect() == db.SQLite {
		many, some = 16, 4
	}
	for len(rows) > 0 {
		size := 1
		if len(rows) > some {
			size = many
		} else if len(rows) > 1 {
			size = some
		}
		n := min(size, len(rows))
		values := make([]any, 0, size*rowColumns)
		for i := range size {
			values = append(values, rows[min(i, n-1)].values()...)
		}
		if _, err := tx.Exec(ctx, insertText(m, size, true), values...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// insertMonthsTx inserts rows in their order, each into its month.
func insertMonthsTx(ctx context.Context, tx db.Tx, rows []row) error {
	for len(rows) > 0 {
		m := monthOf(rows[0].atMS)
		n := slices.IndexFunc(rows, func(r row) bool { return monthOf(r.atMS) != m })
		if n < 0 {
			n = len(rows)
		}
		if err := insertTx(ctx, tx, m, rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}
