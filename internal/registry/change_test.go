package registry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

func protecting(o *registry.Options) { o.Immutable.On = true }
func expiring(o *registry.Options)   { o.Immutable = registry.Immutability{On: true, CanExpire: true} }

// recorder keeps the kinds that were recorded with what is interesting about them.
type recorder struct{ entries []string }

func (r *recorder) Change(_ context.Context, tx db.Tx, kind string, _, _ int64, metadata ...map[string]any) error {
	for _, members := range metadata {
		entry := kind
		for _, member := range []string{"username", "tag", "key", "expiration_date", "old_expiration_date", "immutable", "state_changed"} {
			if value, ok := members[member]; ok {
				entry += fmt.Sprintf(" %s=%v", member, value)
			}
		}
		tx.AfterCommit(func() { r.entries = append(r.entries, entry) })
	}
	return nil
}

func (r *recorder) want(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, r.entries); diff != "" {
		t.Errorf("log: %s", diff)
	}
	r.entries = nil
}

func recording(r *recorder) func(*registry.Options) {
	return func(o *registry.Options) { o.Audit = r }
}

func (f *fixture) change(tag string, c registry.TagChange) error {
	c.By = "alice"
	return f.reg.ChangeTag(f.t.Context(), f.repo, tag, c)
}

func (f *fixture) mustChange(tag string, c registry.TagChange) {
	f.t.Helper()
	if err := f.change(tag, c); err != nil {
		f.t.Fatalf("change of %s: %v", tag, err)
	}
}

func (f *fixture) expire(after time.Duration) registry.TagChange {
	at := f.clock().Add(after)
	return registry.TagChange{Expires: &at}
}

func immutable(on bool) registry.TagChange { return registry.TagChange{Immutable: &on} }

func TestATagCanBePointedAtAnotherManifestOfTheRepository(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		log := &recorder{}
		f := newFixture(t, d, recording(log))
		a, b := f.image(f.repo, "a", nil), f.image(f.repo, "b", map[string]string{"quay.expires-after": "2h"})
		f.push(a, "t")
		f.push(b)
		f.byTag("t") //nolint:errcheck // it is remembered then
		log.entries = nil
		f.pass(time.Minute)
		f.mustChange("t", registry.TagChange{Digest: b.digest()})
		f.wantTag("t", b)
		f.mustChange("new", registry.TagChange{Digest: a.digest()})
		f.wantTag("new", a)
		f.wantHistory("t 60000-7260000 live", "new 60000- live", "t 0-60000 ended")
		log.want(t, "move_tag username=alice tag=t", "create_tag username=alice tag=new")
		f.mustChange("neither", registry.TagChange{})
		f.wantTags("new", "t")

		wantCode(t, f.change("t", registry.TagChange{Digest: digest.SHA256.Of([]byte("unknown"))}), problem.NotFound, "MANIFEST_UNKNOWN")
		wantCode(t, f.change(".t", registry.TagChange{Digest: a.digest()}), problem.Invalid, "TAG_INVALID")
		f.delete(a)
		wantCode(t, f.change("t", registry.TagChange{Digest: a.digest()}), problem.NotFound, "MANIFEST_UNKNOWN")
		other := f.repository(f.repo.NamespaceID, "other")
		wantCode(t, f.reg.ChangeTag(t.Context(), other, "t", registry.TagChange{Digest: b.digest()}), problem.NotFound, "MANIFEST_UNKNOWN")
	})
}

func TestAnExpirationStaysWithinWhatATagMayLive(t *testing.T) {
	const week = 7 * 24 * time.Hour
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		log := &recorder{}
		f := newFixture(t, d, recording(log))
		f.push(f.image(f.repo, "a", nil), "t")
		log.entries = nil
		for _, tt := range []struct{ asked, want time.Duration }{
			{time.Second, time.Hour}, {3 * time.Hour, 3 * time.Hour}, {200 * week, 104 * week},
		} {
			f.mustChange("t", f.expire(tt.asked))
			if diff := cmp.Diff([]string{fmt.Sprintf("t 0-%d live", tt.want.Milliseconds())}, f.history(registry.TagFilter{})); diff != "" {
				t.Errorf("%s: %s", tt.asked, diff)
			}
		}
		at := f.clock().Add(104 * week).Unix()
		never := registry.TagChange{Expires: new(time.Time)}
		log.entries = nil
		f.mustChange("t", never)
		f.wantHistory("t 0- live")
		log.want(t, fmt.Sprintf("change_tag_expiration username=alice tag=t expiration_date=<nil> old_expiration_date=%d", at))
		wantCode(t, f.change("t", f.expire(0)), problem.Invalid, "")
		wantCode(t, f.change("none", f.expire(time.Hour)), problem.NotFound, "MANIFEST_UNKNOWN")

		f.pass(110 * week) // a tag that has lived longer than any may is not ended by being given more time
		f.mustChange("t", f.expire(2*time.Hour))
		f.wantTags("t")
	})
}

func TestAChangeOfATagIsWholeOrNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, expiring)
		a := f.image(f.repo, "a", nil)
		f.push(a, "t")
		change, on := f.expire(2*time.Hour), true
		change.Immutable, change.Digest = &on, a.digest()
		wantCode(t, f.change("t", change), problem.Conflict, "TAG_IMMUTABLE")
		f.wantHistory("t 0- live")
		change.Immutable, change.Digest = nil, digest.SHA256.Of([]byte("unknown"))
		wantCode(t, f.change("t", change), problem.NotFound, "MANIFEST_UNKNOWN")
		f.wantHistory("t 0- live")
	})
}

func TestAnImmutableTagIsNotEndedByAnybody(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		log := &recorder{}
		f := newFixture(t, d, protecting, recording(log))
		a, b := f.image(f.repo, "a", nil), f.image(f.repo, "b", nil)
		f.push(b, "t")
		f.pass(time.Minute)
		f.push(a, "t", "other")
		log.entries = nil
		f.mustChange("t", immutable(true))
		log.want(t, "change_tag_immutability username=alice tag=t immutable=true")
		for name, err := range map[string]error{
			"overwrite 'by push'":     errOf(f.tryPush(b, "t")),
			"overwrite 'the same'":    errOf(f.tryPush(a, "t")),
			"overwrite 'by change'":   f.change("t", registry.TagChange{Digest: b.digest()}),
			"delete":                  f.reg.DeleteTag(t.Context(), f.repo, "t"),
			"delete 'for good'":       f.reg.PurgeTag(t.Context(), f.repo, "t", registry.Purge{Live: true}),
			"delete 'with its image'": errOf(f.reg.DeleteManifest(t.Context(), f.repo, a.digest())),
			"restore":                 f.reg.RestoreTag(t.Context(), f.repo, "t", b.digest(), "alice"),
		} {
			operation, _, _ := strings.Cut(name, " ")
			p := wantCode(t, err, problem.Conflict, "TAG_IMMUTABLE")
			if p.Message != "Cannot "+operation+" immutable tag 't'" {
				t.Errorf("%s: %s", name, p.Message)
			}
		}
		f.wantTags("other", "t")
		wantCode(t, f.change("t", f.expire(time.Hour)), problem.Invalid, "")
		f.push(b, "other") // other tags of the image may move
		f.mustChange("t", immutable(false))
		f.push(b, "t")
		f.mustChange("t", f.expire(2*time.Hour))
		wantCode(t, f.change("t", immutable(true)), problem.Invalid, "")
		wantCode(t, f.change("none", immutable(true)), problem.NotFound, "MANIFEST_UNKNOWN")
	})
}

func errOf[T any](_ T, err error) error { return err }

func TestWithTheFeatureOffTheFlagHasNoEffect(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, protecting)
		a := f.image(f.repo, "a", nil)
		f.push(a, "t")
		f.mustChange("t", immutable(true))
		f.reg = f.registry()
		f.push(a, "t")
		f.mustChange("t", immutable(true))
		f.deleteTag("t")
	})
}

func TestAnImmutableTagThatExpiredIsFree(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, expiring)
		a := f.image(f.repo, "a", nil)
		f.push(a, "t")
		f.mustChange("t", immutable(true))
		f.mustChange("t", f.expire(2*time.Hour))
		wantCode(t, errOf(f.tryPush(a, "t")), problem.Conflict, "TAG_IMMUTABLE")
		f.pass(3 * time.Hour)
		f.push(a, "t")
	})
}

func TestALabelMakesTheTagsOfAnImageImmutable(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, protecting)
		labels := map[string]string{"quay.immutable": "True", "quay.expires-after": "2h"}
		a, b := f.image(f.repo, "a", labels), f.image(f.repo, "b", labels)
		f.push(a, "t")
		f.push(b)
		f.wantHistory("t 0- live") // the lifetime is left out
		wantCode(t, errOf(f.tryPush(a, "t")), problem.Conflict, "TAG_IMMUTABLE")
		list := index(a, b)
		f.push(list, "list")
		wantCode(t, errOf(f.tryPush(list, "list")), problem.Conflict, "TAG_IMMUTABLE")
		mixed := index(a, f.pushed("plain"))
		f.push(mixed, "mixed")
		f.push(mixed, "mixed")
		tags, _, err := f.reg.TagHistory(t.Context(), f.repo, registry.TagFilter{Name: "t", Page: 1, Limit: 1})
		if err != nil || !tags[0].Immutable {
			t.Errorf("%+v, %v", tags, err)
		}
	})
}

