package registry

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

// endless is the pin of a referrer that waits for its subject.
const endless = math.MaxInt64

// pushTx is the transaction of a push, in the steps M1 to M7 of the core protocol.
//
// Why a readable manifest never misses a blob or child: whatever removes membership of a manifest in a repository, or
// hides a child, holds the repository's lock alone, and this transaction holds it shared from before it looks until it
// has committed. A blob's row is locked by the foreign key of the reference that is inserted, so that it stays, or the
// insert fails.
//
// A manifest with a subject takes the lock alone too: its pin depends on the subject's presence, and a push of the
// subject looks for pins to lower. Side by side each could miss the other and leave a pin without end.
func (r *Registry) pushTx(ctx context.Context, tx db.Tx, repo Repository, c *candidate) error {
	mode := db.Shared
	if !c.doc.Subject.IsZero() {
		mode = db.Exclusive
	}
	window, err := admitTx(ctx, tx, repo, c.account, mode)
	if err != nil {
		return err
	}
	blobs, err := checkBlobsTx(ctx, tx, repo, c.doc)
	if err != nil {
		return err
	}
	if err := r.checkChildrenTx(ctx, tx, repo, c.doc); err != nil {
		return err
	}
	id, err := r.storeTx(ctx, tx, c)
	if err != nil {
		return err
	}
	added, err := r.joinTx(ctx, tx, repo, id, c, window)
	if err != nil {
		return err
	}
	if added && c.known {
		return errMoved // its labels were in the rows that went
	}
	r.memory.forgetMember(tx, repo, c.digest)
	if err := content.LinkTx(ctx, tx, repo.ID, id, blobs); err != nil {
		return err
	}
	if added {
		if err := r.describeTx(ctx, tx, repo, id, c); err != nil {
			return err
		}
	}
	if err := r.tagTx(ctx, tx, repo, id, c, window); err != nil {
		return err
	}
	return r.logPushTx(ctx, tx, repo, c)
}

// admitTx takes the repository's lock and reads again what the caller was allowed to write by. It gives how long the
// namespace keeps what was deleted.
func admitTx(ctx context.Context, tx db.Tx, repo Repository, account int64, mode db.LockMode) (window time.Duration, err error) {
	if err := tx.Lock(ctx, db.LockRepository, repo.ID, mode); err != nil {
		return 0, err
	}
	var state access.State
	var enabled bool
	var pusher *int64 // whether the account is enabled, nil when it is gone
	var seconds int64
	err = tx.QueryRow(ctx, `SELECT r.state, n.enabled, n.tag_window_s,
			(SELECT a.enabled FROM account a WHERE a.id = $2 AND a.deleted_ms IS NULL)
		FROM repository r JOIN account n ON n.id = r.namespace_id
		WHERE r.id = $1 AND r.deleted_ms IS NULL AND r.state <> 3`, repo.ID, account).Scan(&state, &enabled, &seconds, &pusher)
	switch {
	case errors.Is(err, db.ErrNoRows):
		return 0, nameUnknown()
	case err != nil:
		return 0, err
	case !enabled:
		return 0, problem.New(problem.Unsupported, "Namespace %s has been disabled. Please contact a system administrator.", repo.Namespace).WithCode("DENIED")
	case account != 0 && (pusher == nil || *pusher == 0):
		return 0, problem.New(problem.Unauthenticated, "the account that makes this request was disabled or deleted").WithCode("UNAUTHORIZED")
	case state != repo.State:
		return 0, problem.New(problem.Conflict, "the state of repository %s changed while it was written to: try again", repo.Path()).WithCode("DENIED")
	}
	return time.Duration(seconds) * time.Second, nil
}

// checkBlobsTx makes sure that the repository has what the manifest names, in the size that it names, and gives the
// blobs to be linked. A layer that is served elsewhere need not be here.
func checkBlobsTx(ctx context.Context, tx db.Tx, repo Repository, doc *manifest.Document) ([]digest.Digest, error) {
	if doc.Kind.IsIndex() {
		return nil, nil
	}
	named := append([]manifest.Descriptor{doc.Config}, doc.Layers...)
	var wanted []digest.Digest
	seen := map[digest.Digest]bool{}
	for _, d := range named {
		if !seen[d.Digest] {
			seen[d.Digest] = true
			wanted = append(wanted, d.Digest)
		}
	}
	sizes, err := content.SizesTx(ctx, tx, repo.ID, wanted)
	if err != nil {
		return nil, err
	}
	for i, d := range named {
		if err := checkBlob(i == 0, d, sizes); err != nil {
			return nil, err
		}
	}
	blobs := wanted[:0]
	for _, d := range wanted {
		if _, here := sizes[d]; here {
			blobs = append(blobs, d)
		}
	}
	return blobs, nil
}

func checkBlob(config bool, d manifest.Descriptor, sizes map[digest.Digest]int64) error {
	what := "layer"
	if config {
		what = "config"
	}
	size, here := sizes[d.Digest]
	switch {
	case !here && d.Foreign() && len(d.URLs) == 0:
		return manifest.Refuse(problem.Invalid, "failed to parse manifest: missing `urls` for remote layer %s", d.Digest)
	case !here && !d.Foreign():
		return contentUnknown("blob", d.Digest)
	case here && size != d.Size:
		return manifest.Refuse(problem.Invalid, "Size of %s does not match that retrieved: the manifest says %d bytes, %s has %d",
			what, d.Size, d.Digest, size)
	}
	return nil
}

// checkChildrenTx makes sure that the repository has the manifests that an index names, readable and in the size that
// it names. A sparse index may name others.
func (r *Registry) checkChildrenTx(ctx context.Context, tx db.Tx, repo Repository, doc *manifest.Document) error {
	digests := make([]digest.Digest, len(doc.Manifests))
	for i, child := range doc.Manifests {
		digests[i] = child.Digest
	}
	sizes := map[digest.Digest]int64{}
	for batch := range batches(digests) {
		args := []any{repo.ID}
		for _, d := range batch {
			args = append(args, d)
		}
		found, err := tx.Query(ctx, `SELECT m.digest, m.size FROM manifest m
			JOIN repo_manifest rm ON rm.repo_id = $1 AND rm.manifest_id = m.id AND rm.deleted_ms IS NULL
			WHERE m.digest IN (`+values(2, len(batch))+`)`, args...)
		if err != nil {
			return err
		}
		var d digest.Digest
		var size int64
		if err := each(found, func() { sizes[d] = size }, &d, &size); err != nil {
			return err
		}
	}
	for _, child := range doc.Manifests {
		size, here := sizes[child.Digest]
		if !here && !r.sparse {
			return contentUnknown("manifest", child.Digest)
		}
		if here && size != child.Size {
			return manifest.Refuse(problem.Invalid, "Size of manifest does not match that retrieved: the index says %d bytes, %s has %d",
				child.Size, child.Digest, size)
		}
	}
	return nil
}

// each scans all rows into dest, calls fn after each, and closes them.
func each(rows db.Rows, fn func(), dest ...any) error {
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		fn()
	}
	return rows.Err()
}
