package identity

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// TeamRole is what a team grants on its organization. The stored values are Quay's and descend.
type TeamRole uint8

// The team roles; 0 is not stored.
const (
	TeamAdmin   TeamRole = 1 // everything
	TeamCreator TeamRole = 2 // creating repositories
	TeamMember  TeamRole = 3 // seeing the organization; repository permissions are given apart
)

// String gives the role's name in the API.
func (r TeamRole) String() string {
	switch r {
	case TeamAdmin:
		return "admin"
	case TeamCreator:
		return "creator"
	case TeamMember:
		return "member"
	}
	return "none"
}

// maxTeamDescription is Longshore's, so that a list stays a list.
const maxTeamDescription = 4096

// Team is a group of users and robots in an organization.
type Team struct {
	ID             int64
	OrganizationID int64
	Name           string
	Role           TeamRole
	Description    string
}

// SetTeam makes a team or changes its role and, unless it is nil, its description. It is Invalid when the
// organization would be left without an administrator.
func (s *Service) SetTeam(ctx context.Context, organizationID int64, name string, role TeamRole, description *string) (team Team, created bool, err error) {
	return s.SetTeamBy(ctx, 0, organizationID, name, role, description)
}

// SetTeamBy is SetTeam in the name of an account: it is Invalid as well when the account would lose its own
// administration of the organization.
func (s *Service) SetTeamBy(ctx context.Context, by, organizationID int64, name string, role TeamRole, description *string) (team Team, created bool, err error) {
	if err := ValidateTeamName(name); err != nil {
		return Team{}, false, err
	}
	if role < TeamAdmin || role > TeamMember {
		return Team{}, false, problem.New(problem.Invalid, "Unknown team role %d; known are admin (1), creator (2) and member (3)", role)
	}
	if description != nil && utf8.RuneCountInString(*description) > maxTeamDescription {
		return Team{}, false, problem.New(problem.Invalid, "The description of a team has more than %d characters", maxTeamDescription)
	}
	err = s.db.Hard(ctx, "set team", func(ctx context.Context, tx db.Tx) (err error) {
		return keepsAdminTx(ctx, tx, organizationID, by, func() error {
			team, created, err = s.setTeamTx(ctx, tx, Team{OrganizationID: organizationID, Name: name, Role: role}, description)
			return err
		})
	})
	return team, created, err
}

func (s *Service) setTeamTx(ctx context.Context, tx db.Tx, want Team, description *string) (Team, bool, error) {
	if err := requireOrganizationTx(ctx, tx, want.OrganizationID); err != nil {
		return Team{}, false, err
	}
	s.changed(tx)
	old, err := teamTx(ctx, tx, want.OrganizationID, want.Name)
	if problem.Is(err, problem.NotFound) {
		team, err := insertTeamTx(ctx, tx, want, description)
		if err != nil {
			return Team{}, false, err
		}
		return team, true, s.logTx(ctx, tx, "org_create_team", want.OrganizationID, map[string]any{"team": want.Name})
	}
	if err != nil {
		return Team{}, false, err
	}
	want.ID, want.Description = old.ID, old.Description
	if description != nil {
		want.Description = *description
	}
	_, err = tx.Exec(ctx, `UPDATE team SET role = $1, description = $2 WHERE id = $3`, want.Role, want.Description, want.ID)
	if err != nil {
		return Team{}, false, fmt.Errorf("change team %q: %w", want.Name, err)
	}
	if err := requireAdminTx(ctx, tx, want.OrganizationID); err != nil {
		return Team{}, false, err
	}
	return want, false, s.logTeamTx(ctx, tx, old, want)
}

// logTeamTx records what of a team was changed.
func (s *Service) logTeamTx(ctx context.Context, tx db.Tx, old, now Team) error {
	if now.Description != old.Description {
		if err := s.logTx(ctx, tx, "org_set_team_description", now.OrganizationID, map[string]any{"team": now.Name, "description": now.Description}); err != nil {
			return err
		}
	}
	if now.Role == old.Role {
		return nil
	}
	return s.logTx(ctx, tx, "org_set_team_role", now.OrganizationID, map[string]any{"team": now.Name, "role": now.Role.String()})
}

