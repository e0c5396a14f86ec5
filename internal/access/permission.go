package access

import (
	"context"
	"errors"
	"fmt"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Subject is who has a permission: exactly one of the two is set.
type Subject struct {
	AccountID int64 // a user or a robot
	TeamID    int64
}

// Permission is a role that an account or a team was given on a repository.
type Permission struct {
	Subject
	Name      string // of the account or the team
	Email     string // of a user; empty for none
	IsRobot   bool
	Role      Role
	OrgMember bool // the account is a member of the organization that the repository lies in
}

// home is where a repository lies.
type home struct {
	namespace  int64
	name       string
	kind       identity.Kind
	repository string // empty for the namespace itself
}

// Grant gives a subject a role on a repository, in place of the one it had. It is Invalid for the namespace's owner,
// who is always admin, for a robot or team of another namespace, and for whom or what does not exist.
func (x *Authority) Grant(ctx context.Context, repoID int64, s Subject, r Role) error {
	if !r.stored() {
		return unknownRole(r)
	}
	return x.db.Hard(ctx, "grant permission", func(ctx context.Context, tx db.Tx) error {
		h, err := homeTx(ctx, tx, repoID)
		if err != nil {
			return err
		}
		if err := mayHoldTx(ctx, tx, h, s); err != nil {
			return err
		}
		tx.AfterCommit(x.drop)
		if err := setPermissionTx(ctx, tx, repoID, s, r); err != nil {
			return err
		}
		return x.logPermissionTx(ctx, tx, "change_repo_permission", repoID, s, map[string]any{"role": r.String()})
	})
}

func setPermissionTx(ctx context.Context, tx db.Tx, repoID int64, s Subject, r Role) error {
	statement := `INSERT INTO repository_permission (repo_id, account_id, role) VALUES ($1, $2, $3)
		ON CONFLICT (repo_id, account_id) DO UPDATE SET role = excluded.role`
	if s.TeamID != 0 {
		statement = `INSERT INTO repository_permission (repo_id, team_id, role) VALUES ($1, $2, $3)
		ON CONFLICT (repo_id, team_id) DO UPDATE SET role = excluded.role`
	}
	if _, err := tx.Exec(ctx, statement, repoID, s.id(), r); err != nil {
		return fmt.Errorf("grant a permission on repository %d: %w", repoID, err)
	}
	return nil
}

// Revoke takes a subject's role on a repository away and reports whether it had one.
func (x *Authority) Revoke(ctx context.Context, repoID int64, s Subject) (bool, error) {
	var n int64
	err := x.db.Hard(ctx, "revoke permission", func(ctx context.Context, tx db.Tx) (err error) {
		tx.AfterCommit(x.drop)
		n, err = tx.Exec(ctx, `DELETE FROM repository_permission WHERE repo_id = $1 AND `+s.column()+` = $2`, repoID, s.id())
		if err != nil {
			return fmt.Errorf("revoke a permission on repository %d: %w", repoID, err)
		}
		if n == 0 {
			return nil
		}
		return x.logPermissionTx(ctx, tx, "delete_repo_permission", repoID, s, map[string]any{})
	})
	return n > 0, err
}

// logPermissionTx records a change of a subject's permission.
func (x *Authority) logPermissionTx(ctx context.Context, tx db.Tx, kind string, repoID int64, s Subject, metadata map[string]any) error {
	h, err := homeTx(ctx, tx, repoID)
	if err != nil {
		return err
	}
	who, name, err := subjectNameTx(ctx, tx, s)
	if err != nil {
		return err
	}
	metadata[who], metadata["repo"], metadata["namespace"] = name, h.repository, h.name
	return x.audit.Change(ctx, tx, kind, h.namespace, repoID, metadata)
}

// subjectNameTx gives a subject's name, and what an entry calls it: username or team.
func subjectNameTx(ctx context.Context, tx db.Tx, s Subject) (member, name string, err error) {
	member, query := "username", `SELECT name FROM account WHERE id = $1`
	if s.TeamID != 0 {
		member, query = "team", `SELECT name FROM team WHERE id = $1`
	}
	if err := tx.QueryRow(ctx, query, s.id()).Scan(&name); err != nil {
		return "", "", fmt.Errorf("look up %s %d: %w", member, s.id(), err)
	}
	return member, name, nil
}

// Permission gives the role of one subject. Having none is Invalid with Quay's message (rest-api §10).
func (x *Authority) Permission(ctx context.Context, repoID int64, s Subject) (Role, error) {
	var r Role
	err := x.db.QueryRow(ctx, `SELECT role FROM repository_permission WHERE repo_id = $1 AND `+s.column()+` = $2`, repoID, s.id()).Scan(&r)
	if errors.Is(err, db.ErrNoRows) {
		who := "User"
		if s.TeamID != 0 {
			who = "Team"
		}
		return NoRole, problem.New(problem.Invalid, "%s does not have permission for repo.", who)
	}
	if err != nil {
		return NoRole, fmt.Errorf("look up a permission on repository %d: %w", repoID, err)
	}
	return r, nil
}

// Permissions lists those of teams, or those of users and robots, by name.
func (x *Authority) Permissions(ctx context.Context, repoID int64, teams bool) ([]Permission, error) {
	query := `SELECT a.id, 0, a.name, COALESCE(a.email, ''), CASE WHEN a.kind = 3 THEN 1 ELSE 0 END, p.role,
			CASE WHEN EXISTS (SELECT 1 FROM team_member m JOIN team t ON t.id = m.team_id
				WHERE m.account_id = a.id AND t.organization_id = r.namespace_id) THEN 1 ELSE 0 END
		FROM repository_permission p
		JOIN repository r ON r.id = p.repo_id
		JOIN account a ON a.id = p.account_id AND a.deleted_ms IS NULL
		WHERE p.repo_id = $1 ORDER BY a.name`
	if teams {
		query = `SELECT 0, t.id, t.name, '', 0, p.role, 0 FROM repository_permission p
		JOIN team t ON t.id = p.team_id
		WHERE p.repo_id = $1 ORDER BY t.name`
	}
	rows, err := x.db.Query(ctx, query, repoID)
	if err != nil {
		return nil, fmt.Errorf("list the permissions on repository %d: %w", repoID, err)
	}
	defer rows.Close()
	var all []Permission
	for rows.Next() {
		var p Permission
		if err := rows.Scan(&p.AccountID, &p.TeamID, &p.Name, &p.Email, &p.IsRobot, &p.Role, &p.OrgMember); err != nil {
			return nil, fmt.Errorf("list the permissions on repository %d: %w", repoID, err)
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// stored reports whether the role is one that a permission can have.
func (r Role) stored() bool { return r == Admin || r == Write || r == Read }

func unknownRole(r Role) error {
	return problem.New(problem.Invalid, "Unknown role %d; known are admin (1), write (2) and read (3)", uint8(r))
}

func (s Subject) id() int64 {
	if s.TeamID != 0 {
		return s.TeamID
	}
	return s.AccountID
}

func (s Subject) column() string {
	if s.TeamID != 0 {
		return "team_id"
	}
	return "account_id"
}

func homeTx(ctx context.Context, tx db.Tx, repoID int64) (home, error) {
	var h home
	err := tx.QueryRow(ctx, `SELECT n.id, n.name, n.kind, r.name FROM repository r
		JOIN account n ON n.id = r.namespace_id
		WHERE r.id = $1 AND r.deleted_ms IS NULL`, repoID).Scan(&h.namespace, &h.name, &h.kind, &h.repository)
	if errors.Is(err, db.ErrNoRows) {
		return home{}, problem.New(problem.NotFound, "The repository does not exist").WithCode("NAME_UNKNOWN")
	}
	if err != nil {
		return home{}, fmt.Errorf("look up repository %d: %w", repoID, err)
	}
	return h, nil
}

// mayHoldTx refuses subjects that cannot hold a permission in a namespace.
func mayHoldTx(ctx context.Context, tx db.Tx, h home, s Subject) error {
	if s.TeamID != 0 {
		return teamInTx(ctx, tx, h, s.TeamID)
	}
	var name string
	var kind identity.Kind
	var owner int64
	err := tx.QueryRow(ctx, `SELECT name, kind, COALESCE(owner_id, 0) FROM account WHERE id = $1 AND deleted_ms IS NULL`, s.AccountID).
		Scan(&name, &kind, &owner)
	switch {
	case errors.Is(err, db.ErrNoRows):
		return problem.New(problem.Invalid, "Unknown user or robot with id %d", s.AccountID)
	case err != nil:
		return fmt.Errorf("look up account %d: %w", s.AccountID, err)
	case kind == identity.Organization:
		return problem.New(problem.Invalid, "%s is an organization; permissions are given to users, robots and teams", name)
	case s.AccountID == h.namespace:
		return problem.New(problem.Invalid, "Namespace owner must always be admin.")
	case kind == identity.Robot && owner != h.namespace:
		return problem.New(problem.Invalid, "Robot %s belongs to another namespace than %s and cannot be given a permission there", name, h.name)
	}
	return nil
}

func teamInTx(ctx context.Context, tx db.Tx, h home, team int64) error {
	var organization int64
	err := tx.QueryRow(ctx, `SELECT organization_id FROM team WHERE id = $1`, team).Scan(&organization)
	if errors.Is(err, db.ErrNoRows) || err == nil && organization != h.namespace {
		return problem.New(problem.Invalid, "Unknown team with id %d in %s", team, h.name)
	}
	if err != nil {
		return fmt.Errorf("look up team %d: %w", team, err)
	}
	return nil
}
