package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// The codes of refused exchanges (RFC 6749 §5.2), in problem.Error.Code.
const (
	InvalidClient = "invalid_client"
	InvalidGrant  = "invalid_grant"
	InvalidScope  = "invalid_scope"
)

// Exchange is an application's request to get a token for a code.
type Exchange struct {
	ClientID, Secret string
	Redirect         string
	Code             string
	Scope            string // empty for that of the code
}

func refuse(code, format string, args ...any) error {
	return problem.New(problem.Invalid, format, args...).WithCode(code)
}

// Exchange gives the token for a code. A refusal is Invalid with one of the codes above. A code that was exchanged
// before is refused, and the token it was exchanged for is revoked: one of the two that showed it was a thief
// (RFC 6749 §4.1.2).
func (s *Service) Exchange(ctx context.Context, x Exchange) (identity.IssuedToken, error) {
	application, err := s.authenticate(ctx, x)
	if err != nil {
		return identity.IssuedToken{}, err
	}
	if len(x.Code) != codeSize || !storable(x.Code) {
		return identity.IssuedToken{}, unknownCode()
	}
	var issued identity.IssuedToken
	var refusal error // of a request that has an effect all the same
	err = s.db.Hard(ctx, "exchange OAuth code", func(ctx context.Context, tx db.Tx) error {
		issued, refusal = identity.IssuedToken{}, nil
		c, err := codeTx(ctx, tx, application, x)
		if err != nil {
			return err
		}
		if c.data.Token != "" {
			refusal = refuse(InvalidGrant, "The code was used before; the token it was exchanged for is revoked")
			return s.revokeTx(ctx, tx, application, c.data.Token, map[string]any{"reason": "its code was used a second time"})
		}
		if c.expires <= s.now() {
			return refuse(InvalidGrant, "The code has expired")
		}
		issued, err = s.redeemTx(ctx, tx, application, c)
		return err
	})
	if err == nil {
		err = refusal
	}
	if err != nil {
		return identity.IssuedToken{}, err
	}
	return issued, nil
}

// authenticate finds the application by its id and secret.
func (s *Service) authenticate(ctx context.Context, x Exchange) (Application, error) {
	application, err := s.Client(ctx, x.ClientID)
	if err != nil && !problem.Is(err, problem.NotFound) {
		return Application{}, err
	}
	if !same(application.Secret, x.Secret) || err != nil || application.Secret == "" {
		return Application{}, refuse(InvalidClient, "The client_id or the client_secret is wrong")
	}
	return application, nil
}

// same compares secrets in a time that depends on neither.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// code is a code's row.
type code struct {
	id          int64
	application int64
	hash        []byte
	scopes      identity.Scopes
	data        codeData
	expires     int64
}

func unknownCode() error { return refuse(InvalidGrant, "The code is wrong") }

// codeTx finds a code that was made for the application and the redirect address, and locks it.
func codeTx(ctx context.Context, tx db.Tx, application Application, x Exchange) (code, error) {
	var c code
	var scope, data string
	var expires sql.NullInt64 // a Quay's codes have none and are not taken
	err := tx.QueryRow(ctx, `SELECT id, application_id, secret_hash, scope, data, expires_ms FROM oauth_code WHERE lookup = $1`+tx.ForUpdate(),
		x.Code[:codeLookup]).Scan(&c.id, &c.application, &c.hash, &scope, &data, &expires)
	if errors.Is(err, db.ErrNoRows) {
		return code{}, unknownCode()
	}
	if err != nil {
		return code{}, fmt.Errorf("look up an OAuth code: %w", err)
	}
	sum := sha256.Sum256([]byte(x.Code[codeLookup:]))
	if subtle.ConstantTimeCompare(c.hash, sum[:]) != 1 || c.application != application.ID || json.Unmarshal([]byte(data), &c.data) != nil {
		return code{}, unknownCode()
	}
	if c.data.Redirect != x.Redirect {
		return code{}, refuse(InvalidGrant, "The redirect_uri is not the one the code was made for")
	}
	c.scopes, c.expires = storedScopes(scope), expires.Int64
	if x.Scope != "" {
		if asked, err := identity.ParseScopes(x.Scope); err != nil || asked != c.scopes {
			return code{}, refuse(InvalidScope, "The scope is not the one the code was made for")
		}
	}
	return c, nil
}

func (s *Service) redeemTx(ctx context.Context, tx db.Tx, application Application, c code) (identity.IssuedToken, error) {
	issued, err := s.issueTx(ctx, tx, Grant{Application: application, UserID: c.data.User, Scopes: c.scopes})
	if problem.Is(err, problem.NotFound) {
		return identity.IssuedToken{}, refuse(InvalidGrant, "%s", problem.From(err).Message)
	}
	if err != nil {
		return identity.IssuedToken{}, err
	}
	c.data.Token = issued.UUID
	data, err := json.Marshal(c.data)
	if err != nil {
		return identity.IssuedToken{}, err
	}
	if _, err := tx.Exec(ctx, `UPDATE oauth_code SET data = $1 WHERE id = $2`, string(data), c.id); err != nil {
		return identity.IssuedToken{}, fmt.Errorf("note the exchange of an OAuth code: %w", err)
	}
	return issued, nil
}

// revokeTx revokes a token of an application, if it is still there.
func (s *Service) revokeTx(ctx context.Context, tx db.Tx, application Application, token string, metadata map[string]any) error {
	n, err := tx.Exec(ctx, `DELETE FROM oauth_token WHERE uuid = $1 AND application_id = $2`, token, application.ID)
	if err != nil {
		return fmt.Errorf("revoke an OAuth token: %w", err)
	}
	if n == 0 {
		return nil
	}
	s.identity.CredentialsChangedTx(tx)
	metadata["token_uuid"] = token
	return s.recordTx(ctx, tx, "oauth_token_revoked", application, metadata)
}
