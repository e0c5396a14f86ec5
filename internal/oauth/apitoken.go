package oauth

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// TokenInfo describes an application's token.
type TokenInfo struct {
	ID        int64 // its place in lists
	UUID      string
	Name      string // empty for tokens that users granted
	Scopes    identity.Scopes
	Created   time.Time // zero when unknown
	Expires   time.Time
	CreatedBy string    // empty when unknown
	LastUsed  time.Time // zero for never
}

// Tokens lists an application's unexpired tokens, newest first, those before an id; 0 is the beginning.
func (s *Service) Tokens(ctx context.Context, applicationID, before int64, limit int) ([]TokenInfo, error) {
	rows, err := s.db.Query(ctx, `SELECT k.id, k.uuid, COALESCE(k.display_name, ''), k.scope, k.created_ms, k.expires_ms, COALESCE(a.name, ''), k.last_used_ms
		FROM oauth_token k LEFT JOIN account a ON a.id = k.created_by
		WHERE k.application_id = $1 AND k.expires_ms > $2 AND (k.id < $3 OR CAST($3 AS BIGINT) = 0)
		ORDER BY k.id DESC LIMIT $4`, applicationID, s.now(), before, limit)
	if err != nil {
		return nil, fmt.Errorf("list the tokens of application %d: %w", applicationID, err)
	}
	defer rows.Close()
	var all []TokenInfo
	for rows.Next() {
		var t TokenInfo
		var scope string
		var created, used sql.NullInt64
		var expires int64
		if err := rows.Scan(&t.ID, &t.UUID, &t.Name, &scope, &created, &expires, &t.CreatedBy, &used); err != nil {
			return nil, fmt.Errorf("list the tokens of application %d: %w", applicationID, err)
		}
		t.Scopes, t.Created, t.Expires, t.LastUsed = storedScopes(scope), timeOf(created), db.Time(expires), timeOf(used)
		all = append(all, t)
	}
	return all, rows.Err()
}

func timeOf(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return db.Time(ms.Int64)
}

// NewToken is a token that an administrator makes for an application. It has the administrator's rights within its
// scopes.
type NewToken struct {
	Name     string
	Scopes   identity.Scopes
	Lifetime time.Duration // 0 for TokenLife, which is also the longest
	UserID   int64
}

// CreateToken makes a token of an organization's application. It is Invalid for a name or scope against a rule and when
// the application has as many tokens as it may; the application's row is locked, so that of two calls at once no more
// succeed than fit.
func (s *Service) CreateToken(ctx context.Context, organizationID int64, clientID string, n NewToken) (identity.IssuedToken, error) {
	n.Name = strings.TrimSpace(n.Name)
	if size := utf8.RuneCountInString(n.Name); size < 1 || size > maxName {
		return identity.IssuedToken{}, invalid("The name of a token has %d characters, allowed are 1 to %d", size, maxName)
	}
	if n.Scopes == 0 {
		return identity.IssuedToken{}, invalid("Invalid scope: none is given; known are %s", identity.AllScopes)
	}
	var issued identity.IssuedToken
	_, err := s.change(ctx, "create application token", organizationID, clientID, func(ctx context.Context, tx db.Tx, p *Application) (err error) {
		if err := s.roomTx(ctx, tx, *p); err != nil {
			return err
		}
		issued, err = s.identity.IssueOAuthTokenTx(ctx, tx, identity.NewOAuthToken{
			ApplicationID: p.ID, AccountID: n.UserID, Scopes: n.Scopes, Lifetime: n.Lifetime, Title: n.Name,
		})
		if err != nil {
			return err
		}
		return s.recordTx(ctx, tx, "create_oauth_api_token", *p, map[string]any{"token_uuid": issued.UUID, "token_name": n.Name, "scope": n.Scopes.String()})
	})
	return issued, err
}

func (s *Service) roomTx(ctx context.Context, tx db.Tx, p Application) error {
	if s.maxTokens <= 0 {
		return nil
	}
	var n int
	err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM oauth_token WHERE application_id = $1 AND expires_ms > $2`, p.ID, s.now()).Scan(&n)
	if err != nil {
		return fmt.Errorf("count the tokens of application %d: %w", p.ID, err)
	}
	if n >= s.maxTokens {
		return invalid("Token limit reached: maximum %d non-expired tokens per application", s.maxTokens)
	}
	return nil
}

// DeleteToken revokes a token of an organization's application; NotFound when it has none of that uuid.
func (s *Service) DeleteToken(ctx context.Context, organizationID int64, clientID, uuid string) error {
	_, err := s.change(ctx, "delete application token", organizationID, clientID, func(ctx context.Context, tx db.Tx, p *Application) error {
		n, err := tx.Exec(ctx, `DELETE FROM oauth_token WHERE uuid = $1 AND application_id = $2`, uuid, p.ID)
		if err != nil {
			return fmt.Errorf("delete a token of application %d: %w", p.ID, err)
		}
		if n == 0 {
			return problem.New(problem.NotFound, "The application has no such token")
		}
		s.identity.CredentialsChangedTx(tx)
		return s.recordTx(ctx, tx, "revoke_oauth_api_token", *p, map[string]any{"token_uuid": uuid})
	})
	return err
}
