package registry

import (
	"context"
)

// CatalogViewer says whose catalog is listed.
type CatalogViewer struct {
	AccountID int64 // 0 for nobody
	All       bool  // everything: superusers
	Public    bool  // public repositories too: FEATURE_PUBLIC_CATALOG
}

// CatalogEntry is a repository's name. As a cursor it need not exist.
type CatalogEntry struct {
	Namespace string
	Name      string
}

// catalogOwn are the repositories that an account can see by what it is or was given: those of its own namespace, of
// the organizations it administers, and those it has a permission on, itself or by a team.
const catalogOwn = `(SELECT o.id FROM repository o WHERE o.namespace_id = $4 AND o.deleted_ms IS NULL
	UNION SELECT o.id FROM team_member tm JOIN team t ON t.id = tm.team_id AND t.role = 1
		JOIN repository o ON o.namespace_id = t.organization_id AND o.deleted_ms IS NULL WHERE tm.account_id = $4
	UNION SELECT p.repo_id AS id FROM repository_permission p WHERE p.account_id = $4
	UNION SELECT p.repo_id AS id FROM team_member tm JOIN repository_permission p ON p.team_id = tm.team_id WHERE tm.account_id = $4)`

// Catalog lists image repositories that a viewer can see, in byte order of namespace, then name, after an entry that
// need not exist, and whether there are more. Those of disabled namespaces are left out.
func (r *Registry) Catalog(ctx context.Context, v CatalogViewer, after CatalogEntry, limit int) (list []CatalogEntry, more bool, err error) {
	if limit <= 0 || !v.All && !v.Public && v.AccountID == 0 {
		return nil, false, nil
	}
	limit = min(limit, maxPage)
	query, args := catalogQuery(v, after, limit)
	found, err := r.db.Query(ctx, query, args...)
	if err != nil {
		return nil, false, err
	}
	var e CatalogEntry
	if err := each(found, func() { list = append(list, e) }, &e.Namespace, &e.Name); err != nil {
		return nil, false, err
	}
	list, more = cut(list, limit)
	return list, more, nil
}

// catalogQuery starts from the account's few repositories, or walks names in order until the page is full where most
// of them are visible.
func catalogQuery(v CatalogViewer, after CatalogEntry, limit int) (string, []any) {
	args := []any{after.Namespace, after.Name, limit + 1}
	from, visible := "", ""
	switch {
	case v.All:
	case v.AccountID == 0:
		visible = ` AND r.visibility = 1`
	case v.Public:
		visible = ` AND (r.visibility = 1 OR r.id IN ` + catalogOwn + `)`
	default:
		from = catalogOwn + ` AS own JOIN repository r ON r.id = own.id JOIN account n ON n.id = r.namespace_id`
	}
	if from == "" {
		from = `account n JOIN repository r ON r.namespace_id = n.id`
	}
	if !v.All && v.AccountID != 0 {
		args = append(args, v.AccountID)
	}
	return `SELECT n.name, r.name FROM ` + from + `
		WHERE n.deleted_ms IS NULL AND n.enabled = 1 AND r.deleted_ms IS NULL AND r.kind = 1 AND r.state <> 3
			AND n.name >= $1 AND (n.name, r.name) > ($1, $2)` + visible + `
		ORDER BY n.name, r.name LIMIT $3`, args
}
