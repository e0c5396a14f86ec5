package overview

import (
	"context"
	"fmt"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
)

// Member is somebody with a place in an organization: in teams, or by permissions on its repositories.
type Member struct {
	Account      identity.Account // id, kind, name and address only
	Teams        []string         // empty for a collaborator
	Repositories []string         // those with a permission of its own
}

// Members lists the users who are in a team of an organization, by name.
func (r *Reader) Members(ctx context.Context, organizationID int64) ([]Member, error) {
	all, err := r.people(ctx, organizationID, 0)
	return keep(all, func(m Member) bool { return len(m.Teams) > 0 }), err
}

// Collaborators lists the users who have permissions on repositories of an organization and are in none of its teams,
// by name.
func (r *Reader) Collaborators(ctx context.Context, organizationID int64) ([]Member, error) {
	all, err := r.people(ctx, organizationID, 0)
	return keep(all, func(m Member) bool { return len(m.Teams) == 0 }), err
}

// Member gives one user or robot; ok is false when it is in no team of the organization.
func (r *Reader) Member(ctx context.Context, organizationID, accountID int64) (m Member, ok bool, err error) {
	all, err := r.people(ctx, organizationID, accountID)
	if err != nil || len(all) == 0 || len(all[0].Teams) == 0 {
		return Member{}, false, err
	}
	return all[0], true, nil
}

func keep(all []Member, wanted func(Member) bool) []Member {
	var kept []Member
	for _, m := range all {
		if wanted(m) {
			kept = append(kept, m)
		}
	}
	return kept
}

// people reads who has a place in an organization in one query: all users, or the one account of an id that is not 0.
func (r *Reader) people(ctx context.Context, organizationID, accountID int64) ([]Member, error) {
	inTeam := `team t JOIN team_member m ON m.team_id = t.id JOIN account a ON a.id = m.account_id WHERE a.kind = 1`
	given := `repository r JOIN repository_permission p ON p.repo_id = r.id JOIN account a ON a.id = p.account_id WHERE a.kind = 1`
	args := []any{organizationID}
	if accountID != 0 { // from the left: the account has less than the organization
		inTeam = `account a CROSS JOIN team_member m CROSS JOIN team t`
		given = `account a CROSS JOIN repository_permission p CROSS JOIN repository r`
		inTeam += ` WHERE a.id = $2 AND m.account_id = a.id AND t.id = m.team_id`
		given += ` WHERE a.id = $2 AND p.account_id = a.id AND r.id = p.repo_id`
		args = append(args, accountID)
	}
	rows, err := r.db.Query(ctx, `SELECT a.id, a.kind, a.name, COALESCE(a.email, ''), 1, t.name FROM `+inTeam+`
			AND t.organization_id = $1 AND a.deleted_ms IS NULL
		UNION ALL
		SELECT a.id, a.kind, a.name, COALESCE(a.email, ''), 2, r.name FROM `+given+`
			AND r.namespace_id = $1 AND r.deleted_ms IS NULL AND a.deleted_ms IS NULL
		ORDER BY 3, 5, 6`, args...)
	if err != nil {
		return nil, fmt.Errorf("list the people of organization %d: %w", organizationID, err)
	}
	type row struct {
		account identity.Account
		part    int
		name    string
	}
	list, err := collect(rows, func(x *row) []any {
		return []any{&x.account.ID, &x.account.Kind, &x.account.Name, &x.account.Email, &x.part, &x.name}
	})
	var all []Member
	for _, x := range list {
		if len(all) == 0 || all[len(all)-1].Account.ID != x.account.ID {
			all = append(all, Member{Account: x.account})
		}
		m := &all[len(all)-1]
		if x.part == 1 {
			m.Teams = append(m.Teams, x.name)
		} else {
			m.Repositories = append(m.Repositories, x.name)
		}
	}
	return all, err
}

// Grant is a permission seen from who has it.
type Grant struct {
	Repository string
	Public     bool
	Role       access.Role
}

// Grants lists the permissions that a team or an account has on repositories of a namespace, by name. What an account
// has by its teams is not among its own.
func (r *Reader) Grants(ctx context.Context, namespaceID int64, s access.Subject) ([]Grant, error) {
	column, id := "p.account_id", s.AccountID
	if s.TeamID != 0 {
		column, id = "p.team_id", s.TeamID
	}
	rows, err := r.db.Query(ctx, `SELECT r.name, CASE WHEN r.visibility = 1 THEN 1 ELSE 0 END, p.role FROM repository_permission p
		JOIN repository r ON r.id = p.repo_id AND r.deleted_ms IS NULL
		WHERE `+column+` = $1 AND r.namespace_id = $2 ORDER BY r.name`, id, namespaceID)
	if err != nil {
		return nil, fmt.Errorf("list permissions in namespace %d: %w", namespaceID, err)
	}
	return collect(rows, func(g *Grant) []any { return []any{&g.Repository, &g.Public, &g.Role} })
}
