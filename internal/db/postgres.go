package db

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// The limits of time; the first and queryTimeout are SQLite's too.
const (
	acquireTimeout = 2 * time.Second
	commitTimeout  = 10 * time.Second
	answerTimeout  = 10 * time.Second // for a transaction: a server that is frozen does not end it itself
	queryTimeout   = 6 * time.Second  // for a query alone: longer than the server's own limit
	probeTimeout   = time.Second      // for either, and for a connection, while the server is silent
	pgAttempts     = 5
)

// postgresEngine runs hard transactions and reads in one pool, soft ones in another.
type postgresEngine struct {
	hard, soft *pgxpool.Pool
	pooler     bool
	closed     atomic.Bool
	silent     silence
	log        *slog.Logger
}

func openPostgres(ctx context.Context, a Address, o Options) (*postgresEngine, error) {
	hardConfig, softConfig, err := poolConfigs(a, o)
	if err != nil {
		return nil, err
	}
	e := &postgresEngine{pooler: o.Pooler, log: o.Logger, silent: silence{probe: probeTimeout}}
	// The pools outlive the caller's deadline.
	if e.hard, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), hardConfig); err != nil {
		return nil, pgError(ctx, err)
	}
	if e.soft, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), softConfig); err != nil {
		e.hard.Close()
		return nil, pgError(ctx, err)
	}
	if err := e.hard.Ping(ctx); err != nil {
		_ = e.close()
		return nil, pgError(ctx, err)
	}
	return e, nil
}

func (e *postgresEngine) close() error {
	e.closed.Store(true)
	e.hard.Close()
	e.soft.Close()
	return nil
}

func (e *postgresEngine) ping(ctx context.Context) error {
	c, err := e.acquire(ctx, e.hard)
	if err != nil {
		return err
	}
	defer c.Release()
	limited, cancel := context.WithTimeout(ctx, e.silent.limit(queryTimeout))
	defer cancel()
	err = c.Ping(limited)
	e.silent.note(ctx, limited, err)
	return pgError(ctx, err)
}

// acquire takes a connection, or says after acquireTimeout that there is none.
func (e *postgresEngine) acquire(ctx context.Context, p *pgxpool.Pool) (*pgxpool.Conn, error) {
	if e.closed.Load() {
		return nil, errClosed()
	}
	limited, cancel := context.WithTimeout(ctx, e.silent.limit(acquireTimeout))
	defer cancel()
	c, err := p.Acquire(limited)
	if err == nil {
		return c, nil
	}
	if ended(ctx, err) {
		return nil, err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, unavailable(err, "the database has no free connection")
	}
	return nil, pgError(ctx, err)
}

func (e *postgresEngine) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	values, err := driverArgs(args)
	if err != nil {
		return nil, err
	}
	return e.query(ctx, query, values)
}

func (e *postgresEngine) queryOnce(ctx context.Context, query string, args ...any) (Rows, error) {
	values, err := driverArgs(args)
	if err != nil {
		return nil, err
	}
	return e.query(ctx, query, append([]any{pgx.QueryExecModeExec}, values...))
}

// query runs a query with the driver's values, which may begin with the driver's options.
func (e *postgresEngine) query(ctx context.Context, query string, values []any) (Rows, error) {
	c, err := e.acquire(ctx, e.hard)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, e.silent.limit(queryTimeout))
	release := func(err error) {
		e.silent.note(ctx, limited, err)
		cancel()
		c.Release()
	}
	rows, err := c.Query(limited, query, values...)
	if err != nil {
		release(err)
		return nil, pgError(ctx, err)
	}
	return &pgRows{ctx: ctx, rows: rows, release: release}, nil
}

func (e *postgresEngine) QueryRow(ctx context.Context, query string, args ...any) Row {
	rows, err := e.Query(ctx, query, args...)
	return row{rows: rows, err: err}
}

// transact runs a transaction, and runs it again while the reason it failed is one that passes.
func (e *postgresEngine) transact(ctx context.Context, r request) error {
	pool := e.hard
	if !r.hard {
		pool = e.soft
	}
	for attempt := 1; ; attempt++ {
		err := e.once(ctx, pool, r)
		if err == nil || attempt == pgAttempts || !transient(err) || ctx.Err() != nil {
			return err
		}
		e.log.Debug("transaction is run again", "transaction", r.name, "attempt", attempt, "error", err)
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// pause waits 5 to 10 ms, doubled with each attempt.
func pause(ctx context.Context, attempt int) error {
	wait := time.Duration(5<<attempt) * time.Millisecond / 2
	t := time.NewTimer(wait + rand.N(wait))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// once runs a transaction one time. Whatever way fn is left, the connection is given back without a transaction.
func (e *postgresEngine) once(ctx context.Context, pool *pgxpool.Pool, r request) error {
	c, err := e.acquire(ctx, pool)
	if err != nil {
		return err
	}
	defer c.Release()
	limited, cancel := context.WithTimeout(ctx, e.silent.limit(answerTimeout))
	defer cancel()
	native, err := c.BeginTx(limited, pgx.TxOptions{BeginQuery: beginSQL(e.pooler, r.hard)})
	e.silent.note(ctx, limited, err)
	if err != nil {
		return overtime(ctx, limited, repeatable(pgError(ctx, err)))
	}
	tx := &pgTx{native: native}
	defer tx.rollback(ctx)
	if err := tx.finish(r.fn(limited, tx)); err != nil {
		e.silent.note(ctx, limited, err)
		return overtime(ctx, limited, err)
	}
	return tx.commit(ctx)
}

// schemaDB opens a pool for migrations: without limits of time, and prepared statements are not kept.
func (e *postgresEngine) schemaDB(context.Context) (*sql.DB, func() error, error) {
	config := e.hard.Config().ConnConfig.Copy()
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	for _, key := range []string{"statement_timeout", "idle_in_transaction_session_timeout"} {
		delete(config.RuntimeParams, key)
	}
	if !e.pooler {
		config.RuntimeParams["lock_timeout"] = "1000"
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(2)
	return pool, pool.Close, nil
}
