package audit

import (
	"cmp"
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
	return l.recordTx(ctx, tx, []Entry{e})
}

// recordTx writes several entries, in few statements.
func (l *Log) recordTx(ctx context.Context, tx db.Tx, entries []Entry) error {
	var rows []row
	var known month
	for _, e := range entries {
		if l.options.ReadOnly || l.silence.Load().all[e.NamespaceID] {
			continue
		}
		r := l.rowOf(actorOf(ctx), e)
		if err := r.check(); err != nil {
			return err
		}
		if m := monthOf(r.atMS); len(rows) == 0 || m != known {
			if err := l.monthTx(ctx, tx, m); err != nil {
				return fmt.Errorf("record %s: %w", e.Kind, err)
			}
			known = m
		}
		if e.Kind == PushRepo {
			tx.AfterCommit(func() { l.countPush(r.atMS, r.namespaceID, r.repoID) })
		}
		rows = append(rows, r)
	}
	var err error
	if len(rows) == 1 {
		_, err = tx.Exec(ctx, insertText(known, 1), rows[0].appendValues(nil)...)
	} else {
		err = insertMonthsTx(ctx, tx, rows)
	}
	if err != nil {
		return fmt.Errorf("record %s: %w", entries[0].Kind, err)
	}
	l.counts.recorded.Add(uint64(len(rows)))
	return nil
}

// Record is RecordTx in a transaction of its own, for what changes nothing else.
func (l *Log) Record(ctx context.Context, e Entry) error {
	return l.db.Hard(ctx, "record in the action log", func(ctx context.Context, tx db.Tx) error { return l.RecordTx(ctx, tx, e) })
}

// Change is RecordTx for packages that know nothing of this one: the kind is Quay's name, such as "create_repo", and an
// identifier of 0 is none. Performer and address come from the context's Actor. Each metadata makes an entry.
func (l *Log) Change(ctx context.Context, tx db.Tx, kind string, namespaceID, repositoryID int64, metadata ...map[string]any) error {
	k, ok := ParseKind(kind)
	if !ok {
		return fmt.Errorf("there is no kind of log entry %q", kind)
	}
	entries := make([]Entry, len(metadata))
	for i, members := range metadata {
		fields, err := Fields(members)
		if err != nil {
			return err
		}
		entries[i] = Entry{Kind: k, NamespaceID: namespaceID, RepositoryID: repositoryID, Metadata: fields}
	}
	return l.recordTx(ctx, tx, entries)
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

// insertText inserts so many rows into a month.
func insertText(m month, rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + m.table() + " (" + columns + ") VALUES ")
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		n := i * rowColumns
		fmt.Fprintf(&b, "($%d, $%d, $%d, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6, n+7, n+8)
	}
	return b.String()
}

// insertManyText is insertText that leaves rows alone that are there already. On SQLite its parameters have no names,
// which would be looked for one among all others, and OR IGNORE in place of ON CONFLICT says that the statement cannot
// fail after its first row: else the pages that each statement changes would be copied before.
func insertManyText(d db.Dialect, m month, rows int) string {
	if d == db.PostgreSQL {
		return insertText(m, rows) + " ON CONFLICT (at_ms, id) DO NOTHING"
	}
	return "INSERT OR IGNORE INTO " + m.table() + " (" + columns + ") VALUES " +
		strings.Repeat("(?, ?, ?, ?, ?, ?, ?, ?), ", rows-1) + "(?, ?, ?, ?, ?, ?, ?, ?)"
}

// Statements come in two sizes beside single rows, so that few are prepared.
const (
	manyRows = 64
	someRows = 8
)

// insertTx inserts rows of one month. The last rows of an uneven number are repeated, which changes nothing.
func insertTx(ctx context.Context, tx db.Tx, m month, rows []row) error {
	values := make([]any, 0, manyRows*rowColumns)
	for len(rows) > 0 {
		size := 1
		if len(rows) > someRows {
			size = manyRows
		} else if len(rows) > 1 {
			size = someRows
		}
		n := min(size, len(rows))
		values = values[:0]
		for i := range size {
			values = rows[min(i, n-1)].appendValues(values)
		}
		if _, err := tx.Exec(ctx, insertManyText(tx.Dialect(), m, size), values...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// insertMonthsTx inserts rows, each into its month, those beside each other that lie so in the indexes: a batch then
// changes each page of an index once. It changes their order.
func insertMonthsTx(ctx context.Context, tx db.Tx, rows []row) error {
	for _, group := range byMonth(rows) {
		slices.SortFunc(group.rows, byPlace)
		if err := insertTx(ctx, tx, group.month, group.rows); err != nil {
			return err
		}
	}
	return nil
}

// monthRows are rows of one month.
type monthRows struct {
	month month
	rows  []row
}

// byMonth splits rows where the month changes.
func byMonth(rows []row) (groups []monthRows) {
	for len(rows) > 0 {
		m := monthOf(rows[0].atMS)
		from, to := m.start(), m.next().start()
		n := slices.IndexFunc(rows, func(r row) bool { return r.atMS < from || r.atMS >= to })
		if n < 0 {
			n = len(rows)
		}
		groups = append(groups, monthRows{m, rows[:n]})
		rows = rows[n:]
	}
	return groups
}

func byPlace(a, b row) int {
	if c := cmp.Compare(a.namespaceID, b.namespaceID); c != 0 {
		return c
	}
	if c := cmp.Compare(a.repoID, b.repoID); c != 0 {
		return c
	}
	if c := cmp.Compare(a.performerID, b.performerID); c != 0 {
		return c
	}
	if c := cmp.Compare(a.atMS, b.atMS); c != 0 {
		return c
	}
	return cmp.Compare(a.id, b.id)
}
