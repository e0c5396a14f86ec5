package identity

import (
	"context"
	"fmt"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// RemoveOrganizationMember takes a user or robot out of all teams of an organization and takes the permissions that it
// was given on the organization's repositories; that holds for collaborators, who are in no team, too. It is Invalid
// for the organization's only administrator.
func (s *Service) RemoveOrganizationMember(ctx context.Context, organizationID, accountID int64) error {
	return s.db.Hard(ctx, "remove organization member", func(ctx context.Context, tx db.Tx) error {
		if err := requireOrganizationTx(ctx, tx, organizationID); err != nil {
			return err
		}
		who, err := accountTx(ctx, tx, accountID)
		if err != nil {
			return err
		}
		s.changed(tx)
		if err := s.leaveTeamsTx(ctx, tx, organizationID, who); err != nil {
			return err
		}
		if err := requireAdminTx(ctx, tx, organizationID); problem.Is(err, problem.Invalid) {
			return problem.New(problem.Invalid, "%s is the only administrator of the organization and cannot be removed", quoted(who.Name))
		} else if err != nil {
			return err
		}
		return s.losePermissionsTx(ctx, tx, organizationID, who)
	})
}

func (s *Service) leaveTeamsTx(ctx context.Context, tx db.Tx, organizationID int64, who Account) error {
	teams, err := namesTx(ctx, tx, `SELECT t.id, t.name FROM team t JOIN team_member m ON m.team_id = t.id
		WHERE t.organization_id = $1 AND m.account_id = $2 ORDER BY t.id`, organizationID, who.ID)
	if err != nil {
		return err
	}
	for _, team := range teams {
		if _, err := tx.Exec(ctx, `DELETE FROM team_member WHERE team_id = $1 AND account_id = $2`, team.id, who.ID); err != nil {
			return fmt.Errorf("remove %q from team %q: %w", who.Name, team.name, err)
		}
		err := s.logTx(ctx, tx, "org_remove_team_member", organizationID, map[string]any{"member": who.Name, "team": team.name})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) losePermissionsTx(ctx context.Context, tx db.Tx, organizationID int64, who Account) error {
	repositories, err := namesTx(ctx, tx, `SELECT r.id, r.name FROM repository_permission p JOIN repository r ON r.id = p.repo_id
		WHERE r.namespace_id = $1 AND p.account_id = $2 ORDER BY r.id`, organizationID, who.ID)
	if err != nil {
		return err
	}
	for _, r := range repositories {
		if _, err := tx.Exec(ctx, `DELETE FROM repository_permission WHERE repo_id = $1 AND account_id = $2`, r.id, who.ID); err != nil {
			return fmt.Errorf("take the permission of %q on repository %d: %w", who.Name, r.id, err)
		}
		err := s.options.Audit.Change(ctx, tx, "delete_repo_permission", organizationID, r.id, map[string]any{"username": who.Name, "repo": r.name})
		if err != nil {
			return err
		}
	}
	return nil
}

// named is a row with its name.
type named struct {
	id   int64
	name string
}

func namesTx(ctx context.Context, tx db.Tx, query string, args ...any) ([]named, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list what somebody holds: %w", err)
	}
	defer rows.Close()
	var all []named
	for rows.Next() {
		var n named
		if err := rows.Scan(&n.id, &n.name); err != nil {
			return nil, fmt.Errorf("list what somebody holds: %w", err)
		}
		all = append(all, n)
	}
	return all, rows.Err()
}
