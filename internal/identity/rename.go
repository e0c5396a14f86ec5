package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// RenameOrganization gives an organization another name, and with it its robots. It is Invalid when the name is against
// the rule, reserved or taken, NotFound when there is no such organization.
func (s *Service) RenameOrganization(ctx context.Context, id int64, name string) (Account, error) {
	if err := ValidateUsername(name); err != nil {
		return Account{}, err
	}
	var renamed Account
	err := s.db.Hard(ctx, "rename organization", func(ctx context.Context, tx db.Tx) error {
		if err := lockNameTx(ctx, tx, id); err != nil {
			return err
		}
		before, err := accountTx(ctx, tx, id)
		if err != nil {
			return err
		}
		renamed = before
		if before.Kind != Organization {
			return problem.New(problem.NotFound, "There is no organization with id %d", id)
		}
		if before.Name == name {
			return nil
		}
		if err := s.renameTx(ctx, tx, before, name, "A user or organization with this name already exists"); err != nil {
			return err
		}
		renamed.Name = name
		s.changed(tx)
		return s.logTx(ctx, tx, "org_change_name", id, map[string]any{"old_namespace": before.Name, "namespace": name})
	})
	return renamed, err
}

// renameTx renames a namespace whose names the caller holds still (lockNameTx). A robot's name holds its owner's; what
// else belongs to a namespace refers to it by id.
func (s *Service) renameTx(ctx context.Context, tx db.Tx, a Account, name, taken string) error {
	if err := s.refuseReserved(name); err != nil {
		return err
	}
	var id int64
	err := tx.QueryRow(ctx, `SELECT id FROM account WHERE name = $1 AND deleted_ms IS NULL`, name).Scan(&id)
	if err == nil {
		return problem.New(problem.Invalid, "%s", taken)
	}
	if !errors.Is(err, db.ErrNoRows) {
		return fmt.Errorf("look up account %q: %w", name, err)
	}
	if _, err := tx.Exec(ctx, `UPDATE account SET name = $1 WHERE id = $2`, name, a.ID); err != nil {
		return fmt.Errorf("rename account %d: %w", a.ID, err)
	}
	// A robot that logged in under its former name has to do so again: registry tokens refer to robots by name.
	_, err = tx.Exec(ctx, `UPDATE account SET name = CAST($1 AS TEXT) || SUBSTR(name, CAST($2 AS INTEGER)), access_rev = access_rev + 1
		WHERE owner_id = $3 AND deleted_ms IS NULL`, name, len(a.Name)+1, a.ID)
	if err != nil {
		return fmt.Errorf("rename the robots of account %d: %w", a.ID, err)
	}
	return nil
}
