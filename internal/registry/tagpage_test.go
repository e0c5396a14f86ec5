package registry_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/registry"
)

// page reads a page of tags as the names, then "more" if names follow.
func (f *fixture) page(after string, limit int) string {
	f.t.Helper()
	page, err := f.reg.TagPage(f.t.Context(), f.repo, after, limit)
	if err != nil {
		f.t.Fatal(err)
	}
	names := []string{}
	if err := json.Unmarshal([]byte(page.JSON), &names); err != nil || names == nil {
		f.t.Fatalf("the page is %s: %v", page.JSON, err)
	}
	if len(names) > 0 && names[len(names)-1] != page.Last {
		f.t.Errorf("the last of %s is given as %q", page.JSON, page.Last)
	}
	if page.More {
		names = append(names, "more")
	}
	return strings.Join(names, " ")
}

func TestAPageOfTagsIsAsOfNow(t *testing.T) {
	for name, memory := range map[string]int64{"remembered": registry.DefaultMemory, "asked": 0} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				f := newFixture(t, d, func(o *registry.Options) { o.Memory = memory })
				want := func(pages ...string) {
					t.Helper()
					for range 2 {
						got := []string{f.page("", 2), f.page("b", 2), f.page("", 10), f.page("", 0)}
						if diff := cmp.Diff(pages, got); diff != "" {
							t.Fatal(diff)
						}
					}
				}
				want("", "", "", "")
				a, b := f.image(f.repo, "a", nil), f.image(f.repo, "b", nil)
				f.push(a, "a", "b")
				want("a b", "", "a b", "")
				f.push(b, "c", "d")
				want("a b more", "c d", "a b c d", "")
				f.push(b, "a") // moves a tag, changes no name
				want("a b more", "c d", "a b c d", "")
				f.deleteTag("b")
				want("a c more", "c d", "a c d", "")
				if _, err := f.reg.DeleteManifest(t.Context(), f.repo, b.digest()); err != nil {
					t.Fatal(err)
				}
				want("", "", "", "")
			})
		})
	}
}

func TestATagExpiresOnARememberedPage(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, remembering)
		f.push(f.image(f.repo, "a", nil), "a", "b", "c")
		f.exec(`UPDATE tag SET expires_ms = $1 WHERE name = 'b'`, db.Millis(f.clock().Add(time.Minute)))
		f.reg.Forget()
		for _, step := range []struct {
			pass time.Duration
			want string
		}{{0, "a b more"}, {time.Minute - 1, "a b more"}, {1, "a c"}, {time.Hour, "a c"}, {-time.Hour - 1, "a b more"}} {
			f.pass(step.pass)
			if got := f.page("", 2); got != step.want {
				t.Errorf("after another %s: %s", step.pass, got)
			}
		}
	})
}

// TestPagesNeverGoBack has readers look while tags come and go: what was asked before a change is not found after it.
func TestPagesNeverGoBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, remembering)
		image := f.image(f.repo, "a", nil)
		f.push(image, "a")
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for ctx.Err() == nil {
					_, _ = f.reg.TagPage(ctx, f.repo, "", 10)
				}
			})
		}
		for n := range 40 {
			f.push(image, "b")
			if got := f.page("", 10); got != "a b" {
				t.Errorf("after push %d: %s", n, got)
			}
			f.deleteTag("b")
			if got := f.page("", 10); got != "a" {
				t.Errorf("after deletion %d: %s", n, got)
			}
		}
		stop()
		wg.Wait()
	})
}

func TestARememberedPageAsksNoDatabase(t *testing.T) {
	d, err := db.Open(t.Context(), dbtest.Options(dbtest.URI(t, dbtest.SQLite)))
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, d, remembering)
	f.push(f.image(f.repo, "a", nil), "a", "b")
	want := f.page("", 1)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got := f.page("", 1); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := f.reg.TagPage(t.Context(), f.repo, "a", 1); err == nil {
		t.Error("a page that was never asked for is known")
	}
}
