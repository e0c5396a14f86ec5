package registry

import (
	"context"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
)

// What a list gives at once, whatever was asked for, and how far a list that pages by number goes.
const (
	maxPage  = 10_000
	maxPages = 1_000_000
)

// cut takes the one entry that was asked for beyond a page as the sign that there are more.
func cut[T any](list []T, limit int) ([]T, bool) {
	if len(list) > limit {
		return list[:limit], true
	}
	return list, false
}

// TagFilter chooses periods of tags.
type TagFilter struct {
	Name     string // exactly this name (specificTag, eq:); empty for all
	Like     string // names that contain it, case ignored (like:); empty for all
	OnlyLive bool
	Page     int // from 1
	Limit    int // entries a page
}

// The bits of tag.flags.
const (
	flagReversion = 1 // a restore opened the period
	flagImmutable = 2 // nobody ends the period
)

// TagHistory lists periods of tags, newest start first, and whether there are more.
func (r *Registry) TagHistory(ctx context.Context, repo Repository, f TagFilter) (tags []Tag, more bool, err error) {
	if f.Limit <= 0 || f.Page <= 0 || f.Page > maxPages {
		return nil, false, nil
	}
	f.Limit = min(f.Limit, maxPage)
	now := r.now()
	turned := r.memory.pages.turn(repo, f)
	found, err := r.periods(ctx, repo, f, turned.begin, now)
	if err != nil || found == nil {
		return nil, false, err
	}
	var t Tag
	var start, flags, kind int64
	var end, layers *int64
	var live bool
	err = each(found, func() {
		t.Start = db.Time(start)
		t.Live = live && (end == nil || *end > now)
		t.Reversion = flags&flagReversion != 0
		t.Immutable = r.immutable.On && flags&flagImmutable != 0
		t.IsIndex = kind == 2 || kind == 4
		if end != nil {
			t.End = db.Time(*end)
		}
		if layers != nil {
			t.Size = *layers
		}
		tags = append(tags, t)
		t = Tag{}
	}, &t.Name, &start, &end, &live, &flags, &t.Digest, &t.MediaType, &kind, &layers)
	if err != nil {
		return nil, false, err
	}
	turned.keep(tags, f.Limit)
	tags, more = cut(tags, f.Limit)
	return tags, more, nil
}

// historyQuery puts live and ended periods together. The API pages by number, so this is the one list with an offset.
// What is skipped and what is shown is chosen on two indexes that hold all it takes, each read in the page's order and
// no further than the page; only the page's own rows are looked up. From begin on, nothing is skipped.
func historyQuery(d db.Dialect, repo Repository, f TagFilter, begin *place, now int64) (string, []any) {
	args := []any{repo.ID, f.Limit + 1, (int64(f.Page) - 1) * int64(f.Limit)}
	param := func(v any) string {
		args = append(args, v)
		return values(len(args), 1)
	}
	where, start := ` WHERE repo_id = $1`, `start_ms`
	if f.Name != "" {
		start = `start_ms + 0` // a name has one live period: PostgreSQL must not look for it along the index of all starts
		where += ` AND name = ` + param(f.Name)
	}
	if f.Like != "" {
		where += ` AND ` + likeName(d, f.Like, param)
	}
	if begin != nil {
		args[2] = 0
		from := param(begin.start)
		where += ` AND start_ms <= ` + from + ` AND (start_ms < ` + from + ` OR name <= ` + param(begin.name) + `)`
	}
	page := `SELECT name, ` + start + ` AS start_ms, 1 AS live FROM tag` + where + ` AND (expires_ms IS NULL OR expires_ms > ` + param(now) + `)`
	if !f.OnlyLive { // the conditions stand outside, or PostgreSQL sorts both tables instead of merging their indexes
		args = args[:len(args)-1]
		page = `SELECT name, start_ms, live FROM (SELECT repo_id, name, ` + start + ` AS start_ms, 1 AS live FROM tag
			UNION ALL SELECT repo_id, name, start_ms, 0 AS live FROM tag_history) AS periods` + where
	}
	return periodRows(page + pageOrder), args
}

// pageOrder is the order and the part of the list that a page shows.
const pageOrder = ` ORDER BY start_ms DESC, name DESC LIMIT $2 OFFSET $3`

// periodRows looks up what a page shows of its periods.
func periodRows(page string) string {
	return `SELECT p.name, p.start_ms, CASE WHEN p.live = 1 THEN t.expires_ms ELSE h.end_ms END, p.live, COALESCE(t.flags, h.flags),
			m.digest, m.media_type, m.kind, m.layers_size
		FROM (` + page + `) AS p
		LEFT JOIN tag t ON p.live = 1 AND t.repo_id = $1 AND t.name = p.name
		LEFT JOIN tag_history h ON p.live = 0 AND h.repo_id = $1 AND h.name = p.name AND h.start_ms = p.start_ms
		JOIN manifest m ON m.id = COALESCE(t.manifest_id, h.manifest_id)
		ORDER BY p.start_ms DESC, p.name DESC`
}

// ChildPresence says for each of the indexes which of the manifests it names the repository can show. It reads about
// most rows, one for each such manifest and one for an index without any, and leaves out the indexes for which that is
// not enough; those with the lower digests come first.
func (r *Registry) ChildPresence(ctx context.Context, repo Repository, indexes []digest.Digest, most int) (map[digest.Digest]map[digest.Digest]bool, error) {
	all := map[digest.Digest]map[digest.Digest]bool{}
	for batch := range batches(indexes) {
		args := []any{repo.ID, most + 1}
		for _, d := range batch {
			args = append(args, d)
		}
		found, err := r.db.Query(ctx, childPresence(len(batch)), args...)
		if err != nil {
			return nil, err
		}
		var parent, child digest.Digest
		var present bool
		err = each(found, func() {
			most--
			if all[parent] == nil {
				all[parent] = map[digest.Digest]bool{}
			}
			if !child.IsZero() {
				all[parent][child] = present
			}
		}, &parent, &child, &present)
		if err != nil {
			return nil, err
		}
		if most < 0 { // there are more rows, of the last index perhaps
			delete(all, parent)
			break
		}
	}
	return all, nil
}

// childPresence reads what so many indexes name, index by index.
func childPresence(indexes int) string {
	return `SELECT p.digest, c.child, CASE WHEN rm.manifest_id IS NULL THEN 0 ELSE 1 END FROM manifest p
		LEFT JOIN manifest_child c ON c.repo_id = $1 AND c.parent_id = p.id
		LEFT JOIN manifest m ON m.digest = c.child
		LEFT JOIN repo_manifest rm ON rm.repo_id = $1 AND rm.manifest_id = m.id AND rm.deleted_ms IS NULL
		WHERE p.digest IN (` + values(3, indexes) + `) ORDER BY p.digest LIMIT $2`
}
