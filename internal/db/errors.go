package db

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"github.com/longshore-registry/longshore/internal/problem"
)

// retryAfter is what a client is told to wait when the database is away or busy.
const retryAfter = 2 * time.Second

// errAborted is what a statement gets after another one of its transaction has failed.
var errAborted = errors.New("the transaction is aborted: an earlier statement failed")

// errDone is what a statement gets after its transaction has ended.
var errDone = errors.New("the transaction has ended")

// errOpenRows is what a statement gets while the rows of the one before are neither read to the end nor closed.
var errOpenRows = errors.New("the rows of the statement before are still open")

// IsUnique reports whether a statement failed because a primary key or unique index already holds its value.
func IsUnique(err error) bool {
	return hasState(err, "23505") || hasCode(err, sqliteUnique, sqlitePrimaryKey, sqliteRowID)
}

// IsForeignKey reports whether a statement failed because a row it refers to is not there, or a row that refers to
// the one it removes still is.
func IsForeignKey(err error) bool {
	return hasState(err, "23503") || hasCode(err, sqliteForeignKey)
}

func hasState(err error, states ...string) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	for _, s := range states {
		if pg.Code == s {
			return true
		}
	}
	return false
}

func hasCode(err error, codes ...int) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.Code() == c {
			return true
		}
	}
	return false
}

// unavailable is an error that a later repetition may not meet.
func unavailable(cause error, message string) error {
	e := problem.Wrap(cause, problem.Unavailable, "%s", message)
	e.RetryAfter = retryAfter
	return e
}

// ended reports whether err is nothing but the end of ctx.
func ended(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}
