package dbtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/pgcluster"
)

// Environment variables with the addresses of servers that tests may make databases on.
const (
	EnvPostgreSQL    = "LONGSHORE_TEST_POSTGRES"
	EnvPostgreSQLICU = "LONGSHORE_TEST_POSTGRES_ICU"
)

// The servers of this process, each looked for or started when first needed.
var (
	bytewise = sync.OnceValues(func() (*postgres, error) { return connect(EnvPostgreSQL, pgcluster.C) })
	human    = sync.OnceValues(func() (*postgres, error) { return connect(EnvPostgreSQLICU, pgcluster.ICU) })
)

// postgres is a server on which databases are made.
type postgres struct {
	uri      string             // of its maintenance database
	template string             // a migrated database, to be copied
	cluster  *pgcluster.Cluster // the private one, kept because it stops when it is forgotten; nil for another's
}

// server gives the server for a kind, or skips the test when there is none.
func server(t testing.TB, kind Kind) *postgres {
	t.Helper()
	start := bytewise
	if kind == PostgreSQLICU {
		start = human
	}
	s, err := start()
	switch {
	case err == nil:
		return s
	case errors.Is(err, pgcluster.ErrNotInstalled) && os.Getenv("CI") == "":
		t.Skip(err)
	}
	t.Fatalf("the test's PostgreSQL: %v", err)
	return nil
}

// connect uses the server that the environment names or starts a private one, which ends with the process.
func connect(variable string, collation pgcluster.Collation) (*postgres, error) {
	ctx := context.Background()
	s := &postgres{uri: os.Getenv(variable)}
	if s.uri == "" {
		cluster, err := pgcluster.Start(ctx, collation)
		if err != nil {
			return nil, err
		}
		s.uri, s.cluster = cluster.URI, cluster
	}
	return s, s.makeTemplate(ctx)
}

// makeTemplate makes sure that the server has a migrated database to copy. Its name says which migrations it has, and
// it gets that name when it is complete, so that processes which share a server share it.
func (s *postgres) makeTemplate(ctx context.Context) error {
	print, err := db.MigrationsFingerprint()
	if err != nil {
		return err
	}
	s.template = "longshore_template_" + print[:16]
	conn, err := pgx.Connect(ctx, s.uri)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing depends on it
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(7014)"); err != nil {
		return err
	}
	var there int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_database WHERE datname = $1", s.template).Scan(&there); err != nil || there > 0 {
		return err
	}
	unfinished := unique()
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+unfinished); err != nil {
		return err
	}
	if err := migrate(ctx, s.address(unfinished)); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+unfinished+" RENAME TO "+s.template)
	return err
}

// create makes a database that is dropped after the test.
func (s *postgres) create(t testing.TB, migrated bool) string {
	t.Helper()
	name, query := unique(), "CREATE DATABASE "
	query += name
	if migrated {
		query += " TEMPLATE " + s.template
	}
	if err := s.exec(t.Context(), query); err != nil {
		t.Fatalf("making the test's database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("dropping the test's database: %v", err)
		}
	})
	return s.address(name)
}

func (s *postgres) exec(ctx context.Context, query string) error {
	conn, err := pgx.Connect(ctx, s.uri)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, query)
	return errors.Join(err, conn.Close(ctx))
}

// address is the DB_URI of a database of this server.
func (s *postgres) address(name string) string {
	u, err := url.Parse(s.uri)
	if err != nil {
		return s.uri // Connect has accepted it as something that is no URI
	}
	u.Path = "/" + name
	return u.String()
}

func unique() string { return fmt.Sprintf("t_%d_%s", os.Getpid(), strings.ToLower(rand.Text()[:10])) }
