package overview

import (
	"context"
	"errors"
	"strconv"

	"github.com/longshore-registry/longshore/internal/db"
)

const (
	// fewGiven is from how many repositories of a namespace on, that the viewer was given one by one, the list walks the
	// namespace's index instead of sorting them: then the walk meets one of them often enough.
	fewGiven = 1000
	// fewRuled is how many namespaces that the viewer administers are merged into the list of all namespaces.
	fewRuled = 32
)

// view is where a viewer's repositories are to be looked for. It is asked for each list: the rows below ruled are shown
// without a further look at their permissions.
type view struct {
	walk  bool    // in the namespace, each row being asked whether it may be seen
	ruled []int64 // namespaces of which the viewer sees all, in order
	sort  bool    // they are too many: what is in them is sorted with the rest
}

// view takes a query where the viewer's own repositories count.
func (r *Reader) view(ctx context.Context, f Filter, after Position) (v view, err error) {
	if f.ViewerID == 0 || f.All || f.StarredBy != 0 {
		return v, nil
	}
	if f.NamespaceID != 0 {
		query, args := f.given()
		var rules bool
		var given int
		err := r.db.QueryRow(ctx, query, args...).Scan(&rules, &given)
		if errors.Is(err, db.ErrNoRows) { // it was deleted meanwhile
			err = nil
		}
		return view{walk: rules || given > fewGiven}, err
	}
	query, args := f.ruled(after)
	rows, err := r.db.Query(ctx, query, args...)
	if err != nil {
		return v, err
	}
	v.ruled, err = collect(rows, func(id *int64) []any { return []any{id} })
	if len(v.ruled) > fewRuled {
		v = view{sort: true}
	}
	return v, err
}

// given asks whether the viewer sees all of the namespace, and how much of it he was given, as far as it matters. A CROSS
// JOIN is one that SQLite reads from the left, else it begins with the namespace.
func (f Filter) given() (string, []any) {
	a := &arguments{}
	viewer, namespace := a.add(f.ViewerID), a.add(f.NamespaceID)
	return `SELECT CASE WHEN ` + ruledBy("n.id", viewer) + ` THEN 1 ELSE 0 END,
			(SELECT COUNT(*) FROM (SELECT r.id FROM (` + givenIDs(viewer) + `) AS given CROSS JOIN repository r
				WHERE r.id = given.id AND r.namespace_id = n.id LIMIT ` + strconv.Itoa(fewGiven+1) + `) AS few)
		FROM account n WHERE n.id = ` + namespace, a.values
}

// ruled asks for the namespaces of which the viewer sees all, from a position on, as far as they matter.
func (f Filter) ruled(after Position) (string, []any) {
	a := &arguments{}
	viewer := a.add(f.ViewerID)
	return `SELECT ruled.id FROM (SELECT CAST(` + viewer + ` AS BIGINT) AS id
			UNION SELECT t.organization_id FROM team_member m JOIN team t ON t.id = m.team_id AND t.role = 1 WHERE m.account_id = ` + viewer + `) AS ruled
		WHERE ruled.id >= ` + a.add(after.NamespaceID) + ` AND EXISTS (SELECT 1 FROM repository r WHERE r.namespace_id = ruled.id AND r.deleted_ms IS NULL)
		ORDER BY ruled.id LIMIT ` + strconv.Itoa(fewRuled+1), a.values
}

// readableBy is who may read a repository: who sees all of its namespace, and who was given a permission, itself or by a
// team.
func readableBy(viewer string) string {
	return ruledBy("r.namespace_id", viewer) + `
		OR EXISTS (SELECT 1 FROM repository_permission p WHERE p.repo_id = r.id AND p.account_id = ` + viewer + `)
		OR EXISTS (SELECT 1 FROM repository_permission p
			JOIN team_member m ON m.team_id = p.team_id AND m.account_id = ` + viewer + ` WHERE p.repo_id = r.id)`
}

// ruledBy is who sees all of a namespace: its owner, and administrators of the organization.
func ruledBy(namespace, viewer string) string {
	return namespace + ` = ` + viewer + ` OR EXISTS (SELECT 1 FROM team t JOIN team_member m ON m.team_id = t.id AND m.account_id = ` + viewer + `
		WHERE t.organization_id = ` + namespace + ` AND t.role = 1)`
}

// givenIDs are the repositories on which a viewer was given a permission, itself or by a team.
func givenIDs(viewer string) string {
	return `SELECT p.repo_id AS id FROM repository_permission p WHERE p.account_id = ` + viewer + `
		UNION SELECT p.repo_id AS id FROM team_member m JOIN repository_permission p ON p.team_id = m.team_id WHERE m.account_id = ` + viewer
}

// ownIDs are the repositories that a viewer may read as a set, for when there is no other place to begin.
func ownIDs(viewer string) string {
	return `(SELECT x.id FROM repository x WHERE x.namespace_id = ` + viewer + ` AND x.deleted_ms IS NULL
		UNION SELECT x.id FROM team_member m JOIN team t ON t.id = m.team_id AND t.role = 1
			JOIN repository x ON x.namespace_id = t.organization_id AND x.deleted_ms IS NULL WHERE m.account_id = ` + viewer + `
		UNION ` + givenIDs(viewer) + `)`
}
