package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// allAccounts is the LockNamespace id that stands for the table of accounts: whoever makes one holds it shared,
// Initialize alone.
const allAccounts = 0

// NewUser is a user to be made.
type NewUser struct {
	Name     string
	Email    string // empty for none
	Password string // empty for none: the user can only come in through another login service
	Verified bool   // the address is known to be the user's
	Trusted  bool   // made by the command line or a super user, who may give away Options.ReservedNames
}

// newAccount is a row to be inserted.
type newAccount struct {
	kind     Kind
	name     string
	owner    int64
	email    string
	hash     string
	verified bool
}

// CreateUser makes a user. It is Invalid when the name, the address or the password is against a rule or taken.
func (s *Service) CreateUser(ctx context.Context, u NewUser) (Account, error) {
	if !u.Trusted {
		if err := s.refuseReserved(u.Name); err != nil {
			return Account{}, err
		}
	}
	row, err := s.prepareUser(ctx, u)
	if err != nil {
		return Account{}, err
	}
	var created Account
	err = s.db.Hard(ctx, "create user", func(ctx context.Context, tx db.Tx) (err error) {
		created, err = s.insertUserTx(ctx, tx, row)
		return err
	})
	return created, err
}

// insertUserTx inserts a user and records it.
func (s *Service) insertUserTx(ctx context.Context, tx db.Tx, row newAccount) (Account, error) {
	user, err := s.insertAccountTx(ctx, tx, row)
	if err != nil {
		return Account{}, err
	}
	return user, s.logTx(ctx, tx, "user_create", user.ID, map[string]any{"username": user.Name, "email": user.Email})
}

// prepareUser checks a user's data and hashes the password, which is too slow for a transaction.
func (s *Service) prepareUser(ctx context.Context, u NewUser) (newAccount, error) {
	if err := ValidateUsername(u.Name); err != nil {
		return newAccount{}, err
	}
	if err := validateEmail(u.Email); err != nil {
		return newAccount{}, err
	}
	row := newAccount{kind: User, name: u.Name, email: u.Email, verified: u.Verified}
	if u.Password == "" {
		return row, nil
	}
	var err error
	row.hash, err = s.newHash(ctx, u.Password)
	return row, err
}

func (s *Service) newHash(ctx context.Context, password string) (string, error) {
	if err := ValidatePassword(password); err != nil {
		return "", err
	}
	return s.hasher.hash(ctx, password)
}

func (s *Service) refuseReserved(name string) error {
	if slices.Contains(s.options.ReservedNames, name) {
		return problem.New(problem.Invalid, "The name %s is reserved for a super user of this registry", quoted(name))
	}
	return nil
}

// insertAccountTx inserts a row whose name and address the caller has checked.
func (s *Service) insertAccountTx(ctx context.Context, tx db.Tx, n newAccount) (Account, error) {
	if err := tx.Lock(ctx, db.LockNamespace, allAccounts, db.Shared); err != nil {
		return Account{}, err
	}
	now := s.nowMillis()
	a := Account{
		UUID: newUUID(), Kind: n.kind, Name: n.name, OwnerID: n.owner, Email: n.email, Enabled: true, Verified: n.verified,
		TagWindow: s.options.DefaultTagWindow.Truncate(time.Second), AccessRev: 1, CreatedAt: db.Time(now), HasPassword: n.hash != "",
	}
	err := tx.QueryRow(ctx, `INSERT INTO account
			(uuid, kind, name, owner_id, email, password_hash, enabled, verified, tag_window_s, access_rev, created_ms)
		VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, 1, $9)
		ON CONFLICT DO NOTHING RETURNING id`,
		a.UUID, a.Kind, a.Name, nullID(n.owner), nullText(n.email), nullText(n.hash), db.Bool(n.verified),
		int64(a.TagWindow/time.Second), now).Scan(&a.ID)
	if errors.Is(err, db.ErrNoRows) {
		return Account{}, takenTx(ctx, tx, n)
	}
	if err != nil {
		return Account{}, fmt.Errorf("create account %q: %w", n.name, err)
	}
	return a, nil
}