func insertTeamTx(ctx context.Context, tx db.Tx, t Team, description *string) (Team, error) {
	if description != nil {
		t.Description = *description
	}
	err := tx.QueryRow(ctx, `INSERT INTO team (organization_id, name, role, description) VALUES ($1, $2, $3, $4) RETURNING id`,
		t.OrganizationID, t.Name, t.Role, t.Description).Scan(&t.ID)
	if err != nil {
		return Team{}, fmt.Errorf("create team %q: %w", t.Name, err)
	}
	return t, nil
}

// Team gives a team of an organization by name; NotFound when there is none.
func (s *Service) Team(ctx context.Context, organizationID int64, name string) (Team, error) {
	return teamTx(ctx, s.read, organizationID, name)
}

func teamTx(ctx context.Context, q db.Queryer, organizationID int64, name string) (Team, error) {
	t := Team{OrganizationID: organizationID, Name: name}
	err := q.QueryRow(ctx, `SELECT id, role, description FROM team WHERE organization_id = $1 AND name = $2`,
		organizationID, name).Scan(&t.ID, &t.Role, &t.Description)
	if errors.Is(err, db.ErrNoRows) {
		return Team{}, problem.New(problem.NotFound, "Team %s does not exist", quoted(name))
	}
	if err != nil {
		return Team{}, fmt.Errorf("look up team %q: %w", name, err)
	}
	return t, nil
}

// Teams lists an organization's teams in the order in which they were made.
func (s *Service) Teams(ctx context.Context, organizationID int64) ([]Team, error) {
	rows, err := s.read.Query(ctx, `SELECT id, name, role, description FROM team WHERE organization_id = $1 ORDER BY id`, organizationID)
	if err != nil {
		return nil, fmt.Errorf("list the teams of organization %d: %w", organizationID, err)
	}
	defer rows.Close()
	var teams []Team
	for rows.Next() {
		t := Team{OrganizationID: organizationID}
		if err := rows.Scan(&t.ID, &t.Name, &t.Role, &t.Description); err != nil {
			return nil, fmt.Errorf("list the teams of organization %d: %w", organizationID, err)
		}
		teams = append(teams, t)
	}
	return teams, rows.Err()
}

// DeleteTeam deletes a team with the permissions it was given. It is Invalid when the organization would be left
// without an administrator.
func (s *Service) DeleteTeam(ctx context.Context, organizationID int64, name string) error {
	return s.DeleteTeamBy(ctx, 0, organizationID, name)
}

// DeleteTeamBy is DeleteTeam in the name of an account, see SetTeamBy.
func (s *Service) DeleteTeamBy(ctx context.Context, by, organizationID int64, name string) error {
	return s.changeTeam(ctx, "delete team", by, organizationID, name, func(ctx context.Context, tx db.Tx, t Team) error {
		if _, err := tx.Exec(ctx, `DELETE FROM team WHERE id = $1`, t.ID); err != nil {
			return fmt.Errorf("delete team %q: %w", t.Name, err)
		}
		return s.logTx(ctx, tx, "org_delete_team", organizationID, map[string]any{"team": t.Name})
	})
}

// TeamMembers lists a team's users and robots by name.
func (s *Service) TeamMembers(ctx context.Context, teamID int64) ([]Account, error) {
	rows, err := s.read.Query(ctx, `SELECT `+accountColumns+` FROM team_member m
		JOIN account a ON a.id = m.account_id AND a.deleted_ms IS NULL
		WHERE m.team_id = $1 ORDER BY a.name`, teamID)
	if err != nil {
		return nil, fmt.Errorf("list the members of team %d: %w", teamID, err)
	}
	defer rows.Close()
	var members []Account
	for rows.Next() {
		a, err := scanAccount(rows)
		if err != nil {
			return nil, fmt.Errorf("list the members of team %d: %w", teamID, err)
		}
		members = append(members, a)
	}
	return members, rows.Err()
}