// pushed is an image that the repository has, without a tag.
func (f *fixture) pushed(name string) doc {
	f.t.Helper()
	image := f.image(f.repo, name, nil)
	f.push(image)
	return image
}

func TestAnImmutableSignatureOutlivesItsImage(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, protecting)
		a := f.image(f.repo, "a", nil)
		f.push(a, "t")
		sig := signatureTag(a)
		f.push(f.image(f.repo, "signature", nil), sig)
		f.mustChange(sig, immutable(true))
		f.deleteTag("t")
		f.wantTags(sig)
	})
}

func signatureTag(d doc) string { return strings.Replace(d.digest().String(), ":", "-", 1) + ".sig" }

func TestADeletedImageComesBackWithWhatEndedWithIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		log := &recorder{}
		f := newFixture(t, d, recording(log))
		a, b := f.image(f.repo, "a", nil), f.image(f.repo, "b", nil)
		sig, att := f.image(f.repo, "signature", nil), f.image(f.repo, "attestation", nil)
		attTag := strings.Replace(signatureTag(a), ".sig", ".att", 1)
		f.push(a, "v1", "v2", "used")
		f.push(sig, signatureTag(a))
		f.push(att, attTag)
		f.push(a, "expired")
		f.mustChange("expired", f.expire(time.Hour))
		f.pass(2 * time.Hour)
		f.delete(a)
		f.push(b, "used")
		f.push(att, attTag) // signed again, and taken away again by itself
		f.deleteTag(attTag)
		f.wantTags("used")
		f.wantGone(a)
		log.entries = nil
		f.pass(time.Hour)
		if err := f.reg.RestoreTag(t.Context(), f.repo, "v1", a.digest(), "alice"); err != nil {
			t.Fatal(err)
		}
		f.wantTags(signatureTag(a), "used", "v1", "v2")
		f.wantTag("v1", a)
		f.wantTag("used", b)
		f.wantTag(signatureTag(a), sig)
		if _, err := f.byDigest(a.digest()); err != nil {
			t.Error(err)
		}
		log.want(t, "revert_tag username=alice tag=v1", "revert_tag username=alice tag="+signatureTag(a), "revert_tag username=alice tag=v2")
		tags, _, err := f.reg.TagHistory(t.Context(), f.repo, registry.TagFilter{Name: "v1", Page: 1, Limit: 5})
		if err != nil || !tags[0].Reversion || tags[1].Reversion {
			t.Errorf("%+v, %v", tags, err)
		}
	})
}

func TestARestoredTagAloneMovesWhenNothingEndedWithIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		a, b := f.image(f.repo, "a", nil), f.image(f.repo, "b", nil)
		f.push(a, "t")
		f.push(b, "t")
		f.push(a, "gone")
		f.deleteTag("gone")
		if err := f.reg.RestoreTag(t.Context(), f.repo, "t", a.digest(), "alice"); err != nil {
			t.Fatal(err)
		}
		f.wantTag("t", a)
		f.wantTags("t")
		wantCode(t, f.reg.RestoreTag(t.Context(), f.repo, "t", digest.SHA256.Of(nil), ""), problem.NotFound, "MANIFEST_UNKNOWN")
		f.delete(b)
		f.pass(window + time.Hour)
		wantCode(t, f.reg.RestoreTag(t.Context(), f.repo, "t", b.digest(), ""), problem.NotFound, "MANIFEST_UNKNOWN")
	})
}

