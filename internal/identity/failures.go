package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/longshore-registry/longshore/internal/db"
)

// Failed logins are counted by what was typed, for the other replicas and for the time after a restart. A name that
// nobody has counts like any other, and a user's name and address count apart: the wait that follows tells nothing but
// how often this very name was tried. Each row cost the computation of a password's hash and goes after
// forgetFailures, which bounds the table.

// failureKey is a keyed hash of a name, which may be a password that was typed into the wrong field. Letters of either
// case count as the same.
func (s *Service) failureKey(username string) []byte {
	mac := hmac.New(sha256.New, s.failureSecret)
	mac.Write([]byte(strings.ToLower(username)))
	return mac.Sum(nil)
}

// failuresOf is what all replicas know of failed logins under a name.
func (s *Service) failuresOf(ctx context.Context, username string) (failures, error) {
	var f failures
	var last sql.NullInt64
	err := s.read.QueryRow(ctx, `SELECT failures, last_ms FROM login_failure WHERE name = $1`, s.failureKey(username)).Scan(&f.count, &last)
	if err != nil && !errors.Is(err, db.ErrNoRows) {
		return failures{}, fmt.Errorf("look up failed logins: %w", err)
	}
	f.last = nullTime(last)
	return f, nil
}

// remember counts a failure, or forgets the failures after a success, here and for the other replicas. It is not worth
// failing a login over, so that an error is only logged; a client that hangs up does not escape being counted.
func (s *Service) remember(ctx context.Context, username string, before failures, right bool) {
	ctx = context.WithoutCancel(ctx)
	var err error
	switch {
	case !right:
		s.gate.failed(username)
		err = s.countFailure(ctx, username)
	default:
		s.gate.succeeded(username)
		if before.count > 0 {
			err = s.db.Soft(ctx, "clear failed logins", func(ctx context.Context, tx db.Tx) error {
				return s.forgetFailuresTx(ctx, tx, username)
			})
		}
	}
	s.report("count failed logins", err)
}

func (s *Service) countFailure(ctx context.Context, username string) error {
	now := s.now()
	return s.db.Soft(ctx, "count a failed login", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO login_failure (name, failures, last_ms) VALUES ($1, 1, $2)
			ON CONFLICT (name) DO UPDATE SET last_ms = excluded.last_ms,
				failures = CASE WHEN login_failure.last_ms > $3 THEN login_failure.failures + 1 ELSE 1 END`,
			s.failureKey(username), db.Millis(now), db.Millis(now.Add(-forgetFailures)))
		return err
	})
}

// forgetFailuresTx forgets the failed logins under names, empty ones aside, here and for the other replicas.
func (s *Service) forgetFailuresTx(ctx context.Context, tx db.Tx, names ...string) error {
	for _, name := range names {
		if name == "" {
			continue
		}
		if _, err := tx.Exec(ctx, `DELETE FROM login_failure WHERE name = $1`, s.failureKey(name)); err != nil {
			return fmt.Errorf("forget failed logins: %w", err)
		}
		tx.AfterCommit(func() { s.gate.succeeded(name) })
	}
	return nil
}

// removeOldFailures removes what counts no more.
func (s *Service) removeOldFailures(ctx context.Context) error {
	return s.removeInBatches(ctx, "remove old failed logins", `DELETE FROM login_failure WHERE name IN (
		SELECT name FROM login_failure WHERE last_ms <= $1 ORDER BY last_ms LIMIT $2)`, db.Millis(s.now().Add(-forgetFailures)))
}
