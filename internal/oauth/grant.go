package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	codeLife = 10 * time.Minute
	// codeMemory is how long a code is remembered after its end, so that its use then still revokes its token.
	codeMemory = 24 * time.Hour
	codeSweep  = 100 // forgotten codes removed whenever one is made
	// codeLookup and codeSize are Quay's: characters that find a code, and all of them.
	codeLookup = 20
	codeSize   = 40
)

// Grant is what a user has agreed to. Its redirect address was found to be allowed, its user to be signed in.
type Grant struct {
	Application Application
	UserID      int64
	Redirect    string
	Scopes      identity.Scopes
	Assignment  string // uuid of the assignment that is taken up; empty for none
}

// codeData is what a code's row keeps beside its columns, as JSON in Quay's column for it.
type codeData struct {
	User     int64  `json:"user"`
	Redirect string `json:"redirect_uri"`
	Token    string `json:"token,omitempty"` // uuid of the token it was exchanged for
}

// Token makes the token of the implicit flow. With an assignment it takes that up in the same transaction: it is
// NotFound when the user was assigned no such token.
func (s *Service) Token(ctx context.Context, g Grant) (identity.IssuedToken, error) {
	var issued identity.IssuedToken
	err := s.db.Hard(ctx, "grant OAuth token", func(ctx context.Context, tx db.Tx) (err error) {
		if g.Assignment != "" {
			if err := s.takeAssignmentTx(ctx, tx, g); err != nil {
				return err
			}
		}
		issued, err = s.issueTx(ctx, tx, g)
		return err
	})
	return issued, err
}

// issueTx makes a token for a user who may still sign in. Quay records no grant; it is recorded here as the making of a
// token, with the user who granted it in place of a token's name.
func (s *Service) issueTx(ctx context.Context, tx db.Tx, g Grant) (identity.IssuedToken, error) {
	var name string
	err := tx.QueryRow(ctx, `SELECT name FROM account WHERE id = $1 AND kind = 1 AND enabled = 1 AND deleted_ms IS NULL`, g.UserID).Scan(&name)
	if errors.Is(err, db.ErrNoRows) {
		return identity.IssuedToken{}, problem.New(problem.NotFound, "The user no longer exists or is disabled")
	}
	if err != nil {
		return identity.IssuedToken{}, fmt.Errorf("look up user %d: %w", g.UserID, err)
	}
	issued, err := s.identity.IssueOAuthTokenTx(ctx, tx, identity.NewOAuthToken{
		ApplicationID: g.Application.ID, AccountID: g.UserID, Scopes: g.Scopes, Lifetime: TokenLife,
	})
	if err != nil {
		return identity.IssuedToken{}, err
	}
	return issued, s.recordTx(ctx, tx, "create_oauth_api_token", g.Application, map[string]any{"token_uuid": issued.UUID, "username": name, "scope": g.Scopes.String()})
}

// Code makes the code of the authorization code flow.
func (s *Service) Code(ctx context.Context, g Grant) (string, error) {
	code := identity.NewSecret(codeSize)
	data, err := json.Marshal(codeData{User: g.UserID, Redirect: g.Redirect})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(code[codeLookup:]))
	now := s.clock()
	err = s.db.Hard(ctx, "grant OAuth code", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM oauth_code WHERE id IN (
			SELECT id FROM oauth_code WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2)`, db.Millis(now.Add(-codeMemory)), codeSweep)
		if err != nil {
			return fmt.Errorf("remove old OAuth codes: %w", err)
		}
		_, err = tx.Exec(ctx, `INSERT INTO oauth_code (application_id, lookup, secret_hash, scope, data, expires_ms)
			VALUES ($1, $2, $3, $4, $5, $6)`, g.Application.ID, code[:codeLookup], sum[:], g.Scopes.String(), string(data), db.Millis(now.Add(codeLife)))
		if err != nil {
			return fmt.Errorf("make an OAuth code: %w", err)
		}
		return nil
	})
	return code, err
}

// Granted gives the scopes that a user has granted to an application and not taken back. Tokens that administrators
// made for the application's own use do not count.
func (s *Service) Granted(ctx context.Context, applicationID, userID int64) (identity.Scopes, error) {
	rows, err := s.db.Query(ctx, `SELECT DISTINCT scope FROM oauth_token
		WHERE application_id = $1 AND account_id = $2 AND display_name IS NULL AND expires_ms > $3`, applicationID, userID, s.now())
	if err != nil {
		return 0, fmt.Errorf("look up what was granted to application %d: %w", applicationID, err)
	}
	defer rows.Close()
	var all identity.Scopes
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return 0, fmt.Errorf("look up what was granted to application %d: %w", applicationID, err)
		}
		all |= storedScopes(text)
	}
	return all, rows.Err()
}

// storedScopes reads scopes of a row; as in Quay, an unknown one empties the whole.
func storedScopes(text string) identity.Scopes {
	scopes, err := identity.ParseScopes(text)
	if err != nil {
		return 0
	}
	return scopes
}
