package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// maxTagWindow keeps a namespace's window within Quay's column: seconds in 32 bits.
const maxTagWindow = (1<<31 - 1) * time.Second

// OrganizationSettings is what an organization's administrators set beyond its name. Invoices are never sent; the
// fields are kept for clients that read back what they wrote.
type OrganizationSettings struct {
	Email          string // empty for none
	InvoiceEmail   bool
	InvoiceAddress string // empty for none
	TagWindow      time.Duration
}

// OrganizationChange is what to change; nil leaves a setting as it is, a pointer to nothing clears it.
type OrganizationChange struct {
	Email          *string
	InvoiceEmail   *bool
	InvoiceAddress *string
	TagWindow      *time.Duration
}

// OrganizationSettings gives an organization's settings; NotFound when there is no organization of that id.
func (s *Service) OrganizationSettings(ctx context.Context, id int64) (OrganizationSettings, error) {
	return settingsTx(ctx, s.read, id)
}

func settingsTx(ctx context.Context, q db.Queryer, id int64) (OrganizationSettings, error) {
	var email, address sql.NullString
	var settings OrganizationSettings
	var window int64
	err := q.QueryRow(ctx, `SELECT email, invoice_email, invoice_address, tag_window_s FROM account
		WHERE id = $1 AND kind = 2 AND deleted_ms IS NULL`, id).Scan(&email, &settings.InvoiceEmail, &address, &window)
	if errors.Is(err, db.ErrNoRows) {
		return OrganizationSettings{}, problem.New(problem.NotFound, "There is no organization with id %d", id)
	}
	if err != nil {
		return OrganizationSettings{}, fmt.Errorf("look up the settings of organization %d: %w", id, err)
	}
	settings.Email, settings.InvoiceAddress, settings.TagWindow = email.String, address.String, time.Duration(window)*time.Second
	return settings, nil
}

// ChangeOrganization changes settings of an organization. It is Invalid for an address that is none or that another
// account has (unless Options.SharedEmail), and for a window that is negative or beyond 68 years.
func (s *Service) ChangeOrganization(ctx context.Context, id int64, change OrganizationChange) error {
	if err := change.check(); err != nil {
		return err
	}
	return s.db.Hard(ctx, "change organization", func(ctx context.Context, tx db.Tx) error {
		if err := requireOrganizationTx(ctx, tx, id); err != nil {
			return err
		}
		old, err := settingsTx(ctx, tx, id)
		if err != nil {
			return err
		}
		next := change.applied(old)
		if next == old {
			return nil
		}
		if next.Email != old.Email && !s.options.SharedEmail {
			if err := emailFreeTx(ctx, tx, next.Email); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `UPDATE account SET email = $1, invoice_email = $2, invoice_address = $3, tag_window_s = $4 WHERE id = $5`,
			nullText(next.Email), db.Bool(next.InvoiceEmail), nullText(next.InvoiceAddress), int64(next.TagWindow/time.Second), id)
		if err != nil {
			return fmt.Errorf("change organization %d: %w", id, err)
		}
		s.changed(tx)
		return s.recordSettingsTx(ctx, tx, id, old, next)
	})
}

func (c OrganizationChange) check() error {
	if c.Email != nil {
		if err := validateEmail(*c.Email); err != nil {
			return err
		}
	}
	if c.InvoiceAddress != nil {
		if err := validateEmail(*c.InvoiceAddress); err != nil {
			return err
		}
	}
	if w := c.TagWindow; w != nil && (*w < 0 || *w > maxTagWindow) {
		return problem.New(problem.Invalid, "tag_expiration_s is %d, allowed are 0 to %d", int64(*w/time.Second), int64(maxTagWindow/time.Second))
	}
	return nil
}

func (c OrganizationChange) applied(s OrganizationSettings) OrganizationSettings {
	set(&s.Email, c.Email)
	set(&s.InvoiceEmail, c.InvoiceEmail)
	set(&s.InvoiceAddress, c.InvoiceAddress)
	set(&s.TagWindow, c.TagWindow)
	return s
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// emailFreeTx refuses an address that any account has. Whoever makes an account waits: the table has no constraint for
// organizations, whose addresses may be shared when a push made them.
func emailFreeTx(ctx context.Context, tx db.Tx, email string) error {
	if email == "" {
		return nil
	}
	if err := tx.Lock(ctx, db.LockNamespace, allAccounts, db.Exclusive); err != nil {
		return err
	}
	var one int
	err := tx.QueryRow(ctx, `SELECT 1 FROM account WHERE email = $1 AND deleted_ms IS NULL LIMIT 1`, email).Scan(&one)
	if errors.Is(err, db.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for an email address: %w", err)
	}
	return problem.New(problem.Invalid, "E-mail address already used")
}

func (s *Service) recordSettingsTx(ctx context.Context, tx db.Tx, id int64, old, next OrganizationSettings) error {
	record := func(changed bool, kind string, metadata map[string]any) error {
		if !changed {
			return nil
		}
		return s.logTx(ctx, tx, kind, id, metadata)
	}
	return errors.Join(
		record(next.Email != old.Email, "org_change_email", map[string]any{"email": next.Email, "old_email": old.Email}),
		record(next.InvoiceEmail != old.InvoiceEmail || next.InvoiceAddress != old.InvoiceAddress, "org_change_invoicing",
			map[string]any{"invoice_email": next.InvoiceEmail, "invoice_email_address": next.InvoiceAddress}),
		record(next.TagWindow != old.TagWindow, "org_change_tag_expiration", map[string]any{"tag_expiration": int64(next.TagWindow / time.Second)}),
	)
}
