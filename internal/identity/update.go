package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// The prompts, by Quay's names.
const (
	PromptUsername = "confirm_username"
	PromptName     = "enter_name"
	PromptCompany  = "enter_company"
)

// Text is a text that a change may set, or with a nil Value remove.
type Text struct {
	Set   bool
	Value *string
}

// UserChanges are what UpdateUser changes; what is nil or not Set stays.
type UserChanges struct {
	Name      *string
	Email     *string // counts as confirmed unless it is Unverified
	Password  *string
	Enabled   *bool
	TagWindow *time.Duration

	InvoiceEmail   *bool
	InvoiceAddress Text
	GivenName      Text
	FamilyName     Text
	Company        Text
	Location       Text

	Unverified bool // nobody knows whether the new address is the user's
	BySuper    bool // a superuser changes somebody else's account
}

// UpdateUser makes all changes or none. It is Invalid when one is against a rule or a name or address is taken. A new
// password and a change of Enabled end the user's sessions and registry tokens; a new name also renames the robots.
func (s *Service) UpdateUser(ctx context.Context, id int64, c UserChanges) (Account, error) {
	if err := s.checkChanges(c); err != nil {
		return Account{}, err
	}
	hash := ""
	if c.Password != nil {
		var err error
		if hash, err = s.newHash(ctx, *c.Password); err != nil {
			return Account{}, err
		}
	}
	var updated Account
	err := s.db.Hard(ctx, "update user", func(ctx context.Context, tx db.Tx) error {
		before, err := s.lockUserTx(ctx, tx, id, c)
		if err != nil {
			return err
		}
		if err := s.updateTx(ctx, tx, before, c, hash); err != nil {
			return err
		}
		s.changed(tx)
		updated, err = userTx(ctx, tx, id)
		return err
	})
	return updated, err
}

func (s *Service) checkChanges(c UserChanges) error {
	if c.Name != nil {
		if err := ValidateUsername(*c.Name); err != nil {
			return err
		}
	}
	if c.TagWindow != nil && *c.TagWindow < 0 {
		return problem.New(problem.Invalid, "tag_expiration_s: found %d; allowed: 0 or more", int64(*c.TagWindow/time.Second))
	}
	if c.Email == nil {
		return nil
	}
	return validateEmail(*c.Email)
}

// lockUserTx holds still what the changes depend on: names, addresses, robots.
func (s *Service) lockUserTx(ctx context.Context, tx db.Tx, id int64, c UserChanges) (Account, error) {
	if c.Name != nil || c.Email != nil {
		if err := lockNameTx(ctx, tx, id); err != nil {
			return Account{}, err
		}
	}
	return userTx(ctx, tx, id)
}

// lockNameTx keeps everybody from making accounts and robots, so that a name or an address that is free stays so until
// the transaction ends, and no robot is made under a name that is being given up.
func lockNameTx(ctx context.Context, tx db.Tx, id int64) error {
	if err := tx.Lock(ctx, db.LockNamespace, id, db.Exclusive); err != nil {
		return err
	}
	return tx.Lock(ctx, db.LockNamespace, allAccounts, db.Exclusive)
}

func (s *Service) updateTx(ctx context.Context, tx db.Tx, user Account, c UserChanges, hash string) error {
	if c.Name != nil && *c.Name != user.Name {
		if err := s.renameTx(ctx, tx, user, *c.Name, "Username is already in use"); err != nil {
			return err
		}
		if err := s.logTx(ctx, tx, "user_change_name", user.ID, map[string]any{"old_username": user.Name, "new_username": *c.Name}); err != nil {
			return err
		}
	}
	if c.Name != nil {
		if err := dropPromptsTx(ctx, tx, user.ID, PromptUsername); err != nil {
			return err
		}
	}
	if c.Email != nil && *c.Email != user.Email {
		if err := s.setEmailTx(ctx, tx, user, *c.Email, !c.Unverified); err != nil {
			return err
		}
	}
	if c.Password != nil {
		kind := "account_change_password"
		if c.BySuper {
			kind = "user_change_password"
		}
		if err := errors.Join(s.setHashTx(ctx, tx, user.ID, hash), s.logTx(ctx, tx, kind, user.ID, nil)); err != nil {
			return err
		}
	}
	if c.Enabled != nil && *c.Enabled != user.Enabled {
		if err := s.setEnabledTx(ctx, tx, user, *c.Enabled); err != nil {
			return err
		}
	}
	return s.updateSettingsTx(ctx, tx, user, c)
}

