package registry

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// fillParts adds to fillTags' repository 1 names with rare parts, and a repository 2 that has them all too.
func fillParts(t *testing.T, database *db.DB, n int) {
	t.Helper()
	fillTags(t, database, n)
	const past = `INSERT INTO tag_history (repo_id, name, start_ms, end_ms, manifest_id, purge_ms) `
	run(t, database,
		`INSERT INTO repository (id, namespace_id, name, visibility, badge_token, created_ms) VALUES (2, 1, 'other', 2, 'b', 0)`,
		`INSERT INTO repo_manifest (repo_id, manifest_id, pushed_ms) VALUES (2, 1, 0)`,
		`UPDATE tag SET expires_ms = 5 WHERE name = 'v12'`,
		`INSERT INTO tag (repo_id, name, manifest_id, digest, start_ms) SELECT 1, x.name, 1, digest, 7 FROM tag
			CROSS JOIN (SELECT 'RC_one' AS name UNION ALL SELECT 'rc-two' UNION ALL SELECT 'a_b' UNION ALL SELECT 'axb' UNION ALL SELECT '_Zeb.ra') AS x WHERE tag.name = 'v1'`,
		past+`SELECT 1, name, 3, 4, 1, 0 FROM tag WHERE name IN ('RC_one', 'axb')`,
		past+`VALUES (1, 'gone-RC', 1, 2, 1, 0)`,
		`INSERT INTO tag (repo_id, name, manifest_id, digest, start_ms) SELECT 2, name, 1, digest, start_ms FROM tag WHERE repo_id = 1`)
}

