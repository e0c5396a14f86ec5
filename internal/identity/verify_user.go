package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/longshore-registry/longshore/internal/db"
)

// wrongPasswordText says the same for an unknown user and a wrong password (rest-api §3.1).
const wrongPasswordText = "Invalid Username or Password"

// candidate is what the database knows about the user who may be logging in; its zero value is nobody.
type candidate struct {
	id      int64
	uuid    string
	hash    string // empty when the account has no password
	enabled bool
	rev     int64
}

// verifyUser checks a password. An unknown name takes the way of a wrong password: the same turn, the same back-off,
// one computation of a hash of the same cost, the same note of the failure.
func (s *Service) verifyUser(ctx context.Context, f form, username, secret string) (proof, error) {
	password, encrypted := s.passwords.Decrypt(secret)
	if !encrypted {
		if f == userEncryptedForm {
			return proof{}, unauthenticated("Plain passwords are not accepted here (FEATURE_REQUIRE_ENCRYPTED_BASIC_AUTH): use the encrypted password from the account's settings, or a token")
		}
		password = secret
	}
	leave, err := s.gate.enter(ctx, username)
	if err != nil {
		return proof{}, err
	}
	defer leave()
	before, err := s.failuresOf(ctx, username)
	if err != nil {
		return proof{}, err
	}
	if err := s.gate.check(username, before); err != nil {
		return proof{}, err
	}
	c, err := s.candidate(ctx, username)
	if err != nil {
		return proof{}, err
	}
	right, err := s.passwordMatches(ctx, c, password)
	if err != nil {
		return proof{}, err
	}
	s.remember(ctx, username, before, right)
	switch {
	case !right:
		return proof{}, unauthenticated(wrongPasswordText)
	case !c.enabled:
		return proof{}, unauthenticated(disabledText)
	}
	return proof{credential: Password, reference: c.uuid, rev: c.rev}, nil
}

func (s *Service) passwordMatches(ctx context.Context, c candidate, password string) (bool, error) {
	if c.hash == "" {
		_, err := s.hasher.matches(ctx, s.dummyHash, password)
		return false, err
	}
	return s.hasher.matches(ctx, c.hash, password)
}

// candidate finds a user by name or, when there is an @ in it, by e-mail address.
func (s *Service) candidate(ctx context.Context, username string) (candidate, error) {
	column := "name"
	if strings.Contains(username, "@") {
		column = "email"
	}
	var c candidate
	var hash sql.NullString
	err := s.read.QueryRow(ctx, `SELECT id, uuid, password_hash, enabled, access_rev FROM account
		WHERE `+column+` = $1 AND kind = 1 AND deleted_ms IS NULL`, username).
		Scan(&c.id, &c.uuid, &hash, &c.enabled, &c.rev)
	if errors.Is(err, db.ErrNoRows) {
		return candidate{}, nil
	}
	if err != nil {
		return candidate{}, fmt.Errorf("look up a user to log in: %w", err)
	}
	c.hash = hash.String
	return c, nil
}