// updateSettingsTx changes what says nothing about who somebody is.
func (s *Service) updateSettingsTx(ctx context.Context, tx db.Tx, user Account, c UserChanges) error {
	if c.TagWindow != nil {
		seconds := int64(*c.TagWindow / time.Second)
		if err := s.setColumnTx(ctx, tx, user.ID, "tag_window_s", seconds); err != nil {
			return err
		}
		if err := s.logTx(ctx, tx, "user_change_tag_expiration", user.ID, map[string]any{"tag_expiration": seconds}); err != nil {
			return err
		}
	}
	if c.InvoiceEmail != nil {
		if err := s.setColumnTx(ctx, tx, user.ID, "invoice_email", db.Bool(*c.InvoiceEmail)); err != nil {
			return err
		}
	}
	if c.InvoiceAddress.Set {
		if err := s.setColumnTx(ctx, tx, user.ID, "invoice_address", c.InvoiceAddress.Value); err != nil {
			return err
		}
	}
	if c.InvoiceEmail != nil || c.InvoiceAddress.Set {
		if err := s.logTx(ctx, tx, "user_change_invoicing", user.ID, nil); err != nil {
			return err
		}
	}
	return s.updateProfileTx(ctx, tx, user, c)
}

// setColumnTx sets a column, whose name is one of ours.
func (s *Service) setColumnTx(ctx context.Context, tx db.Tx, id int64, column string, value any) error {
	if _, err := tx.Exec(ctx, `UPDATE account SET `+column+` = $1 WHERE id = $2`, value, id); err != nil {
		return fmt.Errorf("change %s of account %d: %w", column, id, err)
	}
	return nil
}

func (s *Service) updateProfileTx(ctx context.Context, tx db.Tx, user Account, c UserChanges) error {
	if !c.GivenName.Set && !c.FamilyName.Set && !c.Company.Set && !c.Location.Set {
		return nil
	}
	var stored string
	if err := tx.QueryRow(ctx, `SELECT profile FROM account WHERE id = $1`+tx.ForUpdate(), user.ID).Scan(&stored); err != nil {
		return fmt.Errorf("read the profile of account %d: %w", user.ID, err)
	}
	var p Profile
	if err := json.Unmarshal([]byte(stored), &p); err != nil {
		return fmt.Errorf("read the profile of account %d: %w", user.ID, err)
	}
	for _, member := range []struct {
		change Text
		into   **string
	}{{c.GivenName, &p.GivenName}, {c.FamilyName, &p.FamilyName}, {c.Company, &p.Company}, {c.Location, &p.Location}} {
		if member.change.Set {
			*member.into = member.change.Value
		}
	}
	content, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := s.setColumnTx(ctx, tx, user.ID, "profile", string(content)); err != nil {
		return err
	}
	var answered []string
	if c.GivenName.Set || c.FamilyName.Set {
		answered = append(answered, PromptName)
	}
	if c.Company.Set {
		answered = append(answered, PromptCompany)
	}
	if err := dropPromptsTx(ctx, tx, user.ID, answered...); err != nil {
		return err
	}
	return s.logTx(ctx, tx, "user_change_metadata", user.ID, nil)
}

func dropPromptsTx(ctx context.Context, tx db.Tx, id int64, kinds ...string) error {
	for _, kind := range kinds {
		if _, err := tx.Exec(ctx, `DELETE FROM account_prompt WHERE account_id = $1 AND kind = $2`, id, kind); err != nil {
			return fmt.Errorf("drop a prompt of account %d: %w", id, err)
		}
	}
	return nil
}

// setEmailTx gives a user another address. Codes that went to the former one are void.
func (s *Service) setEmailTx(ctx context.Context, tx db.Tx, user Account, email string, verified bool) error {
	if email != "" {
		if err := s.addressFreeTx(ctx, tx, user.ID, email); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE account SET email = $1, verified = $2 WHERE id = $3`, nullText(email), db.Bool(verified), user.ID); err != nil {
		return fmt.Errorf("change the address of account %d: %w", user.ID, err)
	}
	if _, err := tx.Exec(ctx, `DELETE FROM email_confirmation WHERE account_id = $1`, user.ID); err != nil {
		return fmt.Errorf("void the codes of account %d: %w", user.ID, err)
	}
	return s.logTx(ctx, tx, "user_change_email", user.ID, map[string]any{"old_email": user.Email, "email": email})
}

// setHashTx gives a user another password: sessions, registry tokens and codes of the former one end.
func (s *Service) setHashTx(ctx context.Context, tx db.Tx, id int64, hash string) error {
	if err := s.replaceHashTx(ctx, tx, id, hash); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM email_confirmation WHERE account_id = $1 AND password_reset = 1`, id); err != nil {
		return fmt.Errorf("void the codes of account %d: %w", id, err)
	}
	return nil
}

func (s *Service) setEnabledTx(ctx context.Context, tx db.Tx, user Account, on bool) error {
	_, err := tx.Exec(ctx, `UPDATE account SET enabled = $1, access_rev = access_rev + 1 WHERE id = $2`, db.Bool(on), user.ID)
	if err != nil {
		return fmt.Errorf("enable or disable account %d: %w", user.ID, err)
	}
	if err := endSessionsTx(ctx, tx, user.ID); err != nil {
		return err
	}
	kind := "user_disable"
	if on {
		kind = "user_enable"
	}
	return s.logTx(ctx, tx, kind, user.ID, map[string]any{"username": user.Name})
}
