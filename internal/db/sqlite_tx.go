package db

import (
	"context"
	"database/sql"
)

// sqliteTx is a transaction's turn on the writing connection: one savepoint of a batch. Its statements take no notice
// of the end of a context, since interrupting one would roll back the batch of all the others.
type sqliteTx struct {
	stmts  *statements
	open   *sqliteRows // the rows that were not closed yet
	failed error       // the first statement's error
	lost   error       // an error after which the batch may be gone
	ended  bool
	after  []func()
}

func (*sqliteTx) Dialect() Dialect  { return SQLite }
func (*sqliteTx) ForUpdate() string { return "" }

// Lock does nothing: no other transaction runs.
func (t *sqliteTx) Lock(context.Context, LockSpace, int64, LockMode) error { return t.ready() }

func (t *sqliteTx) AfterCommit(fn func()) { t.after = append(t.after, fn) }

func (t *sqliteTx) ready() error {
	switch {
	case t.ended:
		return errDone
	case t.failed != nil:
		return errAborted
	case t.open != nil:
		return errOpenRows
	}
	return nil
}

// fail notes and translates a statement's error.
func (t *sqliteTx) fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if spoilsBatch(err) {
		t.lost = err
	}
	err = sqliteError(ctx, err)
	if t.failed == nil {
		t.failed = err
	}
	return err
}

func (t *sqliteTx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := t.ready(); err != nil {
		return 0, err
	}
	ctx = context.WithoutCancel(ctx)
	values, err := driverArgs(args)
	if err != nil {
		return 0, t.fail(ctx, err)
	}
	result, err := t.stmts.exec(ctx, query, values...)
	if err != nil {
		return 0, t.fail(ctx, err)
	}
	return result.RowsAffected()
}

func (t *sqliteTx) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	if err := t.ready(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	values, err := driverArgs(args)
	if err != nil {
		return nil, t.fail(ctx, err)
	}
	rows, err := t.stmts.query(ctx, query, values...)
	if err != nil {
		return nil, t.fail(ctx, err)
	}
	t.open = &sqliteRows{ctx: ctx, rows: rows, tx: t}
	return t.open, nil
}

func (t *sqliteTx) QueryRow(ctx context.Context, query string, args ...any) Row {
	rows, err := t.Query(ctx, query, args...)
	return row{rows: rows, err: err}
}

// finish closes what fn left open and makes sure that a failed transaction is not taken for a success.
func (t *sqliteTx) finish(err error) error {
	if t.open != nil {
		t.open.Close()
	}
	t.ended = true
	if err == nil {
		return t.failed
	}
	return err
}

// sqliteRows translates errors and tells the transaction when it is closed.
type sqliteRows struct {
	ctx  context.Context
	rows *sql.Rows
	tx   *sqliteTx // nil outside a transaction
	err  error

	limited context.Context // outside a transaction: how long the query may take
	done    func()          // returns the connection; nil afterwards
}

func (r *sqliteRows) Next() bool {
	if r.rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Scan fails the transaction when a value does not fit, as on PostgreSQL.
func (r *sqliteRows) Scan(dest ...any) error {
	err := r.rows.Scan(dest...)
	if err != nil && r.tx != nil {
		return r.tx.fail(r.ctx, err)
	}
	return err
}

func (r *sqliteRows) Err() error { return r.err }

func (r *sqliteRows) Close() {
	err := r.rows.Close()
	if e := r.rows.Err(); e != nil {
		err = e
	}
	if err != nil && r.err == nil {
		if r.tx != nil {
			r.err = r.tx.fail(r.ctx, err)
		} else {
			r.err = sqliteError(r.ctx, overtime(r.ctx, r.limited, err))
		}
	}
	if r.done != nil {
		r.done()
		r.done = nil
	}
	if r.tx != nil && r.tx.open == r {
		r.tx.open = nil
	}
}
