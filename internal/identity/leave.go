package identity

import (
	"context"
	"fmt"
	"strings"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// DeleteUser deletes a user with robots, repositories, sessions and tokens; name and address are free from now on. It
// is Invalid when an organization would be left without an administrator, unless force says that it may be.
//
// The row stays for the action log until collection removes the namespace; nothing finds it any more.
func (s *Service) DeleteUser(ctx context.Context, id int64, force bool) error {
	return s.db.Hard(ctx, "delete user", func(ctx context.Context, tx db.Tx) error {
		user, err := s.departTx(ctx, tx, id, force)
		if err != nil {
			return err
		}
		if err := s.logTx(ctx, tx, "user_delete", id, map[string]any{"username": user.Name}); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE account SET email = NULL, profile = '{}', invoice_address = NULL WHERE id = $1`, id)
		if err != nil {
			return fmt.Errorf("forget what user %q said: %w", user.Name, err)
		}
		return s.deleteNamespaceTx(ctx, tx, user)
	})
}

// ConvertUser makes an organization of a user, which the user admin owns from now on. Repositories and robots stay; what
// only a person has ends: password, sessions, tokens, memberships. It is Invalid when another organization would be
// left without an administrator.
func (s *Service) ConvertUser(ctx context.Context, id, adminID int64) (Account, error) {
	var organization Account
	err := s.db.Hard(ctx, "convert user", func(ctx context.Context, tx db.Tx) (err error) {
		if organization, err = s.convertTx(ctx, tx, id, adminID, false); err != nil {
			return err
		}
		return s.logTx(ctx, tx, "account_convert", id, nil)
	})
	return organization, err
}

// TakeOwnership makes a user an owner of a namespace: a user's becomes an organization, an organization gets an
// administrator more. It reports whether the namespace was a user's.
func (s *Service) TakeOwnership(ctx context.Context, namespaceID int64, by Account) (wasUser bool, err error) {
	err = s.db.Hard(ctx, "take ownership", func(ctx context.Context, tx db.Tx) error {
		namespace, err := accountTx(ctx, tx, namespaceID)
		if err != nil {
			return err
		}
		switch wasUser = namespace.Kind == User; {
		case wasUser:
			_, err = s.convertTx(ctx, tx, namespaceID, by.ID, true)
		case namespace.Kind == Organization:
			err = s.addOwnerTx(ctx, tx, namespaceID, by.ID)
		default:
			err = unknownAccount(namespace.Name)
		}
		if err != nil {
			return err
		}
		return s.logTx(ctx, tx, "take_ownership", namespaceID, map[string]any{
			"entity_id": namespaceID, "namespace": namespace.Name, "was_user": wasUser, "superuser": by.Name,
		})
	})
	return wasUser, err
}

func (s *Service) convertTx(ctx context.Context, tx db.Tx, id, adminID int64, force bool) (Account, error) {
	if id == adminID {
		return Account{}, problem.New(problem.Invalid, "An account cannot own itself as an organization")
	}
	user, err := s.departTx(ctx, tx, id, force)
	if err != nil {
		return Account{}, err
	}
	if _, err := userTx(ctx, tx, adminID); err != nil {
		return Account{}, err
	}
	_, err = tx.Exec(ctx, `UPDATE account SET kind = 2, password_hash = NULL, verified = 1, access_rev = access_rev + 1 WHERE id = $1`, id)
	if err != nil {
		return Account{}, fmt.Errorf("convert user %q: %w", user.Name, err)
	}
	if err := s.addOwnerTx(ctx, tx, id, adminID); err != nil {
		return Account{}, err
	}
	return accountTx(ctx, tx, id)
}

// addOwnerTx puts a user into the first team that administers an organization; one without any gets "owners".
func (s *Service) addOwnerTx(ctx context.Context, tx db.Tx, organizationID, userID int64) error {
	if err := requireOrganizationTx(ctx, tx, organizationID); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO team (organization_id, name, role)
		SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT), 1 WHERE NOT EXISTS (SELECT 1 FROM team WHERE organization_id = $1 AND role = 1)
		ON CONFLICT (organization_id, name) DO UPDATE SET role = 1`, organizationID, ownersTeam)
	if err != nil {
		return fmt.Errorf("create the owners of organization %d: %w", organizationID, err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO team_member (team_id, account_id)
		SELECT MIN(id), CAST($2 AS BIGINT) FROM team WHERE organization_id = $1 AND role = 1
		ON CONFLICT (team_id, account_id) DO NOTHING`, organizationID, userID)
	if err != nil {
		return fmt.Errorf("add an owner to organization %d: %w", organizationID, err)
	}
	s.changed(tx)
	return nil
}

// departTx takes everything from a user that only a person has: memberships, permissions on others' repositories,
// sessions, tokens, links to login services. The caller ends or converts the account.
func (s *Service) departTx(ctx context.Context, tx db.Tx, id int64, force bool) (Account, error) {
	if err := tx.Lock(ctx, db.LockNamespace, id, db.Exclusive); err != nil {
		return Account{}, err
	}
	user, err := userTx(ctx, tx, id)
	if err != nil {
		return Account{}, err
	}
	if err := leaveOrganizationsTx(ctx, tx, user, force); err != nil {
		return Account{}, err
	}
	for _, statement := range []string{
		`DELETE FROM repository_permission WHERE account_id = $1`,
		`DELETE FROM permission_prototype WHERE activating_id = $1`,
		`DELETE FROM permission_prototype WHERE delegate_account_id = $1`,
		`DELETE FROM team_invite WHERE account_id = $1`,
		`DELETE FROM app_token WHERE account_id = $1`,
		`DELETE FROM oauth_token WHERE account_id = $1`,
		`DELETE FROM oauth_assigned_token WHERE account_id = $1`,
		`DELETE FROM federated_login WHERE account_id = $1`,
		`DELETE FROM account_prompt WHERE account_id = $1`,
		`DELETE FROM email_confirmation WHERE account_id = $1`,
		`DELETE FROM notification WHERE account_id = $1`,
		`DELETE FROM star WHERE account_id = $1`,
	} {
		if _, err := tx.Exec(ctx, statement, id); err != nil {
			return Account{}, fmt.Errorf("end what user %q had: %w", user.Name, err)
		}
	}
	s.changed(tx)
	return user, endSessionsTx(ctx, tx, id)
}

// leaveOrganizationsTx ends all memberships of a user. The organizations' members hold still meanwhile, locked in the
// order of their ids.
func leaveOrganizationsTx(ctx context.Context, tx db.Tx, user Account, force bool) error {
	organizations, err := organizationsOfTx(ctx, tx, user.ID)
	if err != nil {
		return err
	}
	for _, o := range organizations {
		if err := tx.Lock(ctx, db.LockNamespace, o.ID, db.Exclusive); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, `DELETE FROM team_member WHERE account_id = $1`, user.ID); err != nil {
		return fmt.Errorf("end the memberships of %q: %w", user.Name, err)
	}
	var alone []string
	for _, o := range organizations {
		err := requireAdminTx(ctx, tx, o.ID)
		switch {
		case problem.Is(err, problem.Invalid):
			alone = append(alone, o.Name)
		case err != nil:
			return err
		}
	}
	if len(alone) > 0 && !force {
		return problem.New(problem.Invalid, "%s is the only administrator of: %s; give them another one first", quoted(user.Name), strings.Join(alone, ", "))
	}
	return nil
}

// organizationsOfTx lists the organizations that a user administers, by id.
func organizationsOfTx(ctx context.Context, tx db.Tx, userID int64) ([]Account, error) {
	rows, err := tx.Query(ctx, `SELECT o.id, o.name FROM account o WHERE o.deleted_ms IS NULL AND o.id IN (
			SELECT t.organization_id FROM team_member m JOIN team t ON t.id = m.team_id
			WHERE m.account_id = $1 AND t.role = 1)
		ORDER BY o.id`, userID)
	if err != nil {
		return nil, fmt.Errorf("list the organizations of account %d: %w", userID, err)
	}
	defer rows.Close()
	var all []Account
	for rows.Next() {
		var o Account
		if err := rows.Scan(&o.ID, &o.Name); err != nil {
			return nil, fmt.Errorf("list the organizations of account %d: %w", userID, err)
		}
		all = append(all, o)
	}
	return all, rows.Err()
}
