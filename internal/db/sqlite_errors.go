package db

import (
	"context"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/longshore-registry/longshore/internal/problem"
)

// Extended result codes.
const (
	sqliteUnique     = sqlite3.SQLITE_CONSTRAINT_UNIQUE
	sqlitePrimaryKey = sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	sqliteRowID      = sqlite3.SQLITE_CONSTRAINT_ROWID
	sqliteForeignKey = sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
)

// sqliteError turns an error of the file or its disk into an Unavailable one, and leaves errors of the statement.
func sqliteError(ctx context.Context, err error) error {
	var known *problem.Error
	if err == nil || ended(ctx, err) || errors.As(err, &known) {
		return err
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return unavailable(err, "the database file is locked by another process")
	case sqlite3.SQLITE_FULL:
		return unavailable(err, "the disk of the database file is full")
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM:
		return unavailable(err, "the database file cannot be read or written")
	}
	return err
}

// spoilsBatch reports whether a statement's error may have rolled back more than the statement. SQLite promises that
// the surrounding transaction stands after the errors listed here, and after no others.
func spoilsBatch(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false // database/sql refused the arguments or the targets; SQLite was not asked
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG,
		sqlite3.SQLITE_RANGE, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_SCHEMA:
		return false
	}
	return true
}
