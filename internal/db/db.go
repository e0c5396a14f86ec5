// Package db opens the database and runs statements and transactions on SQLite and PostgreSQL alike.
//
// One SQL text serves both: $n parameters, RETURNING, ON CONFLICT, times as Unix milliseconds, booleans as 0 and 1,
// JSON as text, digests as bytes. What may differ is asked of the Tx: row locks, advisory locks. Arguments are what
// database/sql's default converter takes; an integer of any Go type fits any integer column that can hold it.
//
// A write is hard or soft. A hard transaction is on disk before Hard returns nil: it survives a power cut. A soft one
// survives the death of the process but perhaps not a power cut (upload sessions, leases, statistics). Both are
// visible to every other connection when they return.
//
// On SQLite one goroutine owns the only connection that writes. It takes what is queued, runs each transaction under
// a savepoint, commits them together and answers all: concurrent requests share one sync of the log. On PostgreSQL
// hard and soft transactions have pools of their own.
//
// The two behave the same where they could differ: after a failed statement a transaction does nothing more and is
// rolled back; a result must be read to its end or closed before the next statement; a transaction cannot be started
// inside another.
package db

import (
	"context"
	"database/sql"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// Dialect says which database answers.
type Dialect uint8

// The databases.
const (
	SQLite Dialect = iota
	PostgreSQL
)

// String gives the database's own name.
func (d Dialect) String() string {
	if d == PostgreSQL {
		return "PostgreSQL"
	}
	return "SQLite"
}

// LookUp is a JOIN, or LEFT JOIN, of the one row of "table alias" whose id is that of a row before it. PostgreSQL looks
// it up for each of these: left to choose, it reads all of a table of some thousand rows for a page of twenty.
func (d Dialect) LookUp(join, tableAlias, id string) string {
	_, alias, _ := strings.Cut(tableAlias, " ")
	row := alias + `.id = ` + id
	if d == PostgreSQL {
		return ` ` + join + ` LATERAL (SELECT * FROM ` + tableAlias + ` WHERE ` + row + ` LIMIT 1) AS ` + alias + ` ON TRUE`
	}
	return ` ` + join + ` ` + tableAlias + ` ON ` + row
}

// ErrNoRows is what Row.Scan returns when the query had no row, on both databases.
var ErrNoRows = sql.ErrNoRows

// Rows is a result read row by row. Close is idempotent; Err is read after the last Next.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// Row is a result of at most one row; Scan returns ErrNoRows when there was none.
type Row interface {
	Scan(dest ...any) error
}

// Queryer runs statements. Exec gives the number of rows it changed.
type Queryer interface {
	Exec(ctx context.Context, query string, args ...any) (int64, error)
	Query(ctx context.Context, query string, args ...any) (Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) Row
}

// LockMode is shared or exclusive.
type LockMode uint8

// The lock modes.
const (
	Shared LockMode = iota
	Exclusive
)

// LockSpace keeps advisory locks of different things apart.
type LockSpace int32

// The things that are locked by identifier.
const (
	LockRepository LockSpace = 1 // pushes hold it shared; collection, purge, restore and state changes alone (core protocol)
	LockNamespace  LockSpace = 2 // creation of accounts and repositories in a namespace, membership of its owners
)

// Tx is a running transaction. It must not be used after the function it was given to has returned.
type Tx interface {
	Queryer
	// Dialect says which database answers.
	Dialect() Dialect
	// ForUpdate is " FOR UPDATE" where rows can be locked and empty on SQLite, where each transaction runs alone.
	ForUpdate() string
	// Lock takes the advisory lock (space, id) until the transaction ends; on SQLite it does nothing.
	Lock(ctx context.Context, space LockSpace, id int64, mode LockMode) error
	// AfterCommit registers what must happen once the transaction is committed and before Hard or Soft returns:
	// dropping cache entries. It must be quick and use no database. It is not called when the transaction fails, but it
	// is when the commit was attempted and failed, since the change may have happened. On SQLite it comes before any
	// other transaction that saw the change returns.
	AfterCommit(func())
}

// engine is what each database implements.
type engine interface {
	Query(ctx context.Context, query string, args ...any) (Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) Row
	queryOnce(ctx context.Context, query string, args ...any) (Rows, error)
	transact(ctx context.Context, r request) error
	ping(ctx context.Context) error
	// schemaDB lends a connection pool without statement limits, for migrations.
	schemaDB(ctx context.Context) (*sql.DB, func() error, error)
	close() error
}

// request is a transaction that waits to be run.
type request struct {
	name string
	hard bool
	fn   func(ctx context.Context, tx Tx) error
}

// DB is an open database. Its methods may be called concurrently.
type DB struct {
	engine  engine
	dialect Dialect
	log     *slog.Logger
	sqlite  *sqliteEngine // nil on PostgreSQL
	address Address
	watch   func(transaction string, m Moment) error // nil for nobody
	queries atomic.Uint64
}

// Dialect says which database answers.
func (d *DB) Dialect() Dialect { return d.dialect }

// Query reads outside a transaction. On SQLite it cannot write. The rows hold a connection until they are closed, so
// no other query may wait for them to be.
func (d *DB) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	d.queries.Add(1)
	return d.engine.Query(ctx, query, args...)
}

