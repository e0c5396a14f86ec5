package overview

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// fill makes an organization with so many repositories, every hundredth of them public, and as many users, teams and robots.
func fill(t *testing.T, d *db.DB, n int) {
	t.Helper()
	const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) `
	err := d.Hard(t.Context(), "fill", func(ctx context.Context, tx db.Tx) error {
		for _, query := range []string{
			`INSERT INTO account (uuid, kind, name, tag_window_s) SELECT 'u', 2, 'acme', 0 WHERE CAST($1 AS BIGINT) > 0`,
			numbers + `INSERT INTO repository (namespace_id, name, visibility, badge_token, created_ms)
				SELECT 1, 'common-' || (i * 7919) || '-app', CASE WHEN i % 100 = 0 THEN 1 ELSE 2 END, 'b', 0 FROM n`,
			numbers + `INSERT INTO account (uuid, kind, name, tag_window_s) SELECT 'u' || i, 1, 'common-user' || i, 0 FROM n`,
			numbers + `INSERT INTO account (uuid, kind, name, owner_id, tag_window_s) SELECT 'r' || i, 3, 'acme+common' || i, 1, 0 FROM n`,
			numbers + `INSERT INTO team (organization_id, name, role) SELECT 1, 'common' || i, 3 FROM n`,
		} {
			if _, err := tx.Exec(ctx, query, n); err != nil {
				return err
			}
		}
		if tx.Dialect() == db.PostgreSQL {
			_, err := tx.Exec(ctx, `ANALYZE`)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func explain(t *testing.T, d *db.DB, query string, args []any) (plan []string) {
	t.Helper()
	verb, column := "EXPLAIN QUERY PLAN ", 4
	if d.Dialect() == db.PostgreSQL {
		verb, column = "EXPLAIN ", 1
	}
	err := d.Hard(t.Context(), "explain", func(ctx context.Context, tx db.Tx) error {
		if tx.Dialect() == db.PostgreSQL {
			if _, err := tx.Exec(ctx, `SET LOCAL enable_seqscan = off`); err != nil {
				return err
			}
		}
		rows, err := tx.Query(ctx, verb+query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var line string
			targets := []any{&line}
			if column == 4 {
				targets = []any{new(int64), new(int64), new(int64), &line}
			}
			if err := rows.Scan(targets...); err != nil {
				return err
			}
			plan = append(plan, line)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatalf("%v in\n%s", err, query)
	}
	return plan
}

// TestNoSearchAndNoListReadsATable asks both databases how they run what pages wait for, over 10,000 of everything.
func TestNoSearchAndNoListReadsATable(t *testing.T) {
	now := time.UnixMilli(0)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		fill(t, d, 10_000)
		r := New(d)
		somebody, root := Seeker{AccountID: 2}, Seeker{AccountID: 2, AllRepositories: true, AllNamespaces: true}
		type statement struct {
			query string
			args  []any
		}
		one := func(query string, args []any) statement { return statement{query, args} }
		list := func(f Filter) statement {
			f.Modified, f.Popularity, f.StarsOf = true, true, 2
			return one(f.query(d.Dialect(), view{}, Position{NamespaceID: 1, Name: "common-5"}, 100, now))
		}
		for name, s := range map[string]statement{
			"repositories by a part, nobody":     one(r.findRepositories(Seeker{}, "7919", 0, 10, now)),
			"repositories by a part, somebody":   one(r.findRepositories(somebody, "7919", 0, 10, now)),
			"repositories by a part, superuser":  one(r.findRepositories(root, "7919", 0, 10, now)),
			"repositories by a beginning":        one(r.findRepositories(somebody, "co", 0, 10, now)),
			"repositories of a namespace":        one(r.findRepositories(somebody, "acme/com", 0, 10, now)),
			"people by a part":                   one(r.findPeople("user77", false, 10)),
			"people by the whole":                one(r.findPeople("user77", true, 10)),
			"people by a beginning":              one(r.findPeople("co", false, 10)),
			"robots, somebody":                   one(r.findRobots(somebody, 0, "common77", 10)),
			"robots, superuser":                  one(r.findRobots(root, 0, "common77", 10)),
			"robots of a namespace":              one(r.findRobots(root, 1, "common77", 10)),
			"teams, somebody":                    one(r.findTeams(somebody, 0, "common77", 10)),
			"teams, superuser":                   one(r.findTeams(root, 0, "common77", 10)),
			"teams of a namespace":               one(r.findTeams(root, 1, "common77", 10)),
			"members among a few":                one(membersAmong(1, []int64{2, 3, 4})),
			"list of a namespace, administrator": list(Filter{NamespaceID: 1, All: true}),
			"list of a namespace, somebody":      list(Filter{NamespaceID: 1, ViewerID: 2, Public: true}),
			"list of a namespace, what he rules": one(Filter{ViewerID: 2, NamespaceID: 1}.given()),
			"list of everything, what he rules":  one(Filter{ViewerID: 2}.ruled(Position{})),
			"list of everything public":          list(Filter{Public: true}),
			"list of public ones and one's own":  list(Filter{Public: true, ViewerID: 2}),
			"list of starred ones":               list(Filter{StarredBy: 2, ViewerID: 2, Public: true}),
		} {
			t.Run(name, func(t *testing.T) {
				plan := explain(t, d, s.query, s.args)
				for _, line := range plan {
					if whole.MatchString(line) {
						t.Errorf("%s in\n%s", line, strings.Join(plan, "\n"))
					}
				}
			})
		}
	})
}

// whole matches the reading of a whole table: of the schema's, not of a subquery's result. An index of parts is read
// as a virtual table, by its match.
var whole = regexp.MustCompile(`^SCAN (repository|account|team|tag|star|x|r|n|t|m|p|o)\b|Seq Scan on (repository|account|team|tag|star)\b`)

// TestPostgreSQLReadsAPageForAPage: planned for its values or for any, a page of a list and a search for what all names
// have read no more than that, whatever else PostgreSQL deems cheaper: no table, no account for its name alone, no index
// of names for a namespace's list.
func TestPostgreSQLReadsAPageForAPage(t *testing.T) {
	d := dbtest.Open(t, dbtest.PostgreSQL)
	fill(t, d, 10_000)
	fillOthers(t, d, 10_000)
	r, now := New(d), time.UnixMilli(0)
	list := func(f Filter, v view) func() (string, []any) {
		f.Modified, f.StarsOf = true, 2
		return func() (string, []any) {
			return f.query(db.PostgreSQL, v, Position{NamespaceID: 1, Name: "common-9"}, 101, now)
		}
	}
	for name, test := range map[string]struct {
		query func() (string, []any)
		most  int // rows that are read of anything
	}{
		"a namespace":          {list(Filter{NamespaceID: 1, All: true}, view{}), 101},
		"public ones of it":    {list(Filter{NamespaceID: 1, Public: true}, view{}), 101},
		"what he rules of all": {list(Filter{ViewerID: 2, Public: true}, view{ruled: []int64{1}}), 202},
		"starred":              {list(Filter{StarredBy: 2, ViewerID: 2, Public: true}, view{}), 101},
		"a common beginning":   {func() (string, []any) { return r.findRepositories(Seeker{}, "common", 0, 11, now) }, maxMatches},
		"what all names have": {func() (string, []any) {
			return r.findRepositories(Seeker{AccountID: 2, AllRepositories: true}, "app", 0, 11, now)
		}, 2 * maxMatches},
	} {
		t.Run(name, func(t *testing.T) {
			query, args := test.query()
			plan := analyze(t, d, query, args)
			for _, line := range plan {
				found := read.FindStringSubmatch(line)
				if found == nil {
					continue
				}
				if n, _ := strconv.Atoi(found[1]); n > test.most {
					t.Errorf("%s in\n%s", line, strings.Join(plan, "\n"))
				}
			}
		})
	}
}

// read matches a step of PostgreSQL's that reads rows, with how many it gives or leaves out.
var read = regexp.MustCompile(`(?:(?:Scan|Join|Loop|Sort|Hash).*actual rows=|Rows Removed by Filter: )(\d+)`)

// analyze runs a statement as PostgreSQL plans it, and gives the plan with the rows that its steps gave and filtered.
func analyze(t *testing.T, d *db.DB, query string, args []any) []string {
	t.Helper()
	rows, err := d.QueryOnce(t.Context(), "EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := collect(rows, func(line *string) []any { return []any{line} })
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// fillOthers adds a second namespace, whose names come before those of the first that a page shows, and stars of account 2.
func fillOthers(t *testing.T, d *db.DB, n int) {
	t.Helper()
	err := d.Hard(t.Context(), "fill", func(ctx context.Context, tx db.Tx) error {
		for _, query := range []string{
			`INSERT INTO account (uuid, kind, name, tag_window_s) SELECT 'v', 2, 'others', 0 WHERE CAST($1 AS BIGINT) > 0`,
			`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
				INSERT INTO repository (namespace_id, name, visibility, badge_token, created_ms)
				SELECT (SELECT id FROM account WHERE name = 'others'), 'common-9-' || i || '-app', CASE WHEN i % 2 = 0 THEN 1 ELSE 2 END, 'b', 0 FROM n`,
			`INSERT INTO star (account_id, repo_id, created_ms) SELECT 2, id, 0 FROM repository WHERE visibility = 1 AND CAST($1 AS BIGINT) > 0`,
		} {
			if _, err := tx.Exec(ctx, query, n); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `ANALYZE`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAPageOfAListReadsAPageOfItsIndex: where the viewer sees what is there, the walk ends with the page.
func TestAPageOfAListReadsAPageOfItsIndex(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	fill(t, d, 10_000)
	for name, test := range map[string]struct {
		filter Filter
		view   view
	}{
		"a namespace":                     {filter: Filter{NamespaceID: 1, All: true}},
		"a namespace, who was given much": {Filter{NamespaceID: 1, ViewerID: 2}, view{walk: true}},
		"what is public in a namespace":   {filter: Filter{NamespaceID: 1, Public: true}},
		"what is public":                  {filter: Filter{Public: true}},
		"what is starred":                 {filter: Filter{StarredBy: 2, ViewerID: 2, Public: true}},
	} {
		t.Run(name, func(t *testing.T) {
			query, args := test.filter.query(d.Dialect(), test.view, Position{NamespaceID: 1, Name: "common-5"}, 100, time.UnixMilli(0))
			plan := strings.Join(explain(t, d, query, args), "\n")
			walk, _, _ := strings.Cut(plan, "SCAN page") // a page itself may be sorted
			if strings.Contains(walk, "TEMP B-TREE") || !strings.Contains(plan, "(namespace_id") && !strings.Contains(plan, "repository_public") && !strings.Contains(plan, "(account_id=? AND repo_id>?)") {
				t.Errorf("the list is not read in the order of its index:\n%s", plan)
			}
		})
	}
}
