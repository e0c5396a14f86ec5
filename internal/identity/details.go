package identity

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Profile is what a user says about themselves, stored under these names.
type Profile struct {
	GivenName  *string `json:"given_name,omitempty"`
	FamilyName *string `json:"family_name,omitempty"`
	Company    *string `json:"company,omitempty"`
	Location   *string `json:"location,omitempty"`
}

// ExternalLogin links a user to a login service.
type ExternalLogin struct {
	Service  string
	Subject  string // the user's identifier there
	Metadata json.RawMessage
}

// Details are what only a user sees of the own account.
type Details struct {
	Profile
	InvoiceEmail   bool
	InvoiceAddress *string
	Prompts        []string // what the console shall ask, sorted
	Logins         []ExternalLogin
}

// Asks reports whether the console shall ask for something.
func (d Details) Asks(prompt string) bool { return slices.Contains(d.Prompts, prompt) }

// Details gives what only a user sees of the own account.
func (s *Service) Details(ctx context.Context, accountID int64) (Details, error) {
	var d Details
	var profile string
	var address sql.NullString
	err := s.read.QueryRow(ctx, `SELECT profile, invoice_email, invoice_address FROM account WHERE id = $1 AND deleted_ms IS NULL`,
		accountID).Scan(&profile, &d.InvoiceEmail, &address)
	if errors.Is(err, db.ErrNoRows) {
		return Details{}, problem.New(problem.NotFound, "There is no account with id %d", accountID)
	}
	if err != nil {
		return Details{}, fmt.Errorf("look up account %d: %w", accountID, err)
	}
	if address.Valid {
		d.InvoiceAddress = &address.String
	}
	if err := json.Unmarshal([]byte(profile), &d.Profile); err != nil {
		return Details{}, fmt.Errorf("read the profile of account %d: %w", accountID, err)
	}
	if d.Prompts, err = s.prompts(ctx, accountID); err != nil {
		return Details{}, err
	}
	d.Logins, err = s.logins(ctx, accountID)
	return d, err
}

func (s *Service) prompts(ctx context.Context, accountID int64) ([]string, error) {
	rows, err := s.read.Query(ctx, `SELECT kind FROM account_prompt WHERE account_id = $1 ORDER BY kind`, accountID)
	if err != nil {
		return nil, fmt.Errorf("list the prompts of account %d: %w", accountID, err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var kind string
		if err := rows.Scan(&kind); err != nil {
			return nil, fmt.Errorf("list the prompts of account %d: %w", accountID, err)
		}
		all = append(all, kind)
	}
	return all, rows.Err()
}

func (s *Service) logins(ctx context.Context, accountID int64) ([]ExternalLogin, error) {
	rows, err := s.read.Query(ctx, `SELECT service, subject, metadata FROM federated_login WHERE account_id = $1 ORDER BY service`, accountID)
	if err != nil {
		return nil, fmt.Errorf("list the logins of account %d: %w", accountID, err)
	}
	defer rows.Close()
	var all []ExternalLogin
	for rows.Next() {
		var l ExternalLogin
		var metadata string
		if err := rows.Scan(&l.Service, &l.Subject, &metadata); err != nil {
			return nil, fmt.Errorf("list the logins of account %d: %w", accountID, err)
		}
		if l.Metadata = json.RawMessage(metadata); !json.Valid(l.Metadata) {
			l.Metadata = json.RawMessage("{}")
		}
		all = append(all, l)
	}
	return all, rows.Err()
}

// DetachLogin removes a user's link to a login service; one that does not exist is removed already.
func (s *Service) DetachLogin(ctx context.Context, accountID int64, service string) error {
	return s.db.Hard(ctx, "detach login service", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM federated_login WHERE account_id = $1 AND service = $2`, accountID, service)
		if err != nil {
			return fmt.Errorf("detach a login service of account %d: %w", accountID, err)
		}
		return nil
	})
}

// ClientKey gives the encrypted form of a password that was just checked, and records that it was given.
func (s *Service) ClientKey(ctx context.Context, accountID int64, password string) (string, error) {
	if plain, encrypted := s.passwords.Decrypt(password); encrypted {
		password = plain
	}
	key, err := s.passwords.Encrypt(password)
	if err != nil {
		return "", err
	}
	err = s.db.Hard(ctx, "generate client key", func(ctx context.Context, tx db.Tx) error {
		return s.logTx(ctx, tx, "user_generate_client_key", accountID, nil)
	})
	return key, err
}
