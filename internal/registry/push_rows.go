package registry

import (
	"context"
	"errors"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
)

// storeTx keeps a manifest once for all repositories, and gives its id.
func (r *Registry) storeTx(ctx context.Context, tx db.Tx, c *candidate) (id int64, err error) {
	doc := c.doc
	err = tx.QueryRow(ctx, `INSERT INTO manifest
			(digest, media_type, size, kind, subject, artifact_type, config_type, config_digest, layers_size, created_ms)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (digest) DO NOTHING RETURNING id`,
		c.digest, doc.MediaType, len(c.bytes), uint8(doc.Kind), doc.Subject, orNull(doc.ArtifactType),
		orNull(doc.Config.MediaType), doc.Config.Digest, doc.LayersSize(), r.now()).Scan(&id)
	if err == nil {
		_, err = tx.Exec(ctx, `INSERT INTO manifest_content (manifest_id, bytes) VALUES ($1, $2)`, id, c.bytes)
		return id, err
	}
	if !errors.Is(err, db.ErrNoRows) {
		return 0, err
	}
	err = tx.QueryRow(ctx, `SELECT id FROM manifest WHERE digest = $1`, c.digest).Scan(&id)
	if errors.Is(err, db.ErrNoRows) {
		return 0, errMoved // it was collected between the two statements
	}
	return id, err
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// joinTx makes a manifest a readable member of the repository, and reports whether it was none at all before.
//
// What nothing names yet is pinned: for as long as the namespace keeps deleted things, and at least for two leases, so
// that an index pushed within the promised hour finds its children. A referrer whose subject is not here is pinned
// until the subject comes.
func (r *Registry) joinTx(ctx context.Context, tx db.Tx, repo Repository, id int64, c *candidate, window time.Duration) (added bool, err error) {
	now := r.now()
	lease := now + 2*r.lease.Milliseconds()
	pin := int64(0)
	if len(c.tags) == 0 {
		if pin, err = r.pinTx(ctx, tx, repo, c.doc.Subject, max(lease, now+window.Milliseconds())); err != nil {
			return false, err
		}
	}
	n, err := tx.Exec(ctx, `INSERT INTO repo_manifest (repo_id, manifest_id, subject, pushed_ms, pin_until_ms)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (repo_id, manifest_id) DO NOTHING`, repo.ID, id, c.doc.Subject, now, pin)
	if err != nil {
		return false, err
	}
	if n == 0 {
		_, err = tx.Exec(ctx, `UPDATE repo_manifest SET deleted_ms = NULL, pushed_ms = $3,
				pin_until_ms = CASE WHEN pin_until_ms < $4 THEN $4 ELSE pin_until_ms END
			WHERE repo_id = $1 AND manifest_id = $2 AND (deleted_ms IS NOT NULL OR pin_until_ms < $4)`, repo.ID, id, now, pin)
		return false, err
	}
	// The referrers that waited for this manifest are kept by it from now on.
	_, err = tx.Exec(ctx, `UPDATE repo_manifest SET pin_until_ms = $3
		WHERE repo_id = $1 AND subject = $2 AND pin_until_ms = 9223372036854775807`, repo.ID, c.digest, lease)
	return true, err
}

// pinTx is until when an untagged manifest is pinned.
func (r *Registry) pinTx(ctx context.Context, tx db.Tx, repo Repository, subject digest.Digest, ordinary int64) (int64, error) {
	if subject.IsZero() {
		return ordinary, nil
	}
	var found int
	err := tx.QueryRow(ctx, `SELECT 1 FROM manifest m JOIN repo_manifest rm ON rm.repo_id = $1 AND rm.manifest_id = m.id
		WHERE m.digest = $2`, repo.ID, subject).Scan(&found)
	if errors.Is(err, db.ErrNoRows) {
		return endless, nil
	}
	return ordinary, err
}

// describeTx writes what a new member says about itself: children and labels. Both follow from the bytes and never
// change.
func (r *Registry) describeTx(ctx context.Context, tx db.Tx, repo Repository, id int64, c *candidate) error {
	for batch := range batches(c.doc.Manifests) {
		var args []any
		for _, child := range batch {
			args = append(args, repo.ID, id, child.Digest)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO manifest_child (repo_id, parent_id, child) VALUES `+rows(len(batch), 3)+
			` ON CONFLICT (repo_id, parent_id, child) DO NOTHING`, args...); err != nil {
			return err
		}
	}
	labels := c.labels
	if c.doc.Kind.IsIndex() {
		var err error
		if labels, err = commonLabelsTx(ctx, tx, repo, id, c.doc); err != nil {
			return err
		}
	}
	return insertLabelsTx(ctx, tx, repo, id, labels)
}