// AddTeamMember makes a user, or a robot of the organization, a member. It is Invalid for anyone else and for who is
// a member already.
func (s *Service) AddTeamMember(ctx context.Context, organizationID int64, team string, accountID int64) error {
	return s.changeTeam(ctx, "add team member", 0, organizationID, team, func(ctx context.Context, tx db.Tx, t Team) error {
		a, err := accountTx(ctx, tx, accountID)
		if err != nil {
			return err
		}
		if a.Kind == Organization {
			return problem.New(problem.Invalid, "%s is an organization; members of a team are users and robots", quoted(a.Name))
		}
		if a.Kind == Robot && a.OwnerID != organizationID {
			return problem.New(problem.Invalid, "Robot %s belongs to another namespace and cannot be a member of team %s", quoted(a.Name), quoted(t.Name))
		}
		n, err := tx.Exec(ctx, `INSERT INTO team_member (team_id, account_id) VALUES ($1, $2)
			ON CONFLICT (team_id, account_id) DO NOTHING`, t.ID, accountID)
		if err != nil {
			return fmt.Errorf("add a member to team %q: %w", t.Name, err)
		}
		if n == 0 {
			return problem.New(problem.Invalid, "%s is already a member of team %s", quoted(a.Name), quoted(t.Name))
		}
		return s.logTx(ctx, tx, "org_add_team_member", organizationID, map[string]any{"member": a.Name, "team": t.Name})
	})
}

// RemoveTeamMember ends a membership. It is Invalid for who is no member, and for the organization's last
// administrator.
func (s *Service) RemoveTeamMember(ctx context.Context, organizationID int64, team string, accountID int64) error {
	return s.RemoveTeamMemberBy(ctx, 0, organizationID, team, accountID)
}

// RemoveTeamMemberBy is RemoveTeamMember in the name of an account, see SetTeamBy.
func (s *Service) RemoveTeamMemberBy(ctx context.Context, by, organizationID int64, team string, accountID int64) error {
	return s.changeTeam(ctx, "remove team member", by, organizationID, team, func(ctx context.Context, tx db.Tx, t Team) error {
		a, err := accountTx(ctx, tx, accountID)
		if err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `DELETE FROM team_member WHERE team_id = $1 AND account_id = $2`, t.ID, accountID)
		if err != nil {
			return fmt.Errorf("remove a member from team %q: %w", t.Name, err)
		}
		if n == 0 {
			return problem.New(problem.Invalid, "%s is not a member of team %s", quoted(a.Name), quoted(t.Name))
		}
		return s.logTx(ctx, tx, "org_remove_team_member", organizationID, map[string]any{"member": a.Name, "team": t.Name})
	})
}

// changeTeam makes a change to an existing team while its organization's members hold still, and refuses one that
// leaves the organization without an administrator.
func (s *Service) changeTeam(ctx context.Context, what string, by, organizationID int64, name string,
	change func(context.Context, db.Tx, Team) error) error {
	return s.db.Hard(ctx, what, func(ctx context.Context, tx db.Tx) error {
		if err := requireOrganizationTx(ctx, tx, organizationID); err != nil {
			return err
		}
		t, err := teamTx(ctx, tx, organizationID, name)
		if err != nil {
			return err
		}
		if err := keepsAdminTx(ctx, tx, organizationID, by, func() error { return change(ctx, tx, t) }); err != nil {
			return err
		}
		s.changed(tx)
		return requireAdminTx(ctx, tx, organizationID)
	})
}

// requireAdminTx refuses a state in which no user administers the organization.
func requireAdminTx(ctx context.Context, tx db.Tx, organizationID int64) error {
	var one int
	err := tx.QueryRow(ctx, `SELECT 1 FROM team t
		JOIN team_member m ON m.team_id = t.id
		JOIN account a ON a.id = m.account_id AND a.kind = 1 AND a.deleted_ms IS NULL
		WHERE t.organization_id = $1 AND t.role = 1 LIMIT 1`, organizationID).Scan(&one)
	if errors.Is(err, db.ErrNoRows) {
		return problem.New(problem.Invalid, "The organization would be left without an administrator")
	}
	if err != nil {
		return fmt.Errorf("look for administrators of organization %d: %w", organizationID, err)
	}
	return nil
}
