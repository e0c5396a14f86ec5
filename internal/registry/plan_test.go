package registry

import (
	"context"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
)

// TestHotQueriesWalkNoTable asks both databases how they would run what requests wait for. PostgreSQL is told to
// avoid walking a table, which it would prefer while all are empty; it then does so only where no index serves.
func TestHotQueriesWalkNoTable(t *testing.T) {
	d := digest.SHA256.Of(nil)
	catalog, catalogArgs := catalogQuery(CatalogViewer{AccountID: 1}, CatalogEntry{}, 50)
	public, publicArgs := catalogQuery(CatalogViewer{AccountID: 1, Public: true}, CatalogEntry{}, 50)
	history, historyArgs := historyQuery(db.SQLite, Repository{ID: 1}, TagFilter{OnlyLive: true, Page: 1, Limit: 50}, nil, 1)
	past, pastArgs := historyQuery(db.SQLite, Repository{ID: 1}, TagFilter{Page: 3, Limit: 50}, nil, 1)
	like, likeArgs := historyQuery(db.SQLite, Repository{ID: 1}, TagFilter{Like: "x", Page: 1, Limit: 50}, nil, 1)
	one, oneArgs := historyQuery(db.SQLite, Repository{ID: 1}, TagFilter{Name: "x", Page: 1, Limit: 50}, nil, 1)
	further, furtherArgs := historyQuery(db.SQLite, Repository{ID: 1}, TagFilter{Page: 3, Limit: 50}, &place{1, "x"}, 1)
	tests := []struct {
		name, query string
		args        []any
	}{
		{"repository by name", repositoryByName, []any{"acme", "app"}},
		{"manifest by digest", manifestByDigest, []any{1, d}},
		{"manifest by tag", manifestByTag, []any{1, "latest"}},
		{"tag names", tagNames, []any{1, "", 1, 50}},
		{"live tags, newest first", history, historyArgs},
		{"all periods, newest first", past, pastArgs},
		{"all periods from a place on", further, furtherArgs},
		{"periods of names with a part", like, likeArgs},
		{"periods of a name", one, oneArgs},
		{"referrers by subject", referrersBySubject, []any{1, d, 0, "", 50}},
		{"referrers by tag", referrersByTag, []any{1, "t", 0, "", 50, 1}},
		{"manifests of indexes", childPresence(4), []any{1, 10, d, d, d, d}},
		{"catalog of an account", catalog, catalogArgs},
		{"catalog with public repositories", public, publicArgs},
	}
	dbtest.Each(t, func(t *testing.T, database *db.DB) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				plan := explain(t, database, tt.query, tt.args)
				for _, line := range plan {
					if line == "SCAN own" || line == "SCAN periods" || line == "SCAN page" || line == "SCAN p" { // the result of a subquery
						continue
					}
					if strings.HasPrefix(line, "SCAN") || strings.Contains(line, "Seq Scan") {
						t.Errorf("%s in\n%s", line, strings.Join(plan, "\n"))
					}
				}
			})
		}
	})
}

// TestATagPageReadsNoFurtherThanItself: on both databases the periods come from two indexes in the page's order, merged
// and never sorted, so that a page ends both walks.
func TestATagPageReadsNoFurtherThanItself(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, database *db.DB) {
		fillTags(t, database, 2000)
		for name, f := range map[string]TagFilter{
			"all periods": {Page: 2, Limit: 20}, "live tags": {Page: 2, Limit: 20, OnlyLive: true}, "a part": {Page: 2, Limit: 20, Like: "v"},
			"from a place on": {Page: 2, Limit: 20},
		} {
			t.Run(name, func(t *testing.T) {
				var begin *place
				if name == "from a place on" {
					begin = &place{1000, "v1000"}
				}
				query, args := historyQuery(database.Dialect(), Repository{ID: 1}, f, begin, 1)
				inner := query[strings.Index(query, "FROM (")+len("FROM (") : strings.Index(query, ") AS p\n")]
				plan := strings.Join(explain(t, database, inner, args), "\n")
				if strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "Sort  (") {
					t.Errorf("the page is sorted:\n%s", plan)
				}
				if database.Dialect() == db.SQLite && strings.Count(plan, "COVERING INDEX") != strings.Count(inner, "FROM tag") {
					t.Errorf("the index alone does not decide:\n%s", plan)
				}
			})
		}
	})
}

// TestManifestsOfIndexesAreReadNoFurtherThanAsked: on SQLite index by index and never sorted, so that the limit ends the
// walk. PostgreSQL decides by its statistics, and has a limit of time for what it reads.
func TestManifestsOfIndexesAreReadNoFurtherThanAsked(t *testing.T) {
	d := digest.SHA256.Of(nil)
	plan := strings.Join(explain(t, dbtest.Open(t, dbtest.SQLite), childPresence(4), []any{1, 10, d, d, d, d}), "\n")
	if strings.Contains(plan, "TEMP B-TREE") {
		t.Errorf("everything is read and sorted:\n%s", plan)
	}
}

// fillTags makes a repository with so many live tags and as many ended periods.
func fillTags(t *testing.T, database *db.DB, n int) {
	t.Helper()
	err := database.Hard(t.Context(), "fill", func(ctx context.Context, tx db.Tx) error {
		for _, query := range []string{
			`INSERT INTO account (id, uuid, kind, name, tag_window_s) VALUES (1, 'u', 2, 'acme', 0)`,
			`INSERT INTO repository (id, namespace_id, name, visibility, badge_token, created_ms) VALUES (1, 1, 'app', 2, 'b', 0)`,
			`INSERT INTO manifest (id, digest, media_type, size, kind, created_ms) VALUES (1, $1, 'm', 1, 2, 0)`,
			`INSERT INTO repo_manifest (repo_id, manifest_id, pushed_ms) VALUES (1, 1, 0)`,
			`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
				INSERT INTO tag (repo_id, name, manifest_id, digest, start_ms) SELECT 1, 'v' || i, 1, $1, i * 10 FROM n`,
			`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
				INSERT INTO tag_history (repo_id, name, start_ms, end_ms, manifest_id, purge_ms) SELECT 1, 'v' || i, i, i * 10, 1, 0 FROM n`,
		} {
			var args []any
			if strings.Contains(query, "digest") {
				args = append(args, digest.SHA256.Of(nil))
			}
			if strings.Contains(query, "RECURSIVE") {
				args = append(args, n)
			}
			if _, err := tx.Exec(ctx, query, args...); err != nil {
				return err
			}
		}
		if tx.Dialect() == db.PostgreSQL {
			_, err := tx.Exec(ctx, `ANALYZE tag, tag_history`)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func explain(t *testing.T, database *db.DB, query string, args []any) (plan []string) {
	t.Helper()
	err := database.Hard(t.Context(), "explain", func(ctx context.Context, tx db.Tx) error {
		if tx.Dialect() == db.PostgreSQL {
			if _, err := tx.Exec(ctx, `SET LOCAL enable_seqscan = off`); err != nil {
				return err
			}
			found, err := tx.Query(ctx, `EXPLAIN `+query, args...)
			if err != nil {
				return err
			}
			var line string
			return each(found, func() { plan = append(plan, line) }, &line)
		}
		found, err := tx.Query(ctx, `EXPLAIN QUERY PLAN `+query, args...)
		if err != nil {
			return err
		}
		var id, parent, unused int64
		var line string
		return each(found, func() { plan = append(plan, line) }, &id, &parent, &unused, &line)
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}
