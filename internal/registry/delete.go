package registry

import (
	"context"
	"errors"
	"slices"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Both deletions hold the repository's lock alone: whether an index names the manifest, or a tag was its last, must
// still be so when they commit.

// DeleteManifest makes a manifest unreadable by digest and by every tag, at once. It stays in the history for the
// namespace's window. The names of the tags that ended come back, those of its signatures and the like included.
//
// Errors: MANIFEST_UNKNOWN; TAG_IMMUTABLE when one of its tags is; Unsupported while a readable index names it, unless indexes may be sparse; those of Push
// that concern the repository.
func (r *Registry) DeleteManifest(ctx context.Context, repo Repository, d digest.Digest) ([]string, error) {
	var names []string
	err := r.db.Hard(ctx, "delete manifest", func(ctx context.Context, tx db.Tx) (err error) {
		names, err = r.deleteManifestTx(ctx, tx, repo, d)
		return err
	})
	return names, err
}

func (r *Registry) deleteManifestTx(ctx context.Context, tx db.Tx, repo Repository, d digest.Digest) ([]string, error) {
	window, err := admitTx(ctx, tx, repo, 0, db.Exclusive)
	if err != nil {
		return nil, err
	}
	var id int64
	err = tx.QueryRow(ctx, `SELECT m.id FROM manifest m
		JOIN repo_manifest rm ON rm.repo_id = $1 AND rm.manifest_id = m.id AND rm.deleted_ms IS NULL
		WHERE m.digest = $2`, repo.ID, d).Scan(&id)
	if errors.Is(err, db.ErrNoRows) {
		return nil, manifestUnknown(Reference{Digest: d})
	}
	if err != nil {
		return nil, err
	}
	if !r.sparse {
		if err := refuseChildTx(ctx, tx, repo, d); err != nil {
			return nil, err
		}
	}
	r.memory.forgetMember(tx, repo, d)
	del := r.deletion(repo, window)
	names, err := del.closeAllTx(ctx, tx, id, d)
	if err != nil {
		return nil, err
	}
	// A manifest without tag has no history: the pin keeps it for the window, and it replaces any other.
	end := del.now + window.Milliseconds()
	if _, err := tx.Exec(ctx, `UPDATE repo_manifest SET deleted_ms = $3, pin_until_ms = $4 WHERE repo_id = $1 AND manifest_id = $2`,
		repo.ID, id, del.now, end); err != nil {
		return nil, err
	}
	if err := reviewTx(ctx, tx, reviewManifest, repo.ID, id, end); err != nil {
		return nil, err
	}
	return names, r.logDeletedTx(ctx, tx, repo, d, names)
}

// refuseChildTx refuses the deletion of a manifest that an index needs.
func refuseChildTx(ctx context.Context, tx db.Tx, repo Repository, d digest.Digest) error {
	var parent digest.Digest
	err := tx.QueryRow(ctx, `SELECT p.digest FROM manifest_child c
		JOIN repo_manifest rm ON rm.repo_id = c.repo_id AND rm.manifest_id = c.parent_id AND rm.deleted_ms IS NULL
		JOIN manifest p ON p.id = c.parent_id
		WHERE c.repo_id = $1 AND c.child = $2 LIMIT 1`, repo.ID, d).Scan(&parent)
	if err != nil {
		return ignoreNoRows(err)
	}
	return problem.New(problem.Unsupported, "the manifest %s cannot be deleted while the index %s names it: delete the index first", d, parent).
		WithCode("UNSUPPORTED").WithDetail(map[string]string{"index": parent.String()})
}

// closeAllTx ends all tags on a manifest, then those that are about it.
func (d deletion) closeAllTx(ctx context.Context, tx db.Tx, id int64, about digest.Digest) ([]string, error) {
	own, err := periodsTx(ctx, tx, d.repo, `manifest_id = $2`, id)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(own, d.kept); i >= 0 {
		return nil, tagImmutable("delete", own[i].name)
	}
	names, err := d.closeTx(ctx, tx, own)
	if err != nil {
		return nil, err
	}
	companions, err := d.closeCompanionsTx(ctx, tx, about)
	return append(names, companions...), err
}

// closeCompanionsTx ends the tags that are about an image by their names, since they mean nothing without it. Immutable
// ones stay: nobody asked for their end.
func (d deletion) closeCompanionsTx(ctx context.Context, tx db.Tx, about digest.Digest) ([]string, error) {
	companions, err := periodsTx(ctx, tx, d.repo, `about = $2`, about)
	if err != nil {
		return nil, err
	}
	return d.closeTx(ctx, tx, slices.DeleteFunc(companions, d.kept))
}

// DeleteTag ends a tag, and with the last one of an image those of its signatures and the like. The manifests stay
// readable by digest until they are collected. MANIFEST_UNKNOWN when the tag is not live, TAG_IMMUTABLE.
func (r *Registry) DeleteTag(ctx context.Context, repo Repository, name string) error {
	return r.db.Hard(ctx, "delete tag", func(ctx context.Context, tx db.Tx) error {
		window, err := admitTx(ctx, tx, repo, 0, db.Exclusive)
		if err != nil {
			return err
		}
		d := r.deletion(repo, window)
		p, err := liveTagTx(ctx, tx, repo, name, d.now)
		if err != nil {
			return err
		}
		if d.kept(p) {
			return tagImmutable("delete", name)
		}
		if _, err := d.closeTx(ctx, tx, []period{p}); err != nil {
			return err
		}
		companions, err := d.afterTagTx(ctx, tx, p.manifestID)
		if err != nil {
			return err
		}
		entries := []map[string]any{{"tag": name}}
		for _, tag := range companions {
			entries = append(entries, map[string]any{"tag": tag})
		}
		return r.logTx(ctx, tx, "delete_tag", repo, entries...)
	})
}

// afterTagTx closes an image's companions when it has no live tag left, and gives their names.
func (d deletion) afterTagTx(ctx context.Context, tx db.Tx, id int64) ([]string, error) {
	var image digest.Digest
	err := tx.QueryRow(ctx, `SELECT m.digest FROM manifest m WHERE m.id = $2 AND NOT EXISTS (
		SELECT 1 FROM tag t WHERE t.repo_id = $1 AND t.manifest_id = $2 AND (t.expires_ms IS NULL OR t.expires_ms > $3))`,
		d.repo.ID, id, d.now).Scan(&image)
	if err != nil {
		return nil, ignoreNoRows(err)
	}
	return d.closeCompanionsTx(ctx, tx, image)
}
