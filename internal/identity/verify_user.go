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
	id       int64
	uuid     string
	hash     string // empty when the account has no password
	enabled  bool
	rev      int64
	failures failures
}

// verifyUser checks a password. An unknown name takes the way of a wrong password: the same turn, the same back-off,
// one computation of a hash of the same cost.
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
	c, err := s.candidate(ctx, username)
	if err != nil {
		return proof{}, err
	}
	if err := s.gate.check(username, c.failures); err != nil {
		return proof{}, err
	}
	right, err := s.passwordMatches(ctx, c, password)
	if err != nil {
		return proof{}, err
	}
	s.remember(ctx, username, c, right)
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
	var last sql.NullInt64
	err := s.read.QueryRow(ctx, `SELECT id, uuid, password_hash, enabled, access_rev, failed_logins, failed_login_ms FROM account
		WHERE `+column+` = $1 AND kind = 1 AND deleted_ms IS NULL`, username).
		Scan(&c.id, &c.uuid, &hash, &c.enabled, &c.rev, &c.failures.count, &last)
	if errors.Is(err, db.ErrNoRows) {
		return candidate{}, nil
	}
	if err != nil {
		return candidate{}, fmt.Errorf("look up a user to log in: %w", err)
	}
	c.hash, c.failures.last = hash.String, nullTime(last)
	return c, nil
}

// remember counts a failure, or forgets the failures after a success, here and for the other replicas. It is not worth
// failing a login over, so that an error is only logged; a client that hangs up does not escape being counted.
func (s *Service) remember(ctx context.Context, username string, c candidate, right bool) {
	ctx = context.WithoutCancel(ctx)
	var err error
	if right {
		s.gate.succeeded(username)
		if c.failures.count > 0 {
			err = s.db.Soft(ctx, "clear failed logins", func(ctx context.Context, tx db.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE account SET failed_logins = 0, failed_login_ms = NULL WHERE id = $1`, c.id)
				return err
			})
		}
	} else {
		s.gate.failed(username)
		if c.id != 0 {
			err = s.countFailure(ctx, c.id)
		}
	}
	s.report("count failed logins", err)
}

func (s *Service) countFailure(ctx context.Context, id int64) error {
	now := s.now()
	return s.db.Soft(ctx, "count a failed login", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE account SET failed_login_ms = $1,
				failed_logins = CASE WHEN failed_login_ms > $2 THEN failed_logins + 1 ELSE 1 END
			WHERE id = $3`, db.Millis(now), db.Millis(now.Add(-forgetFailures)), id)
		return err
	})
}
