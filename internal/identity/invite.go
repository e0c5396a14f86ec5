package identity

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	inviteCodeSize = 40 // characters, two hundred bits
	// hashedInvite stands before the SHA-256 of a code that this program made; a Quay stored codes as they are.
	hashedInvite = "sha256:"
	// inviteNote is the kind of the notification that tells a user of an invitation.
	inviteNote = "org_team_invite"
)

// Invite is an invitation to a team, to a user or to an e-mail address.
type Invite struct {
	Account Account // zero for an address
	Email   string  // empty for a user
	Code    string  // only when it was just made; kept hashed, and in the note that its user finds in the console
}

// AcceptedInvite is where an invitation led.
type AcceptedInvite struct {
	Organization, Team string
}

// InviteToTeam invites a user, or an e-mail address when accountID is 0, in the name of a user. A repeated invitation
// gets a new code in place of the old one. It is Invalid for who is a member already and for anybody but users.
func (s *Service) InviteToTeam(ctx context.Context, organizationID int64, team string, accountID int64, email string, inviterID int64) (Invite, error) {
	if accountID == 0 && email == "" {
		return Invite{}, problem.New(problem.Invalid, "An invitation needs a user or an e-mail address")
	}
	if err := validateEmail(email); err != nil {
		return Invite{}, err
	}
	invite := Invite{Email: email, Code: randomToken(inviteCodeSize)}
	err := s.changeTeamOf(ctx, "invite to team", organizationID, team, func(ctx context.Context, tx db.Tx, t Team) error {
		target := map[string]any{"email": email, "team": t.Name, "member": email}
		if accountID != 0 {
			var err error
			if invite.Account, err = invitableTx(ctx, tx, t, accountID); err != nil {
				return err
			}
			invite.Email = ""
			target = map[string]any{"user": invite.Account.Name, "team": t.Name, "member": invite.Account.Name}
		}
		if err := s.storeInviteTx(ctx, tx, t, invite, inviterID); err != nil {
			return err
		}
		return s.options.Audit.Change(ctx, tx, "org_invite_team_member", organizationID, 0, target)
	})
	if err != nil {
		return Invite{}, err
	}
	return invite, nil
}

// changeTeamOf runs a change about a team that changes nobody's membership.
func (s *Service) changeTeamOf(ctx context.Context, what string, organizationID int64, team string, change func(context.Context, db.Tx, Team) error) error {
	return s.db.Hard(ctx, what, func(ctx context.Context, tx db.Tx) error {
		if err := requireOrganizationTx(ctx, tx, organizationID); err != nil {
			return err
		}
		t, err := teamTx(ctx, tx, organizationID, team)
		if err != nil {
			return err
		}
		return change(ctx, tx, t)
	})
}

func invitableTx(ctx context.Context, tx db.Tx, t Team, accountID int64) (Account, error) {
	a, err := userTx(ctx, tx, accountID)
	if err != nil {
		return Account{}, err
	}
	var one int
	err = tx.QueryRow(ctx, `SELECT 1 FROM team_member WHERE team_id = $1 AND account_id = $2`, t.ID, accountID).Scan(&one)
	if err == nil {
		return Account{}, problem.New(problem.Invalid, "%s is already a member of team %s", quoted(a.Name), quoted(t.Name))
	}
	if !errors.Is(err, db.ErrNoRows) {
		return Account{}, fmt.Errorf("look for a member of team %q: %w", t.Name, err)
	}
	return a, nil
}

func (s *Service) storeInviteTx(ctx context.Context, tx db.Tx, t Team, i Invite, inviterID int64) error {
	if _, err := tx.Exec(ctx, `DELETE FROM team_invite WHERE team_id = $1 AND (account_id = $2 OR email = $3)`,
		t.ID, nullID(i.Account.ID), nullText(i.Email)); err != nil {
		return fmt.Errorf("replace an invitation to team %q: %w", t.Name, err)
	}
	_, err := tx.Exec(ctx, `INSERT INTO team_invite (team_id, account_id, email, inviter_id, token) VALUES ($1, $2, $3, $4, $5)`,
		t.ID, nullID(i.Account.ID), nullText(i.Email), inviterID, storedCode(i.Code))
	if err != nil {
		return fmt.Errorf("invite to team %q: %w", t.Name, err)
	}
	if i.Account.ID == 0 {
		return nil
	}
	return s.noteInviteTx(ctx, tx, t, i, inviterID)
}

