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
	history, historyArgs := historyQuery(Repository{ID: 1}, TagFilter{OnlyLive: true, Page: 1, Limit: 50}, 1)
	tests := []struct {
		name, query string
		args        []any
	}{
		{"repository by name", repositoryByName, []any{"acme", "app"}},
		{"manifest by digest", manifestByDigest, []any{1, d}},
		{"manifest by tag", manifestByTag, []any{1, "latest"}},
		{"tag names", tagNames, []any{1, "", 1, 50}},
		{"live tags, newest first", history, historyArgs},
		{"referrers by subject", referrersBySubject, []any{1, d, 0, "", 50}},
		{"referrers by tag", referrersByTag, []any{1, "t", 0, "", 50, 1}},
		{"catalog of an account", catalog, catalogArgs},
		{"catalog with public repositories", public, publicArgs},
	}
	dbtest.Each(t, func(t *testing.T, database *db.DB) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				plan := explain(t, database, tt.query, tt.args)
				for _, line := range plan {
					if line == "SCAN own" || line == "SCAN page" { // the result of a subquery
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
