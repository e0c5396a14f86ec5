package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/tally"
)

// Count is how many entries of a kind a day has.
type Count struct {
	Kind  string
	Day   time.Time // its beginning, in UTC
	Count int64
}

// Counts gives the number of entries by day and kind, in that order. It takes two queries, and reads an index entry for
// each entry counted; only the whole registry's counts read the tables.
func (l *Log) Counts(ctx context.Context, q Query) ([]Count, error) {
	ctx = db.Heavy(ctx)
	at := begin(q, nil)
	var counts []Count
	err := l.overMonths(ctx, q, at, func(all []month) (err error) {
		counts, err = l.countMonths(ctx, q, all)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count the action log: %w", err)
	}
	return counts, nil
}

// countText asks each month; no day lies in two.
func countText(q Query, all []month) (string, []any) {
	c := q.conditions([]any{max(0, db.Millis(q.From)), db.Millis(q.To)})
	if c.column != "" {
		c.others += c.column + " = " + c.parameter + " AND "
	}
	parts := make([]string, len(all))
	for i, m := range all {
		parts[i] = fmt.Sprintf("SELECT at_ms / %d AS day, kind, COUNT(*) AS entries FROM %s WHERE %sat_ms >= $1 AND at_ms < $2 GROUP BY 1, 2",
			tally.DayMS, m.table(), c.others)
	}
	return strings.Join(parts, " UNION ALL ") + " ORDER BY 1, 2", c.args
}

func (l *Log) countMonths(ctx context.Context, q Query, all []month) ([]Count, error) {
	text, args := countText(q, all)
	rows, err := l.read.Query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	type counted struct{ day, kind, n int64 }
	list, err := collect(rows, func(c *counted) []any { return []any{&c.day, &c.kind, &c.n} })
	if err != nil {
		return nil, err
	}
	counts := make([]Count, len(list))
	for i, c := range list {
		counts[i] = Count{Kind: Kind(c.kind).String(), Day: db.Time(c.day * tally.DayMS), Count: c.n}
	}
	return counts, nil
}
