package db

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/longshore-registry/longshore/internal/problem"
)

// pgError turns a driver's error into an Unavailable one when the database, not the statement, is the reason.
func pgError(ctx context.Context, err error) error {
	if err == nil || ended(ctx, err) {
		return err
	}
	var known *problem.Error
	if errors.As(err, &known) {
		return err
	}
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &pg):
		if transientState(pg.Code) {
			return unavailable(err, "the database is busy with other changes of the same rows")
		}
		if away(pg.Code) {
			return unavailable(err, "the database does not answer in time or is not ready")
		}
		return err
	case errors.As(err, &connect):
		return unavailable(err, "the database cannot be reached")
	case lostConnection(err):
		return unavailable(err, "the connection to the database was lost")
	}
	return err
}

// transientState are the states after which the same transaction may well succeed.
func transientState(code string) bool {
	switch code {
	case "40001", "40P01", "55P03": // serialization failure, deadlock, lock timeout
		return true
	}
	return false
}

// away are the states of a server that is starting, stopping, full or only a standby, by class or in full.
func away(code string) bool {
	for _, prefix := range [...]string{"08", "53", "57P", "58", "25006", "25P03", "57014"} {
		if strings.HasPrefix(code, prefix) {
			return true
		}
	}
	return false
}

// lostConnection reports whether err came from the network below pgx.
func lostConnection(err error) bool {
	if errors.Is(err, pgx.ErrNoRows) || errors.Is(err, pgx.ErrTxClosed) || errors.Is(err, pgx.ErrTxCommitRollback) {
		return false
	}
	return pgconn.Timeout(err) || pgconn.SafeToRetry(err) || isNetwork(err)
}

// refusedCommit reports whether the server said that it did not commit. Any other error leaves that open: pgx's own
// opinion (SafeToRetry) is not asked, since it says "never sent" of a COMMIT whose answer was lost.
func refusedCommit(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && !strings.HasPrefix(pg.Code, "57P") || errors.Is(err, pgx.ErrTxCommitRollback)
}

// repeatableError marks a failure before the commit: the whole transaction may be run again.
type repeatableError struct{ error }

func (e repeatableError) Unwrap() error { return e.error }

// repeatable marks errors of a transaction that was surely rolled back and whose cause may have passed: a conflict
// with another transaction, a connection that had died in the pool.
func repeatable(err error) error {
	if err == nil || !problem.Is(err, problem.Unavailable) {
		return err
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && !transientState(pg.Code) && !strings.HasPrefix(pg.Code, "57P") {
		return err
	}
	return repeatableError{err}
}

// transient reports whether a transaction may be run again at once.
func transient(err error) bool {
	var r repeatableError
	return errors.As(err, &r)
}
