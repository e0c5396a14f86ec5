package registry

import (
	"context"
	"strconv"
	"strings"

	"github.com/longshore-registry/longshore/internal/db"
)

const (
	// minPart is the length in bytes from which names are found by any part of them on an index (migration 9).
	minPart = 3
	// maxFew is how many periods are looked up one by one and sorted. Where more have the part, the repository's periods
	// are walked from the newest on, until they fill the page.
	maxFew = 1000
)

// periods runs the query of a page; nil for one that is empty. A part of names takes two queries, since no statement is
// good for both a part that all names have and one that few have.
func (r *Registry) periods(ctx context.Context, repo Repository, f TagFilter, begin *place, now int64) (db.Rows, error) {
	if f.Like != "" && f.Name == "" {
		var n int64
		query, args := countQuery(r.db.Dialect(), repo, f)
		found, err := r.db.QueryOnce(ctx, query, args...)
		if err == nil {
			err = each(found, func() {}, &n)
		}
		if err != nil || n == 0 {
			return nil, err
		}
		if n <= maxFew {
			query, args := fewQuery(r.db.Dialect(), repo, f, now)
			return r.db.QueryOnce(ctx, query, args...)
		}
	}
	query, args := historyQuery(r.db.Dialect(), repo, f, begin, now)
	if f.Name != "" || f.Like != "" { // a plan for any name hashes all tags of the repository, however many it has
		return r.db.QueryOnce(ctx, query, args...)
	}
	return r.db.Query(ctx, query, args...)
}

// countQuery counts the periods of names with the part, and stops after maxFew. Where there are more names, none of their
// periods is looked up.
func countQuery(d db.Dialect, repo Repository, f TagFilter) (string, []any) {
	args := []any{repo.ID}
	names := namesQuery(d, repo, f.Like, func(v any) string {
		args = append(args, v)
		return values(len(args), 1)
	})
	more := strconv.Itoa(maxFew + 1)
	return names + `SELECT CASE WHEN (SELECT COUNT(*) FROM names) = ` + more + ` THEN ` + more +
		` ELSE (SELECT COUNT(*) FROM (` + periodsOfNames(f, ``) + ` LIMIT ` + more + `) AS few) END`, args
}

// fewQuery is historyQuery for a part that few names have: it starts from them.
func fewQuery(d db.Dialect, repo Repository, f TagFilter, now int64) (string, []any) {
	args := []any{repo.ID, f.Limit + 1, (int64(f.Page) - 1) * int64(f.Limit)}
	param := func(v any) string {
		args = append(args, v)
		return values(len(args), 1)
	}
	names := namesQuery(d, repo, f.Like, param)
	live := ``
	if f.OnlyLive {
		live = ` AND (t.expires_ms IS NULL OR t.expires_ms > ` + param(now) + `)`
	}
	return names + periodRows(periodsOfNames(f, live)+pageOrder), args
}

// periodsOfNames are the periods of the names that namesQuery gives, each name looked up for itself.
func periodsOfNames(f TagFilter, live string) string {
	periods := `SELECT t.name AS name, t.start_ms AS start_ms, 1 AS live FROM names CROSS JOIN tag t WHERE t.repo_id = $1 AND t.name = names.name` + live
	if !f.OnlyLive {
		periods += ` UNION ALL SELECT h.name AS name, h.start_ms AS start_ms, 0 AS live FROM names CROSS JOIN tag_history h WHERE h.repo_id = $1 AND h.name = names.name`
	}
	return periods
}

// namesQuery begins a statement with the table names: those of the repository that have the part, at most one more than
// maxFew. A part that is too short for the index of parts is looked for in all names of the repository.
func namesQuery(d db.Dialect, repo Repository, part string, param func(any) string) string {
	from := `tag_name n WHERE n.repo_id = $1 AND ` + likeName(d, part, param)
	if d == db.SQLite && len(part) >= minPart {
		match := `"` + strings.ReplaceAll(strings.ToLower(part), `"`, `""`) + `"`
		from = `search_tag s CROSS JOIN tag_name n WHERE s.search_tag MATCH ` + param(match) +
			` AND s.rowid > ` + param(repo.ID<<32) + ` AND s.rowid < ` + param((repo.ID+1)<<32) + ` AND n.id = s.rowid`
	}
	return `WITH names AS MATERIALIZED (SELECT n.name FROM ` + from + ` LIMIT ` + strconv.Itoa(maxFew+1) + `) `
}

// likeName is the condition that a column called name has a part in it, whatever the case.
func likeName(d db.Dialect, part string, param func(any) string) string {
	column := `LOWER(name)`
	if d == db.SQLite { // its LIKE ignores the case of ASCII letters, and no tag has others
		column = `name`
	}
	return column + ` LIKE ` + param("%"+likeEscape(strings.ToLower(part))+"%") + ` ESCAPE '\'`
}

// likeEscape makes a text match itself in a LIKE pattern.
func likeEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
