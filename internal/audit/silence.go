package audit

import (
	"context"
	"fmt"
)

// silence are the accounts in whose namespaces nothing, or no pull, is recorded.
type silence struct{ all, pulls map[int64]bool }

// listen looks up who the named accounts are now.
func (l *Log) listen(ctx context.Context) error {
	all, err := l.accountIDs(ctx, l.options.Silent)
	if err != nil {
		return err
	}
	only, err := l.accountIDs(ctx, l.options.SilentPulls)
	if err != nil {
		return err
	}
	for id := range all {
		only[id] = true
	}
	l.silence.Store(&silence{all: all, pulls: only})
	return nil
}

func (l *Log) accountIDs(ctx context.Context, names []string) (map[int64]bool, error) {
	ids := map[int64]bool{}
	for _, name := range names {
		rows, err := l.db.Query(ctx, "SELECT id FROM account WHERE name = $1 AND deleted_ms IS NULL", name)
		if err != nil {
			return nil, fmt.Errorf("look up an account that is not recorded: %w", err)
		}
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				rows.Close()
				return nil, err
			}
			ids[id] = true
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
