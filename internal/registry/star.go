package registry

import (
	"context"
	"errors"

	"github.com/longshore-registry/longshore/internal/db"
)

// Star marks a repository for an account. Once more changes nothing. NAME_UNKNOWN when it was deleted meanwhile.
func (r *Registry) Star(ctx context.Context, repo Repository, accountID int64) error {
	return r.db.Hard(ctx, "star", func(ctx context.Context, tx db.Tx) error {
		var found int
		err := tx.QueryRow(ctx, `SELECT 1 FROM repository WHERE id = $1 AND deleted_ms IS NULL`, repo.ID).Scan(&found)
		if errors.Is(err, db.ErrNoRows) {
			return nameUnknown()
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO star (account_id, repo_id, created_ms) VALUES ($1, $2, $3)
			ON CONFLICT (account_id, repo_id) DO NOTHING`, accountID, repo.ID, r.now())
		return err
	})
}

// Unstar takes an account's mark away, if there is one.
func (r *Registry) Unstar(ctx context.Context, repo Repository, accountID int64) error {
	return r.db.Hard(ctx, "unstar", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM star WHERE account_id = $1 AND repo_id = $2`, accountID, repo.ID)
		return err
	})
}

// Starred reports whether an account has marked a repository; nobody has.
func (r *Registry) Starred(ctx context.Context, repo Repository, accountID int64) (bool, error) {
	if accountID == 0 {
		return false, nil
	}
	var found int
	err := r.db.QueryRow(ctx, `SELECT 1 FROM star WHERE account_id = $1 AND repo_id = $2`, accountID, repo.ID).Scan(&found)
	return err == nil, ignoreNoRows(err)
}