// noteInviteTx tells the invited user in the console. Only that user can use the code.
func (s *Service) noteInviteTx(ctx context.Context, tx db.Tx, t Team, i Invite, inviterID int64) error {
	if err := s.DropNotificationsTx(ctx, tx, notePath(t, i.Account.ID)); err != nil {
		return err
	}
	inviter, err := accountTx(ctx, tx, inviterID)
	if err != nil {
		return err
	}
	organization, err := accountTx(ctx, tx, t.OrganizationID)
	if err != nil {
		return err
	}
	return s.NotifyTx(ctx, tx, NewNotification{AccountID: i.Account.ID, Kind: inviteNote, Lookup: notePath(t, i.Account.ID), Metadata: map[string]any{
		"code": i.Code, "adminuser": inviter.Name, "org": organization.Name, "team": t.Name,
	}})
}

// notePath finds the note that told a user of an invitation.
func notePath(t Team, accountID int64) string {
	return fmt.Sprintf("%s/%d/%d", inviteNote, t.ID, accountID)
}

func storedCode(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hashedInvite + hex.EncodeToString(sum[:])
}

// TeamInvites lists the invitations to a team that nobody has taken up, in the order in which they were made.
func (s *Service) TeamInvites(ctx context.Context, teamID int64) ([]Invite, error) {
	rows, err := s.read.Query(ctx, `SELECT COALESCE(i.email, ''), COALESCE(a.id, 0), COALESCE(a.kind, 0), COALESCE(a.name, ''), COALESCE(a.email, '')
		FROM team_invite i LEFT JOIN account a ON a.id = i.account_id
		WHERE i.team_id = $1 AND a.deleted_ms IS NULL ORDER BY i.id`, teamID)
	if err != nil {
		return nil, fmt.Errorf("list the invitations to team %d: %w", teamID, err)
	}
	defer rows.Close()
	var all []Invite
	for rows.Next() {
		var i Invite
		if err := rows.Scan(&i.Email, &i.Account.ID, &i.Account.Kind, &i.Account.Name, &i.Account.Email); err != nil {
			return nil, fmt.Errorf("list the invitations to team %d: %w", teamID, err)
		}
		all = append(all, i)
	}
	return all, rows.Err()
}

// WithdrawInvite takes an invitation back, that of a user or, when accountID is 0, of an address. NotFound when there
// is none.
func (s *Service) WithdrawInvite(ctx context.Context, organizationID int64, team string, accountID int64, email string) error {
	return s.changeTeamOf(ctx, "withdraw invitation", organizationID, team, func(ctx context.Context, tx db.Tx, t Team) error {
		target := map[string]any{"email": email, "team": t.Name, "member": email}
		if accountID != 0 {
			a, err := accountTx(ctx, tx, accountID)
			if err != nil {
				return err
			}
			target = map[string]any{"user": a.Name, "team": t.Name, "member": a.Name}
		}
		n, err := tx.Exec(ctx, `DELETE FROM team_invite WHERE team_id = $1 AND (account_id = $2 OR email = $3)`,
			t.ID, nullID(accountID), nullText(email))
		if err != nil {
			return fmt.Errorf("withdraw an invitation to team %q: %w", t.Name, err)
		}
		if n == 0 {
			return problem.New(problem.NotFound, "There is no such invitation to team %s", quoted(t.Name))
		}
		if err := s.DropNotificationsTx(ctx, tx, notePath(t, accountID)); err != nil {
			return err
		}
		return s.options.Audit.Change(ctx, tx, "org_delete_team_member_invite", organizationID, 0, target)
	})
}

// invitation is a stored invitation with where it leads.
type invitation struct {
	id           int64
	team         Team
	organization string
	inviter      string
	accountID    sql.NullInt64
	email        sql.NullString
}

// Invitation is where the invitation of a code leads, for the user that it is meant for; it is Invalid like AcceptInvite.
func (s *Service) Invitation(ctx context.Context, code string, userID int64) (AcceptedInvite, error) {
	user, err := s.AccountByID(ctx, userID)
	if err != nil {
		return AcceptedInvite{}, err
	}
	i, err := invitationTx(ctx, s.read, code)
	if err == nil {
		err = i.isFor(user)
	}
	if err != nil {
		return AcceptedInvite{}, err
	}
	return AcceptedInvite{i.organization, i.team.Name}, nil
}

// AcceptInvite makes a user a member of the team that an invitation's code is for. It is Invalid for a code that is
// unknown or was meant for somebody else.
func (s *Service) AcceptInvite(ctx context.Context, code string, userID int64) (AcceptedInvite, error) {
	return s.endInvite(ctx, "accept invitation", code, userID, s.acceptTx)
}

