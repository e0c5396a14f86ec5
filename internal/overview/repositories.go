package overview

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/tally"
)

// Filter chooses repositories.
type Filter struct {
	NamespaceID int64 // 0: all namespaces
	ViewerID    int64 // repositories that this account may read; 0: nobody's
	All         bool  // every repository, for who may see all
	Public      bool  // public ones too
	StarredBy   int64 // only those that this account has starred; 0: no matter
	Application bool  // application repositories instead of images

	StarsOf    int64 // whose stars are told; 0: nobody's
	Modified   bool  // say when a repository was last pushed to
	Popularity bool  // count what was done on it lately
}

// Position is the place of a repository in the list; the zero Position stands before the first.
type Position struct {
	NamespaceID int64  `json:"n"`
	Name        string `json:"r"`
	ID          int64  `json:"i"` // counts among starred ones, which are in the order in which they were made
}

// Repository is an entry of the list.
type Repository struct {
	Position
	Namespace    string
	Description  string
	Public       bool
	State        access.State
	Starred      bool      // by Filter.StarsOf
	LastModified time.Time // start of the newest live tag; zero without one, and when it was not asked for
	Popularity   int64     // what was done in the last PopularDays days
}

// PopularDays is how far back popularity looks.
const PopularDays = 90

// Repositories lists repositories by namespace and name, starred ones by age, those after a position. It takes two queries
// at most, and reads of each index no more than a page; of what the viewer was given one by one it reads at most
// fewGiven in a namespace, and all of it in the list of all namespaces.
func (r *Reader) Repositories(ctx context.Context, f Filter, after Position, limit int, now time.Time) ([]Repository, error) {
	v, err := r.view(ctx, f, after)
	if err != nil {
		return nil, fmt.Errorf("list repositories: %w", err)
	}
	query, args := f.query(r.db.Dialect(), v, after, limit, now)
	if query == "" {
		return nil, nil
	}
	rows, err := r.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list repositories: %w", err)
	}
	defer rows.Close()
	var all []Repository
	for rows.Next() {
		var x Repository
		var modified sql.NullInt64
		err := rows.Scan(&x.ID, &x.NamespaceID, &x.Namespace, &x.Name, &x.Description, &x.Public, &x.State, &x.Starred, &modified, &x.Popularity)
		if err != nil {
			return nil, fmt.Errorf("list repositories: %w", err)
		}
		if modified.Valid {
			x.LastModified = db.Time(modified.Int64)
		}
		all = append(all, x)
	}
	return all, rows.Err()
}

// arguments collects the values of a statement's parameters.
type arguments struct{ values []any }

// add gives the parameter for a value.
func (a *arguments) add(value any) string {
	a.values = append(a.values, value)
	return "$" + strconv.Itoa(len(a.values))
}

// query builds the statement, so that each combination reads an index in the page's order or starts from the few
// repositories that it is about. Limits stand in it as they are: of a parameter PostgreSQL's plans assume a tenth of the
// table. It is empty where nothing can be seen.
//
// What a row of the page has elsewhere is a scalar subquery, which is asked of each row. PostgreSQL turns a join into a
// reading of all accounts, and EXISTS into one of all stars.
func (f Filter) query(d db.Dialect, v view, after Position, limit int, now time.Time) (string, []any) {
	a := &arguments{}
	from := f.source(a, d, v, after, limit)
	if from == "" {
		return "", nil
	}
	starred, modified, popularity := "0", "NULL", "0"
	if f.StarsOf != 0 {
		starred = `COALESCE((SELECT 1 FROM star s WHERE s.account_id = ` + a.add(f.StarsOf) + ` AND s.repo_id = page.id), 0)`
	}
	if f.Modified {
		modified = `(SELECT t.start_ms FROM tag t WHERE t.repo_id = page.id AND (t.expires_ms IS NULL OR t.expires_ms > ` + a.add(db.Millis(now)) + `)
			ORDER BY t.start_ms DESC LIMIT 1)`
	}
	if f.Popularity {
		popularity = popularitySince(a, "page.id", now)
	}
	order := `page.namespace_id, page.name`
	if f.StarredBy != 0 {
		order = `page.id`
	}
	return `SELECT page.id, page.namespace_id, (SELECT n.name FROM account n WHERE n.id = page.namespace_id), page.name, page.description, CASE WHEN page.visibility = 1 THEN 1 ELSE 0 END, page.state, ` +
		starred + `, ` + modified + `, ` + popularity + `
		FROM ` + from + `
		ORDER BY ` + order + ` LIMIT ` + strconv.Itoa(limit), a.values
}

// popularitySince counts what was done on a repository lately.
func popularitySince(a *arguments, id string, now time.Time) string {
	return `(SELECT COALESCE(SUM(d.pulls + d.pushes + d.others), 0) FROM repo_day d
		WHERE d.repo_id = ` + id + ` AND d.day > ` + a.add(DayOf(now)-PopularDays) + `)`
}

