package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// ownersTeam is the team every organization starts with.
const ownersTeam = "owners"

// OrganizationMembership is an organization and what one of its members may do there.
type OrganizationMembership struct {
	Account
	Admin     bool // administers the organization
	CanCreate bool // may create repositories
}

// CreateOrganization makes an organization with a team "owners", role admin, that holds the creator, who must be a
// user. It is Invalid when the name is against a rule or taken, and when another account has the address unless
// Options.SharedEmail allows that: two calls at once make one organization.
func (s *Service) CreateOrganization(ctx context.Context, name, email string, creatorID int64) (Account, error) {
	return s.foundOrganization(ctx, name, email, creatorID, s.options.SharedEmail)
}

// CreateOrganizationOnPush is CreateOrganization for a push, which names no address: the one that was made up for it may
// be another account's.
func (s *Service) CreateOrganizationOnPush(ctx context.Context, name, email string, creatorID int64) (Account, error) {
	return s.foundOrganization(ctx, name, email, creatorID, true)
}

func (s *Service) foundOrganization(ctx context.Context, name, email string, creatorID int64, shared bool) (Account, error) {
	if err := ValidateUsername(name); err != nil {
		return Account{}, err
	}
	if err := validateEmail(email); err != nil {
		return Account{}, err
	}
	if err := s.refuseReserved(name); err != nil {
		return Account{}, err
	}
	var organization Account
	err := s.db.Hard(ctx, "create organization", func(ctx context.Context, tx db.Tx) (err error) {
		if !shared {
			if err := emailFreeTx(ctx, tx, email); err != nil {
				return err
			}
		}
		organization, err = s.createOrganizationTx(ctx, tx, name, email, creatorID)
		return err
	})
	return organization, err
}

func (s *Service) createOrganizationTx(ctx context.Context, tx db.Tx, name, email string, creatorID int64) (Account, error) {
	if _, err := userTx(ctx, tx, creatorID); err != nil {
		return Account{}, err
	}
	organization, err := s.insertAccountTx(ctx, tx, newAccount{kind: Organization, name: name, email: email, verified: true})
	if err != nil {
		return Account{}, err
	}
	var team int64
	err = tx.QueryRow(ctx, `INSERT INTO team (organization_id, name, role) VALUES ($1, $2, $3) RETURNING id`,
		organization.ID, ownersTeam, TeamAdmin).Scan(&team)
	if err != nil {
		return Account{}, fmt.Errorf("create the owners of %q: %w", name, err)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO team_member (team_id, account_id) VALUES ($1, $2)`, team, creatorID); err != nil {
		return Account{}, fmt.Errorf("create the owners of %q: %w", name, err)
	}
	s.changed(tx)
	return organization, s.logTx(ctx, tx, "org_create", organization.ID, map[string]any{"namespace": name, "email": email})
}

// DeleteOrganization deletes an organization with its robots and repositories. The rows stay until collection removes
// them; from now on nothing finds them, and the name is free.
func (s *Service) DeleteOrganization(ctx context.Context, id int64) error {
	return s.db.Hard(ctx, "delete organization", func(ctx context.Context, tx db.Tx) error {
		if err := tx.Lock(ctx, db.LockNamespace, id, db.Exclusive); err != nil {
			return err
		}
		organization, err := accountTx(ctx, tx, id)
		if err != nil {
			return err
		}
		if organization.Kind != Organization {
			return problem.New(problem.Invalid, "%s is not an organization", quoted(organization.Name))
		}
		if err := s.deleteNamespaceTx(ctx, tx, organization); err != nil {
			return err
		}
		return s.logTx(ctx, tx, "org_delete", id, map[string]any{"namespace": organization.Name})
	})
}

func (s *Service) deleteNamespaceTx(ctx context.Context, tx db.Tx, namespace Account) error {
	now := s.now()
	due := db.Millis(now.Add(namespace.TagWindow))
	_, err := tx.Exec(ctx, `UPDATE account SET deleted_ms = $1, enabled = 0, access_rev = access_rev + 1
		WHERE id = $2 AND deleted_ms IS NULL`, db.Millis(now), namespace.ID)
	if err != nil {
		return fmt.Errorf("delete namespace %q: %w", namespace.Name, err)
	}
	_, err = tx.Exec(ctx, `UPDATE account SET deleted_ms = $1, enabled = 0, access_rev = access_rev + 1
		WHERE owner_id = $2 AND deleted_ms IS NULL`, db.Millis(now), namespace.ID)
	if err != nil {
		return fmt.Errorf("delete the robots of %q: %w", namespace.Name, err)
	}
	// The reviews make collection look at the repositories when the time machine's window is over.
	_, err = tx.Exec(ctx, `INSERT INTO review (kind, repo_id, item_id, due_ms)
		SELECT 4, id, 0, CAST($1 AS BIGINT) FROM repository WHERE namespace_id = $2 AND deleted_ms IS NULL
		ON CONFLICT (kind, repo_id, item_id) DO NOTHING`, due, namespace.ID)
	if err != nil {
		return fmt.Errorf("delete the repositories of %q: %w", namespace.Name, err)
	}
	_, err = tx.Exec(ctx, `UPDATE repository SET deleted_ms = $1 WHERE namespace_id = $2 AND deleted_ms IS NULL`,
		db.Millis(now), namespace.ID)
	if err != nil {
		return fmt.Errorf("delete the repositories of %q: %w", namespace.Name, err)
	}
	s.changed(tx)
	return nil
}

// Organizations lists the organizations that an account is a member of, by name.
func (s *Service) Organizations(ctx context.Context, accountID int64) ([]OrganizationMembership, error) {
	rows, err := s.read.Query(ctx, `SELECT `+accountColumns+`, best.role FROM (
			SELECT t.organization_id, MIN(t.role) AS role FROM team_member m
			JOIN team t ON t.id = m.team_id
			WHERE m.account_id = $1 GROUP BY t.organization_id) AS best
		JOIN account a ON a.id = best.organization_id AND a.deleted_ms IS NULL
		ORDER BY a.name`, accountID)
	if err != nil {
		return nil, fmt.Errorf("list the organizations of account %d: %w", accountID, err)
	}
	defer rows.Close()
	var all []OrganizationMembership
	for rows.Next() {
		var t accountTargets
		var role TeamRole
		if err := rows.Scan(t.pointers(&role)...); err != nil {
			return nil, fmt.Errorf("list the organizations of account %d: %w", accountID, err)
		}
		all = append(all, OrganizationMembership{Account: t.fill(), Admin: role == TeamAdmin, CanCreate: role == TeamAdmin || role == TeamCreator})
	}
	return all, rows.Err()
}

// requireOrganizationTx holds the organization's members still until the transaction ends.
func requireOrganizationTx(ctx context.Context, tx db.Tx, id int64) error {
	if err := tx.Lock(ctx, db.LockNamespace, id, db.Exclusive); err != nil {
		return err
	}
	var kind Kind
	err := tx.QueryRow(ctx, `SELECT kind FROM account WHERE id = $1 AND deleted_ms IS NULL`, id).Scan(&kind)
	if errors.Is(err, db.ErrNoRows) || err == nil && kind != Organization {
		return problem.New(problem.NotFound, "There is no organization with id %d", id)
	}
	if err != nil {
		return fmt.Errorf("look up organization %d: %w", id, err)
	}
	return nil
}
