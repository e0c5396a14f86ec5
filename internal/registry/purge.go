package registry

import (
	"context"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
)

// Purge says what PurgeTag removes for good.
type Purge struct {
	Live     bool          // the live tag; else its past periods on Digest
	Digest   digest.Digest // what the live tag must point at, zero for anything; required for past periods
	Children bool          // nothing but the index keeps its manifests any longer
	By       string        // the name of who asks, for the log
}

// PurgeTag removes a tag so that it cannot be restored: a live one, which is ended, or past periods from the history.
// What the manifest then still keeps alive is collected. MANIFEST_UNKNOWN, TAG_IMMUTABLE for a live one, those of Push
// that concern the repository.
func (r *Registry) PurgeTag(ctx context.Context, repo Repository, name string, p Purge) error {
	return r.db.Hard(ctx, "purge tag", func(ctx context.Context, tx db.Tx) error {
		window, err := admitTx(ctx, tx, repo, 0, db.Exclusive)
		if err != nil {
			return err
		}
		var id int64
		if p.Live {
			id, err = r.purgeLiveTx(ctx, tx, repo, name, p.Digest, r.deletion(repo, window))
		} else {
			id, err = r.purgePastTx(ctx, tx, repo, name, p.Digest)
		}
		if err != nil {
			return err
		}
		if err := r.letGoTx(ctx, tx, repo, id, p.Children); err != nil {
			return err
		}
		d, err := digestTx(ctx, tx, id)
		if err != nil {
			return err
		}
		return r.logTx(ctx, tx, "permanently_delete_tag", repo, map[string]any{"username": p.By, "tag": name, "manifest_digest": d.String()})
	})
}

// purgeLiveTx removes a live tag without a trace. What accompanies an image ends with its last tag, as ever.
func (r *Registry) purgeLiveTx(ctx context.Context, tx db.Tx, repo Repository, name string, want digest.Digest, d deletion) (int64, error) {
	p, err := liveTagTx(ctx, tx, repo, name, d.now)
	if err != nil {
		return 0, err
	}
	if d.kept(p) {
		return 0, tagImmutable("delete", name)
	}
	if !want.IsZero() {
		if m, err := memberTx(ctx, tx, repo, want); err != nil || m.id != p.manifestID {
			return 0, manifestUnknown(Reference{Digest: want})
		}
	}
	r.memory.forgetTags(tx, repo, name)
	if _, err := tx.Exec(ctx, `DELETE FROM tag WHERE repo_id = $1 AND name = $2`, repo.ID, name); err != nil {
		return 0, err
	}
	_, err = d.afterTagTx(ctx, tx, p.manifestID)
	return p.manifestID, err
}

// purgePastTx removes a name's past periods on a manifest.
func (r *Registry) purgePastTx(ctx context.Context, tx db.Tx, repo Repository, name string, d digest.Digest) (int64, error) {
	m, err := memberTx(ctx, tx, repo, d)
	if err != nil {
		return 0, err
	}
	r.memory.forgetTags(tx, repo, name)
	n, err := tx.Exec(ctx, `DELETE FROM tag_history WHERE repo_id = $1 AND name = $2 AND manifest_id = $3`, repo.ID, name, m.id)
	if err == nil && n == 0 {
		err = manifestUnknown(Reference{Tag: name})
	}
	return m.id, err
}

// letGoTx asks for a review of a manifest that lost a tag or a past period, and takes the pin from one that was deleted
// and has no other. With children, the pins of an index's manifests shrink to what a push was promised: two leases.
func (r *Registry) letGoTx(ctx context.Context, tx db.Tx, repo Repository, id int64, children bool) error {
	_, err := tx.Exec(ctx, `UPDATE repo_manifest SET pin_until_ms = 0
		WHERE repo_id = $1 AND manifest_id = $2 AND deleted_ms IS NOT NULL
			AND NOT EXISTS (SELECT 1 FROM tag_history h WHERE h.repo_id = $1 AND h.manifest_id = $2)`, repo.ID, id)
	if err != nil {
		return err
	}
	if err := reviewTx(ctx, tx, reviewManifest, repo.ID, id, r.now()); err != nil || !children {
		return err
	}
	all, err := childrenTx(ctx, tx, repo, id)
	if err != nil {
		return err
	}
	promised := 2 * r.lease.Milliseconds()
	for _, child := range all {
		_, err := tx.Exec(ctx, `UPDATE repo_manifest SET pin_until_ms = pushed_ms + $3
			WHERE repo_id = $1 AND manifest_id = $2 AND pin_until_ms > pushed_ms + $3 AND pin_until_ms < 9223372036854775807`,
			repo.ID, child, promised)
		if err != nil {
			return err
		}
		if err := reviewTx(ctx, tx, reviewManifest, repo.ID, child, r.now()); err != nil {
			return err
		}
	}
	return nil
}
