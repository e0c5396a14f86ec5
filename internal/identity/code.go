package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// purpose is what a code in a mail does.
type purpose uint8

const (
	resetPassword  purpose = iota + 1
	confirmAddress         // the one the account has
	changeAddress          // the one that goes with the code
)

const (
	defaultCodeLife = 30 * time.Minute
	codeInterval    = time.Minute // between two codes for a new password: nobody floods a mailbox through us
)

// condition is the part of a WHERE clause that finds rows of a purpose.
func (p purpose) condition() string {
	switch p {
	case resetPassword:
		return "password_reset = 1"
	case changeAddress:
		return "new_email IS NOT NULL"
	}
	return "email_confirm = 1 AND new_email IS NULL"
}

// codeHash is how a code is stored: it is random, so that a fast hash protects it.
func codeHash(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}

// newCodeTx makes a code, which replaces an earlier one for the same purpose.
func (s *Service) newCodeTx(ctx context.Context, tx db.Tx, accountID int64, p purpose, email string) (string, error) {
	_, err := tx.Exec(ctx, `DELETE FROM email_confirmation WHERE account_id = $1 AND `+p.condition(), accountID)
	if err != nil {
		return "", fmt.Errorf("replace a code of account %d: %w", accountID, err)
	}
	code := rand.Text() + rand.Text()
	_, err = tx.Exec(ctx, `INSERT INTO email_confirmation (code, account_id, password_reset, email_confirm, new_email, created_ms)
		VALUES ($1, $2, $3, $4, $5, $6)`, codeHash(code), accountID, db.Bool(p == resetPassword), db.Bool(p != resetPassword),
		nullText(email), s.nowMillis())
	if err != nil {
		return "", fmt.Errorf("make a code for account %d: %w", accountID, err)
	}
	return code, nil
}

// oldestCode is when a code must have been made to work now.
func (s *Service) oldestCode() int64 { return db.Millis(s.now().Add(-s.options.CodeLife)) }

// CodeLife is how long the codes in mails work.
func (s *Service) CodeLife() time.Duration { return s.options.CodeLife }

// ConfirmationCode makes a code that confirms a user's address.
func (s *Service) ConfirmationCode(ctx context.Context, accountID int64) (code string, err error) {
	err = s.db.Hard(ctx, "make confirmation code", func(ctx context.Context, tx db.Tx) error {
		code, err = s.newCodeTx(ctx, tx, accountID, confirmAddress, "")
		return err
	})
	return code, err
}

// AddressCode makes a code that gives a user another address. It is Invalid when the address is against the rule or
// another user's.
func (s *Service) AddressCode(ctx context.Context, accountID int64, email string) (code string, err error) {
	if email == "" {
		return "", problem.New(problem.Invalid, "Email address is required")
	}
	if err := validateEmail(email); err != nil {
		return "", err
	}
	err = s.db.Hard(ctx, "make address code", func(ctx context.Context, tx db.Tx) error {
		if err := s.addressFreeTx(ctx, tx, accountID, email); err != nil {
			return err
		}
		code, err = s.newCodeTx(ctx, tx, accountID, changeAddress, email)
		return err
	})
	return code, err
}

// addressFreeTx refuses an address that another user has or, unless they may share, an organization.
func (s *Service) addressFreeTx(ctx context.Context, tx db.Tx, accountID int64, email string) error {
	last := Organization
	if s.options.SharedEmail {
		last = User
	}
	var one int
	err := tx.QueryRow(ctx, `SELECT 1 FROM account WHERE email = $1 AND kind BETWEEN 1 AND $2 AND id <> $3 AND deleted_ms IS NULL LIMIT 1`,
		email, last, accountID).Scan(&one)
	if errors.Is(err, db.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up an address: %w", err)
	}
	return problem.New(problem.Invalid, "E-mail address already used")
}

// RecoveryCode makes a code with which a user sets a new password; an organization's opens nothing. It is TooMany within
// a minute of the last one.
func (s *Service) RecoveryCode(ctx context.Context, accountID int64) (code string, err error) {
	err = s.db.Hard(ctx, "make recovery code", func(ctx context.Context, tx db.Tx) error {
		if _, err := accountTx(ctx, tx, accountID); err != nil {
			return err
		}
		var last sql.NullInt64
		err := tx.QueryRow(ctx, `SELECT MAX(created_ms) FROM email_confirmation WHERE account_id = $1 AND `+resetPassword.condition(), accountID).Scan(&last)
		if err != nil {
			return fmt.Errorf("look up the codes of account %d: %w", accountID, err)
		}
		if wait := nullTime(last).Add(codeInterval).Sub(s.now()); last.Valid && wait > 0 {
			return tooMany(wait, "A mail for a new password was sent less than a minute ago; try again later")
		}
		code, err = s.newCodeTx(ctx, tx, accountID, resetPassword, "")
		return err
	})
	return code, err
}

