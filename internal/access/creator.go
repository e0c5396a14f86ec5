package access

import (
	"context"
	"errors"
	"fmt"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
)

// GrantCreatorTx gives the permissions that a new repository starts with, in the transaction that creates it: in an
// organization its creator, user or robot, is admin, and the organization's default permissions apply, those for the
// creator before those for everyone. In a user's namespace there are none: its owner is admin of everything in it.
//
// A creatorID of 0 is nobody. No cached facts change, since nobody can have asked about a repository with a new id.
func GrantCreatorTx(ctx context.Context, tx db.Tx, namespaceID, repoID, creatorID int64) error {
	var kind identity.Kind
	err := tx.QueryRow(ctx, `SELECT kind FROM account WHERE id = $1`, namespaceID).Scan(&kind)
	if errors.Is(err, db.ErrNoRows) || err == nil && kind != identity.Organization {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up namespace %d: %w", namespaceID, err)
	}
	grants, err := prototypesForTx(ctx, tx, namespaceID, creatorID)
	if err != nil {
		return err
	}
	if creatorID != 0 {
		grants = append([]Permission{{Subject: Subject{AccountID: creatorID}, Role: Admin}}, grants...)
	}
	given := make(map[Subject]bool, len(grants))
	for _, g := range grants {
		if given[g.Subject] {
			continue // the first counts
		}
		given[g.Subject] = true
		if err := setPermissionTx(ctx, tx, repoID, g.Subject, g.Role); err != nil {
			return err
		}
	}
	return nil
}

// prototypesForTx lists the default permissions that a creator activates, those that count first before the others: of
// two for the same delegate the one for this creator, then the younger one.
func prototypesForTx(ctx context.Context, tx db.Tx, organizationID, creatorID int64) ([]Permission, error) {
	rows, err := tx.Query(ctx, `SELECT COALESCE(p.delegate_account_id, 0), COALESCE(p.delegate_team_id, 0), p.role
		FROM permission_prototype p
		LEFT JOIN account d ON d.id = p.delegate_account_id
		WHERE p.organization_id = $1 AND (p.activating_id IS NULL OR p.activating_id = $2) AND d.deleted_ms IS NULL
		ORDER BY CASE WHEN p.activating_id IS NULL THEN 1 ELSE 0 END, p.id DESC`, organizationID, creatorID)
	if err != nil {
		return nil, fmt.Errorf("list the prototypes of organization %d: %w", organizationID, err)
	}
	defer rows.Close()
	var grants []Permission
	for rows.Next() {
		var g Permission
		if err := rows.Scan(&g.AccountID, &g.TeamID, &g.Role); err != nil {
			return nil, fmt.Errorf("list the prototypes of organization %d: %w", organizationID, err)
		}
		grants = append(grants, g)
	}
	return grants, rows.Err()
}