func TestARestoredIndexHasItsManifests(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		child := f.pushed("child")
		inner := index(child)
		f.push(inner)
		outer := index(inner)
		f.push(outer, "t")
		f.delete(outer)
		f.delete(inner)
		f.delete(child)
		if err := f.reg.RestoreTag(t.Context(), f.repo, "t", outer.digest(), "alice"); err != nil {
			t.Fatal(err)
		}
		for _, part := range []doc{outer, inner, child} {
			if _, err := f.byDigest(part.digest()); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestATagCanBeRemovedForGood(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		log := &recorder{}
		f := newFixture(t, d, recording(log))
		a, b := f.image(f.repo, "a", nil), f.image(f.repo, "b", nil)
		f.push(a, "t")
		f.push(b, "t", "other")
		f.exec(`DELETE FROM review`)
		log.entries = nil
		purge := func(tag string, p registry.Purge) error { return f.reg.PurgeTag(t.Context(), f.repo, tag, p) }
		wantCode(t, purge("t", registry.Purge{Digest: digest.SHA256.Of(nil)}), problem.NotFound, "MANIFEST_UNKNOWN")
		wantCode(t, purge("t", registry.Purge{Digest: b.digest()}), problem.NotFound, "MANIFEST_UNKNOWN")
		wantCode(t, purge("t", registry.Purge{Live: true, Digest: a.digest()}), problem.NotFound, "MANIFEST_UNKNOWN")
		wantCode(t, purge("none", registry.Purge{Live: true}), problem.NotFound, "MANIFEST_UNKNOWN")
		if err := purge("t", registry.Purge{Digest: a.digest(), By: "alice"}); err != nil {
			t.Fatal(err)
		}
		f.wantHistory("t 1- live", "other 0- live")
		if err := purge("t", registry.Purge{Live: true, By: "alice"}); err != nil {
			t.Fatal(err)
		}
		f.wantHistory("other 0- live")
		log.want(t, "permanently_delete_tag username=alice tag=t", "permanently_delete_tag username=alice tag=t")
		if got := f.number(`SELECT COUNT(*) FROM review WHERE kind = 1 AND due_ms <= $1`, db.Millis(f.clock())); got != 2 {
			t.Errorf("%d reviews are due, want those of both manifests", got)
		}
		_, err := f.byTag("t")
		wantCode(t, err, problem.NotFound, "MANIFEST_UNKNOWN")
	})
}

func TestAnIndexRemovedForGoodLetsItsManifestsGo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		child := f.pushed("child")
		list := index(child)
		f.push(list, "t")
		f.delete(list)
		pin := `SELECT MAX(pin_until_ms) FROM repo_manifest rm JOIN manifest m ON m.id = rm.manifest_id WHERE m.digest = $1`
		if err := f.reg.PurgeTag(t.Context(), f.repo, "t", registry.Purge{Digest: list.digest(), Children: true}); err != nil {
			t.Fatal(err)
		}
		if got := f.number(pin, list.digest()); got != 0 {
			t.Errorf("the index is kept until %d", got)
		}
		if got, want := f.number(pin, child.digest()), db.Millis(f.clock().Add(2*lease)); got != want {
			t.Errorf("the child is kept until %d, want what its push was promised, %d", got, want)
		}
	})
}

func TestTagsOfARepositoryInAnotherStateAreNotChanged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		a := f.image(f.repo, "a", nil)
		f.push(a, "t")
		if err := f.reg.SetState(t.Context(), f.repo.ID, access.ReadOnlyState); err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{
			f.change("t", f.expire(time.Hour)), f.reg.RestoreTag(t.Context(), f.repo, "t", a.digest(), ""),
			f.reg.PurgeTag(t.Context(), f.repo, "t", registry.Purge{Live: true}),
		} {
			wantCode(t, err, problem.Conflict, "DENIED")
		}
	})
}

func TestChildPresence(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, sparse)
		here, absent := f.pushed("here"), f.image(f.repo, "absent", nil)
		list, empty := index(here, absent), index()
		f.push(list, "list")
		f.push(empty, "empty")
		got, err := f.reg.ChildPresence(t.Context(), f.repo, []digest.Digest{list.digest(), empty.digest(), absent.digest()}, 3)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{empty.digest().String(): nil, list.digest().String(): {here.digest().String() + " true", absent.digest().String() + " false"}}
		slices.Sort(want[list.digest().String()])
		text := map[string][]string{}
		for parent, children := range got {
			text[parent.String()] = nil
			for child, present := range children {
				text[parent.String()] = append(text[parent.String()], fmt.Sprint(child, " ", present))
			}
			slices.Sort(text[parent.String()])
		}
		if diff := cmp.Diff(want, text); diff != "" {
			t.Error(diff)
		}
	})
}

// TestChildPresenceIsBounded: what is left out is whole indexes, and one that fits alone is never left out.
func TestChildPresenceIsBounded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, sparse)
		var lists []digest.Digest
		for n := range 70 { // more than one statement asks for
			var children []doc
			for c := range 3 {
				children = append(children, f.image(f.repo, fmt.Sprintf("list %d child %d", n, c), nil))
			}
			list := index(children...)
			f.push(list, fmt.Sprintf("list-%d", n))
			lists = append(lists, list.digest())
		}
		for most, want := range map[int]int{2: 0, 3: 1, 5: 1, 6: 2, 191: 63, 192: 64, 193: 64, 195: 65, 209: 69, 210: 70, 1000: 70} {
			got, err := f.reg.ChildPresence(t.Context(), f.repo, lists, most)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != want {
				t.Errorf("%d rows tell about %d indexes, want %d", most, len(got), want)
			}
			for list, children := range got {
				if len(children) != 3 {
					t.Errorf("%d rows: %s names %d manifests, want 3", most, list, len(children))
				}
			}
		}
	})
}
