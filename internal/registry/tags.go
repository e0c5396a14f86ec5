package registry

import (
	"context"
	"slices"
	"strings"

	"github.com/longshore-registry/longshore/internal/db"
)

// What a list gives at once, whatever was asked for, and how far a list that pages by number goes.
const (
	maxPage  = 10_000
	maxPages = 1_000_000
)

// tagNames gives a page as one text: a row for each name costs twice as much. No tag has a space in it. Neither
// database promises the order inside the text, and asking for it would sort what is sorted already.
const tagNames = `SELECT COALESCE(STRING_AGG(name, ' '), '') FROM (
		SELECT name FROM tag WHERE repo_id = $1 AND name > $2 AND (expires_ms IS NULL OR expires_ms > $3)
		ORDER BY name LIMIT $4
	) AS page`

// TagNames lists live tags in byte order, after a name that need not exist, and whether there are more.
func (r *Registry) TagNames(ctx context.Context, repo Repository, after string, limit int) (names []string, more bool, err error) {
	if limit <= 0 {
		return nil, false, nil
	}
	limit = min(limit, maxPage)
	var page string
	if err := r.db.QueryRow(ctx, tagNames, repo.ID, after, r.now(), limit+1).Scan(&page); err != nil {
		return nil, false, err
	}
	if page == "" {
		return nil, false, nil
	}
	names = strings.Split(page, " ")
	if !slices.IsSorted(names) {
		slices.Sort(names)
	}
	names, more = cut(names, limit)
	return names, more, nil
}

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

// flagReversion marks a period that a restore opened (tag.flags).
const flagReversion = 1

// TagHistory lists periods of tags, newest start first, and whether there are more.
func (r *Registry) TagHistory(ctx context.Context, repo Repository, f TagFilter) (tags []Tag, more bool, err error) {
	if f.Limit <= 0 || f.Page <= 0 || f.Page > maxPages {
		return nil, false, nil
	}
	f.Limit = min(f.Limit, maxPage)
	now := r.now()
	query, args := historyQuery(repo, f, now)
	found, err := r.db.Query(ctx, query, args...)
	if err != nil {
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
	tags, more = cut(tags, f.Limit)
	return tags, more, nil
}

// historyQuery puts live and ended periods together. The API pages by number, so this is the one list with an offset.
func historyQuery(repo Repository, f TagFilter, now int64) (string, []any) {
	args := []any{repo.ID, f.Limit + 1, (int64(f.Page) - 1) * int64(f.Limit)}
	param := func(v any) string {
		args = append(args, v)
		return values(len(args), 1)
	}
	where := `WHERE repo_id = $1`
	if f.Name != "" {
		where += ` AND name = ` + param(f.Name)
	}
	if f.Like != "" {
		where += ` AND LOWER(name) LIKE ` + param("%"+likeEscape(strings.ToLower(f.Like))+"%") + ` ESCAPE '\'`
	}
	periods := `SELECT name, start_ms, expires_ms AS end_ms, 1 AS live, flags, manifest_id FROM tag ` + where
	if f.OnlyLive {
		periods += ` AND (expires_ms IS NULL OR expires_ms > ` + param(now) + `)`
	} else {
		periods += ` UNION ALL SELECT name, start_ms, end_ms, 0 AS live, flags, manifest_id FROM tag_history ` + where
	}
	return `SELECT p.name, p.start_ms, p.end_ms, p.live, p.flags, m.digest, m.media_type, m.kind, m.layers_size
		FROM (` + periods + `) AS p JOIN manifest m ON m.id = p.manifest_id
		ORDER BY p.start_ms DESC, p.name DESC LIMIT $2 OFFSET $3`, args
}

// likeEscape makes a text match itself in a LIKE pattern.
func likeEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
