// Package overview reads the lists of the API that join what several domains keep: which repositories somebody sees,
// what a team holds, what a robot was given; and finds names by a part of them.
//
// It only reads, outside of transactions, so that it may be given a replica. Each call makes a constant number of
// queries, and permission is a condition of the query: a page is never thinned out afterwards.
package overview

import (
	"context"
	"fmt"
	"strings"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
)

// Reader reads the lists.
type Reader struct {
	db Source
}

// Source is a database, or a replica of one.
type Source interface {
	db.Queryer
	// QueryOnce is Query for a statement whose best plan depends on its arguments.
	QueryOnce(ctx context.Context, query string, args ...any) (db.Rows, error)
	// Dialect says which database answers: they look for parts of names in different ways.
	Dialect() db.Dialect
}

// New makes a reader of a database.
func New(s Source) *Reader { return &Reader{s} }

// Team is a team with the size of what belongs to it.
type Team struct {
	Name         string
	Role         identity.TeamRole
	Description  string
	Members      int
	Repositories int
	Mine         bool // the viewer is a member
}

// Teams lists an organization's teams in the order in which they were made.
func (r *Reader) Teams(ctx context.Context, organizationID, viewerID int64) ([]Team, error) {
	rows, err := r.db.Query(ctx, `SELECT t.name, t.role, t.description,
			(SELECT COUNT(*) FROM team_member m JOIN account a ON a.id = m.account_id AND a.deleted_ms IS NULL WHERE m.team_id = t.id),
			(SELECT COUNT(*) FROM repository_permission p JOIN repository r ON r.id = p.repo_id AND r.deleted_ms IS NULL WHERE p.team_id = t.id),
			(SELECT COUNT(*) FROM team_member m WHERE m.team_id = t.id AND m.account_id = $2)
		FROM team t WHERE t.organization_id = $1 ORDER BY t.id`, organizationID, viewerID)
	if err != nil {
		return nil, fmt.Errorf("list the teams of organization %d: %w", organizationID, err)
	}
	return collect(rows, func(t *Team) []any {
		return []any{&t.Name, &t.Role, &t.Description, &t.Members, &t.Repositories, &t.Mine}
	})
}

// Grants is what a robot was given: names of teams and of repositories of its namespace.
type Grants struct {
	Teams        []string
	Repositories []string
}

// RobotGrants gives what the robots of a namespace were given, by the robot's id. Robots without anything are absent.
func (r *Reader) RobotGrants(ctx context.Context, ownerID int64) (map[int64]*Grants, error) {
	rows, err := r.db.Query(ctx, `SELECT m.account_id, 1, t.name FROM account a
			JOIN team_member m ON m.account_id = a.id
			JOIN team t ON t.id = m.team_id
			WHERE a.owner_id = $1 AND a.deleted_ms IS NULL
		UNION ALL
		SELECT p.account_id, 2, r.name FROM account a
			JOIN repository_permission p ON p.account_id = a.id
			JOIN repository r ON r.id = p.repo_id AND r.deleted_ms IS NULL
			WHERE a.owner_id = $1 AND a.deleted_ms IS NULL
		ORDER BY 1, 2, 3`, ownerID)
	if err != nil {
		return nil, fmt.Errorf("list what the robots of namespace %d were given: %w", ownerID, err)
	}
	type row struct {
		robot int64
		part  int
		name  string
	}
	list, err := collect(rows, func(x *row) []any { return []any{&x.robot, &x.part, &x.name} })
	all := map[int64]*Grants{}
	for _, x := range list {
		if all[x.robot] == nil {
			all[x.robot] = &Grants{}
		}
		if x.part == 1 {
			all[x.robot].Teams = append(all[x.robot].Teams, x.name)
		} else {
			all[x.robot].Repositories = append(all[x.robot].Repositories, x.name)
		}
	}
	return all, err
}

// Roles lists the roles that an account was given on a repository, itself and by its teams, the highest first. What it
// has as the namespace's owner or administrator is not among them.
func (r *Reader) Roles(ctx context.Context, repositoryID, accountID int64) ([]access.Role, error) {
	rows, err := r.db.Query(ctx, `SELECT p.role FROM repository_permission p WHERE p.repo_id = $1 AND p.account_id = $2
		UNION ALL
		SELECT p.role FROM repository_permission p
			JOIN team_member m ON m.team_id = p.team_id AND m.account_id = $2
			WHERE p.repo_id = $1
		ORDER BY 1`, repositoryID, accountID)
	if err != nil {
		return nil, fmt.Errorf("list the roles of account %d on repository %d: %w", accountID, repositoryID, err)
	}
	return collect(rows, func(role *access.Role) []any { return []any{role} })
}

// collect reads all rows into a list; targets gives the scan targets of an item.
func collect[T any](rows db.Rows, targets func(*T) []any) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		var item T
		if err := rows.Scan(targets(&item)...); err != nil {
			return nil, fmt.Errorf("read a list: %w", err)
		}
		all = append(all, item)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read a list: %w", err)
	}
	return all, nil
}

// MembersAmong says which of a few accounts are in a team of an organization. It begins with what teams they are in, which
// are few: SQLite takes a CROSS JOIN from the left, and would else look for each of them in all teams.
func (r *Reader) MembersAmong(ctx context.Context, organizationID int64, accounts []int64) (map[int64]bool, error) {
	query, args := membersAmong(organizationID, accounts)
	rows, err := r.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("look up members of organization %d: %w", organizationID, err)
	}
	list, err := collect(rows, func(id *int64) []any { return []any{id} })
	members := make(map[int64]bool, len(list))
	for _, id := range list {
		members[id] = true
	}
	return members, err
}

func membersAmong(organizationID int64, accounts []int64) (string, []any) {
	a := &arguments{}
	organization := a.add(organizationID)
	in := make([]string, len(accounts))
	for i, id := range accounts {
		in[i] = a.add(id)
	}
	return `SELECT DISTINCT m.account_id FROM team_member m CROSS JOIN team t
		WHERE m.account_id IN (` + strings.Join(in, ", ") + `) AND t.id = m.team_id AND t.organization_id = ` + organization, a.values
}
