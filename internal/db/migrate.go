package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	lockMinutes   = 10 // how long a starting replica waits for another one's migration
	ddlAttempts   = 30 // how often a step is tried while running transactions hold its tables
	ddlRetryPause = time.Second
)

// Migrate brings the schema to the newest one this program knows; where it is that already, it changes nothing. Several
// processes may call it at once: one works, the others wait. A schema that is newer and not compatible is refused.
func (d *DB) Migrate(ctx context.Context) error {
	if err := d.checkKnown(ctx); err != nil {
		return err
	}
	if done, err := d.migrated(ctx); err != nil || done {
		return err
	}
	pool, done, err := d.engine.schemaDB(ctx)
	if err != nil {
		return err
	}
	err = d.migrate(ctx, pool)
	return errors.Join(err, done())
}

// migrated reports whether every step was taken, as at most starts: then neither a connection nor a lock is needed.
func (d *DB) migrated(ctx context.Context) (bool, error) {
	if current, err := d.Schema(ctx); err != nil || current == 0 {
		return false, err
	}
	known, err := versions()
	if err != nil {
		return false, err
	}
	taken := 0
	for _, version := range known {
		var n int
		if err := d.QueryRow(ctx, "SELECT count(*) FROM goose_db_version WHERE version_id = $1 AND is_applied", version).Scan(&n); err != nil {
			return false, err
		}
		taken += min(n, 1)
	}
	return taken == len(known), nil
}

func (d *DB) migrate(ctx context.Context, pool *sql.DB) error {
	provider, err := d.provider(pool)
	if err != nil {
		return fmt.Errorf("preparing the migrations: %w", err)
	}
	for attempt := 1; ; attempt++ {
		results, err := provider.Up(ctx)
		for _, r := range results {
			d.log.Info("the database's schema was changed", "step", r.Source.Version, "ms", r.Duration.Milliseconds())
		}
		if err == nil {
			return nil
		}
		if !hasState(err, "55P03") || attempt == ddlAttempts {
			return fmt.Errorf("migrating the database: %w", err)
		}
		d.log.Info("a migration waits for running transactions", "attempt", attempt)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(ddlRetryPause):
		}
	}
}

func (d *DB) provider(pool *sql.DB) (*goose.Provider, error) {
	all, err := steps(d.dialect)
	if err != nil {
		return nil, err
	}
	migrations := make([]*goose.Migration, len(all))
	for i, s := range all {
		migrations[i] = goose.NewGoMigration(s.version, d.up(s), nil)
	}
	options := []goose.ProviderOption{
		goose.WithGoMigrations(migrations...), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()),
	}
	if d.dialect == SQLite {
		return goose.NewProvider(goose.DialectSQLite3, pool, nil, options...)
	}
	locking, err := d.migrationLock()
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, pool, nil, append(options, locking)...)
}

// migrationLock keeps replicas apart: a session lock, or behind a pooler, where no session is one's own, a row.
func (d *DB) migrationLock() (goose.ProviderOption, error) {
	if e, ok := d.engine.(*postgresEngine); ok && e.pooler {
		l, err := lock.NewPostgresTableLocker(lock.WithTableName("schema_lock"), lock.WithTableLockTimeout(time.Second, lockMinutes*60))
		return goose.WithLocker(l), err
	}
	l, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockMinutes*60))
	return goose.WithSessionLocker(l), err
}

// up runs a step. On PostgreSQL it does not wait for its tables for more than a second, because everybody else would
// wait behind it; it is tried again.
func (d *DB) up(s step) *goose.GoFunc {
	if !s.transaction {
		return &goose.GoFunc{Mode: goose.TransactionDisabled, RunDB: func(ctx context.Context, pool *sql.DB) error {
			_, err := pool.ExecContext(ctx, s.sql)
			return err
		}}
	}
	return &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		text := s.sql
		if d.dialect == PostgreSQL {
			text = "SET LOCAL lock_timeout = 1000;\n" + text
		}
		_, err := tx.ExecContext(ctx, text)
		return err
	}}
}

// KnownSchema is the number of the newest schema this program knows.
func KnownSchema() (int64, error) {
	known, err := versions()
	if err != nil {
		return 0, err
	}
	return slices.Max(known), nil
}

// Schema is the number of the schema the database has, 0 for an empty one.
func (d *DB) Schema(ctx context.Context) (int64, error) {
	var tables int64
	query := "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'goose_db_version'"
	if d.dialect == PostgreSQL {
		query = "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('goose_db_version')"
	}
	if err := d.QueryRow(ctx, query).Scan(&tables); err != nil || tables == 0 {
		return 0, err
	}
	var version int64
	err := d.QueryRow(ctx, "SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version").Scan(&version)
	return version, err
}

// CheckSchema reports, as a problem.Error of kind Conflict, a schema that lacks migrations, or one that is newer than
// this program and says that it needs a newer one.
func (d *DB) CheckSchema(ctx context.Context) error {
	if err := d.checkKnown(ctx); err != nil {
		return err
	}
	current, err := d.Schema(ctx)
	if err != nil {
		return err
	}
	known, err := KnownSchema()
	if err != nil {
		return err
	}
	if current < known {
		return problem.New(problem.Conflict, "the database %s has schema %d and this program needs %d: run \"longshore migrate\"",
			d.address, current, known)
	}
	return nil
}

// checkKnown refuses a schema that this program would damage or misunderstand. A newer one says in schema_version
// what it needs; one that does not say is not ours to judge.
func (d *DB) checkKnown(ctx context.Context) error {
	current, err := d.Schema(ctx)
	if err != nil {
		return err
	}
	known, err := KnownSchema()
	if err != nil || current <= known {
		return err
	}
	var unknown int64
	err = d.QueryRow(ctx, `SELECT count(*) FROM goose_db_version g LEFT JOIN schema_version s ON s.version = g.version_id
		WHERE g.version_id > $1 AND (s.needs IS NULL OR s.needs > $1)`, known).Scan(&unknown)
	if err != nil {
		return err
	}
	if unknown > 0 {
		return problem.New(problem.Conflict, "the database %s has schema %d and this program knows schemas up to %d: start the "+
			"newer program, or restore the backup that was made before the upgrade", d.address, current, known)
	}
	d.log.Info("the database's schema is newer than this program, and says that it may be used", "schema", current, "known", known)
	return nil
}
