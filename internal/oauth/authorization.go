package oauth

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// assignedNote is the kind of the notification that tells a user of an assigned token.
const assignedNote = "assigned_authorization"

// Authorization is an application that may act for a user, or asks to.
type Authorization struct {
	UUID         string
	Scopes       identity.Scopes
	Application  Application // without its secret
	Organization string
	Redirect     string // of assigned ones
	ResponseType string // of assigned ones
}

// Authorizations lists the unexpired tokens that act for a user, in the order in which they were made.
func (s *Service) Authorizations(ctx context.Context, userID int64) ([]Authorization, error) {
	return s.authorizations(ctx, `SELECT k.uuid, k.scope, '', '', p.client_id, p.name, p.description, p.application_uri, COALESCE(p.avatar_email, ''), o.name
		FROM oauth_token k
		JOIN oauth_application p ON p.id = k.application_id
		JOIN account o ON o.id = p.organization_id AND o.deleted_ms IS NULL
		WHERE k.account_id = $1 AND k.expires_ms > $2 ORDER BY k.id`, userID, s.now())
}

// Assigned lists the tokens that were assigned to a user and not taken up yet, in the order in which they were.
func (s *Service) Assigned(ctx context.Context, userID int64) ([]Authorization, error) {
	return s.authorizations(ctx, `SELECT k.uuid, k.scope, COALESCE(k.redirect_uri, ''), COALESCE(k.response_type, ''), p.client_id, p.name, p.description, p.application_uri, COALESCE(p.avatar_email, ''), o.name
		FROM oauth_assigned_token k
		JOIN oauth_application p ON p.id = k.application_id
		JOIN account o ON o.id = p.organization_id AND o.deleted_ms IS NULL
		WHERE k.account_id = $1 ORDER BY k.id`, userID)
}

func (s *Service) authorizations(ctx context.Context, query string, args ...any) ([]Authorization, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list authorizations: %w", err)
	}
	defer rows.Close()
	var all []Authorization
	for rows.Next() {
		var a Authorization
		var scope string
		p := &a.Application
		err := rows.Scan(&a.UUID, &scope, &a.Redirect, &a.ResponseType, &p.ClientID, &p.Name, &p.Description, &p.ApplicationURI, &p.AvatarEmail, &a.Organization)
		if err != nil {
			return nil, fmt.Errorf("list authorizations: %w", err)
		}
		a.Scopes = storedScopes(scope)
		all = append(all, a)
	}
	return all, rows.Err()
}

// Revoke takes back a token that acts for a user; NotFound when none of that uuid does.
func (s *Service) Revoke(ctx context.Context, userID int64, token string) error {
	return s.db.Hard(ctx, "revoke OAuth token", func(ctx context.Context, tx db.Tx) error {
		var p Application
		var user string
		err := tx.QueryRow(ctx, `SELECT p.id, p.client_id, p.name, p.organization_id, a.name FROM oauth_token k
			JOIN oauth_application p ON p.id = k.application_id
			JOIN account a ON a.id = k.account_id
			WHERE k.uuid = $1 AND k.account_id = $2`, token, userID).Scan(&p.ID, &p.ClientID, &p.Name, &p.OrganizationID, &user)
		if errors.Is(err, db.ErrNoRows) {
			return unknownAuthorization()
		}
		if err != nil {
			return fmt.Errorf("look up an OAuth token: %w", err)
		}
		return s.revokeTx(ctx, tx, p, token, map[string]any{"username": user})
	})
}

func unknownAuthorization() error {
	return problem.New(problem.NotFound, "There is no such authorization")
}

// Assignment is a token that an administrator offers to a user.
type Assignment struct {
	UserID       int64
	Username     string
	Redirect     string
	Scopes       identity.Scopes
	ResponseType string
}

// Assign offers a token of an application to a user, who finds it among the assigned ones and in a note in the console.
// The same offer made twice is one.
func (s *Service) Assign(ctx context.Context, p Application, a Assignment) error {
	id := uuid.NewString()
	note := map[string]any{"username": a.Username, "application": p.Name, "scope": a.Scopes.String()}
	return s.db.Hard(ctx, "assign OAuth token", func(ctx context.Context, tx db.Tx) error {
		if err := livesTx(ctx, tx, p.OrganizationID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM oauth_assigned_token WHERE account_id = $1 AND application_id = $2 AND scope = $3 AND redirect_uri = $4 AND response_type = $5`,
			a.UserID, p.ID, a.Scopes.String(), a.Redirect, a.ResponseType)
		if err != nil {
			return fmt.Errorf("assign a token of application %d: %w", p.ID, err)
		}
		_, err = tx.Exec(ctx, `INSERT INTO oauth_assigned_token (uuid, account_id, application_id, redirect_uri, scope, response_type)
			VALUES ($1, $2, $3, $4, $5, $6)`, id, a.UserID, p.ID, a.Redirect, a.Scopes.String(), a.ResponseType)
		if err != nil {
			return fmt.Errorf("assign a token of application %d: %w", p.ID, err)
		}
		if err := s.identity.NotifyTx(ctx, tx, identity.NewNotification{AccountID: a.UserID, Kind: assignedNote, Lookup: id, Metadata: note}); err != nil {
			return err
		}
		return s.recordTx(ctx, tx, "oauth_token_assigned", p, map[string]any{"username": a.Username, "scope": a.Scopes.String()})
	})
}

// ForgetNotes removes the notes that told a user of assigned tokens: they were read.
func (s *Service) ForgetNotes(ctx context.Context, userID int64) error {
	return s.db.Soft(ctx, "forget notes", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM notification WHERE account_id = $1 AND kind = $2`, userID, assignedNote)
		return err
	})
}

// Decline removes a token that was assigned to a user; NotFound when none of that uuid was.
func (s *Service) Decline(ctx context.Context, userID int64, id string) error {
	return s.db.Hard(ctx, "decline assigned token", func(ctx context.Context, tx db.Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM oauth_assigned_token WHERE uuid = $1 AND account_id = $2`, id, userID)
		if err != nil {
			return fmt.Errorf("remove an assigned token: %w", err)
		}
		if n == 0 {
			return unknownAuthorization()
		}
		return s.identity.DropNotificationsTx(ctx, tx, id)
	})
}

// IsAssigned reports whether exactly this grant was assigned to its user and waits.
func (s *Service) IsAssigned(ctx context.Context, g Grant) (bool, error) {
	all, err := s.Assigned(ctx, g.UserID)
	for _, a := range all {
		if a.UUID == g.Assignment {
			return a.Application.ClientID == g.Application.ClientID && a.Redirect == g.Redirect && a.Scopes == g.Scopes, err
		}
	}
	return false, err
}

// takeAssignmentTx removes the assignment that a grant takes up; NotFound when it does not say the same.
func (s *Service) takeAssignmentTx(ctx context.Context, tx db.Tx, g Grant) error {
	var scope string
	err := tx.QueryRow(ctx, `DELETE FROM oauth_assigned_token WHERE uuid = $1 AND account_id = $2 AND application_id = $3 AND redirect_uri = $4 RETURNING scope`,
		g.Assignment, g.UserID, g.Application.ID, g.Redirect).Scan(&scope)
	if errors.Is(err, db.ErrNoRows) || err == nil && storedScopes(scope) != g.Scopes {
		return unknownAuthorization()
	}
	if err != nil {
		return fmt.Errorf("take up an assigned token: %w", err)
	}
	return s.identity.DropNotificationsTx(ctx, tx, g.Assignment)
}
