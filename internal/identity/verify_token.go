package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"

	"github.com/longshore-registry/longshore/internal/db"
)

// The failure messages of registry-protocol §4.3.
const (
	wrongAppTokenText    = "Invalid token"
	wrongAccessTokenText = "Invalid access token"
	wrongOAuthText       = "OAuth access token could not be validated"
	expiredOAuthText     = "OAuth access token has expired"
	granterDisabledText  = "Granter of the oauth access token is disabled"
)

func wrongRobot(name string) error {
	return unauthenticated("Could not find robot with username: %s and supplied password.", shown(name))
}

// verifyRobot checks a robot's token. That the owner is disabled is told only to who has the token.
func (s *Service) verifyRobot(ctx context.Context, name, secret string) (proof, error) {
	if err := s.robotAllowed(name); err != nil {
		return proof{}, err
	}
	var stored, owner string
	var on, ownerOn bool
	var rev int64
	err := s.read.QueryRow(ctx, `SELECT t.token, a.enabled, a.access_rev, o.name, o.enabled FROM account a
		JOIN robot_token t ON t.account_id = a.id
		JOIN account o ON o.id = a.owner_id AND o.deleted_ms IS NULL
		WHERE a.name = $1 AND a.kind = 3 AND a.deleted_ms IS NULL`, name).Scan(&stored, &on, &rev, &owner, &ownerOn)
	if errors.Is(err, db.ErrNoRows) {
		return proof{}, wrongRobot(name)
	}
	if err != nil {
		return proof{}, fmt.Errorf("look up a robot to log in: %w", err)
	}
	token, err := s.decrypt("token of robot "+name, stored)
	if err != nil {
		return proof{}, err
	}
	switch {
	case !equal(token, secret):
		return proof{}, wrongRobot(name)
	case !ownerOn:
		return proof{}, ownerDisabled(name, owner)
	case !on:
		return proof{}, unauthenticated(disabledText)
	}
	return proof{credential: RobotToken, reference: name, rev: rev}, nil
}

// verifyAppToken checks an application token: 60 characters of lookup and 60 of secret.
func (s *Service) verifyAppToken(ctx context.Context, token string) (proof, error) {
	lookup, secret, ok := splitToken(token, appTokenPart, appTokenPart)
	if !ok || !s.options.AppTokens {
		return proof{}, unauthenticated(wrongAppTokenText)
	}
	var uuid, stored string
	var expires sql.NullInt64
	var on bool
	var rev int64
	err := s.read.QueryRow(ctx, `SELECT k.uuid, k.secret, k.expires_ms, a.enabled, a.access_rev FROM app_token k
		JOIN account a ON a.id = k.account_id AND a.deleted_ms IS NULL
		WHERE k.lookup = $1`, lookup).Scan(&uuid, &stored, &expires, &on, &rev)
	if errors.Is(err, db.ErrNoRows) {
		return proof{}, unauthenticated(wrongAppTokenText)
	}
	if err != nil {
		return proof{}, fmt.Errorf("look up an application token to log in: %w", err)
	}
	want, err := s.decrypt("application token "+uuid, stored)
	if err != nil {
		return proof{}, err
	}
	expired := expires.Valid && expires.Int64 <= s.nowMillis()
	switch {
	case !equal(want, secret) || expired:
		return proof{}, unauthenticated(wrongAppTokenText)
	case !on:
		return proof{}, unauthenticated(disabledText)
	}
	return proof{credential: AppToken, reference: uuid, rev: rev}, nil
}