// VerifyByInvite confirms a user's address when the code is that of an invitation which went there: only its reader
// knows the code. Any other code changes nothing. The invitation stays.
func (s *Service) VerifyByInvite(ctx context.Context, code string, userID int64) (Account, error) {
	var user Account
	err := s.db.Hard(ctx, "verify by invitation", func(ctx context.Context, tx db.Tx) (err error) {
		if user, err = userTx(ctx, tx, userID); err != nil {
			return err
		}
		_, invited, err := invitedTx(ctx, tx, code, user.Email)
		if err != nil || !invited || user.Verified {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE account SET verified = 1 WHERE id = $1`, userID); err != nil {
			return fmt.Errorf("confirm the address of account %d: %w", userID, err)
		}
		user.Verified = true
		s.changed(tx)
		return nil
	})
	return user, err
}

// DeclineInvite turns an invitation down; it is Invalid like AcceptInvite.
func (s *Service) DeclineInvite(ctx context.Context, code string, userID int64) error {
	_, err := s.endInvite(ctx, "decline invitation", code, userID, func(ctx context.Context, tx db.Tx, i invitation, user Account) error {
		return s.useInviteTx(ctx, tx, "org_team_member_invite_declined", i, user)
	})
	return err
}

func (s *Service) endInvite(ctx context.Context, what, code string, userID int64, end func(context.Context, db.Tx, invitation, Account) error) (AcceptedInvite, error) {
	var i invitation
	err := s.db.Hard(ctx, what, func(ctx context.Context, tx db.Tx) error {
		user, err := userTx(ctx, tx, userID)
		if err != nil {
			return err
		}
		if i, err = invitationTx(ctx, tx, code); err != nil {
			return err
		}
		return end(ctx, tx, i, user)
	})
	return AcceptedInvite{i.organization, i.team.Name}, err
}

// acceptTx makes the user that an invitation is meant for a member of its team.
func (s *Service) acceptTx(ctx context.Context, tx db.Tx, i invitation, user Account) error {
	if err := s.useInviteTx(ctx, tx, "org_team_member_invite_accepted", i, user); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO team_member (team_id, account_id) VALUES ($1, $2)
		ON CONFLICT (team_id, account_id) DO NOTHING`, i.team.ID, user.ID)
	if err != nil {
		return fmt.Errorf("add a member to team %q: %w", i.team.Name, err)
	}
	s.changed(tx)
	return nil
}

// useInviteTx ends an invitation, which the user it is meant for can do once.
func (s *Service) useInviteTx(ctx context.Context, tx db.Tx, kind string, i invitation, user Account) error {
	if err := i.isFor(user); err != nil {
		return err
	}
	if err := requireOrganizationTx(ctx, tx, i.team.OrganizationID); err != nil {
		return err
	}
	n, err := tx.Exec(ctx, `DELETE FROM team_invite WHERE id = $1`, i.id)
	if err != nil {
		return fmt.Errorf("use an invitation: %w", err)
	}
	if n == 0 {
		return unknownInvite() // another request was faster
	}
	if err := s.DropNotificationsTx(ctx, tx, notePath(i.team, user.ID)); err != nil {
		return err
	}
	return s.logTx(ctx, tx, kind, i.team.OrganizationID, map[string]any{"member": user.Name, "team": i.team.Name, "inviter": i.inviter})
}

func invitationTx(ctx context.Context, q db.Queryer, code string) (invitation, error) {
	var i invitation
	if code == "" || !storable(code) || strings.HasPrefix(code, hashedInvite) {
		return i, unknownInvite()
	}
	err := q.QueryRow(ctx, `SELECT i.id, t.id, t.organization_id, t.name, t.role, o.name, n.name, i.account_id, i.email
		FROM team_invite i
		JOIN team t ON t.id = i.team_id
		JOIN account o ON o.id = t.organization_id AND o.deleted_ms IS NULL
		JOIN account n ON n.id = i.inviter_id
		WHERE i.token = $1 OR i.token = $2`, storedCode(code), code).
		Scan(&i.id, &i.team.ID, &i.team.OrganizationID, &i.team.Name, &i.team.Role, &i.organization, &i.inviter, &i.accountID, &i.email)
	if errors.Is(err, db.ErrNoRows) {
		return i, unknownInvite()
	}
	if err != nil {
		return i, fmt.Errorf("look up an invitation: %w", err)
	}
	return i, nil
}

func unknownInvite() error {
	return problem.New(problem.Invalid, "The invitation code is unknown, or the invitation was used or withdrawn")
}

// isFor refuses everybody but whom the invitation is meant for: its user, or who has confirmed its address.
func (i invitation) isFor(user Account) error {
	if i.accountID.Valid {
		if i.accountID.Int64 != user.ID {
			return problem.New(problem.Invalid, "This invitation is meant for another user")
		}
		return nil
	}
	if !user.Verified || user.Email == "" || !strings.EqualFold(user.Email, i.email.String) {
		return problem.New(problem.Invalid, "This invitation is meant for another e-mail address than yours")
	}
	return nil
}
