package audit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
)

// month is a calendar month in UTC, as 202611.
type month int64

func monthOf(ms int64) month {
	t := db.Time(ms)
	return month(t.Year()*100 + int(t.Month()))
}

// start is the month's first moment, in ms.
func (m month) start() int64 {
	return db.Millis(time.Date(int(m)/100, time.Month(m%100), 1, 0, 0, 0, 0, time.UTC))
}

func (m month) next() month {
	if m%100 == 12 {
		return m + 100 - 11
	}
	return m + 1
}

// table is the month's table.
func (m month) table() string { return fmt.Sprintf("audit_%06d", int64(m)) }

// ddl makes the month's table. The indexes cover the counts by kind and day; that of performers also tells namespaces
// apart, so that a performer's entries in one namespace are found without reading those of all others.
func (m month) ddl(d db.Dialect) []string {
	number, small, suffix := "INTEGER", "INTEGER", " STRICT, WITHOUT ROWID"
	if d == db.PostgreSQL {
		number, small, suffix = "BIGINT", "SMALLINT", " WITH (autovacuum_vacuum_insert_scale_factor = 0.01)"
	}
	t := m.table()
	return []string{
		`CREATE TABLE IF NOT EXISTS ` + t + ` (at_ms ` + number + ` NOT NULL, id ` + number + ` NOT NULL, kind ` + small + ` NOT NULL,
			namespace_id ` + number + `, repo_id ` + number + `, performer_id ` + number + `, ip TEXT, metadata TEXT NOT NULL,
			PRIMARY KEY (at_ms, id))` + suffix,
		`CREATE INDEX IF NOT EXISTS ` + t + `_namespace ON ` + t + ` (namespace_id, at_ms, id, kind) WHERE namespace_id IS NOT NULL`,
		`CREATE INDEX IF NOT EXISTS ` + t + `_repository ON ` + t + ` (repo_id, at_ms, id, kind) WHERE repo_id IS NOT NULL`,
		`CREATE INDEX IF NOT EXISTS ` + t + `_performer ON ` + t + ` (performer_id, at_ms, id, namespace_id, kind) WHERE performer_id IS NOT NULL`,
	}
}

// The states of a month.
const (
	inUse    = 1
	emptying = 2
)

// months remembers which tables are known to be there.
type months struct {
	mu    sync.RWMutex
	known map[month]bool
}

func (k *months) has(m month) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.known[m]
}

func (k *months) add(m month) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		k.known = make(map[month]bool)
	}
	k.known[m] = true
}

// forget makes every table be looked for again.
func (k *months) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known = nil
}

// makeAhead makes the tables of this month and the next.
func (l *Log) makeAhead(ctx context.Context) error {
	now := monthOf(db.Millis(l.options.Clock()))
	for _, m := range []month{now, now.next()} {
		if err := l.makeMonth(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// makeMonth makes sure that a month has its table, in a transaction of its own. A table that somebody has dropped by
// hand is made again.
func (l *Log) makeMonth(ctx context.Context, m month) error {
	if l.months.has(m) {
		return nil
	}
	err := l.db.Hard(ctx, "make a month of the action log", func(ctx context.Context, tx db.Tx) error {
		made, err := l.claimMonthTx(ctx, tx, m)
		if err != nil || made {
			return err
		}
		there, err := hasTable(ctx, tx, m.table())
		if err != nil || there {
			return err
		}
		return runAll(ctx, tx, m.ddl(tx.Dialect()))
	})
	if err != nil {
		return fmt.Errorf("make the table %s: %w", m.table(), err)
	}
	l.months.add(m)
	return nil
}

// claimMonthTx makes the table of a month that has none. Of several transactions that do so at once, one inserts the
// row and makes the table; the others wait at the row until that one has ended, and find the table there, or make it
// after all. So no statement can fail because of another transaction, and the caller's goes on.
func (l *Log) claimMonthTx(ctx context.Context, tx db.Tx, m month) (made bool, err error) {
	n, err := tx.Exec(ctx, `INSERT INTO audit_month (month, state) VALUES ($1, $2) ON CONFLICT (month) DO NOTHING`, int64(m), inUse)
	if err != nil || n == 0 {
		return false, err
	}
	return true, runAll(ctx, tx, m.ddl(tx.Dialect()))
}

func runAll(ctx context.Context, tx db.Tx, statements []string) error {
	for _, s := range statements {
		if _, err := tx.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func hasTable(ctx context.Context, q db.Tx, table string) (bool, error) {
	query := "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = $1"
	if q.Dialect() == db.PostgreSQL {
		query = "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass($1)"
	}
	var n int64
	err := q.QueryRow(ctx, query, table).Scan(&n)
	return n > 0, err
}
