package registry_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/registry"
)

// shown lists periods as a page shows them, then "more" if there are more.
func (f *fixture) shown(page, limit int) (list []string) {
	f.t.Helper()
	tags, more, err := f.reg.TagHistory(f.t.Context(), f.repo, registry.TagFilter{Page: page, Limit: limit})
	if err != nil {
		f.t.Fatal(err)
	}
	for _, tag := range tags {
		list = append(list, fmt.Sprintf("%s %d %v", tag.Name, tag.Start.UnixMilli(), tag.Live))
	}
	if more {
		list = append(list, "more")
	}
	return list
}

// TestPagesOfPeriodsAreThoseOfTheWholeList: whichever pages were looked at before, in whatever order, and whatever was
// changed since.
func TestPagesOfPeriodsAreThoseOfTheWholeList(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, remembering)
		a, b := f.image(f.repo, "a", nil), f.image(f.repo, "b", nil)
		check := func(step string) {
			t.Helper()
			all := f.shown(1, 1000)
			for range 2 { // the second time from memory
				for _, limit := range []int{1, 3, 4} {
					pages := (len(all) + limit - 1) / limit
					for n := range pages + 1 {
						page := (n*3)%(pages+1) + 1
						if n >= pages/2 {
							page = n + 1
						}
						first := min((page-1)*limit, len(all))
						want := append([]string(nil), all[first:min(first+limit, len(all))]...)
						if first+limit < len(all) {
							want = append(want, "more")
						}
						if diff := cmp.Diff(want, f.shown(page, limit)); diff != "" {
							t.Fatalf("%s, page %d of %d: %s", step, page, limit, diff)
						}
					}
				}
			}
		}
		check("no tag")
		f.push(a, "one", "two", "three", "four", "five")
		check("five tags")
		f.push(b, "one", "three", "six")
		f.deleteTag("two")
		check("moved and deleted")
		f.push(a, "two", "one")
		check("moved back")
		if err := f.reg.PurgeTag(t.Context(), f.repo, "one", registry.Purge{Digest: b.digest()}); err != nil {
			t.Fatal(err)
		}
		check("a past period removed")
		if err := f.reg.PurgeTag(t.Context(), f.repo, "six", registry.Purge{Digest: b.digest(), Live: true}); err != nil {
			t.Fatal(err)
		}
		check("a live tag removed")
		if _, err := f.reg.DeleteManifest(t.Context(), f.repo, a.digest()); err != nil {
			t.Fatal(err)
		}
		check("an image deleted")
	})
}