// verifyAccessToken checks one of Quay's repository tokens: 32 characters of name and 32 or more of code.
func (s *Service) verifyAccessToken(ctx context.Context, token string) (proof, error) {
	if len(token) < 2*accessTokenPart || !storable(token) {
		return proof{}, unauthenticated(wrongAccessTokenText)
	}
	lookup, secret := token[:accessTokenPart], token[accessTokenPart:]
	var stored string
	err := s.read.QueryRow(ctx, `SELECT k.secret FROM access_token k
		JOIN repository r ON r.id = k.repo_id AND r.deleted_ms IS NULL
		WHERE k.lookup = $1`, lookup).Scan(&stored)
	if errors.Is(err, db.ErrNoRows) {
		return proof{}, unauthenticated(wrongAccessTokenText)
	}
	if err != nil {
		return proof{}, fmt.Errorf("look up an access token to log in: %w", err)
	}
	want, err := s.decrypt("an access token", stored)
	if err != nil {
		return proof{}, err
	}
	if !equal(want, secret) {
		return proof{}, unauthenticated(wrongAccessTokenText)
	}
	return proof{credential: AccessToken, reference: lookup}, nil
}

// granted is an OAuth token's row.
type granted struct {
	id      int64
	uuid    string
	hash    []byte
	bcrypt  sql.NullString
	expires int64
	enabled bool
	rev     int64
}

// verifyOAuthToken checks an OAuth access token: 20 characters of lookup and 20 of secret.
func (s *Service) verifyOAuthToken(ctx context.Context, token string) (proof, error) {
	lookup, secret, ok := splitToken(token, oauthTokenPart, oauthTokenPart)
	if !ok {
		return proof{}, unauthenticated(wrongOAuthText)
	}
	var g granted
	err := s.read.QueryRow(ctx, `SELECT k.id, k.uuid, k.secret_hash, k.secret_bcrypt, k.expires_ms, a.enabled, a.access_rev FROM oauth_token k
		JOIN oauth_application p ON p.id = k.application_id
		JOIN account o ON o.id = p.organization_id AND o.deleted_ms IS NULL
		JOIN account a ON a.id = k.account_id AND a.deleted_ms IS NULL
		WHERE k.lookup = $1`, lookup).Scan(&g.id, &g.uuid, &g.hash, &g.bcrypt, &g.expires, &g.enabled, &g.rev)
	if errors.Is(err, db.ErrNoRows) {
		return proof{}, unauthenticated(wrongOAuthText)
	}
	if err != nil {
		return proof{}, fmt.Errorf("look up an OAuth token to log in: %w", err)
	}
	right, err := s.oauthSecretMatches(ctx, g, secret)
	if err != nil {
		return proof{}, err
	}
	switch {
	case !right:
		return proof{}, unauthenticated(wrongOAuthText)
	case g.expires <= s.nowMillis():
		return proof{}, unauthenticated(expiredOAuthText)
	case !g.enabled:
		return proof{}, unauthenticated(granterDisabledText)
	}
	return proof{credential: OAuthToken, reference: g.uuid, rev: g.rev}, nil
}

// oauthSecretMatches compares with the SHA-256 or, for a token that came from a Quay and is used for the first time,
// with the bcrypt hash, which is then replaced: the secret is random, so that a slow hash protects nothing.
func (s *Service) oauthSecretMatches(ctx context.Context, g granted, secret string) (bool, error) {
	sum := sha256.Sum256([]byte(secret))
	if len(g.hash) > 0 {
		return subtle.ConstantTimeCompare(g.hash, sum[:]) == 1, nil
	}
	right, err := s.hasher.matches(ctx, g.bcrypt.String, secret)
	if err != nil || !right {
		return false, err
	}
	err = s.db.Soft(ctx, "store an OAuth token's hash", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE oauth_token SET secret_hash = $1, secret_bcrypt = NULL WHERE id = $2`, sum[:], g.id)
		return err
	})
	s.report("store an OAuth token's hash", err)
	return true, nil
}

// splitToken cuts a token of exactly two parts.
func splitToken(token string, first, second int) (lookup, secret string, ok bool) {
	if len(token) != first+second || !storable(token) {
		return "", "", false
	}
	return token[:first], token[first:], true
}

// decrypt opens a stored secret; what names it in the log when DATABASE_SECRET_KEY is not the one it was made with.
func (s *Service) decrypt(what, stored string) (string, error) {
	text, err := s.fields.Decrypt(stored)
	if err != nil {
		return "", fmt.Errorf("decrypt the %s: %w", what, err)
	}
	return text, nil
}

// equal compares secrets in a time that depends on neither.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
