package registry

import (
	"context"

	"github.com/longshore-registry/longshore/internal/db"
)

// The stored values of review.kind that this package writes.
const (
	reviewManifest   = 1 // a manifest of a repository
	reviewRepository = 4
)

// reviewTx asks the collector to look at what may have lost what kept it, from a time on. A review that is due earlier
// stays.
func reviewTx(ctx context.Context, tx db.Tx, kind int, repoID, itemID, dueMs int64) error {
	_, err := tx.Exec(ctx, `INSERT INTO review (kind, repo_id, item_id, due_ms) VALUES ($1, $2, $3, $4)
		ON CONFLICT (kind, repo_id, item_id) DO UPDATE SET due_ms = excluded.due_ms WHERE review.due_ms > excluded.due_ms`,
		kind, repoID, itemID, dueMs)
	return err
}
