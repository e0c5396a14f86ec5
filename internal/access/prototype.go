package access

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Prototype is a default permission: what a delegate is given on every repository that is created in an organization,
// by anyone or by one account.
type Prototype struct {
	UUID       string
	Delegate   Permission // who is given the role
	Activating Member     // whose repositories; the zero value is everyone's
}

// Member is an account as lists of an organization show it.
type Member struct {
	AccountID int64
	Name      string
	Email     string // empty for none
	IsRobot   bool
	OrgMember bool
}

// prototypeQuery lists an organization's prototypes, or the one whose uuid is $2 when that is not empty.
const prototypeQuery = `SELECT p.uuid, p.role,
		COALESCE(t.id, 0), COALESCE(t.name, d.name), COALESCE(d.email, ''), COALESCE(d.id, 0),
		CASE WHEN d.kind = 3 THEN 1 ELSE 0 END,
		CASE WHEN EXISTS (SELECT 1 FROM team_member dm JOIN team dt ON dt.id = dm.team_id
			WHERE dm.account_id = d.id AND dt.organization_id = p.organization_id) THEN 1 ELSE 0 END,
		COALESCE(a.id, 0), COALESCE(a.name, ''), COALESCE(a.email, ''),
		CASE WHEN a.kind = 3 THEN 1 ELSE 0 END,
		CASE WHEN EXISTS (SELECT 1 FROM team_member am JOIN team ta ON ta.id = am.team_id
			WHERE am.account_id = a.id AND ta.organization_id = p.organization_id) THEN 1 ELSE 0 END
	FROM permission_prototype p
	LEFT JOIN team t ON t.id = p.delegate_team_id
	LEFT JOIN account d ON d.id = p.delegate_account_id
	LEFT JOIN account a ON a.id = p.activating_id
	WHERE p.organization_id = $1 AND ($2 = '' OR p.uuid = $2) ORDER BY p.id`

// Prototypes lists an organization's default permissions in the order in which they were made.
func (x *Authority) Prototypes(ctx context.Context, organizationID int64) ([]Prototype, error) {
	return prototypesTx(ctx, x.db, organizationID, "")
}

