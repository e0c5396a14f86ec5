package registry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// period is a live tag's row.
type period struct {
	name       string
	manifestID int64
	startMs    int64
	expiresMs  *int64 // nil: never
	flags      int64
}

// alive reports whether the tag can still be pulled; a worker moves expired rows to the history later.
func (p period) alive(now int64) bool { return p.expiresMs == nil || *p.expiresMs > now }

// end is when the period ends if it is closed now: never before it has lasted a millisecond, so that the periods of a
// name neither overlap nor vanish, whatever the clocks say.
func (p period) end(now int64) int64 {
	if !p.alive(now) {
		now = *p.expiresMs
	}
	return max(now, p.startMs+1)
}

// tagTx points the push's tags at its manifest. Names are taken in one order by all, so that two pushes of several
// tags wait for each other instead of for ever.
func (r *Registry) tagTx(ctx context.Context, tx db.Tx, repo Repository, id int64, c *candidate, window time.Duration) error {
	if len(c.tags) == 0 {
		return nil
	}
	t, err := r.targetTx(ctx, tx, repo, id, c.digest, window)
	if err != nil {
		return err
	}
	r.memory.forgetTags(tx, repo, c.tags...)
	for _, name := range slices.Sorted(slices.Values(c.tags)) {
		if _, err := r.moveTx(ctx, tx, name, t); err != nil {
			return err
		}
	}
	return nil
}

// target is what a tag is pointed at.
type target struct {
	repo       Repository
	manifestID int64
	digest     digest.Digest
	lifetime   time.Duration // 0: for ever
	window     time.Duration // how long the period that ends is kept
	flags      int64         // of the period that begins
}

// targetTx is a manifest with what its labels ask for: a lifetime, or that its tags stay. What stays does not expire by
// a label, unless immutable tags may.
func (r *Registry) targetTx(ctx context.Context, tx db.Tx, repo Repository, id int64, d digest.Digest, window time.Duration) (target, error) {
	t := target{repo: repo, manifestID: id, digest: d, window: window}
	lifetime, immutable, err := r.wishesTx(ctx, tx, repo, id)
	if err != nil {
		return t, err
	}
	if immutable && r.immutable.On {
		t.flags |= flagImmutable
	}
	if t.flags&flagImmutable == 0 || r.immutable.CanExpire {
		t.lifetime = lifetime
	}
	return t, nil
}

func (t target) expires(start int64) *int64 {
	if t.lifetime == 0 {
		return nil
	}
	end := start + t.lifetime.Milliseconds()
	return &end
}

// moveTx closes the live period of a name, if there is one, and opens the next where it ended. The row is locked
// while it is read; a name without row is taken by inserting one, and who comes second starts over. It gives the period
// that ended, nil when none was live.
func (r *Registry) moveTx(ctx context.Context, tx db.Tx, name string, t target) (*period, error) {
	const attempts = 10
	for range attempts {
		now := r.now()
		old, err := lockTagTx(ctx, tx, t.repo, name)
		if err == nil {
			alive := old.alive(now)
			if err := r.replaceTx(ctx, tx, old, t, now); err != nil || !alive {
				return nil, err
			}
			return &old, nil
		}
		if !errors.Is(err, db.ErrNoRows) {
			return nil, err
		}
		inserted, err := insertTagTx(ctx, tx, name, t, now)
		if err != nil || inserted {
			return nil, err
		}
	}
	return nil, problem.New(problem.Unavailable, "the tag %s is being pushed and deleted too often at the same time", name)
}

// lockTagTx reads a tag's row and keeps it from changing. db.ErrNoRows.
func lockTagTx(ctx context.Context, tx db.Tx, repo Repository, name string) (period, error) {
	p := period{name: name}
	err := tx.QueryRow(ctx, `SELECT manifest_id, start_ms, expires_ms, flags FROM tag WHERE repo_id = $1 AND name = $2`+tx.ForUpdate(),
		repo.ID, name).Scan(&p.manifestID, &p.startMs, &p.expiresMs, &p.flags)
	return p, err
}

// liveTagTx is lockTagTx for a tag that can be pulled. MANIFEST_UNKNOWN.
func liveTagTx(ctx context.Context, tx db.Tx, repo Repository, name string, now int64) (period, error) {
	p, err := lockTagTx(ctx, tx, repo, name)
	if errors.Is(err, db.ErrNoRows) || err == nil && !p.alive(now) {
		return p, manifestUnknown(Reference{Tag: name})
	}
	return p, err
}

// kept reports whether a period must not be ended by anybody: it is live and immutable.
func (r *Registry) kept(p period, now int64) bool {
	return r.immutable.On && p.flags&flagImmutable != 0 && p.alive(now)
}

func (r *Registry) replaceTx(ctx context.Context, tx db.Tx, old period, t target, now int64) error {
	if r.kept(old, now) {
		return tagImmutable("overwrite", old.name)
	}
	end := old.end(now)
	if err := recordTx(ctx, tx, t.repo, old, end, t.window); err != nil {
		return err
	}
	start := max(now, end)
	_, err := tx.Exec(ctx, `UPDATE tag SET manifest_id = $3, digest = $4, start_ms = $5, expires_ms = $6, flags = $7, about = $8
		WHERE repo_id = $1 AND name = $2`, t.repo.ID, old.name, t.manifestID, t.digest, start, t.expires(start), t.flags, about(old.name))
	return err
}

