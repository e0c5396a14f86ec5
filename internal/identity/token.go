package identity

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// maxTokenLifetime is Quay's for OAuth tokens: ten years (rest-api §4.1).
const maxTokenLifetime = 315_576_000 * time.Second

// AppTokenInfo describes an application token.
type AppTokenInfo struct {
	UUID     string
	Title    string
	Token    string // the 120 characters; empty in lists
	Created  time.Time
	Expires  time.Time // zero for never
	LastUsed time.Time // zero for never
}

// CreateAppToken makes an application token, which logs in as "$app" with its account's rights. A lifetime of 0 is
// without end. The token can be shown again: see AppToken.
func (s *Service) CreateAppToken(ctx context.Context, accountID int64, title string, lifetime time.Duration) (uuid, token string, err error) {
	if strings.TrimSpace(title) == "" || len(title) > maxName {
		return "", "", problem.New(problem.Invalid, "The title of an application token has %d characters, allowed are 1 to %d", len(title), maxName)
	}
	var expires time.Time
	if lifetime > 0 {
		expires = s.now().Add(lifetime)
	}
	uuid = newUUID()
	lookup, secret := randomToken(appTokenPart), randomToken(appTokenPart)
	sealed, err := s.fields.Encrypt(secret)
	if err != nil {
		return "", "", err
	}
	err = s.db.Hard(ctx, "create application token", func(ctx context.Context, tx db.Tx) error {
		if _, err := userTx(ctx, tx, accountID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO app_token (uuid, account_id, title, lookup, secret, created_ms, expires_ms)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, uuid, accountID, title, lookup, sealed, s.nowMillis(), nullMillis(expires))
		if err != nil {
			return fmt.Errorf("create an application token of account %d: %w", accountID, err)
		}
		return s.logTx(ctx, tx, "create_app_specific_token", accountID, map[string]any{"app_specific_token_title": title, "app_specific_token": uuid})
	})
	if err != nil {
		return "", "", err
	}
	return uuid, lookup + secret, nil
}

// AppTokens lists an account's application tokens, newest first.
func (s *Service) AppTokens(ctx context.Context, accountID int64) ([]AppTokenInfo, error) {
	rows, err := s.read.Query(ctx, `SELECT uuid, title, created_ms, expires_ms, last_used_ms FROM app_token
		WHERE account_id = $1 ORDER BY id DESC`, accountID)
	if err != nil {
		return nil, fmt.Errorf("list the application tokens of account %d: %w", accountID, err)
	}
	return collectAppTokens(rows)
}

// collectAppTokens reads uuid, title, created_ms, expires_ms and last_used_ms.
func collectAppTokens(rows db.Rows) ([]AppTokenInfo, error) {
	defer rows.Close()
	var tokens []AppTokenInfo
	for rows.Next() {
		var t AppTokenInfo
		var created int64
		var expires, used sql.NullInt64
		if err := rows.Scan(&t.UUID, &t.Title, &created, &expires, &used); err != nil {
			return nil, fmt.Errorf("list application tokens: %w", err)
		}
		t.Created, t.Expires, t.LastUsed = db.Time(created), nullTime(expires), nullTime(used)
		tokens = append(tokens, t)
	}
	return tokens, rows.Err()
}

// AppToken gives one of an account's application tokens with its characters; NotFound when the account has none of
// that uuid.
func (s *Service) AppToken(ctx context.Context, accountID int64, uuid string) (AppTokenInfo, error) {
	t := AppTokenInfo{UUID: uuid}
	var lookup, sealed string
	var created int64
	var expires, used sql.NullInt64
	err := s.read.QueryRow(ctx, `SELECT title, lookup, secret, created_ms, expires_ms, last_used_ms FROM app_token
		WHERE uuid = $1 AND account_id = $2`, uuid, accountID).Scan(&t.Title, &lookup, &sealed, &created, &expires, &used)
	if errors.Is(err, db.ErrNoRows) {
		return AppTokenInfo{}, problem.New(problem.NotFound, "There is no application token %s", quoted(uuid))
	}
	if err != nil {
		return AppTokenInfo{}, fmt.Errorf("look up an application token: %w", err)
	}
	secret, err := s.decrypt("application token "+uuid, sealed)
	if err != nil {
		return AppTokenInfo{}, err
	}
	t.Token, t.Created, t.Expires, t.LastUsed = lookup+secret, db.Time(created), nullTime(expires), nullTime(used)
	return t, nil
}

// DeleteAppToken revokes one of an account's application tokens; NotFound when the account has none of that uuid.
func (s *Service) DeleteAppToken(ctx context.Context, accountID int64, uuid string) error {
	return s.deleteToken(ctx, `DELETE FROM app_token WHERE uuid = $1 AND account_id = $2 RETURNING title`, accountID, uuid,
		func(ctx context.Context, tx db.Tx, title string) error {
			return s.logTx(ctx, tx, "revoke_app_specific_token", accountID, map[string]any{"app_specific_token_title": title, "app_specific_token": uuid})
		})
}