// source is where the page's rows come from: of a namespace, or of all, the rows of an index in the page's order, and the
// few repositories that the viewer was given one by one. Each part gives at most a page.
func (f Filter) source(a *arguments, d db.Dialect, v view, after Position, limit int) string {
	kind := "1"
	if f.Application {
		kind = "2"
	}
	namespace := `r.namespace_id`
	if f.NamespaceID != 0 { // asked once
		namespace = a.add(f.NamespaceID)
	}
	shown := ` r.deleted_ms IS NULL AND r.state <> 3 AND r.kind = ` + kind + ` AND ` + namespaceShown(namespace)
	page := func(from, order string, conditions ...string) string {
		return `(SELECT r.* FROM ` + from + ` WHERE ` + strings.Join(append(conditions, shown), ` AND `) + ` ORDER BY ` + order + ` LIMIT ` + strconv.Itoa(limit) + `)`
	}
	const byName = `r.namespace_id, r.name`
	switch {
	case f.StarredBy != 0:
		stars := `s.account_id = ` + a.add(f.StarredBy) + ` AND s.repo_id > ` + a.add(after.ID)
		if f.NamespaceID != 0 {
			stars += ` AND r.namespace_id = ` + a.add(f.NamespaceID)
		}
		return page(`star s`+d.LookUp("JOIN", "repository r", "s.repo_id"), `s.repo_id`, stars, `(`+f.seen(a)+`)`) + ` AS page`
	case f.All || v.walk:
		return page(`repository r`, byName, `(`+f.seen(a)+`)`, f.after(a, d, after)) + ` AS page`
	}
	var parts []string
	private := `1 = 1`
	if f.Public {
		parts = append(parts, page(`repository r`, byName, `r.visibility = 1`, f.after(a, d, after)))
		private = `r.visibility <> 1`
	}
	for _, n := range v.ruled {
		within := after
		if within.NamespaceID != n {
			within = Position{NamespaceID: n}
		}
		parts = append(parts, page(`repository r`, byName, private, Filter{NamespaceID: n}.after(a, d, within)))
	}
	if f.ViewerID != 0 {
		viewer := a.add(f.ViewerID)
		given, others := ownIDs(viewer), `1 = 1`
		if !v.sort {
			given, others = `(`+givenIDs(viewer)+`)`, `NOT (`+ruledBy("r.namespace_id", viewer)+`)`
		}
		parts = append(parts, page(given+` AS given CROSS JOIN repository r`, byName, `r.id = given.id`, private, others, f.after(a, d, after)))
	}
	for i, part := range parts {
		parts[i] = `SELECT * FROM ` + part + ` AS part` + strconv.Itoa(i)
	}
	if len(parts) == 0 {
		return ""
	}
	return `(` + strings.Join(parts, ` UNION ALL `) + `) AS page`
}

// after is the condition that r stands behind a position.
//
// PostgreSQL must not know that the namespace is one: the page's order is then that of names alone, and it walks the
// index of the names of all namespaces until it has met enough of this one.
func (f Filter) after(a *arguments, d db.Dialect, after Position) string {
	if f.NamespaceID != 0 {
		n := a.add(f.NamespaceID)
		within := `r.namespace_id = ` + n
		if d == db.PostgreSQL {
			within = `r.namespace_id BETWEEN ` + n + ` AND ` + n
		}
		return within + ` AND r.name > ` + a.add(after.Name)
	}
	return `(r.namespace_id, r.name) > (` + a.add(after.NamespaceID) + `, ` + a.add(after.Name) + `)`
}

// seen is the condition that r may be shown.
func (f Filter) seen(a *arguments) string {
	if f.All {
		return "1 = 1"
	}
	conditions := []string{"1 = 0"}
	if f.ViewerID != 0 {
		conditions = append(conditions, readableBy(a.add(f.ViewerID)))
	}
	if f.Public {
		conditions = append(conditions, "r.visibility = 1")
	}
	return strings.Join(conditions, " OR ")
}

// Days gives what was done on a repository by day since a time: pulls, pushes, and what an imported Quay counted. Days
// without anything are absent.
func (r *Reader) Days(ctx context.Context, repositoryID int64, since time.Time) (map[int64]int64, error) {
	rows, err := r.db.Query(ctx, `SELECT day, pulls + pushes + others FROM repo_day WHERE repo_id = $1 AND day >= $2`,
		repositoryID, DayOf(since))
	if err != nil {
		return nil, fmt.Errorf("count by days: %w", err)
	}
	type row struct{ day, count int64 }
	list, err := collect(rows, func(x *row) []any { return []any{&x.day, &x.count} })
	days := make(map[int64]int64, len(list))
	for _, x := range list {
		days[x.day] = x.count
	}
	return days, err
}

// DayOf is a day as it is stored: days since 1970-01-01 in UTC.
func DayOf(t time.Time) int64 { return t.UnixMilli() / tally.DayMS }