// ForgetCode takes a code back whose mail could not be sent.
func (s *Service) ForgetCode(ctx context.Context, code string) error {
	return s.db.Hard(ctx, "forget code", func(ctx context.Context, tx db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM email_confirmation WHERE code = $1`, codeHash(code)); err != nil {
			return fmt.Errorf("forget a code: %w", err)
		}
		return nil
	})
}

// ByEmail gives the user of an address, else the first organization by name that has it; NotFound when there is none.
func (s *Service) ByEmail(ctx context.Context, email string) (Account, error) {
	unknown := problem.New(problem.NotFound, "Nobody has this address")
	if email == "" || !storable(email) {
		return Account{}, unknown
	}
	a, err := scanAccount(s.read.QueryRow(ctx, `SELECT `+accountColumns+` FROM account a
		WHERE a.email = $1 AND a.kind IN (1, 2) AND a.deleted_ms IS NULL ORDER BY a.kind, a.name LIMIT 1`, email))
	if errors.Is(err, db.ErrNoRows) {
		return Account{}, unknown
	}
	if err != nil {
		return Account{}, fmt.Errorf("look up an address: %w", err)
	}
	return a, nil
}

// Confirmed is what a confirmed address did.
type Confirmed struct {
	Account
	Former string // the address before, when the code changed it
}

// Confirm uses a code that confirms or changes an address. It is NotFound when the code is none, used or too old, and
// Invalid when another user has taken the address since; then the code is kept.
func (s *Service) Confirm(ctx context.Context, code string) (Confirmed, error) {
	var c Confirmed
	err := s.db.Hard(ctx, "confirm address", func(ctx context.Context, tx db.Tx) (err error) {
		c, err = s.confirmTx(ctx, tx, code)
		return err
	})
	return c, err
}

func (s *Service) confirmTx(ctx context.Context, tx db.Tx, code string) (Confirmed, error) {
	if err := tx.Lock(ctx, db.LockNamespace, allAccounts, db.Exclusive); err != nil {
		return Confirmed{}, err
	}
	var id int64
	var email sql.NullString
	err := tx.QueryRow(ctx, `DELETE FROM email_confirmation WHERE code = $1 AND email_confirm = 1 AND created_ms > $2
		RETURNING account_id, new_email`, codeHash(code), s.oldestCode()).Scan(&id, &email)
	if errors.Is(err, db.ErrNoRows) {
		return Confirmed{}, unknownCode()
	}
	if err != nil {
		return Confirmed{}, fmt.Errorf("use a code: %w", err)
	}
	user, err := userTx(ctx, tx, id)
	if err != nil {
		return Confirmed{}, unknownCode()
	}
	c := Confirmed{Account: user}
	if email.Valid {
		c.Former, c.Email = user.Email, email.String
		if err := s.setEmailTx(ctx, tx, user, email.String, true); err != nil {
			return Confirmed{}, err
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE account SET verified = 1 WHERE id = $1`, id); err != nil {
		return Confirmed{}, fmt.Errorf("confirm the address of account %d: %w", id, err)
	}
	c.Verified = true
	s.changed(tx)
	return c, nil
}

func unknownCode() error {
	return problem.New(problem.NotFound, "This link was used already, is too old, or was never valid")
}

// RecoveryAccount gives the user whose password a code may set; NotFound when the code is none, used or too old.
func (s *Service) RecoveryAccount(ctx context.Context, code string) (Account, error) {
	a, err := scanAccount(s.read.QueryRow(ctx, `SELECT `+accountColumns+` FROM email_confirmation c
		JOIN account a ON a.id = c.account_id AND a.kind = 1 AND a.deleted_ms IS NULL
		WHERE c.code = $1 AND c.password_reset = 1 AND c.created_ms > $2`, codeHash(code), s.oldestCode()))
	if errors.Is(err, db.ErrNoRows) {
		return Account{}, unknownCode()
	}
	if err != nil {
		return Account{}, fmt.Errorf("look up a code: %w", err)
	}
	return a, nil
}

// Recover uses a code to set a new password. Whoever has the code reads the address, so that it counts as confirmed.
// An Invalid password leaves the code as it is. The user's sessions and registry tokens end.
func (s *Service) Recover(ctx context.Context, code, password string) (Account, error) {
	user, err := s.RecoveryAccount(ctx, code) // before the hash, which costs
	if err != nil {
		return Account{}, err
	}
	hash, err := s.newHash(ctx, password)
	if err != nil {
		return Account{}, err
	}
	err = s.db.Hard(ctx, "recover account", func(ctx context.Context, tx db.Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM email_confirmation WHERE code = $1 AND password_reset = 1 AND created_ms > $2`,
			codeHash(code), s.oldestCode())
		if err != nil {
			return fmt.Errorf("use a code: %w", err)
		}
		if n == 0 {
			return unknownCode()
		}
		if _, err := tx.Exec(ctx, `UPDATE account SET verified = 1 WHERE id = $1`, user.ID); err != nil {
			return fmt.Errorf("confirm the address of account %d: %w", user.ID, err)
		}
		return s.setHashTx(ctx, tx, user.ID, hash)
	})
	return user, err
}
