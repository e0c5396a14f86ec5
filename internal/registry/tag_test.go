package registry_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

func (f *fixture) wantHistory(want ...string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.history(registry.TagFilter{})); diff != "" {
		f.t.Errorf("history: %s", diff)
	}
}

func TestAMovedTagLeavesItsPeriodInTheHistory(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		a, b := f.image(f.repo, "a", nil), f.image(f.repo, "b", nil)
		f.push(a, "t")
		f.pass(10 * time.Millisecond)
		f.push(b, "t")
		f.wantTag("t", b)
		if _, err := f.byDigest(a.digest()); err != nil {
			t.Errorf("the digest the tag moved away from: %v", err)
		}
		f.pass(5 * time.Millisecond)
		f.push(b, "t") // the same digest again begins a period of its own
		f.wantHistory("t 15- live", "t 10-15 ended", "t 0-10 ended")
		if purge, want := f.number(`SELECT purge_ms FROM tag_history WHERE start_ms = $1`, db.Millis(f.clock())-15), db.Millis(f.clock().Add(window))-5; purge != want {
			t.Errorf("purged at %d, want the window after its end %d", purge, want)
		}
	})
}

func TestPeriodsTileThoughTheClockStandsStillOrGoesBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		a, b := f.image(f.repo, "a", nil), f.image(f.repo, "b", nil)
		f.push(a, "t")
		f.push(b, "t")
		f.pass(-time.Hour)
		f.push(a, "t")
		f.wantHistory("t 2- live", "t 1-2 ended", "t 0-1 ended")
		f.deleteTag("t")
		f.push(b, "t")
		f.wantHistory("t 3- live", "t 2-3 ended", "t 1-2 ended", "t 0-1 ended")
	})
}

func (f *fixture) deleteTag(name string) {
	f.t.Helper()
	if err := f.reg.DeleteTag(f.t.Context(), f.repo, name); err != nil {
		f.t.Fatal(err)
	}
}

func TestExpiryIsDecidedByTheReader(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image := f.image(f.repo, "a", map[string]string{"quay.expires-after": "2h"})
		f.push(image, "short", "twin")
		f.pass(2*time.Hour - time.Millisecond)
		f.wantTag("short", image)
		f.pass(time.Millisecond)
		_, err := f.byTag("short")
		p := wantCode(t, err, problem.NotFound, "TAG_EXPIRED")
		if want := "Tag short was deleted or has expired. To pull, revive via time machine"; p.Message != want {
			t.Errorf("message %q, want %q", p.Message, want)
		}
		f.wantTags()
		wantCode(t, f.reg.DeleteTag(t.Context(), f.repo, "short"), problem.NotFound, "MANIFEST_UNKNOWN")
		f.pass(time.Hour)
		plain := f.image(f.repo, "b", nil)
		f.push(plain, "short")
		const h = 3_600_000
		f.wantHistory(fmt.Sprintf("short %d- live", 3*h), fmt.Sprintf("twin 0-%d ended", 2*h), fmt.Sprintf("short 0-%d ended", 2*h))
		_, err = f.byTag("never")
		wantCode(t, err, problem.NotFound, "MANIFEST_UNKNOWN")
	})
}

func TestTheLabelThatEndsATag(t *testing.T) {
	tests := []struct {
		name               string
		config, annotation string // "": without the label
		want               time.Duration
	}{
		{"of the config", "3h", "", 3 * time.Hour},
		{"of an annotation, which wins", "3h", "4h", 4 * time.Hour},
		{"in days", "2d", "", 48 * time.Hour},
		{"in weeks", "1w", "", 168 * time.Hour},
		{"below the minimum", "1s", "", time.Hour},
		{"above the maximum", "1000w", "", 104 * 168 * time.Hour},
		{"above every number", "99999999999999999999w", "", 104 * 168 * time.Hour},
		{"zero", "0m", "", time.Hour},
		{"without unit", "10", "", 0},
		{"negative", "-1h", "", 0},
		{"a word", "soon", "", 0},
		{"empty", "", "", 0},
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		for i, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				labels := map[string]string{}
				if tt.config != "" {
					labels["quay.expires-after"] = tt.config
				}
				image := f.image(f.repo, fmt.Sprint(i), labels)
				if tt.annotation != "" {
					image.Annotations = map[string]string{"quay.expires-after": tt.annotation}
				}
				tag := fmt.Sprint("t", i)
				f.push(image, tag)
				for again := range 2 { // the second time the label comes from the table
					got := f.number(`SELECT expires_ms - start_ms FROM tag WHERE name = $1`, tag)
					want := tt.want.Milliseconds()
					if want == 0 {
						want = -1
					}
					if got != want {
						t.Errorf("push %d: lives %d ms, want %d", again, got, want)
					}
					f.pass(time.Second)
					f.push(image, tag)
				}
			})
		}
	})
}