// DeleteOAuthToken revokes one of the tokens an account has granted; NotFound when it has granted none of that uuid.
func (s *Service) DeleteOAuthToken(ctx context.Context, accountID int64, uuid string) error {
	return s.deleteToken(ctx, `DELETE FROM oauth_token WHERE uuid = $1 AND account_id = $2
		RETURNING (SELECT p.name FROM oauth_application p WHERE p.id = oauth_token.application_id)`, accountID, uuid,
		func(ctx context.Context, tx db.Tx, application string) error {
			return s.logTx(ctx, tx, "revoke_oauth_api_token", accountID, map[string]any{"token_uuid": uuid, "application": application})
		})
}

// deleteToken deletes what a statement finds, and records it by the text that the statement returns.
func (s *Service) deleteToken(ctx context.Context, statement string, accountID int64, uuid string, record func(context.Context, db.Tx, string) error) error {
	return s.db.Hard(ctx, "delete token", func(ctx context.Context, tx db.Tx) error {
		var what string
		err := tx.QueryRow(ctx, statement, uuid, accountID).Scan(&what)
		if errors.Is(err, db.ErrNoRows) {
			return problem.New(problem.NotFound, "There is no token %s", quoted(uuid))
		}
		if err != nil {
			return fmt.Errorf("delete a token of account %d: %w", accountID, err)
		}
		s.changed(tx)
		return record(ctx, tx, what)
	})
}

// NewOAuthToken is an OAuth access token to be made.
type NewOAuthToken struct {
	ApplicationID int64
	AccountID     int64 // who grants it and whose rights it has, within Scopes
	Scopes        Scopes
	Lifetime      time.Duration // 0 for Quay's ten years, which is also the longest
	Title         string        // shown in lists; empty for none
}

// IssuedToken is an OAuth access token that was just made.
type IssuedToken struct {
	UUID    string
	Token   string // the 40 characters; only their SHA-256 is kept
	Created time.Time
	Expires time.Time
}

// CreateOAuthToken makes an OAuth access token. Only its SHA-256 is stored: it cannot be shown again.
func (s *Service) CreateOAuthToken(ctx context.Context, n NewOAuthToken) (token string, err error) {
	err = s.db.Hard(ctx, "create OAuth token", func(ctx context.Context, tx db.Tx) error {
		if _, err := userTx(ctx, tx, n.AccountID); err != nil {
			return err
		}
		issued, err := s.issueLoggedTx(ctx, tx, n)
		token = issued.Token
		return err
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// issueLoggedTx makes a token that its own user, and no organization, has to do with.
func (s *Service) issueLoggedTx(ctx context.Context, tx db.Tx, n NewOAuthToken) (IssuedToken, error) {
	issued, err := s.IssueOAuthTokenTx(ctx, tx, n)
	if err != nil {
		return IssuedToken{}, err
	}
	return issued, s.logTx(ctx, tx, "create_oauth_api_token", n.AccountID, map[string]any{"token_uuid": issued.UUID, "scope": n.Scopes.String()})
}

// IssueOAuthTokenTx makes an OAuth access token in a transaction that has found its account to be a user. The caller
// writes the log entry, which belongs to the application's namespace.
func (s *Service) IssueOAuthTokenTx(ctx context.Context, tx db.Tx, n NewOAuthToken) (IssuedToken, error) {
	if n.Lifetime <= 0 || n.Lifetime > maxTokenLifetime {
		n.Lifetime = maxTokenLifetime
	}
	lookup, secret := randomToken(oauthTokenPart), randomToken(oauthTokenPart)
	sum := sha256.Sum256([]byte(secret))
	now := s.now()
	t := IssuedToken{UUID: newUUID(), Token: lookup + secret, Created: now, Expires: now.Add(n.Lifetime)}
	_, err := tx.Exec(ctx, `INSERT INTO oauth_token
			(uuid, application_id, account_id, scope, lookup, secret_hash, display_name, created_by, created_ms, expires_ms)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, t.UUID, n.ApplicationID, n.AccountID, n.Scopes.String(),
		lookup, sum[:], nullText(n.Title), n.AccountID, db.Millis(t.Created), db.Millis(t.Expires))
	if err != nil {
		return IssuedToken{}, fmt.Errorf("create an OAuth token of account %d: %w", n.AccountID, err)
	}
	return t, nil
}

// userTx is the account of an id, which must be a user's.
func userTx(ctx context.Context, tx db.Tx, id int64) (Account, error) {
	a, err := accountTx(ctx, tx, id)
	if err != nil {
		return Account{}, err
	}
	if a.Kind != User {
		return Account{}, problem.New(problem.Invalid, "%s is not a user", quoted(a.Name))
	}
	return a, nil
}