// run executes statements in a transaction.
func run(t *testing.T, database *db.DB, queries ...string) {
	t.Helper()
	err := database.Hard(t.Context(), "fill", func(ctx context.Context, tx db.Tx) error {
		for _, query := range queries {
			if _, err := tx.Exec(ctx, query); err != nil {
				return fmt.Errorf("%s: %w", query, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAPartFindsWhatLookingAtEachNameFinds compares every page of like: with the list of all periods, looked through here.
func TestAPartFindsWhatLookingAtEachNameFinds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, database *db.DB) {
		fillParts(t, database, maxFew+200)
		reg := &Registry{db: database, clock: func() time.Time { return time.UnixMilli(1000) }}
		all := func(f TagFilter) (found []string) {
			f.Page = 1
			for {
				tags, more, err := reg.TagHistory(t.Context(), Repository{ID: 1}, f)
				if err != nil {
					t.Fatal(err)
				}
				for _, tag := range tags {
					found = append(found, fmt.Sprint(tag.Name, " ", tag.Start.UnixMilli(), tag.Live))
				}
				if !more {
					return found
				}
				f.Page++
			}
		}
		for _, live := range []bool{false, true} {
			everything := all(TagFilter{OnlyLive: live, Limit: maxPage})
			for _, part := range []string{"v", "v1", "v11", "1199", "rc", "RC", "rc-", "RC_", "Rc_One", "a_b", "_b", "_", "zeb.r", ".", "gone",
				"%", "%%%", `\`, `\_b`, `a\b`, `rc%`, `"`, `rc"`, `""""`, "é", "ééé", "ſeb", "nothing", "v12", "'", "rc* OR v", strings.Repeat("v", 300)} {
				var want []string
				for _, entry := range everything {
					name, _, _ := strings.Cut(entry, " ")
					if strings.Contains(strings.ToLower(name), strings.ToLower(part)) {
						want = append(want, entry)
					}
				}
				for _, limit := range []int{3, 100, maxPage} {
					if limit == 3 && len(want) > 300 {
						continue
					}
					if diff := cmp.Diff(want, all(TagFilter{Like: part, OnlyLive: live, Limit: limit})); diff != "" {
						t.Errorf("%q, live %t, pages of %d: %s", part, live, limit, diff)
					}
				}
			}
		}
	})
}

// TestAPartTakesTwoQueries at most, however many names have it.
func TestAPartTakesTwoQueries(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, database *db.DB) {
		fillParts(t, database, maxFew+200)
		reg := &Registry{db: database, clock: time.Now}
		for part, want := range map[string]uint64{"v": 2, "rc": 2, "rc-": 2, "nothing": 1} {
			before := database.Stats().Queries
			if _, _, err := reg.TagHistory(t.Context(), Repository{ID: 1}, TagFilter{Like: part, Page: 1, Limit: 100}); err != nil {
				t.Fatal(err)
			}
			if got := database.Stats().Queries - before; got != want {
				t.Errorf("%q takes %d queries, want %d", part, got, want)
			}
		}
	})
}

// TestARarePartReadsTheIndexOfParts on both databases, and looks each of the few up by its key.
func TestARarePartReadsTheIndexOfParts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, database *db.DB) {
		fillParts(t, database, 5*maxFew)
		if database.Dialect() == db.PostgreSQL {
			run(t, database, `SELECT gin_clean_pending_list('tag_name_part')`, `ANALYZE tag, tag_history, tag_name`)
		}
		f := TagFilter{Like: "zeb", Page: 1, Limit: 50}
		count, countArgs := countQuery(database.Dialect(), Repository{ID: 1}, f)
		few, fewArgs := fewQuery(database.Dialect(), Repository{ID: 1}, f, 1)
		for query, args := range map[string][]any{count: countArgs, few: fewArgs} {
			plan := strings.Join(explain(t, database, query, args), "\n")
			part, bad := "SCAN s VIRTUAL TABLE INDEX 0:M1><", "SCAN t"
			if database.Dialect() == db.PostgreSQL {
				part, bad = "Bitmap Index Scan on tag_name_part", "Seq Scan"
			}
			if !strings.Contains(plan, part) || strings.Contains(plan, bad) {
				t.Errorf("%s in\n%s", part, plan)
			}
		}
	})
}

// TestANameIsKeptWithItsLastPeriod: the names that parts are looked for in are those of the periods, whatever comes and
// goes by which statement.
func TestANameIsKeptWithItsLastPeriod(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, database *db.DB) {
		fillParts(t, database, 20)
		const past = `INSERT INTO tag_history (repo_id, name, start_ms, end_ms, manifest_id, purge_ms) VALUES `
		for _, step := range []string{
			`DELETE FROM tag WHERE name = 'rc-two' AND repo_id = 1`, // the other repository has it still
			`DELETE FROM tag WHERE name = 'axb'`,                    // its history stays
			`DELETE FROM tag_history WHERE name = 'axb'`,
			`DELETE FROM tag_history WHERE name = 'RC_one'`, // live still
			past + `(1, 'gone-RC', 5, 6, 1, 0)`,
			`DELETE FROM tag_history WHERE name = 'gone-RC' AND start_ms = 1`,
			`UPDATE tag SET start_ms = 9 WHERE name = 'a_b'`,
			past + `(2, 'past', 5, 6, 1, 0), (1, 'past', 5, 6, 1, 0)`,
			`INSERT INTO tag (repo_id, name, manifest_id, digest, start_ms) SELECT 1, 'rc-two', 1, digest, 1 FROM tag WHERE name = 'a_b' AND repo_id = 1`,
			`DELETE FROM tag WHERE repo_id = 1`,
			`DELETE FROM tag_history`,
			`DELETE FROM tag`,
		} {
			run(t, database, step)
			want := names(t, database, `SELECT repo_id, name FROM tag UNION SELECT repo_id, name FROM tag_history ORDER BY 1, 2`)
			if diff := cmp.Diff(want, names(t, database, `SELECT repo_id, name FROM tag_name ORDER BY 1, 2`)); diff != "" {
				t.Fatalf("after %s: %s", step, diff)
			}
			if database.Dialect() == db.SQLite {
				parts := names(t, database, `SELECT id >> 32, name FROM tag_name n WHERE EXISTS (SELECT 1 FROM search_tag s WHERE s.rowid = n.id) ORDER BY repo_id, name`)
				if diff := cmp.Diff(want, parts); diff != "" {
					t.Fatalf("after %s the parts are those of: %s", step, diff)
				}
			}
		}
	})
}

func names(t *testing.T, database *db.DB, query string) (all []string) {
	t.Helper()
	found, err := database.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	var repo int64
	var name string
	if err := each(found, func() { all = append(all, fmt.Sprint(repo, " ", name)) }, &repo, &name); err != nil {
		t.Fatal(err)
	}
	return all
}