func TestLabels(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		labels := func(d doc) map[string]string {
			t.Helper()
			rows, err := f.db.Query(t.Context(), `SELECT l.key, l.value, l.media_type FROM manifest_label l JOIN manifest m ON m.id = l.manifest_id
				WHERE m.digest = $1 AND l.source = 1`, d.digest())
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			all := map[string]string{}
			for rows.Next() {
				var key, value, mediaType string
				if err := rows.Scan(&key, &value, &mediaType); err != nil {
					t.Fatal(err)
				}
				all[key] = value + " as " + mediaType
			}
			return all
		}
		want := func(d doc, want map[string]string) {
			t.Helper()
			if diff := cmp.Diff(want, labels(d)); diff != "" {
				t.Error(diff)
			}
		}
		image := f.image(f.repo, "a", map[string]string{"a": "1", "both": "config", "": "dropped", "nul": "\x00", "json": `{"x":1}`})
		image.Annotations = map[string]string{"both": "annotation"}
		f.push(image)
		f.push(image, "again")
		want(image, map[string]string{"a": "1 as text/plain", "both": "annotation as text/plain", "json": `{"x":1} as application/json`})

		other := f.image(f.repo, "b", map[string]string{"a": "1", "both": "other"})
		f.push(other)
		i := index(image, other, image)
		i.Annotations = map[string]string{"own": "not taken"}
		f.push(i, "index")
		want(i, map[string]string{"a": "1 as text/plain"})

		nested := index(i)
		f.push(nested, "nested")
		want(nested, map[string]string{})

		artifact := f.artifact(f.repo, "application/x.thing", nil, map[string]string{"of": "artifact"})
		f.push(artifact, "artifact")
		want(artifact, map[string]string{"of": "artifact as text/plain"})
	})
}

func TestTagNamesPageInByteOrder(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.push(f.image(f.repo, "a", nil), "b", "B", "a_", "a-", "a", "_", "10", "9")
		f.push(f.image(f.repo, "x", map[string]string{"quay.expires-after": "1h"}), "aa")
		f.pass(time.Hour)
		f.deleteTag("9")
		sorted := []string{"10", "B", "_", "a", "a-", "a_", "b"}
		f.wantTags(sorted...)
		tests := []struct {
			after string
			limit int
			want  []string
			more  bool
		}{
			{"", 0, nil, false},
			{"", -1, nil, false},
			{"", 3, sorted[:3], true},
			{"_", 3, sorted[3:6], true},
			{"a_", 3, sorted[6:], false},
			{"b", 3, nil, false},
			{"aa", 1 << 60, sorted[6:], false}, // not a live tag
			{"", 7, sorted, false},
		}
		for _, tt := range tests {
			got, more, err := f.reg.TagNames(t.Context(), f.repo, tt.after, tt.limit)
			if diff := cmp.Diff(tt.want, got); diff != "" || more != tt.more || err != nil {
				t.Errorf("after %q, %d: %s more %v %v", tt.after, tt.limit, diff, more, err)
			}
		}
	})
}

func TestTagHistoryFiltersAndPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		a, b := f.image(f.repo, "a", nil), f.image(f.repo, "b", nil)
		f.push(b)
		i := index(b)
		for _, step := range []func(){
			func() { f.push(a, "v1.0") }, func() { f.push(b, "v1.0") }, func() { f.push(a, "V2_x") }, func() { f.push(i, "list") }, func() { f.deleteTag("V2_x") },
		} {
			step()
			f.pass(time.Second)
		}
		all := []string{"list 3000- live", "V2_x 2000-4000 ended", "v1.0 1000- live", "v1.0 0-1000 ended"}
		tests := []struct {
			name   string
			filter registry.TagFilter
			want   []string
		}{
			{"all", registry.TagFilter{}, all},
			{"live ones", registry.TagFilter{OnlyLive: true}, []string{all[0], all[2]}},
			{"one name", registry.TagFilter{Name: "v1.0"}, all[2:]},
			{"one name is exact", registry.TagFilter{Name: "v1"}, nil},
			{"part of a name, case ignored", registry.TagFilter{Like: "v"}, all[1:]},
			{"a wildcard means itself", registry.TagFilter{Like: "1_0"}, nil},
			{"an underscore means itself", registry.TagFilter{Like: "2_X"}, all[1:2]},
			{"a percent sign means itself", registry.TagFilter{Like: "%"}, nil},
			{"live ones of a name", registry.TagFilter{Name: "v1.0", OnlyLive: true}, all[2:3]},
			{"the first page", registry.TagFilter{Page: 1, Limit: 3}, all[:3]},
			{"the second page", registry.TagFilter{Page: 2, Limit: 3}, all[3:]},
			{"a page beyond the end", registry.TagFilter{Page: 3, Limit: 3}, nil},
			{"no page", registry.TagFilter{Page: 0, Limit: 3}, nil},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				if diff := cmp.Diff(tt.want, f.history(tt.filter)); diff != "" {
					t.Error(diff)
				}
			})
		}
		tags, more, err := f.reg.TagHistory(t.Context(), f.repo, registry.TagFilter{Page: 1, Limit: 3})
		if err != nil || !more {
			t.Fatalf("more %v, %v", more, err)
		}
		if !tags[0].IsIndex || tags[0].Size != 0 || tags[1].IsIndex || tags[1].Size != (*a.Layers)[0].Size || tags[1].Digest != a.digest() {
			t.Errorf("got %+v", tags[:2])
		}
	})
}
