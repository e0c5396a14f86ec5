package identity

import (
	"context"
	"fmt"
	"time"
)

// Page is a part of a list of accounts.
type Page struct {
	After   string // those whose names come after it
	Limit   int    // 0: all
	Enabled bool   // without disabled accounts
}

// UserPage lists users by name.
func (s *Service) UserPage(ctx context.Context, p Page) ([]Account, error) {
	return s.page(ctx, `a.kind = 1`, p)
}

// OrganizationPage lists organizations by name.
func (s *Service) OrganizationPage(ctx context.Context, p Page) ([]Account, error) {
	return s.page(ctx, `a.kind = 2`, p)
}

// page walks the index on kind and name from a place in it.
func (s *Service) page(ctx context.Context, kind string, p Page) ([]Account, error) {
	query, args := pageQuery(kind, p)
	rows, err := s.read.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	defer rows.Close()
	var all []Account
	for rows.Next() {
		a, err := scanAccount(rows)
		if err != nil {
			return nil, fmt.Errorf("list accounts: %w", err)
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

func pageQuery(kind string, p Page) (string, []any) {
	query := `SELECT ` + accountColumns + ` FROM account a WHERE ` + kind + ` AND a.name > $1 AND a.deleted_ms IS NULL`
	if p.Enabled {
		query += ` AND a.enabled = 1`
	}
	query += ` ORDER BY a.name`
	args := []any{p.After}
	if p.Limit > 0 {
		query += ` LIMIT $2`
		args = append(args, p.Limit)
	}
	return query, args
}

// AllAppTokens lists the application tokens of all users, newest first, without their characters.
func (s *Service) AllAppTokens(ctx context.Context) ([]AppTokenInfo, error) {
	rows, err := s.read.Query(ctx, `SELECT k.uuid, k.title, k.created_ms, k.expires_ms, k.last_used_ms FROM app_token k
		JOIN account a ON a.id = k.account_id AND a.deleted_ms IS NULL ORDER BY k.id DESC`)
	if err != nil {
		return nil, fmt.Errorf("list application tokens: %w", err)
	}
	return collectAppTokens(rows)
}

// Expiring reports whether a token ends within a tenth of what tokens usually live, 0 for four weeks (rest-api §3.4).
func (t AppTokenInfo) Expiring(now time.Time, lifetime time.Duration) bool {
	if lifetime <= 0 {
		lifetime = 4 * 7 * 24 * time.Hour
	}
	return !t.Expires.IsZero() && t.Expires.After(now) && !t.Expires.After(now.Add(lifetime/10))
}

// Administrators lists the users who administer an organization, by name.
func (s *Service) Administrators(ctx context.Context, organizationID int64) ([]string, error) {
	rows, err := s.read.Query(ctx, `SELECT DISTINCT a.name FROM team t
		JOIN team_member m ON m.team_id = t.id
		JOIN account a ON a.id = m.account_id AND a.kind = 1 AND a.deleted_ms IS NULL
		WHERE t.organization_id = $1 AND t.role = 1 ORDER BY a.name`, organizationID)
	if err != nil {
		return nil, fmt.Errorf("list the administrators of organization %d: %w", organizationID, err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("list the administrators of organization %d: %w", organizationID, err)
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