// insertTagTx opens the first period of a name, or the first after it was deleted. It reports false when the name got
// a row meanwhile.
//
// The history is read after the row is there: from then on nobody else can close a period of the name.
func insertTagTx(ctx context.Context, tx db.Tx, name string, t target, now int64) (bool, error) {
	n, err := tx.Exec(ctx, `INSERT INTO tag (repo_id, name, manifest_id, digest, start_ms, expires_ms, flags, about)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (repo_id, name) DO NOTHING`,
		t.repo.ID, name, t.manifestID, t.digest, now, t.expires(now), t.flags, about(name))
	if err != nil || n == 0 {
		return false, err
	}
	var last int64
	err = tx.QueryRow(ctx, `SELECT end_ms FROM tag_history WHERE repo_id = $1 AND name = $2 ORDER BY start_ms DESC LIMIT 1`,
		t.repo.ID, name).Scan(&last)
	if err != nil || last <= now {
		return true, ignoreNoRows(err)
	}
	_, err = tx.Exec(ctx, `UPDATE tag SET start_ms = $3, expires_ms = $4 WHERE repo_id = $1 AND name = $2`,
		t.repo.ID, name, last, t.expires(last))
	return true, err
}

// recordTx copies a period that no deletion ended to the history.
func recordTx(ctx context.Context, tx db.Tx, repo Repository, p period, end int64, window time.Duration) error {
	_, err := tx.Exec(ctx, `INSERT INTO tag_history (repo_id, name, start_ms, end_ms, manifest_id, flags, cause, purge_ms)
		VALUES ($1, $2, $3, $4, $5, $6, NULL, $7)`,
		repo.ID, p.name, p.startMs, end, p.manifestID, p.flags, end+window.Milliseconds())
	return err
}

// deletion ends periods of tags that a restore will open again together.
type deletion struct {
	memory *memory
	repo   Repository
	window time.Duration
	now    int64
	cause  uuid.UUID
	kept   func(period) bool // the tag is immutable
}

func (r *Registry) deletion(repo Repository, window time.Duration) deletion {
	now := r.now()
	return deletion{
		memory: &r.memory, repo: repo, window: window, now: now, cause: uuid.New(),
		kept: func(p period) bool { return r.kept(p, now) },
	}
}

// closeTx ends live periods and gives the names of those that could still be pulled. Only these come back together: the
// others had ended by themselves.
func (d deletion) closeTx(ctx context.Context, tx db.Tx, periods []period) ([]string, error) {
	var all, names []string
	for _, p := range periods {
		all = append(all, p.name)
		if p.alive(d.now) {
			names = append(names, p.name)
		}
	}
	d.memory.forgetTags(tx, d.repo, all...)
	for batch := range batches(all) {
		if err := d.moveToHistoryTx(ctx, tx, batch); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// moveToHistoryTx copies the rows of many names, which are locked, to the history and deletes them. They end where
// period.end says, and have a cause if they were alive.
func (d deletion) moveToHistoryTx(ctx context.Context, tx db.Tx, names []string) error {
	const alive = `(expires_ms IS NULL OR expires_ms > $2)`
	const end = `CASE WHEN ` + alive + ` AND $2 > start_ms THEN $2 WHEN NOT ` + alive + ` AND expires_ms > start_ms THEN expires_ms ELSE start_ms + 1 END`
	args := []any{d.repo.ID, d.now, d.window.Milliseconds(), d.cause.String()}
	for _, name := range names {
		args = append(args, name)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO tag_history (repo_id, name, start_ms, end_ms, manifest_id, flags, cause, purge_ms)
		SELECT repo_id, name, start_ms, `+end+`, manifest_id, flags, CASE WHEN `+alive+` THEN $4 END, `+end+` + $3
		FROM tag WHERE repo_id = $1 AND name IN (`+values(5, len(names))+`)`, args...); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM tag WHERE repo_id = $1 AND name IN (`+values(2, len(names))+`)`, append(args[:1:1], args[4:]...)...)
	return err
}

// periodsTx reads live rows of a repository by one more condition on $2, in the order of names, and locks them.
func periodsTx(ctx context.Context, tx db.Tx, repo Repository, condition string, arg any) ([]period, error) {
	found, err := tx.Query(ctx, `SELECT name, manifest_id, start_ms, expires_ms, flags FROM tag WHERE repo_id = $1 AND `+condition+
		` ORDER BY name`+tx.ForUpdate(), repo.ID, arg)
	if err != nil {
		return nil, err
	}
	var periods []period
	var p period
	err = each(found, func() {
		periods = append(periods, p)
		p = period{}
	}, &p.name, &p.manifestID, &p.startMs, &p.expiresMs, &p.flags)
	return periods, err
}

// about is the image that a tag accompanies by its name: cosign's sha256-<hex>.sig, .att and .sbom, and the
// specification's referrers tag without suffix. Zero for every other name.
func about(tag string) digest.Digest {
	rest, found := strings.CutPrefix(tag, "sha256-")
	if !found {
		return digest.Digest{}
	}
	encoded, suffix, _ := strings.Cut(rest, ".")
	switch suffix {
	case "", "sig", "att", "sbom":
	default:
		return digest.Digest{}
	}
	d, err := digest.Parse("sha256:" + encoded)
	if err != nil {
		return digest.Digest{}
	}
	return d
}
