package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
)

// Query says which entries are meant. An identifier of 0 is any.
type Query struct {
	NamespaceID  int64
	RepositoryID int64
	PerformerID  int64
	From, To     time.Time // entries at From or later and before To
	Kinds        []Kind    // only these; empty for all
	Without      []Kind    // not these
}

// Cursor is a place in a list: what follows it is older. It says nothing but times and numbers of entries; a caller
// that gives it to clients seals it, and repeats the query it belongs to.
type Cursor struct {
	AtMS int64 `json:"t"`
	ID   int64 `json:"i"`
	Page int   `json:"p"` // pages before it
}

// Page is a part of a list, the newest entry first.
type Page struct {
	Entries []Recorded
	Next    *Cursor // where the list goes on; nil at its end
}

// Recorded is an entry as it was stored.
type Recorded struct {
	Kind         string // Quay's name
	At           time.Time
	Performer    *Party // nil when nobody is known, or the account's row is gone
	Namespace    *Party
	RepositoryID int64
	IP           string // empty when unknown
	Metadata     json.RawMessage
}

// Party is an account that an entry names.
type Party struct {
	ID      int64
	Name    string
	Kind    identity.Kind
	Email   string
	Deleted bool
}

// MaxPage is the largest number of entries on a page.
const MaxPage = 100

// List gives a page of at most limit entries that follow a cursor, nil for the beginning, with the names of performers
// and namespaces. It takes two queries, whatever the number of entries and months, and a third where the newest month does
// not fill the page.
func (l *Log) List(ctx context.Context, q Query, after *Cursor, limit int) (Page, error) {
	limit = min(max(limit, 1), MaxPage)
	at := begin(q, after)
	var entries []stored
	err := l.overMonths(ctx, q, at, func(all []month) (err error) {
		entries, err = l.entries(ctx, q, all, at, limit+1)
		return err
	})
	if err != nil {
		return Page{}, fmt.Errorf("list the action log: %w", err)
	}
	var page Page
	if len(entries) > limit {
		entries = entries[:limit]
		if pages := at.Page + 1; l.options.MaxPages <= 0 || pages < l.options.MaxPages {
			last := entries[limit-1]
			page.Next = &Cursor{AtMS: last.atMS, ID: last.id, Page: pages}
		}
	}
	for i := range entries {
		page.Entries = append(page.Entries, entries[i].Recorded)
	}
	return page, nil
}

// begin is where a list goes on. Ids begin at 1, so the first entry is older than (To, 0).
func begin(q Query, after *Cursor) Cursor {
	start := Cursor{AtMS: db.Millis(q.To)}
	if after != nil && after.AtMS < start.AtMS {
		return *after
	}
	return start
}

// overMonths calls read with the months that a query touches, the newest first. A month that is removed meanwhile makes
// read fail; then it is called once more without it.
func (l *Log) overMonths(ctx context.Context, q Query, at Cursor, read func([]month) error) error {
	all, err := l.monthsOf(ctx, q, at)
	if err != nil || len(all) == 0 {
		return err
	}
	failed := read(all)
	if failed == nil || ctx.Err() != nil {
		return failed
	}
	left, err := l.monthsOf(ctx, q, at)
	switch {
	case err != nil || len(left) == len(all):
		return failed
	case len(left) == 0:
		return nil
	}
	return read(left)
}

func (l *Log) monthsOf(ctx context.Context, q Query, at Cursor) ([]month, error) {
	from := max(0, db.Millis(q.From))
	if at.AtMS < from {
		return nil, nil
	}
	rows, err := l.read.Query(ctx, "SELECT month FROM audit_month WHERE state = $1 AND month BETWEEN $2 AND $3 ORDER BY month DESC",
		inUse, int64(monthOf(from)), int64(monthOf(at.AtMS)))
	if err != nil {
		return nil, err
	}
	return collect(rows, func(m *month) []any { return []any{m} })
}

// stored is an entry with its key.
type stored struct {
	Recorded
	atMS, id int64
}

// entries reads the first entries after a cursor that lie in some months, the newest first. The newest month alone fills
// a page as a rule; a statement over a year's tables is one that PostgreSQL plans anew for each request.
func (l *Log) entries(ctx context.Context, q Query, all []month, at Cursor, limit int) ([]stored, error) {
	entries, err := l.entriesOf(ctx, q, all[:1], at, limit)
	if err != nil || len(entries) == limit || len(all) == 1 {
		return entries, err
	}
	older, err := l.entriesOf(ctx, q, all[1:], at, limit-len(entries))
	return append(entries, older...), err
}

// entriesOf reads from all of the months in one query.
func (l *Log) entriesOf(ctx context.Context, q Query, all []month, at Cursor, limit int) ([]stored, error) {
	text, args := listText(l.db.Dialect(), q, all, at, limit)
	rows, err := l.read.Query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	targets, err := collect(rows, (*entryTargets).pointers)
	if err != nil {
		return nil, err
	}
	entries := make([]stored, len(targets))
	for i := range targets {
		entries[i] = targets[i].entry()
	}
	return entries, nil
}

