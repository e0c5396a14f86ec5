package registry

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
)

// RestoreTag points a tag at a manifest of the repository again, one that can be read or that the history still has.
//
// If a deletion ended the tag's last period on that manifest, what ended together comes back together: the manifest
// itself, an index's manifests, the other tags on it, the tags of its signatures. A name that was used again since is
// left alone. A label that gives tags a lifetime counts from now. by is the name of who asks, for the log.
//
// Errors: MANIFEST_UNKNOWN, TAG_INVALID, TAG_IMMUTABLE, those of Push that concern the repository.
func (r *Registry) RestoreTag(ctx context.Context, repo Repository, name string, d digest.Digest, by string) error {
	if !ValidTag(name) {
		return manifestUnknown(Reference{Tag: name})
	}
	return r.db.Hard(ctx, "restore tag", func(ctx context.Context, tx db.Tx) error {
		return r.restoreTagTx(ctx, tx, repo, name, d, by)
	})
}

func (r *Registry) restoreTagTx(ctx context.Context, tx db.Tx, repo Repository, name string, d digest.Digest, by string) error {
	window, err := admitTx(ctx, tx, repo, 0, db.Exclusive)
	if err != nil {
		return err
	}
	m, err := memberTx(ctx, tx, repo, d)
	if err != nil {
		return err
	}
	s := restoration{registry: r, repo: repo, window: window, now: r.now(), by: by}
	if live, err := lockTagTx(ctx, tx, repo, name); err == nil && r.kept(live, s.now) {
		return tagImmutable("restore", name)
	} else if err != nil && !errors.Is(err, db.ErrNoRows) {
		return err
	}
	return s.restoreTx(ctx, tx, name, m, d)
}

// restoration is one call of RestoreTag, which holds the repository's lock alone.
type restoration struct {
	registry *Registry
	repo     Repository
	window   time.Duration
	now      int64
	by       string
}

func (s restoration) restoreTx(ctx context.Context, tx db.Tx, name string, m membership, d digest.Digest) error {
	cause, known, err := s.causeTx(ctx, tx, name, m.id)
	if err != nil {
		return err
	}
	if m.deletedMs != nil && !known && m.pinMs <= s.now {
		return manifestUnknown(Reference{Digest: d})
	}
	if err := s.openTx(ctx, tx, name, m.id); err != nil || cause == nil {
		return err
	}
	together, err := s.togetherTx(ctx, tx, *cause, name)
	if err != nil {
		return err
	}
	byManifest := map[int64][]lastPeriod{}
	for _, p := range together {
		byManifest[p.manifestID] = append(byManifest[p.manifestID], p)
	}
	digests := map[int64]digest.Digest{}
	for _, id := range slices.Sorted(maps.Keys(byManifest)) {
		if digests[id], err = s.reopenTx(ctx, tx, byManifest[id]); err != nil {
			return err
		}
	}
	entries := make([]map[string]any, len(together))
	for i, p := range together {
		entries[i] = s.entry(p.name, digests[p.manifestID])
	}
	return s.registry.logTx(ctx, tx, "revert_tag", s.repo, entries...)
}

// entry is what the log says about a tag that is back.
func (s restoration) entry(tag string, d digest.Digest) map[string]any {
	return map[string]any{"username": s.by, "tag": tag, "image": nil, "manifest_digest": d.String()}
}

// causeTx is the deletion that ended a name's last period on a manifest, nil when something else did; known says
// whether the history has the manifest at all, under any name.
func (s restoration) causeTx(ctx context.Context, tx db.Tx, name string, id int64) (cause *string, known bool, err error) {
	err = tx.QueryRow(ctx, `SELECT cause FROM tag_history WHERE repo_id = $1 AND name = $2 AND manifest_id = $3 AND purge_ms > $4
		ORDER BY start_ms DESC LIMIT 1`, s.repo.ID, name, id, s.now).Scan(&cause)
	if err == nil || !errors.Is(err, db.ErrNoRows) {
		return cause, err == nil, err
	}
	var found int
	err = tx.QueryRow(ctx, `SELECT 1 FROM tag_history WHERE repo_id = $1 AND manifest_id = $2 AND purge_ms > $3 LIMIT 1`,
		s.repo.ID, id, s.now).Scan(&found)
	return nil, err == nil, ignoreNoRows(err)
}

// lastPeriod is the last period of a name that has no row in tag.
type lastPeriod struct {
	name       string
	manifestID int64
	endMs      int64
}

