// Package dbtest gives tests fresh databases of every kind the program supports.
//
// SQLite, PostgreSQL that sorts bytewise, and PostgreSQL that sorts as people do. Each is new and migrated, and gone
// after the test; making one costs milliseconds. The addresses of two PostgreSQL servers are taken from
// LONGSHORE_TEST_POSTGRES and LONGSHORE_TEST_POSTGRES_ICU (`go run ./test/pg -- command` sets them); without them a
// private cluster is started once a process. Where PostgreSQL is not installed, its tests are skipped; if the
// environment has CI set, they fail.
package dbtest

import (
	"os"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
)

// Kind names a kind of database; it is also the name of its subtest.
type Kind string

// The kinds.
const (
	SQLite        Kind = "sqlite"
	PostgreSQL    Kind = "postgresql"
	PostgreSQLICU Kind = "postgresql-icu"
)

// Kinds lists all kinds, or those that LONGSHORE_TEST_KINDS names, separated by commas: the race detector slows SQLite's
// engine twentyfold.
func Kinds() []Kind {
	var chosen []Kind
	for name := range strings.SplitSeq(os.Getenv("LONGSHORE_TEST_KINDS"), ",") {
		if name != "" {
			chosen = append(chosen, Kind(name))
		}
	}
	if chosen == nil {
		chosen = []Kind{SQLite, PostgreSQL, PostgreSQLICU}
	}
	return chosen
}

// Each runs fn as a subtest on a fresh migrated database of each kind.
func Each(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) { fn(t, Open(t, kind)) })
	}
}

// Open gives a fresh migrated database that is closed after the test.
func Open(t testing.TB, kind Kind) *db.DB {
	t.Helper()
	return OpenURI(t, URI(t, kind))
}

// OpenURI opens a database that URI or EmptyURI has made, perhaps once more, and closes it after the test.
func OpenURI(t testing.TB, uri string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), Options(uri))
	if err != nil {
		t.Fatalf("opening the test's database: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("closing the test's database: %v", err)
		}
	})
	return d
}

// Options are those that OpenURI uses: as the program's, but without growing the log, which takes longer than most
// tests.
func Options(uri string) db.Options { return db.Options{URI: uri, LogBytes: -1} }

// URI gives the DB_URI of a fresh migrated database, for a test that starts a server. It is removed after the test.
func URI(t testing.TB, kind Kind) string {
	t.Helper()
	if kind == SQLite {
		return sqliteFile(t, true)
	}
	return server(t, kind).create(t, true)
}

// EmptyURI gives the DB_URI of a new database without tables.
func EmptyURI(t testing.TB, kind Kind) string {
	t.Helper()
	if kind == SQLite {
		return sqliteFile(t, false)
	}
	return server(t, kind).create(t, false)
}
