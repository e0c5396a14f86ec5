package registry

import (
	"context"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
)

// For tests that count the statements of a transaction.

func (r *Registry) PushTx(ctx context.Context, tx db.Tx, repo Repository, p Push) error {
	c, err := r.check(repo.Namespace, p)
	if err != nil {
		return err
	}
	return r.pushTx(ctx, tx, repo, c)
}

func (r *Registry) DeleteManifestTx(ctx context.Context, tx db.Tx, repo Repository, d digest.Digest) error {
	_, err := r.deleteManifestTx(ctx, tx, repo, d)
	return err
}

func (r *Registry) RestoreTagTx(ctx context.Context, tx db.Tx, repo Repository, name string, d digest.Digest) error {
	return r.restoreTagTx(ctx, tx, repo, name, d, "")
}
