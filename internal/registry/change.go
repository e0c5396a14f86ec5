package registry

import (
	"context"
	"errors"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// TagChange is what ChangeTag does to a tag, in the order of its fields. The zero value changes nothing.
type TagChange struct {
	Expires   *time.Time    // when the tag ends by itself, the zero time for never; nil: as it is
	Immutable *bool         // nil: as it is; without effect while immutable tags are switched off
	Digest    digest.Digest // what it points at, a manifest of the repository; zero: as it is
	By        string        // the name of who asks, for the log
}

// ChangeTag changes a tag, or makes it when a digest is given: all of it or, after an error, nothing.
//
// Errors: TAG_INVALID; MANIFEST_UNKNOWN for a digest that the repository cannot show, and for a tag that is not live and
// of which only expiry or immutability is to change; TAG_IMMUTABLE; Invalid for an expiry in the past, and for one
// together with immutability unless that is allowed; those of Push that concern the repository.
func (r *Registry) ChangeTag(ctx context.Context, repo Repository, name string, c TagChange) error {
	if !ValidTag(name) {
		return tagInvalid(problem.Invalid, name)
	}
	return r.db.Hard(ctx, "change tag", func(ctx context.Context, tx db.Tx) error {
		window, err := admitTx(ctx, tx, repo, 0, db.Shared)
		if err != nil {
			return err
		}
		r.memory.forgetTags(tx, repo, name)
		if c.Expires != nil {
			if err := r.expireTx(ctx, tx, repo, name, c); err != nil {
				return err
			}
		}
		if c.Immutable != nil && r.immutable.On {
			if err := r.protectTx(ctx, tx, repo, name, c); err != nil {
				return err
			}
		}
		if c.Digest.IsZero() {
			return nil
		}
		return r.pointTx(ctx, tx, repo, name, c, window)
	})
}

// expireTx sets or removes a live tag's end.
func (r *Registry) expireTx(ctx context.Context, tx db.Tx, repo Repository, name string, c TagChange) error {
	now := r.now()
	p, err := liveTagTx(ctx, tx, repo, name, now)
	if err != nil {
		return err
	}
	var end *int64
	if !c.Expires.IsZero() {
		if r.kept(p, now) && !r.immutable.CanExpire {
			return problem.New(problem.Invalid, "Cannot set an expiration on immutable tag '%s'", name)
		}
		at := db.Millis(*c.Expires)
		if at <= now {
			return problem.New(problem.Invalid, "expiration: %s is not in the future, it is %s now",
				c.Expires.UTC().Format(time.RFC3339), db.Time(now).Format(time.RFC3339))
		}
		at = r.clampExpiry(at, p.startMs, now)
		end = &at
	}
	if _, err := tx.Exec(ctx, `UPDATE tag SET expires_ms = $3 WHERE repo_id = $1 AND name = $2`, repo.ID, name, end); err != nil {
		return err
	}
	return r.logTx(ctx, tx, "change_tag_expiration", repo, map[string]any{
		"username": c.By, "tag": name, "expiration_date": unixSeconds(end), "old_expiration_date": unixSeconds(p.expiresMs),
	})
}

// clampExpiry brings an end within what a tag may live, counted from its start. A tag that is older than the longest
// life is counted from now, so that it is not ended by being given more time.
func (r *Registry) clampExpiry(at, start, now int64) int64 {
	shortest, longest := r.expiry.Min.Milliseconds(), r.expiry.Max.Milliseconds()
	return min(max(at, start+shortest), max(start+longest, now+shortest))
}

func unixSeconds(ms *int64) any {
	if ms == nil {
		return nil
	}
	return *ms / 1000
}

// protectTx makes a live tag immutable, or free again.
func (r *Registry) protectTx(ctx context.Context, tx db.Tx, repo Repository, name string, c TagChange) error {
	p, err := liveTagTx(ctx, tx, repo, name, r.now())
	if err != nil {
		return err
	}
	if *c.Immutable && p.expiresMs != nil && !r.immutable.CanExpire {
		return problem.New(problem.Invalid, "Cannot make tag '%s' immutable while it has an expiration", name)
	}
	flags := p.flags &^ flagImmutable
	if *c.Immutable {
		flags |= flagImmutable
	}
	if _, err := tx.Exec(ctx, `UPDATE tag SET flags = $3 WHERE repo_id = $1 AND name = $2`, repo.ID, name, flags); err != nil {
		return err
	}
	return r.logTx(ctx, tx, "change_tag_immutability", repo, map[string]any{"username": c.By, "tag": name, "immutable": *c.Immutable})
}

// pointTx points a tag at a readable manifest. The repository's lock, shared, keeps the manifest readable until the
// commit: who hides one holds it alone.
func (r *Registry) pointTx(ctx context.Context, tx db.Tx, repo Repository, name string, c TagChange, window time.Duration) error {
	m, err := memberTx(ctx, tx, repo, c.Digest)
	if err != nil {
		return err
	}
	if m.deletedMs != nil {
		return manifestUnknown(Reference{Digest: c.Digest})
	}
	t, err := r.targetTx(ctx, tx, repo, m.id, c.Digest, window)
	if err != nil {
		return err
	}
	old, err := r.moveTx(ctx, tx, name, t)
	if err != nil {
		return err
	}
	kind, metadata := "create_tag", map[string]any{"username": c.By, "tag": name, "image": nil, "manifest_digest": c.Digest.String()}
	if old != nil {
		kind = "move_tag"
		was, err := digestTx(ctx, tx, old.manifestID)
		if err != nil {
			return err
		}
		metadata["original_manifest_digest"] = was.String()
	}
	return r.logTx(ctx, tx, kind, repo, metadata)
}

// membership is a manifest's row in a repository.
type membership struct {
	id        int64
	deletedMs *int64 // nil: readable
	pinMs     int64
}

// memberTx finds a manifest that a repository has or had. MANIFEST_UNKNOWN.
func memberTx(ctx context.Context, tx db.Tx, repo Repository, d digest.Digest) (membership, error) {
	var m membership
	err := tx.QueryRow(ctx, `SELECT m.id, rm.deleted_ms, rm.pin_until_ms FROM manifest m
		JOIN repo_manifest rm ON rm.repo_id = $1 AND rm.manifest_id = m.id
		WHERE m.digest = $2`, repo.ID, d).Scan(&m.id, &m.deletedMs, &m.pinMs)
	if errors.Is(err, db.ErrNoRows) {
		return m, manifestUnknown(Reference{Digest: d})
	}
	return m, err
}

func digestTx(ctx context.Context, tx db.Tx, manifestID int64) (d digest.Digest, err error) {
	err = tx.QueryRow(ctx, `SELECT digest FROM manifest WHERE id = $1`, manifestID).Scan(&d)
	return d, err
}
