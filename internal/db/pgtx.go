package db

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/longshore-registry/longshore/internal/problem"
)

// pgTx is a transaction on PostgreSQL.
type pgTx struct {
	native pgx.Tx
	open   *pgRows // the rows that were not closed yet
	failed error   // the first statement's error; PostgreSQL runs no more
	ended  bool
	after  []func()
}

func (*pgTx) Dialect() Dialect  { return PostgreSQL }
func (*pgTx) ForUpdate() string { return " FOR UPDATE" }

func (t *pgTx) AfterCommit(fn func()) { t.after = append(t.after, fn) }

func (t *pgTx) ready() error {
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
func (t *pgTx) fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	err = repeatable(pgError(ctx, err))
	if t.failed == nil {
		t.failed = err
	}
	return err
}

func (t *pgTx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := t.ready(); err != nil {
		return 0, err
	}
	values, err := driverArgs(args)
	if err != nil {
		return 0, t.fail(ctx, err)
	}
	tag, err := t.native.Exec(ctx, query, values...)
	if err != nil {
		return 0, t.fail(ctx, err)
	}
	return tag.RowsAffected(), nil
}

func (t *pgTx) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	if err := t.ready(); err != nil {
		return nil, err
	}
	values, err := driverArgs(args)
	if err != nil {
		return nil, t.fail(ctx, err)
	}
	rows, err := t.native.Query(ctx, query, values...)
	if err != nil {
		return nil, t.fail(ctx, err)
	}
	t.open = &pgRows{ctx: ctx, rows: rows, tx: t}
	return t.open, nil
}

func (t *pgTx) QueryRow(ctx context.Context, query string, args ...any) Row {
	rows, err := t.Query(ctx, query, args...)
	return row{rows: rows, err: err}
}

// lockSpaceShift leaves 56 bits for the identifier, so that spaces never meet.
const lockSpaceShift = 56

func (t *pgTx) Lock(ctx context.Context, space LockSpace, id int64, mode LockMode) error {
	if id < 0 || id >= 1<<lockSpaceShift {
		return t.fail(ctx, problem.New(problem.Internal, "identifier %d cannot be locked: it must fit %d bits", id, lockSpaceShift))
	}
	query := "SELECT pg_advisory_xact_lock_shared($1)"
	if mode == Exclusive {
		query = "SELECT pg_advisory_xact_lock($1)"
	}
	_, err := t.Exec(ctx, query, int64(space)<<lockSpaceShift|id)
	return err
}

// finish closes what fn left open and makes sure that a failed transaction is not taken for a success.
func (t *pgTx) finish(err error) error {
	if t.open != nil {
		t.open.Close()
	}
	t.ended = true
	if err == nil {
		return t.failed
	}
	return err
}

// commit ends the transaction. A client that went away does not stop it; a lost connection makes it uncertain.
func (t *pgTx) commit(ctx context.Context) error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if t.native.Conn().IsClosed() {
		return repeatable(unavailable(pgconn.ErrConnClosed, "the connection to the database was lost"))
	}
	err := t.native.Commit(limited)
	switch {
	case err == nil:
	case refusedCommit(err):
		return repeatable(pgError(limited, err))
	default:
		err = unavailable(err, "the database connection was lost during the commit, and it is not known whether the change was made")
	}
	for _, fn := range t.after {
		fn()
	}
	return err
}

// rollback ends a transaction that was not committed; after a commit it does nothing.
func (t *pgTx) rollback(ctx context.Context) {
	t.ended = true
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	_ = t.native.Rollback(limited) // a connection that cannot roll back is closed, which rolls back
}

// pgRows translates errors and targets, and gives the connection back when it is closed.
type pgRows struct {
	ctx     context.Context
	rows    pgx.Rows
	tx      *pgTx       // the transaction it belongs to, or
	release func(error) // what to do with the connection, and how the query ended
	err     error
}

func (r *pgRows) Next() bool {
	if r.rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *pgRows) Scan(dest ...any) error {
	targets := dest
	for i, d := range dest {
		var adapted any
		switch d := d.(type) {
		case *bool:
			adapted = boolTarget{d}
		case *any:
			adapted = anyTarget{d}
		default:
			continue
		}
		if &targets[0] == &dest[0] {
			targets = append([]any(nil), dest...)
		}
		targets[i] = adapted
	}
	return r.rows.Scan(targets...)
}

func (r *pgRows) Err() error { return r.err }

func (r *pgRows) Close() {
	r.rows.Close()
	if err := r.rows.Err(); err != nil && r.err == nil {
		if r.tx != nil {
			r.err = r.tx.fail(r.ctx, err)
		} else {
			r.err = pgError(r.ctx, err)
		}
	}
	if r.tx != nil && r.tx.open == r {
		r.tx.open = nil
	}
	if r.release != nil {
		r.release(r.rows.Err())
		r.release = nil
	}
}