// takenTx says which of name and address is taken.
func takenTx(ctx context.Context, tx db.Tx, n newAccount) error {
	var id int64
	err := tx.QueryRow(ctx, `SELECT id FROM account WHERE name = $1 AND deleted_ms IS NULL`, n.name).Scan(&id)
	switch {
	case err != nil && !errors.Is(err, db.ErrNoRows):
		return fmt.Errorf("look up account %q: %w", n.name, err)
	case err != nil:
		return problem.New(problem.Invalid, "The email address %s has already been used", quoted(n.email))
	case n.kind == Organization:
		return problem.New(problem.Invalid, "A user or organization with this name already exists")
	case n.kind == Robot:
		return problem.New(problem.Invalid, "Existing robot with name: %s", n.name)
	}
	return problem.New(problem.Invalid, "The username already exists")
}

// SetPassword gives a user a new password. It ends the user's sessions and registry tokens and forgets failed logins.
func (s *Service) SetPassword(ctx context.Context, accountID int64, password string) error {
	hash, err := s.newHash(ctx, password)
	if err != nil {
		return err
	}
	return s.db.Hard(ctx, "set password", func(ctx context.Context, tx db.Tx) error {
		if err := s.replaceHashTx(ctx, tx, accountID, hash); err != nil {
			return err
		}
		return s.logTx(ctx, tx, "account_change_password", accountID, nil)
	})
}

// replaceHashTx gives a user another password hash: sessions and registry tokens of the former one end, and failed
// logins are forgotten.
func (s *Service) replaceHashTx(ctx context.Context, tx db.Tx, id int64, hash string) error {
	var name string
	var email sql.NullString
	err := tx.QueryRow(ctx, `UPDATE account SET password_hash = $1, access_rev = access_rev + 1
		WHERE id = $2 AND kind = 1 AND deleted_ms IS NULL RETURNING name, email`, hash, id).Scan(&name, &email)
	if errors.Is(err, db.ErrNoRows) {
		return problem.New(problem.NotFound, "There is no user with id %d", id)
	}
	if err != nil {
		return fmt.Errorf("set the password of account %d: %w", id, err)
	}
	s.changed(tx)
	if err := s.forgetFailuresTx(ctx, tx, name, email.String); err != nil {
		return err
	}
	return endSessionsTx(ctx, tx, id)
}

// SetEnabled enables or disables an account. A disabled user or organization keeps everything and can do nothing; its
// robots are refused too. Disabling ends its sessions and registry tokens.
func (s *Service) SetEnabled(ctx context.Context, accountID int64, on bool) error {
	return s.db.Hard(ctx, "enable or disable account", func(ctx context.Context, tx db.Tx) error {
		var name string
		err := tx.QueryRow(ctx, `UPDATE account SET enabled = $1, access_rev = access_rev + 1
			WHERE id = $2 AND deleted_ms IS NULL RETURNING name`, db.Bool(on), accountID).Scan(&name)
		if errors.Is(err, db.ErrNoRows) {
			return problem.New(problem.NotFound, "There is no account with id %d", accountID)
		}
		if err != nil {
			return fmt.Errorf("enable or disable account %d: %w", accountID, err)
		}
		s.changed(tx)
		if err := endSessionsTx(ctx, tx, accountID); err != nil {
			return err
		}
		kind := "user_disable"
		if on {
			kind = "user_enable"
		}
		return s.logTx(ctx, tx, kind, accountID, map[string]any{"username": name})
	})
}

// EncryptPassword gives the encrypted password that clients may use in place of the password.
func (s *Service) EncryptPassword(password string) (string, error) {
	return s.passwords.Encrypt(password)
}

func nullID(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: id != 0} }

func nullText(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }

func nullMillis(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}
