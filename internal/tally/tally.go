// Package tally counts what is done on repositories: pulls and pushes by day, and how often and when each tag and
// manifest was pulled.
//
// It adds up what one transaction brings before it touches a table: a row is written once for each repository and day,
// tag or manifest, however many actions there are, and rows are written in one order, so that two processes which count
// the same repositories wait for each other and never deadlock. That nothing is counted twice is up to the transaction,
// which must also remember that the actions have been counted.
package tally

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
)

// Action is a pull or a push.
type Action struct {
	RepositoryID int64
	AtMS         int64 // in Unix milliseconds
	Push         bool
	Daily        bool          // it counts for the repository's day
	Tag          string        // by which it was pulled; empty for a pull by digest
	Digest       digest.Digest // of the manifest that was pulled; the zero digest counts for no tag and no manifest
}

// DayMS is how many milliseconds a day of repo_day has: its number is that of the day in UTC since 1970.
const DayMS = 24 * 60 * 60 * 1000

// Sorts of what is pulled, as pull_stat.kind has them.
const (
	Tags      = 1 // by its name, whatever it points at
	Manifests = 2 // by its digest
)

type dayKey struct{ repositoryID, day int64 }

type dayCount struct {
	dayKey
	pulls, pushes int64
}

type pullKey struct {
	repositoryID int64
	sort         int
	name         string
}

type pullCount struct {
	pullKey
	pulls, lastMS int64
	digest        digest.Digest
}

// AddTx adds actions to the counts. The transaction's caller sees to it that each action comes once.
func AddTx(ctx context.Context, tx db.Tx, actions []Action) error {
	days, pulled := map[dayKey]*dayCount{}, map[pullKey]*pullCount{}
	for i := range actions {
		a := &actions[i]
		if a.Daily {
			addDay(days, a)
		}
		if a.Push || a.Digest.IsZero() {
			continue
		}
		addPull(pulled, a, Manifests, a.Digest.String())
		if a.Tag != "" {
			addPull(pulled, a, Tags, a.Tag)
		}
	}
	if err := writeTx(ctx, tx, daySQL, dayValues(days)); err != nil {
		return fmt.Errorf("count by day: %w", err)
	}
	if err := writeTx(ctx, tx, pullSQL, pullValues(pulled)); err != nil {
		return fmt.Errorf("count by tag and manifest: %w", err)
	}
	return nil
}

func addDay(days map[dayKey]*dayCount, a *Action) {
	key := dayKey{a.RepositoryID, a.AtMS / DayMS}
	c := days[key]
	if c == nil {
		c = &dayCount{dayKey: key}
		days[key] = c
	}
	if a.Push {
		c.pushes++
	} else {
		c.pulls++
	}
}

func addPull(pulled map[pullKey]*pullCount, a *Action, sort int, name string) {
	key := pullKey{a.RepositoryID, sort, name}
	c := pulled[key]
	if c == nil {
		c = &pullCount{pullKey: key, lastMS: a.AtMS}
		pulled[key] = c
	}
	c.pulls++
	if a.AtMS >= c.lastMS {
		c.lastMS, c.digest = a.AtMS, a.Digest
	}
}

// dayValues are the rows in the order of their key.
func dayValues(days map[dayKey]*dayCount) [][]any {
	all := make([]*dayCount, 0, len(days))
	for _, c := range days {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *dayCount) int {
		return cmp.Or(cmp.Compare(a.repositoryID, b.repositoryID), cmp.Compare(a.day, b.day))
	})
	rows := make([][]any, len(all))
	for i, c := range all {
		rows[i] = []any{c.repositoryID, c.day, c.pulls, c.pushes}
	}
	return rows
}

// pullValues are the rows in the order of their key.
func pullValues(pulled map[pullKey]*pullCount) [][]any {
	all := make([]*pullCount, 0, len(pulled))
	for _, c := range pulled {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *pullCount) int {
		return cmp.Or(cmp.Compare(a.repositoryID, b.repositoryID), cmp.Compare(a.sort, b.sort), strings.Compare(a.name, b.name))
	})
	rows := make([][]any, len(all))
	for i, c := range all {
		rows[i] = []any{c.repositoryID, c.sort, c.name, c.pulls, c.lastMS, c.digest.Bytes()}
	}
	return rows
}

// daySQL and pullSQL stand before and behind the rows.
var (
	daySQL = statement{
		`INSERT INTO repo_day (repo_id, day, pulls, pushes) VALUES `,
		` ON CONFLICT (repo_id, day) DO UPDATE SET pulls = repo_day.pulls + excluded.pulls, pushes = repo_day.pushes + excluded.pushes`,
	}
	pullSQL = statement{
		`INSERT INTO pull_stat (repo_id, kind, key, pulls, last_ms, digest) VALUES `,
		` ON CONFLICT (repo_id, kind, key) DO UPDATE SET pulls = pull_stat.pulls + excluded.pulls,
			digest = CASE WHEN excluded.last_ms >= pull_stat.last_ms THEN excluded.digest ELSE pull_stat.digest END,
			last_ms = CASE WHEN excluded.last_ms >= pull_stat.last_ms THEN excluded.last_ms ELSE pull_stat.last_ms END`,
	}
)

type statement struct{ before, behind string }

// of is the statement for so many rows of so many columns.
func (s statement) of(rows, columns int) string {
	var b strings.Builder
	b.WriteString(s.before)
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	b.WriteByte(')')
	b.WriteString(s.behind)
	return b.String()
}

// together is how many rows a statement has while there are so many; the rest come one by one, so that few statements
// are prepared.
const together = 8

func writeTx(ctx context.Context, tx db.Tx, s statement, rows [][]any) error {
	for len(rows) > 0 {
		n := 1
		if len(rows) >= together {
			n = together
		}
		if _, err := tx.Exec(ctx, s.of(n, len(rows[0])), slices.Concat(rows[:n]...)...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}
