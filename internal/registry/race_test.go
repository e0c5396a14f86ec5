package registry_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

const rounds = 15 // of two that race; enough for both orders to happen

// together runs functions at the same time, each on a connection of its own, and waits for all.
func together(fns ...func()) {
	var start, done sync.WaitGroup
	start.Add(1)
	for _, fn := range fns {
		done.Go(func() {
			start.Wait()
			fn()
		})
	}
	start.Done()
	done.Wait()
}

func TestRacingPutsOfOneTagAreOrdered(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		const pushers, pushes = 4, 6
		var images []doc
		var fns []func()
		for i := range pushers {
			images = append(images, f.image(f.repo, fmt.Sprint(i), nil))
			fns = append(fns, func() {
				for range pushes {
					if _, err := f.tryPush(images[i], "hot"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		together(fns...)
		f.checkTiles("hot", pushers*pushes)
	})
}

// checkTiles makes sure that a name's periods follow each other without gap or overlap.
func (f *fixture) checkTiles(name string, want int) {
	f.t.Helper()
	tags, _, err := f.reg.TagHistory(f.t.Context(), f.repo, registry.TagFilter{Name: name, Page: 1, Limit: 1000})
	if err != nil {
		f.t.Fatal(err)
	}
	if len(tags) != want {
		f.t.Errorf("%d periods, want %d", len(tags), want)
	}
	for i, tag := range tags {
		if tag.Live != (i == 0) {
			f.t.Errorf("period %d of %d: live %v", i, len(tags), tag.Live)
		}
		if i > 0 && (!tag.End.Equal(tags[i-1].Start) || !tag.Start.Before(tag.End)) {
			f.t.Errorf("the period from %v to %v is followed by one from %v", tag.Start, tag.End, tags[i-1].Start)
		}
	}
}

func TestRacingPushesOfSeveralTagsDoNotBlockEachOther(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		a, b := f.image(f.repo, "a", nil), f.image(f.repo, "b", nil)
		push := func(d doc, tags ...string) func() {
			return func() {
				for range rounds {
					if _, err := f.tryPush(d, tags...); err != nil {
						t.Error(err)
					}
				}
			}
		}
		together(push(a, "x", "y", "z"), push(b, "z", "y", "x"))
		for _, name := range []string{"x", "y", "z"} {
			f.checkTiles(name, 2*rounds)
		}
	})
}

func TestRacingPushAndDeletionOfATagLoseNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		a := f.image(f.repo, "a", nil)
		together(func() {
			for range rounds {
				if _, err := f.tryPush(a, "t"); err != nil {
					t.Error(err)
				}
			}
		}, func() {
			for range rounds {
				if err := f.reg.DeleteTag(t.Context(), f.repo, "t"); err != nil && !problem.HasCode(err, "MANIFEST_UNKNOWN") {
					t.Error(err)
				}
			}
		})
		f.push(a, "t")
		f.wantTag("t", a)
		if n := f.number(`SELECT COUNT(*) FROM tag_history a JOIN tag_history b ON a.repo_id = b.repo_id AND a.name = b.name
			AND a.start_ms < b.start_ms AND a.end_ms > b.start_ms`); n != 0 {
			t.Errorf("%d periods overlap", n)
		}
		if n := f.number(`SELECT COUNT(*) FROM tag_history`); n != rounds {
			t.Errorf("%d ended periods, want one for each push but the last", n)
		}
	})
}

func TestRacingPushAndDeletionOfTheRepository(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		for i := range rounds {
			repo := f.repository(f.repo.NamespaceID, fmt.Sprint("r", i))
			image := f.image(repo, "a", nil)
			push := func() error {
				_, err := f.reg.Push(t.Context(), repo, registry.Push{Tags: []string{"t"}, Bytes: image.bytes()})
				return err
			}
			tags := func() int64 { return f.number(`SELECT COUNT(*) FROM tag WHERE repo_id = $1`, repo.ID) }
			var atDeletion int64
			together(func() {
				if err := push(); err != nil {
					wantCode(t, err, problem.NotFound, "NAME_UNKNOWN")
				}
			}, func() {
				time.Sleep(time.Duration(i) * 300 * time.Microsecond)
				if err := f.reg.DeleteRepository(t.Context(), repo.ID); err != nil {
					t.Error(err)
				}
				atDeletion = tags()
			})
			wantCode(t, push(), problem.NotFound, "NAME_UNKNOWN")
			if after := tags(); after != atDeletion {
				t.Error("a deleted repository was written to")
			}
		}
	})
}

