package registry

import (
	"context"
	"maps"

	"github.com/longshore-registry/longshore/internal/db"
)

// logTx writes the log entry of a change to a repository, with the members that all such entries have.
func (r *Registry) logTx(ctx context.Context, tx db.Tx, kind string, repo Repository, metadata map[string]any) error {
	all := map[string]any{"repo": repo.Name, "namespace": repo.Namespace}
	maps.Copy(all, metadata)
	return r.audit.Change(ctx, tx, kind, repo.NamespaceID, repo.ID, all)
}