// togetherTx gives the other periods that a deletion ended, each if it is its name's last one.
func (s restoration) togetherTx(ctx context.Context, tx db.Tx, cause, name string) ([]lastPeriod, error) {
	found, err := tx.Query(ctx, `SELECT h.name, h.manifest_id, h.end_ms FROM tag_history h
		WHERE h.repo_id = $1 AND h.cause = $2 AND h.name <> $3
			AND NOT EXISTS (SELECT 1 FROM tag t WHERE t.repo_id = h.repo_id AND t.name = h.name)
			AND NOT EXISTS (SELECT 1 FROM tag_history l WHERE l.repo_id = h.repo_id AND l.name = h.name AND l.start_ms > h.start_ms)
		ORDER BY h.name`, s.repo.ID, cause, name)
	if err != nil {
		return nil, err
	}
	var all []lastPeriod
	var p lastPeriod
	err = each(found, func() { all = append(all, p) }, &p.name, &p.manifestID, &p.endMs)
	return all, err
}

// openTx makes a manifest readable and begins a period of a tag on it.
func (s restoration) openTx(ctx context.Context, tx db.Tx, name string, id int64) error {
	t, err := s.targetTx(ctx, tx, id)
	if err != nil {
		return err
	}
	s.registry.memory.forgetTags(tx, s.repo, name)
	if _, err := s.registry.moveTx(ctx, tx, name, t); err != nil {
		return err
	}
	return s.registry.logTx(ctx, tx, "revert_tag", s.repo, s.entry(name, t.digest))
}

// reopenTx is openTx, but for the log, for the tags of a manifest that have no row. None gets one meanwhile: whoever makes tags holds the
// repository's lock too, shared.
func (s restoration) reopenTx(ctx context.Context, tx db.Tx, last []lastPeriod) (digest.Digest, error) {
	t, err := s.targetTx(ctx, tx, last[0].manifestID)
	if err != nil {
		return digest.Digest{}, err
	}
	names := make([]string, len(last))
	for i, p := range last {
		names[i] = p.name
	}
	s.registry.memory.forgetTags(tx, s.repo, names...)
	for batch := range batches(last) {
		var args []any
		for _, p := range batch {
			start := max(s.now, p.endMs)
			args = append(args, s.repo.ID, p.name, t.manifestID, t.digest, start, t.expires(start), t.flags, about(p.name))
		}
		if _, err := tx.Exec(ctx, `INSERT INTO tag (repo_id, name, manifest_id, digest, start_ms, expires_ms, flags, about)
			VALUES `+rows(len(batch), 8)+` ON CONFLICT (repo_id, name) DO NOTHING`, args...); err != nil {
			return digest.Digest{}, err
		}
	}
	return t.digest, nil
}

// targetTx makes a manifest readable, to point tags at it again.
func (s restoration) targetTx(ctx context.Context, tx db.Tx, id int64) (target, error) {
	if err := s.revealTx(ctx, tx, id); err != nil {
		return target{}, err
	}
	d, err := digestTx(ctx, tx, id)
	if err != nil {
		return target{}, err
	}
	t, err := s.registry.targetTx(ctx, tx, s.repo, id, d, s.window)
	t.flags |= flagReversion
	return t, err
}

// revealTx makes a manifest readable again, and with an index what it names: a readable manifest never misses a part.
// The repository still has the children, since their parent keeps them.
func (s restoration) revealTx(ctx context.Context, tx db.Tx, id int64) error {
	for waiting := []int64{id}; len(waiting) > 0; {
		next := waiting[0]
		waiting = waiting[1:]
		n, err := tx.Exec(ctx, `UPDATE repo_manifest SET deleted_ms = NULL WHERE repo_id = $1 AND manifest_id = $2 AND deleted_ms IS NOT NULL`,
			s.repo.ID, next)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		d, err := digestTx(ctx, tx, next)
		if err != nil {
			return err
		}
		s.registry.memory.forgetMember(tx, s.repo, d)
		children, err := childrenTx(ctx, tx, s.repo, next)
		if err != nil {
			return err
		}
		waiting = append(waiting, children...)
	}
	return nil
}

// childrenTx gives the manifests that an index names and the repository has, readable or not.
func childrenTx(ctx context.Context, tx db.Tx, repo Repository, parent int64) ([]int64, error) {
	found, err := tx.Query(ctx, `SELECT m.id FROM manifest_child c
		JOIN manifest m ON m.digest = c.child
		JOIN repo_manifest rm ON rm.repo_id = c.repo_id AND rm.manifest_id = m.id
		WHERE c.repo_id = $1 AND c.parent_id = $2 ORDER BY m.id`, repo.ID, parent)
	if err != nil {
		return nil, err
	}
	var all []int64
	var id int64
	err = each(found, func() { all = append(all, id) }, &id)
	return all, err
}
