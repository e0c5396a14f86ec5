package identity

import (
	"context"

	"github.com/longshore-registry/longshore/internal/db"
)

// logTx records a change in its transaction, in the log of a namespace.
func (s *Service) logTx(ctx context.Context, tx db.Tx, kind string, namespaceID int64, metadata map[string]any) error {
	return s.options.Audit.Change(ctx, tx, kind, namespaceID, 0, metadata)
}
