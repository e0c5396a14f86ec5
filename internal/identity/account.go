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

// accountColumns are what scanAccount reads, of a table aliased a.
const accountColumns = `a.id, a.uuid, a.kind, a.name, a.owner_id, a.email,
	CASE WHEN a.password_hash IS NULL THEN 0 ELSE 1 END,
	a.enabled, a.verified, a.tag_window_s, a.access_rev, a.created_ms, a.last_accessed_ms`

// accountTargets are the scan targets of accountColumns; fill moves what can be null into the account.
type accountTargets struct {
	account            Account
	owner              sql.NullInt64
	email              sql.NullString
	window             int64
	created, accessed  sql.NullInt64
	hasPassword, on, v int64
}

func (t *accountTargets) pointers(more ...any) []any {
	a := &t.account
	return append([]any{&a.ID, &a.UUID, &a.Kind, &a.Name, &t.owner, &t.email, &t.hasPassword,
		&t.on, &t.v, &t.window, &a.AccessRev, &t.created, &t.accessed}, more...)
}

func (t *accountTargets) fill() Account {
	a := t.account
	a.OwnerID, a.Email = t.owner.Int64, t.email.String
	a.HasPassword, a.Enabled, a.Verified = t.hasPassword != 0, t.on != 0, t.v != 0
	a.TagWindow = time.Duration(t.window) * time.Second
	a.CreatedAt, a.LastAccessed = nullTime(t.created), nullTime(t.accessed)
	return a
}

func nullTime(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return db.Time(ms.Int64)
}

func scanAccount(row db.Row) (Account, error) {
	var t accountTargets
	if err := row.Scan(t.pointers()...); err != nil {
		return Account{}, err
	}
	return t.fill(), nil
}

// Account gives the account of a name; NotFound when there is none.
func (s *Service) Account(ctx context.Context, name string) (Account, error) {
	if !storable(name) {
		return Account{}, unknownAccount(name)
	}
	a, err := scanAccount(s.read.QueryRow(ctx, `SELECT `+accountColumns+` FROM account a
		WHERE a.name = $1 AND a.deleted_ms IS NULL`, name))
	if errors.Is(err, db.ErrNoRows) {
		return Account{}, unknownAccount(name)
	}
	if err != nil {
		return Account{}, fmt.Errorf("look up account %q: %w", name, err)
	}
	return a, nil
}

func unknownAccount(name string) error {
	return problem.New(problem.NotFound, "There is no user, organization or robot %s", quoted(name))
}

// AccountByID gives the account of an id; NotFound when there is none.
func (s *Service) AccountByID(ctx context.Context, id int64) (Account, error) {
	return accountTx(ctx, s.read, id)
}

func accountTx(ctx context.Context, q db.Queryer, id int64) (Account, error) {
	a, err := scanAccount(q.QueryRow(ctx, `SELECT `+accountColumns+` FROM account a
		WHERE a.id = $1 AND a.deleted_ms IS NULL`, id))
	if errors.Is(err, db.ErrNoRows) {
		return Account{}, problem.New(problem.NotFound, "There is no account with id %d", id)
	}
	if err != nil {
		return Account{}, fmt.Errorf("look up account %d: %w", id, err)
	}
	return a, nil
}

// Users lists users by name, those after a name; limit bounds their number.
func (s *Service) Users(ctx context.Context, after string, limit int) ([]Account, error) {
	rows, err := s.read.Query(ctx, `SELECT `+accountColumns+` FROM account a
		WHERE a.name > $1 AND a.kind = $2 AND a.deleted_ms IS NULL ORDER BY a.name LIMIT $3`, after, User, limit)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	defer rows.Close()
	var users []Account
	for rows.Next() {
		a, err := scanAccount(rows)
		if err != nil {
			return nil, fmt.Errorf("list users: %w", err)
		}
		users = append(users, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}

// HasUsers reports whether any account was ever made, which is what Initialize asks.
func (s *Service) HasUsers(ctx context.Context) (bool, error) { return hasAccountsTx(ctx, s.read) }

// hasAccountsTx counts deleted accounts too: deleting the last user must not let a stranger initialize again.
func hasAccountsTx(ctx context.Context, q db.Queryer) (bool, error) {
	var n int
	if err := q.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM account LIMIT 1) AS any_account`).Scan(&n); err != nil {
		return false, fmt.Errorf("look for accounts: %w", err)
	}
	return n > 0, nil
}
