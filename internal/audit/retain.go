package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
)

// retainRows are deleted in one transaction where a table is emptied before it is dropped.
const retainRows = 100

// firstKept is the oldest month that the retention keeps; 0 for all.
func (l *Log) firstKept() month {
	if l.options.Retention <= 0 {
		return 0
	}
	return monthOf(max(0, db.Millis(l.options.Clock().Add(-l.options.Retention))))
}

// Retain removes the months that are wholly older than the retention, and forgets spools that have not moved for as
// long. It runs by itself every ten minutes; an interrupted removal is finished by the next.
func (l *Log) Retain(ctx context.Context) error {
	ctx = db.Background(ctx)
	if err := l.forgetSpools(ctx); err != nil {
		return err
	}
	// A month that is being emptied goes even if the retention was lengthened meanwhile: it is no longer whole.
	rows, err := l.db.Query(ctx, "SELECT month FROM audit_month WHERE month < $1 OR state = $2 ORDER BY month", int64(l.firstKept()), emptying)
	if err != nil {
		return fmt.Errorf("look for old months of the action log: %w", err)
	}
	old, err := collect(rows, func(m *month) []any { return []any{m} })
	if err != nil {
		return err
	}
	for _, m := range old {
		if err := l.removeMonth(ctx, m); err != nil {
			return fmt.Errorf("remove the table %s: %w", m.table(), err)
		}
		l.options.Log.Info("a month of the action log was removed", "month", int64(m))
	}
	return nil
}

// removeMonth takes a month out of the lists, then drops its table. On SQLite dropping a large table would hold the
// writer for its size, so it is emptied in slices before.
func (l *Log) removeMonth(ctx context.Context, m month) error {
	if _, err := l.db.Exec(ctx, "UPDATE audit_month SET state = $1 WHERE month = $2", emptying, int64(m)); err != nil {
		return err
	}
	if l.db.Dialect() == db.SQLite {
		if err := l.emptyMonth(ctx, m); err != nil {
			return err
		}
	}
	err := l.db.Hard(ctx, "drop a month of the action log", func(ctx context.Context, tx db.Tx) error {
		return runAll(ctx, tx, []string{
			"DROP TABLE IF EXISTS " + m.table(),
			fmt.Sprintf("DELETE FROM audit_month WHERE month = %d", int64(m)),
		})
	})
	if err != nil {
		return err
	}
	l.months.forget()
	return nil
}

// emptyMonth deletes what is in a month's table, if it is still there: others may be removing it too.
func (l *Log) emptyMonth(ctx context.Context, m month) error {
	query := fmt.Sprintf("DELETE FROM %s WHERE (at_ms, id) IN (SELECT at_ms, id FROM %[1]s ORDER BY at_ms, id LIMIT %d)", m.table(), retainRows)
	for {
		var n int64
		err := l.db.Soft(ctx, "empty a month of the action log", func(ctx context.Context, tx db.Tx) error {
			there, err := hasTable(ctx, tx, m.table())
			if err != nil || !there {
				n = 0
				return err
			}
			n, err = tx.Exec(ctx, query)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// spoolKept is how long the position of a spool is remembered that nobody empties.
const spoolKept = 90 * 24 * time.Hour

// forgetSpools removes the positions of spools whose files are gone with their machine, not of those that this process
// has. A spool that comes back after all is stored again: what is still in its month keeps its key and is not added
// twice, and nothing of it is counted, see source.
func (l *Log) forgetSpools(ctx context.Context) error {
	now := l.options.Clock()
	for _, id := range l.pulls.ids() {
		if _, err := l.db.Exec(ctx, "UPDATE audit_spool SET moved_ms = $1 WHERE id = $2", db.Millis(now), id); err != nil {
			return fmt.Errorf("keep the position of a spool: %w", err)
		}
	}
	if _, err := l.db.Exec(ctx, "DELETE FROM audit_spool WHERE moved_ms < $1", db.Millis(now.Add(-spoolKept))); err != nil {
		return fmt.Errorf("forget old spools: %w", err)
	}
	return nil
}

// collect reads all rows into a list; targets gives the scan targets of an item.
func collect[T any](rows db.Rows, targets func(*T) []any) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		var item T
		if err := rows.Scan(targets(&item)...); err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, rows.Err()
}