// QueryOnce is Query for a statement whose best plan depends on its arguments. PostgreSQL plans it for them, where it
// may otherwise come to keep one plan for all.
func (d *DB) QueryOnce(ctx context.Context, query string, args ...any) (Rows, error) {
	d.queries.Add(1)
	return d.engine.queryOnce(ctx, query, args...)
}

// QueryRow reads one row outside a transaction. On SQLite it cannot write.
func (d *DB) QueryRow(ctx context.Context, query string, args ...any) Row {
	d.queries.Add(1)
	return d.engine.QueryRow(ctx, query, args...)
}

// Exec runs one statement as a hard transaction of its own.
func (d *DB) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	var n int64
	err := d.transact(ctx, request{name: "exec", hard: true, fn: func(ctx context.Context, tx Tx) (err error) {
		n, err = tx.Exec(ctx, query, args...)
		return err
	}})
	return n, err
}

// Hard runs fn in a transaction that is on disk when Hard returns nil.
//
// fn may be run again from its start after a deadlock or a lost connection, so it has no effects outside tx but those
// it gives to AfterCommit; an error of fn rolls back and comes back unchanged. fn must be quick and wait for nothing
// but tx: on SQLite all writers of the process wait for it. On SQLite its statements are not cancelled with ctx; a
// request whose ctx ended before its turn is skipped.
//
// An error of kind problem.Unavailable means that the database is away or busy and the request may be repeated. If
// the connection was lost during the commit, the change may have happened nonetheless. The name is for logs.
func (d *DB) Hard(ctx context.Context, name string, fn func(ctx context.Context, tx Tx) error) error {
	return d.transact(ctx, request{name: name, hard: true, fn: fn})
}

// Soft is Hard for what may be lost in a power cut, though not when the process dies. It waits for no disk.
func (d *DB) Soft(ctx context.Context, name string, fn func(ctx context.Context, tx Tx) error) error {
	return d.transact(ctx, request{name: name, fn: fn})
}

func (d *DB) transact(ctx context.Context, r request) error {
	if err := refuseNested(ctx, r.name); err != nil {
		return err
	}
	ctx = context.WithValue(ctx, insideKey{}, true)
	if d.watch == nil {
		return d.engine.transact(ctx, r)
	}
	if err := d.engine.transact(ctx, d.watched(r)); err != nil {
		return err
	}
	return d.watch(r.name, Committed)
}

// watched is a transaction whose beginning and end are watched.
func (d *DB) watched(r request) request {
	fn := r.fn
	r.fn = func(ctx context.Context, tx Tx) error {
		if err := d.watch(r.name, Begun); err != nil {
			return err
		}
		if err := fn(ctx, tx); err != nil {
			return err
		}
		return d.watch(r.name, Ready)
	}
	return r
}

// Ping reports whether the database answers.
func (d *DB) Ping(ctx context.Context) error { return d.engine.ping(ctx) }

// Close waits for running transactions, then closes all connections.
func (d *DB) Close() error { return d.engine.close() }

// Millis is t as Unix milliseconds, the form of every _ms column.
func Millis(t time.Time) int64 { return t.UnixMilli() }

// Time is the inverse of Millis, in UTC.
func Time(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// Bool is the stored form of a boolean.
func Bool(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
