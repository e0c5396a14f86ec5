package db_test

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func insertID(name string, id *int64) func(context.Context, db.Tx) error {
	return func(ctx context.Context, tx db.Tx) error {
		return tx.QueryRow(ctx, addLocation+" RETURNING id", name).Scan(id)
	}
}

func eachEmpty(t *testing.T, fn func(t *testing.T, uri string)) {
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) { fn(t, dbtest.EmptyURI(t, kind)) })
	}
}

func TestMigrate(t *testing.T) {
	known, err := db.KnownSchema()
	if err != nil {
		t.Fatal(err)
	}
	eachEmpty(t, func(t *testing.T, uri string) {
		d := dbtest.OpenURI(t, uri)
		err := d.CheckSchema(t.Context())
		if !problem.Is(err, problem.Conflict) || !strings.Contains(err.Error(), "longshore migrate") {
			t.Errorf("an empty database: got %v", err)
		}
		for range 2 { // the second time there is nothing to do
			if err := d.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := d.CheckSchema(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if got, err := d.Schema(t.Context()); err != nil || got != known {
			t.Errorf("schema %d, %v", got, err)
		}
		var id int64
		if err := d.Hard(t.Context(), "use", insertID("a", &id)); err != nil {
			t.Error(err)
		}
	})
}

func TestEveryStepSaysWhatItNeeds(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	steps := column(t, d, "SELECT version_id FROM goose_db_version WHERE version_id > 0 ORDER BY version_id")
	said := column(t, d, "SELECT version FROM schema_version WHERE needs <= version ORDER BY version")
	if diff := cmp.Diff(steps, said); diff != "" {
		t.Errorf("-steps +schema_version\n%s", diff)
	}
}

func TestReplicasMayMigrateAtOnce(t *testing.T) {
	t.Parallel() // it mostly waits
	for name, pooler := range map[string]bool{"direct": false, "behind a pooler": true} {
		t.Run(name, func(t *testing.T) {
			options := dbtest.Options(dbtest.EmptyURI(t, dbtest.PostgreSQL))
			options.Pooler = pooler
			var group sync.WaitGroup
			for range 4 {
				d := open(t, options)
				group.Go(func() {
					if err := d.Migrate(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
		})
	}
}

func TestOneProcessMayMigrateTwiceAtOnce(t *testing.T) {
	d := dbtest.OpenURI(t, dbtest.EmptyURI(t, dbtest.SQLite))
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if err := d.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestANewerSchema(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		known, err := db.KnownSchema()
		if err != nil {
			t.Fatal(err)
		}
		exec := func(query string, args ...any) {
			t.Helper()
			if _, err := d.Exec(t.Context(), query, args...); err != nil {
				t.Fatal(err)
			}
		}
		applied := map[db.Dialect]string{db.SQLite: "1", db.PostgreSQL: "true"}[d.Dialect()]
		exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, "+applied+")", known+1)
		for name, check := range map[string]func(context.Context) error{"CheckSchema": d.CheckSchema, "Migrate": d.Migrate} {
			if err := check(t.Context()); !problem.Is(err, problem.Conflict) || !strings.Contains(err.Error(), "newer program") {
				t.Errorf("%s of a schema that says nothing: got %v", name, err)
			}
		}
		exec("INSERT INTO schema_version (version, needs) VALUES ($1, $2)", known+1, known+1)
		if err := d.CheckSchema(t.Context()); !problem.Is(err, problem.Conflict) {
			t.Errorf("a schema that needs a newer program: got %v", err)
		}
		exec("UPDATE schema_version SET needs = $2 WHERE version = $1", known+1, known)
		for name, check := range map[string]func(context.Context) error{"CheckSchema": d.CheckSchema, "Migrate": d.Migrate} {
			if err := check(t.Context()); err != nil {
				t.Errorf("%s of a schema that only has more: got %v", name, err)
			}
		}
	})
}

func TestMigratingBesideAServerIsRefused(t *testing.T) {
	t.Parallel() // it mostly waits
	uri := dbtest.EmptyURI(t, dbtest.SQLite)
	dbtest.OpenURI(t, uri)
	options := dbtest.Options(uri)
	options.Beside = true
	if err := open(t, options).Migrate(t.Context()); !problem.Is(err, problem.Conflict) {
		t.Errorf("got %v", err)
	}
}

func TestARoleThatMayNotMakeTheExtensionIsToldWhatToDo(t *testing.T) {
	uri := dbtest.EmptyURI(t, dbtest.PostgreSQL)
	d := dbtest.OpenURI(t, uri)
	parsed, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(parsed.Path, "/")
	role := "poor_" + name
	for _, query := range []string{
		"CREATE ROLE " + role + " LOGIN PASSWORD 'secret'", "GRANT ALL ON SCHEMA public TO " + role,
		"ALTER ROLE " + role + " SET search_path = public",
	} {
		if _, err := d.Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, query := range []string{"DROP OWNED BY " + role, "DROP ROLE " + role} {
			if _, err := d.Exec(context.WithoutCancel(t.Context()), query); err != nil {
				t.Error(err)
			}
		}
	})
	parsed.User = url.UserPassword(role, "secret")
	err = dbtest.OpenURI(t, parsed.String()).Migrate(t.Context())
	if err == nil || !strings.Contains(err.Error(), "CREATE EXTENSION pg_trgm") || !strings.Contains(err.Error(), role) {
		t.Fatalf("got %v", err)
	}
	if _, err := d.Exec(t.Context(), "CREATE EXTENSION pg_trgm"); err != nil {
		t.Fatal(err)
	}
	if err := dbtest.OpenURI(t, parsed.String()).Migrate(t.Context()); err != nil {
		t.Errorf("after an administrator made it: %v", err)
	}
}
