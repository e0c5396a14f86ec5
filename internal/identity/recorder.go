package identity

import (
	"context"

	"github.com/longshore-registry/longshore/internal/db"
)

// Recorder writes the log entry of a change in the change's own transaction, so that one is there exactly if the other
// is. kind is Quay's name, such as "create_robot"; namespaceID is the account whose log shows the entry, and an
// identifier of 0 is none. Who acted comes from the context. Each metadata makes an entry; many take few statements.
//
// It is called inside functions that may run again, and has no effect outside the transaction.
type Recorder interface {
	Change(ctx context.Context, tx db.Tx, kind string, namespaceID, repositoryID int64, metadata ...map[string]any) error
}

// NoRecord records nothing.
type NoRecord struct{}

// Change does nothing.
func (NoRecord) Change(context.Context, db.Tx, string, int64, int64, ...map[string]any) error {
	return nil
}
