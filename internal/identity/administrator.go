package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// keepsAdminTx makes a change while the organization's members hold still, and refuses it when the account by, which
// asks for it, administered the organization by a team before and does so no longer. An id of 0 is nobody.
func keepsAdminTx(ctx context.Context, tx db.Tx, organizationID, by int64, change func() error) error {
	if err := requireOrganizationTx(ctx, tx, organizationID); err != nil {
		return err
	}
	before, err := administersTx(ctx, tx, organizationID, by)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, err := administersTx(ctx, tx, organizationID, by)
	if err == nil && before && !after {
		err = problem.New(problem.Invalid, "The change would take your own administration of the organization")
	}
	return err
}

func administersTx(ctx context.Context, tx db.Tx, organizationID, accountID int64) (bool, error) {
	if accountID == 0 {
		return false, nil
	}
	var one int
	err := tx.QueryRow(ctx, `SELECT 1 FROM team t JOIN team_member m ON m.team_id = t.id
		WHERE t.organization_id = $1 AND t.role = 1 AND m.account_id = $2 LIMIT 1`, organizationID, accountID).Scan(&one)
	if errors.Is(err, db.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for an administrator of organization %d: %w", organizationID, err)
	}
	return true, nil
}