func TestRacingIndexAndDeletionOfItsChild(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		for i := range rounds {
			child := f.image(f.repo, fmt.Sprint(i), nil)
			f.push(child)
			parent := index(child)
			var pushed, deleted error
			together(func() { _, pushed = f.tryPush(parent, fmt.Sprint("t", i)) },
				func() { _, deleted = f.reg.DeleteManifest(t.Context(), f.repo, child.digest()) })
			switch {
			case pushed == nil:
				wantCode(t, deleted, problem.Unsupported, "UNSUPPORTED")
				if _, err := f.byDigest(child.digest()); err != nil {
					t.Errorf("a readable index misses its child: %v", err)
				}
			case deleted == nil:
				wantCode(t, pushed, problem.Invalid, "MANIFEST_BLOB_UNKNOWN")
			default:
				t.Errorf("both failed: %v, %v", pushed, deleted)
			}
		}
	})
}

func TestRacingReferrerAndSubjectLeaveNoEndlessPin(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		for i := range rounds {
			subject := f.image(f.repo, fmt.Sprint(i), nil)
			s := subject.desc()
			referrer := f.artifact(f.repo, "application/x.thing", &s, nil)
			push := func(d doc) func() {
				return func() {
					if _, err := f.tryPush(d); err != nil {
						t.Error(err)
					}
				}
			}
			together(push(subject), push(referrer))
			if n := f.number(`SELECT COUNT(*) FROM repo_manifest WHERE pin_until_ms = 9223372036854775807`); n != 0 {
				t.Fatalf("%d endless pins although the subject is here", n)
			}
		}
	})
}

func TestRacingCreationsOfOneRepository(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		for i := range rounds {
			var errs [3]error
			create := func(n int) func() {
				return func() {
					_, errs[n] = f.reg.CreateRepository(t.Context(), registry.NewRepository{NamespaceID: f.repo.NamespaceID, Name: fmt.Sprint("r", i)})
				}
			}
			together(create(0), create(1), create(2))
			created := 0
			for _, err := range errs {
				if err == nil {
					created++
				} else {
					wantCode(t, err, problem.Conflict, "")
				}
			}
			if created != 1 {
				t.Errorf("%d of three creations succeeded", created)
			}
		}
	})
}

// errKept ends the test's collector when something still refers to the blob.
var errKept = errors.New("kept")

// collect does to a blob what the collector does when its lease is over: C3, then C5.
func (f *fixture) collect(d desc) error {
	err := f.db.Hard(f.t.Context(), "lease ends", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM blob_ref WHERE manifest_id = 0 AND blob_id = (SELECT id FROM blob WHERE digest = $1)`, d.digest(f.t))
		return err
	})
	if err != nil {
		return err
	}
	return f.db.Hard(f.t.Context(), "collect blob", func(ctx context.Context, tx db.Tx) error {
		var id, refs int64
		if err := tx.QueryRow(ctx, `SELECT id FROM blob WHERE digest = $1`+tx.ForUpdate(), d.digest(f.t)).Scan(&id); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM blob_ref WHERE blob_id = $1`, id).Scan(&refs); err != nil {
			return err
		}
		if refs > 0 {
			return errKept
		}
		_, err := tx.Exec(ctx, `DELETE FROM blob WHERE id = $1`, id)
		return err
	})
}

func TestRacingPushAndCollectionOfABlob(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		for i := range rounds {
			image := f.image(f.repo, fmt.Sprint(i), nil)
			layer := (*image.Layers)[0]
			tag := fmt.Sprint("t", i)
			var pushed, collected error
			together(func() { _, pushed = f.tryPush(image, tag) }, func() {
				time.Sleep(time.Duration(i) * 300 * time.Microsecond)
				collected = f.collect(layer)
			})
			here := f.number(`SELECT COUNT(*) FROM blob WHERE digest = $1`, layer.digest(t))
			switch {
			case pushed == nil && errors.Is(collected, errKept) && here == 1:
				f.wantTag(tag, image)
			case pushed != nil && collected == nil && here == 0:
				wantCode(t, pushed, problem.Invalid, "MANIFEST_BLOB_UNKNOWN")
			case pushed != nil && errors.Is(collected, errKept):
				t.Errorf("refused although the blob was kept: %v", pushed)
			default:
				t.Errorf("push: %v, collection: %v, blobs %d", pushed, collected, here)
			}
		}
	})
}