func prototypesTx(ctx context.Context, q db.Queryer, organizationID int64, uuid string) ([]Prototype, error) {
	rows, err := q.Query(ctx, prototypeQuery, organizationID, uuid)
	if err != nil {
		return nil, fmt.Errorf("list the prototypes of organization %d: %w", organizationID, err)
	}
	defer rows.Close()
	var all []Prototype
	for rows.Next() {
		var p Prototype
		d, a := &p.Delegate, &p.Activating
		err := rows.Scan(&p.UUID, &d.Role, &d.TeamID, &d.Name, &d.Email, &d.AccountID, &d.IsRobot, &d.OrgMember, &a.AccountID, &a.Name, &a.Email, &a.IsRobot, &a.OrgMember)
		if err != nil {
			return nil, fmt.Errorf("list the prototypes of organization %d: %w", organizationID, err)
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// onePrototypeTx gives one of an organization's prototypes; NotFound when it has none of that uuid.
func onePrototypeTx(ctx context.Context, q db.Queryer, organizationID int64, uuid string) (Prototype, error) {
	if uuid == "" {
		return Prototype{}, unknownPrototype(uuid)
	}
	all, err := prototypesTx(ctx, q, organizationID, uuid)
	if err != nil {
		return Prototype{}, err
	}
	if len(all) == 0 {
		return Prototype{}, unknownPrototype(uuid)
	}
	return all[0], nil
}

func unknownPrototype(uuid string) error {
	return problem.New(problem.NotFound, "There is no default permission with the id %q", uuid)
}

// AddPrototype makes a default permission. An activatingID of 0 means repositories that anyone creates. It is Invalid
// for a robot or team of another organization and for whom or what does not exist.
func (x *Authority) AddPrototype(ctx context.Context, organizationID, activatingID int64, delegate Subject, r Role) (Prototype, error) {
	if !r.stored() {
		return Prototype{}, unknownRole(r)
	}
	var made Prototype
	err := x.db.Hard(ctx, "add prototype", func(ctx context.Context, tx db.Tx) error {
		h, err := organizationTx(ctx, tx, organizationID)
		if err != nil {
			return err
		}
		if err := mayHoldTx(ctx, tx, h, delegate); err != nil {
			return err
		}
		if activatingID != 0 {
			if err := mayHoldTx(ctx, tx, h, Subject{AccountID: activatingID}); err != nil {
				return err
			}
		}
		id := uuid.NewString()
		_, err = tx.Exec(ctx, `INSERT INTO permission_prototype
				(uuid, organization_id, activating_id, delegate_account_id, delegate_team_id, role)
			VALUES ($1, $2, NULLIF(CAST($3 AS BIGINT), 0), NULLIF(CAST($4 AS BIGINT), 0), NULLIF(CAST($5 AS BIGINT), 0), $6)`,
			id, organizationID, activatingID, delegate.AccountID, delegate.TeamID, r)
		if err != nil {
			return fmt.Errorf("add a prototype to organization %d: %w", organizationID, err)
		}
		if made, err = onePrototypeTx(ctx, tx, organizationID, id); err != nil {
			return err
		}
		return x.logPrototypeTx(ctx, tx, "create_prototype_permission", organizationID, made, NoRole)
	})
	return made, err
}

// SetPrototypeRole changes the role that a default permission gives; NotFound when the organization has none of that
// uuid.
func (x *Authority) SetPrototypeRole(ctx context.Context, organizationID int64, uuid string, r Role) (Prototype, error) {
	if !r.stored() {
		return Prototype{}, unknownRole(r)
	}
	var changed Prototype
	err := x.db.Hard(ctx, "change prototype", func(ctx context.Context, tx db.Tx) error {
		old, err := onePrototypeTx(ctx, tx, organizationID, uuid)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE permission_prototype SET role = $1 WHERE uuid = $2 AND organization_id = $3`, r, uuid, organizationID)
		if err != nil {
			return fmt.Errorf("change a prototype of organization %d: %w", organizationID, err)
		}
		if changed, err = onePrototypeTx(ctx, tx, organizationID, uuid); err != nil {
			return err
		}
		return x.logPrototypeTx(ctx, tx, "modify_prototype_permission", organizationID, changed, old.Delegate.Role)
	})
	return changed, err
}

// DeletePrototype removes a default permission; NotFound when the organization has none of that uuid. Permissions that
// were given by it stay.
func (x *Authority) DeletePrototype(ctx context.Context, organizationID int64, uuid string) error {
	return x.db.Hard(ctx, "delete prototype", func(ctx context.Context, tx db.Tx) error {
		old, err := onePrototypeTx(ctx, tx, organizationID, uuid)
		if err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `DELETE FROM permission_prototype WHERE uuid = $1 AND organization_id = $2`, uuid, organizationID)
		if err != nil {
			return fmt.Errorf("delete a prototype of organization %d: %w", organizationID, err)
		}
		if n == 0 {
			return unknownPrototype(uuid)
		}
		return x.logPrototypeTx(ctx, tx, "delete_prototype_permission", organizationID, old, NoRole)
	})
}

// logPrototypeTx records a change of a default permission; original is the role it gave before a change of role.
func (x *Authority) logPrototypeTx(ctx context.Context, tx db.Tx, kind string, organizationID int64, p Prototype, original Role) error {
	metadata := map[string]any{"prototypeid": p.UUID, "role": p.Delegate.Role.String()}
	delegate := "delegate_user"
	if p.Delegate.TeamID != 0 {
		delegate = "delegate_team"
	}
	metadata[delegate] = p.Delegate.Name
	if p.Activating.AccountID != 0 {
		metadata["activating_username"] = p.Activating.Name
	}
	if original != NoRole {
		metadata["original_role"] = original.String()
	}
	return x.audit.Change(ctx, tx, kind, organizationID, 0, metadata)
}

func organizationTx(ctx context.Context, tx db.Tx, id int64) (home, error) {
	h := home{namespace: id}
	err := tx.QueryRow(ctx, `SELECT name, kind FROM account WHERE id = $1 AND deleted_ms IS NULL`, id).Scan(&h.name, &h.kind)
	if errors.Is(err, db.ErrNoRows) || err == nil && h.kind != identity.Organization {
		return home{}, problem.New(problem.NotFound, "There is no organization with id %d", id)
	}
	if err != nil {
		return home{}, fmt.Errorf("look up organization %d: %w", id, err)
	}
	return h, nil
}
