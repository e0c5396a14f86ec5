package registry

import (
	"context"
	"maps"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
)

// logPushTx writes an entry for each tag of a push. A manifest that is pushed by its digest alone is a part of
// something else, as in Quay, and has none.
func (r *Registry) logPushTx(ctx context.Context, tx db.Tx, repo Repository, c *candidate) error {
	entries := make([]map[string]any, len(c.tags))
	for i, tag := range c.tags {
		entries[i] = map[string]any{"tag": tag, "mediaType": c.doc.MediaType}
	}
	return r.logTx(ctx, tx, "push_repo", repo, entries...)
}

// logDeletedTx writes an entry for each tag that a deletion ended; for a manifest that had none, one for its digest.
func (r *Registry) logDeletedTx(ctx context.Context, tx db.Tx, repo Repository, d digest.Digest, tags []string) error {
	if len(tags) == 0 {
		return r.logTx(ctx, tx, "delete_tag", repo, map[string]any{"digest": d.String()})
	}
	entries := make([]map[string]any, len(tags))
	for i, tag := range tags {
		entries[i] = map[string]any{"tag": tag, "digest": d.String()}
	}
	return r.logTx(ctx, tx, "delete_tag", repo, entries...)
}

// logTx writes the log entries of a change to a repository, with the members that all such entries have.
func (r *Registry) logTx(ctx context.Context, tx db.Tx, kind string, repo Repository, entries ...map[string]any) error {
	if len(entries) == 0 {
		return nil
	}
	for i, metadata := range entries {
		all := map[string]any{"repo": repo.Name, "namespace": repo.Namespace}
		maps.Copy(all, metadata)
		entries[i] = all
	}
	return r.audit.Change(ctx, tx, kind, repo.NamespaceID, repo.ID, entries...)
}
