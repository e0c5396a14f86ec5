package registry

import (
	"strings"

	"github.com/longshore-registry/longshore/internal/db"
)

// place is where a page of all periods begins: at the first that is not newer. No two periods of a name start together.
type place struct {
	start int64 // Unix milliseconds
	name  string
}

// countedOffset is how many of a repository's periods come before a place, as of so many changes.
type countedOffset struct {
	repositoryID, offset int64
	changes              uint64
}

// turning is a page that is being looked at, and where it begins if that is remembered.
type turning struct {
	pages *tagPages // nil: nothing is remembered
	key   countedOffset
	begin *place // nil: periods are counted from the newest on
}

// turn looks up where a page begins. The contract's page numbers would have each page pass over all that come before it;
// who follows the list, or comes back to a page, passes over none. That is remembered where one process makes all changes
// (see tagPages), for the list of all periods: what is live depends on the time, too.
func (p *tagPages) turn(repo Repository, f TagFilter) turning {
	if p == nil || f.Name != "" || f.Like != "" || f.OnlyLive {
		return turning{}
	}
	t := turning{pages: p, key: countedOffset{repo.ID, (int64(f.Page) - 1) * int64(f.Limit), p.count(repo.ID).Load()}}
	if known, ok := p.places.Kept(t.key); ok && t.key.offset > 0 {
		t.begin = &known
	}
	return t
}

// keep remembers where the page began and where the next one does. Of the periods the last is the next page's, if there
// are more than limit.
func (t turning) keep(periods []Tag, limit int) {
	if t.pages == nil || len(periods) == 0 {
		return
	}
	t.keepOne(0, periods[0])
	if len(periods) > limit {
		t.keepOne(limit, periods[limit])
	}
}

func (t turning) keepOne(after int, first Tag) {
	t.key.offset += int64(after)
	t.pages.places.Keep(t.key, place{db.Millis(first.Start), strings.Clone(first.Name)})
}
