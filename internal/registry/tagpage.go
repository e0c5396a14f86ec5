package registry

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/longshore-registry/longshore/internal/identity/aged"
)

// tagNames gives a page as one text, and when the first of its tags expires: a row for each name costs twice as much. No
// tag has a space in it. Neither database promises the order inside the text, and asking for it would sort what is
// sorted already.
const tagNames = `SELECT COALESCE(STRING_AGG(name, ' '), ''), MIN(expires_ms) FROM (
		SELECT name, expires_ms FROM tag WHERE repo_id = $1 AND name > $2 AND (expires_ms IS NULL OR expires_ms > $3)
		ORDER BY name LIMIT $4
	) AS page`

// TagPage is a part of the list of a repository's live tags, in byte order.
type TagPage struct {
	JSON string // the names as a JSON array
	Last string // the last name; empty on an empty page
	More bool   // whether names follow
}

// TagPage gives at most limit live tags after a name that need not exist: on SQLite from memory if nothing has changed the
// repository's tags since, else in one query.
func (r *Registry) TagPage(ctx context.Context, repo Repository, after string, limit int) (TagPage, error) {
	if limit <= 0 {
		return TagPage{JSON: "[]"}, nil
	}
	limit = min(limit, maxPage)
	now := r.now()
	page, err := r.memory.pages.get(ctx, pageName{repo.ID, after, limit}, now, func(ctx context.Context) (timedPage, error) {
		names, more, expires, err := r.tagNames(ctx, repo, after, limit, now)
		if err != nil {
			return timedPage{}, err
		}
		page := timedPage{TagPage: TagPage{JSON: "[]", More: more}, from: now, until: math.MaxInt64}
		if expires != nil {
			page.until = *expires
		}
		if len(names) > 0 {
			list, err := json.Marshal(names)
			if err != nil {
				return timedPage{}, err
			}
			page.JSON, page.Last = string(list), strings.Clone(names[len(names)-1])
		}
		return page, nil
	})
	return page.TagPage, err
}

// TagNames lists live tags in byte order, after a name that need not exist, and whether there are more.
func (r *Registry) TagNames(ctx context.Context, repo Repository, after string, limit int) (names []string, more bool, err error) {
	if limit <= 0 {
		return nil, false, nil
	}
	names, more, _, err = r.tagNames(ctx, repo, after, min(limit, maxPage), r.now())
	return names, more, err
}

// tagNames reads a page of the tags that are live now, and when the first of them expires; nil for never.
func (r *Registry) tagNames(ctx context.Context, repo Repository, after string, limit int, now int64) (names []string, more bool, expires *int64, err error) {
	var page string
	if err := r.db.QueryRow(ctx, tagNames, repo.ID, after, now, limit+1).Scan(&page, &expires); err != nil || page == "" {
		return nil, false, nil, err
	}
	names = strings.Split(page, " ")
	if !slices.IsSorted(names) {
		slices.Sort(names)
	}
	names, more = cut(names, limit)
	return names, more, expires, nil
}

// tagPages remembers pages of tags where one process makes all changes. A repository's pages are forgotten together: its
// changes are counted, and a page is found only under the count it was asked at.
//
// Why none is out of date: a change counts after its commit and before it is answered. Who reads the count after that
// finds no page that was asked before. A page that was asked before the commit and is put away after the count rose lies
// under the old one. Two repositories may share a counter, which costs no more than a query.
type tagPages struct {
	kept    *aged.Cache[countedPage, timedPage]
	places  *aged.Cache[countedOffset, place]
	changes [256]atomic.Uint64 // by the repository's number, modulo
}

type pageName struct {
	repositoryID int64
	after        string
	limit        int
}

// countedPage is a page as of so many changes.
type countedPage struct {
	pageName
	changes uint64
}

// timedPage holds for times, in Unix milliseconds, from one until another: then a tag of it expires, and before that
// one may not have.
type timedPage struct {
	TagPage
	from, until int64
}

func newTagPages(o aged.Options, bytes int64) *tagPages {
	kept := aged.NewWeighed(o, bytes/4*3, func(k countedPage, p timedPage) int { return 400 + len(k.after) + len(p.JSON) + len(p.Last) })
	kept.OwnKeys(func(k countedPage) countedPage {
		k.after = strings.Clone(k.after)
		return k
	})
	return &tagPages{kept: kept, places: aged.NewWeighed(o, bytes/4, func(_ countedOffset, p place) int { return 300 + len(p.name) })}
}

func (p *tagPages) count(repositoryID int64) *atomic.Uint64 {
	return &p.changes[uint64(repositoryID)%uint64(len(p.changes))]
}

// get gives a page as of now, from memory or by load. A nil tagPages remembers nothing.
func (p *tagPages) get(ctx context.Context, name pageName, now int64, load func(context.Context) (timedPage, error)) (timedPage, error) {
	if p == nil {
		return load(ctx)
	}
	key := countedPage{name, p.count(name.repositoryID).Load()}
	page, err := p.kept.Get(ctx, key, load)
	if err == nil && (now < page.from || now >= page.until) {
		return p.kept.Fresh(ctx, key, load)
	}
	return page, err
}

func (p *tagPages) forget(repositoryID int64) {
	if p != nil {
		p.count(repositoryID).Add(1)
	}
}

func (p *tagPages) drop() {
	if p != nil {
		p.kept.Drop()
		p.places.Drop()
	}
}
