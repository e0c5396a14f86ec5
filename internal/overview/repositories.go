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
)

// Filter chooses repositories.
type Filter struct {
	NamespaceID int64 // 0: all namespaces
	ViewerID    int64 // repositories that this account may read; 0: nobody's
	All         bool  // every repository, for who may see all
	Public      bool  // public ones too
	Application bool  // application repositories instead of images
}

// Position is the place of a repository in the list; the zero Position stands before the first.
type Position struct {
	NamespaceID int64  `json:"n"`
	Name        string `json:"r"`
}

// Repository is an entry of the list.
type Repository struct {
	Position
	Namespace    string
	Description  string
	Public       bool
	State        access.State
	LastModified time.Time // start of the newest live tag; zero without one
}

// Repositories lists repositories by namespace and name, those after a position.
func (r *Reader) Repositories(ctx context.Context, f Filter, after Position, limit int, now time.Time) ([]Repository, error) {
	query, args := f.query(after, limit, db.Millis(now))
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
		err := rows.Scan(&x.NamespaceID, &x.Namespace, &x.Name, &x.Description, &x.Public, &x.State, &modified)
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

// query builds the statement, so that each combination walks the index on (namespace_id, name). It is empty where
// nothing can be seen.
func (f Filter) query(after Position, limit int, now int64) (string, []any) {
	var args []any
	arg := func(value any) string {
		args = append(args, value)
		return "$" + strconv.Itoa(len(args))
	}
	var seen []string
	switch {
	case f.All:
		seen = []string{"1 = 1"}
	case f.ViewerID != 0:
		seen = append(seen, readableBy(arg(f.ViewerID)))
	}
	if f.Public {
		seen = append(seen, "r.visibility = 1")
	}
	if len(seen) == 0 {
		return "", nil
	}
	kind := 1
	if f.Application {
		kind = 2
	}
	var where string
	if f.NamespaceID != 0 {
		where = "r.namespace_id = " + arg(f.NamespaceID) + " AND r.name > " + arg(after.Name)
	} else {
		where = "(r.namespace_id, r.name) > (" + arg(after.NamespaceID) + ", " + arg(after.Name) + ")"
	}
	return `SELECT r.namespace_id, n.name, r.name, r.description, CASE WHEN r.visibility = 1 THEN 1 ELSE 0 END, r.state,
			(SELECT MAX(t.start_ms) FROM tag t WHERE t.repo_id = r.id AND (t.expires_ms IS NULL OR t.expires_ms > ` + arg(now) + `))
		FROM repository r
		JOIN account n ON n.id = r.namespace_id AND n.deleted_ms IS NULL AND n.enabled = 1
		WHERE r.deleted_ms IS NULL AND r.state <> 3 AND r.kind = ` + arg(kind) + ` AND ` + where + `
			AND (` + strings.Join(seen, " OR ") + `)
		ORDER BY r.namespace_id, r.name LIMIT ` + arg(limit), args
}

// readableBy is who may read a repository: the namespace's owner, administrators of the organization, and who was
// given a permission, itself or by a team.
func readableBy(viewer string) string {
	return `r.namespace_id = ` + viewer + `
		OR EXISTS (SELECT 1 FROM team t JOIN team_member m ON m.team_id = t.id AND m.account_id = ` + viewer + `
			WHERE t.organization_id = r.namespace_id AND t.role = 1)
		OR EXISTS (SELECT 1 FROM repository_permission p WHERE p.repo_id = r.id AND p.account_id = ` + viewer + `)
		OR EXISTS (SELECT 1 FROM repository_permission p
			JOIN team_member m ON m.team_id = p.team_id AND m.account_id = ` + viewer + ` WHERE p.repo_id = r.id)`
}