// listText asks each month for its newest entries, takes the newest of those, and joins the names.
//
// A month is asked for a range of the index of what is meant and in that index's order, the constant first column
// included: so written, no other index gives the order, and PostgreSQL cannot be tempted to walk the whole registry's
// entries until it has met enough of one namespace.
func listText(d db.Dialect, q Query, all []month, at Cursor, limit int) (string, []any) {
	args := []any{max(0, db.Millis(q.From)), at.AtMS, at.ID, int64(limit)}
	c := q.conditions(args)
	key, from, to, order := "at_ms, id", "$1, 0", "$2, $3", "at_ms DESC, id DESC"
	if c.column != "" {
		key, order = c.column+", "+key, c.column+" DESC, "+order
		from, to = c.parameter+", "+from, c.parameter+", "+to
		c.others += c.column + " IS NOT NULL AND "
	}
	var b strings.Builder
	b.WriteString("SELECT e." + strings.ReplaceAll(columns, ", ", ", e.") + `,
		p.name, p.kind, p.email, p.deleted_ms, n.name, n.kind, n.email, n.deleted_ms
		FROM (SELECT ` + columns + " FROM (")
	for i, m := range all {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		fmt.Fprintf(&b, "SELECT %s FROM (SELECT %[1]s FROM %s WHERE %s(%s) >= (%s) AND (%[4]s) < (%[6]s) ORDER BY %[7]s LIMIT $4) AS m%[8]d",
			columns, m.table(), c.others, key, from, to, order, i)
	}
	b.WriteString(`) AS u ORDER BY at_ms DESC, id DESC LIMIT $4) AS e` + d.LookUp("LEFT JOIN", "account p", "e.performer_id") + d.LookUp("LEFT JOIN", "account n", "e.namespace_id") + `
		ORDER BY e.at_ms DESC, e.id DESC`)
	return b.String(), c.args
}

// conditions are those of a query but for the time. The first column that is asked for chooses the index, since it
// holds the fewest entries as a rule: performer, repository, namespace.
type conditions struct {
	column, parameter string // equal; empty for none
	others            string // each followed by AND
	args              []any
}

func (q Query) conditions(args []any) conditions {
	c := conditions{args: args}
	for _, x := range []struct {
		column string
		id     int64
	}{{"performer_id", q.PerformerID}, {"repo_id", q.RepositoryID}, {"namespace_id", q.NamespaceID}} {
		if x.id == 0 {
			continue
		}
		c.args = append(c.args, x.id)
		parameter := "$" + strconv.Itoa(len(c.args))
		if c.column == "" {
			c.column, c.parameter = x.column, parameter
		} else {
			c.others += x.column + " + 0 = " + parameter + " AND " // an expression is not taken for another index's column
		}
	}
	c.others += kindList("kind IN (", q.Kinds) + kindList("kind NOT IN (", q.Without)
	return c
}

// kindList is a condition with the kinds' numbers in its text: there are few different lists.
func kindList(condition string, list []Kind) string {
	if len(list) == 0 {
		return ""
	}
	numbers := make([]string, len(list))
	for i, k := range list {
		numbers[i] = strconv.Itoa(int(k))
	}
	return condition + strings.Join(numbers, ", ") + ") AND "
}

// partyTargets are the scan targets of a joined account.
type partyTargets struct {
	name, email   sql.NullString
	kind, deleted sql.NullInt64
}

func (t *partyTargets) party(id sql.NullInt64) *Party {
	if !t.name.Valid {
		return nil
	}
	return &Party{ID: id.Int64, Name: t.name.String, Kind: identity.Kind(t.kind.Int64), Email: t.email.String, Deleted: t.deleted.Valid}
}

// entryTargets are the scan targets of listText.
type entryTargets struct {
	atMS, id, kind             int64
	namespace, repo, performer sql.NullInt64
	ip                         sql.NullString
	metadata                   string
	p, n                       partyTargets
}

func (t *entryTargets) pointers() []any {
	return []any{
		&t.atMS, &t.id, &t.kind, &t.namespace, &t.repo, &t.performer, &t.ip, &t.metadata,
		&t.p.name, &t.p.kind, &t.p.email, &t.p.deleted, &t.n.name, &t.n.kind, &t.n.email, &t.n.deleted,
	}
}

func (t *entryTargets) entry() stored {
	return stored{
		Recorded: Recorded{
			Kind: Kind(t.kind).String(), At: db.Time(t.atMS), Performer: t.p.party(t.performer), Namespace: t.n.party(t.namespace),
			RepositoryID: t.repo.Int64, IP: t.ip.String, Metadata: json.RawMessage(t.metadata),
		},
		atMS: t.atMS, id: t.id,
	}
}
