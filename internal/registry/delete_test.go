package registry_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

func (f *fixture) delete(d doc) []string {
	f.t.Helper()
	names, err := f.reg.DeleteManifest(f.t.Context(), f.repo, d.digest())
	if err != nil {
		f.t.Fatal(err)
	}
	return names
}

func (f *fixture) wantGone(d doc) {
	f.t.Helper()
	_, err := f.byDigest(d.digest())
	wantCode(f.t, err, problem.NotFound, "MANIFEST_UNKNOWN")
}

func TestAManifestDeletedByDigestIsUnreadableAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		a, b := f.image(f.repo, "a", nil), f.image(f.repo, "b", nil)
		f.push(a, "v1", "v2")
		f.push(b, "other")
		f.pass(time.Minute)
		if diff := cmp.Diff([]string{"v1", "v2"}, f.delete(a)); diff != "" {
			t.Errorf("tags that ended: %s", diff)
		}
		f.wantGone(a)
		_, err := f.byTag("v1")
		wantCode(t, err, problem.NotFound, "TAG_EXPIRED")
		f.wantTags("other")
		f.wantHistory("v2 0-60000 ended", "v1 0-60000 ended", "other 0- live")
		_, err = f.reg.DeleteManifest(t.Context(), f.repo, a.digest())
		wantCode(t, err, problem.NotFound, "MANIFEST_UNKNOWN")

		end := db.Millis(f.clock().Add(window))
		if got := f.number(`SELECT due_ms FROM review WHERE kind = 1 AND repo_id = $1`, f.repo.ID); got != end {
			t.Errorf("review due at %d, want %d", got, end)
		}
		if got := f.number(`SELECT COUNT(DISTINCT cause) FROM tag_history WHERE cause IS NOT NULL`); got != 1 {
			t.Errorf("%d causes, want one for both tags", got)
		}
		f.push(a, "v3")
		f.wantTag("v3", a)
	})
}

func TestAManifestWithoutTagCanBeDeletedAndStaysForTheWindow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		s := f.image(f.repo, "subject", nil).desc()
		referrer := f.artifact(f.repo, "application/x.thing", &s, nil)
		f.push(referrer)
		f.delete(referrer)
		f.wantGone(referrer)
		if got, want := f.number(`SELECT pin_until_ms FROM repo_manifest WHERE repo_id = $1`, f.repo.ID), db.Millis(f.clock().Add(window)); got != want {
			t.Errorf("kept until %d, want the window %d", got, want)
		}
	})
}

func TestAChildOfAReadableIndexCannotBeDeleted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		child := f.image(f.repo, "a", nil)
		f.push(child, "child")
		i := index(child)
		f.push(i, "index")
		_, err := f.reg.DeleteManifest(t.Context(), f.repo, child.digest())
		wantCode(t, err, problem.Unsupported, "UNSUPPORTED")
		f.wantTag("child", child)
		f.delete(i)
		if _, err := f.byDigest(child.digest()); err != nil {
			t.Errorf("the child of a deleted index: %v", err)
		}
		f.delete(child)
		f.wantGone(child)
		_, err = f.tryPush(i, "index")
		wantCode(t, err, problem.Invalid, "MANIFEST_BLOB_UNKNOWN")
		f.push(child)
		f.push(i, "index")

		if _, err := f.registry(sparse).DeleteManifest(t.Context(), f.repo, child.digest()); err != nil {
			t.Errorf("where indexes may be sparse: %v", err)
		}
		f.wantTag("index", i)
	})
}

func TestADeletedTagEndsAlone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		a := f.image(f.repo, "a", nil)
		f.push(a, "v1", "v2")
		f.pass(time.Second)
		f.deleteTag("v1")
		f.wantTags("v2")
		f.wantTag("v2", a)
		wantCode(t, f.reg.DeleteTag(t.Context(), f.repo, "v1"), problem.NotFound, "MANIFEST_UNKNOWN")
		wantCode(t, f.reg.DeleteTag(t.Context(), f.repo, "never"), problem.NotFound, "MANIFEST_UNKNOWN")
		f.deleteTag("v2")
		if _, err := f.byDigest(a.digest()); err != nil {
			t.Errorf("by digest after its last tag: %v", err)
		}
	})
}

func TestSignatureTagsEndWithTheLastTagOfTheirImage(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image, other := f.image(f.repo, "a", nil), f.image(f.repo, "b", nil)
		signature := f.artifact(f.repo, "application/x.sig", nil, nil)
		name := "sha256-" + image.digest().Hex()
		companions := []string{name, name + ".att", name + ".sbom", name + ".sig"}
		f.push(image, "v1", "v2")
		f.push(other, "v3")
		f.push(signature, append(companions, name+".txt", "sha256-"+other.digest().Hex()+".sig")...)
		f.pass(time.Second)

		f.push(other, "v1")
		f.deleteTag("v1")
		f.wantTag(name+".sig", signature)
		f.deleteTag("v2")
		live := []string{name + ".txt", "sha256-" + other.digest().Hex() + ".sig", "v3"}
		slices.Sort(live)
		f.wantTags(live...)
		if got := f.number(`SELECT COUNT(*) FROM tag_history WHERE cause = (SELECT cause FROM tag_history WHERE name = 'v2')`); got != 5 {
			t.Errorf("%d periods share the cause of the last deletion, want the tag and four companions", got)
		}

		f.push(image, "v4")
		f.push(signature, companions...)
		ended := f.delete(image)
		if diff := cmp.Diff(append([]string{"v4"}, companions...), ended); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnExpiredTagIsNotAnImagesLastOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image := f.image(f.repo, "a", map[string]string{"quay.expires-after": "1h"})
		f.push(image, "v1")
		f.pass(30 * time.Minute)
		f.push(image, "v2")
		f.push(f.artifact(f.repo, "application/x.sig", nil, nil), "sha256-"+image.digest().Hex()+".sig")
		f.pass(40 * time.Minute) // v1 has expired, its row is still there
		f.deleteTag("v2")
		f.wantTags()
	})
}

func TestDeletionsInAnotherRepositoryChangeNothingHere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image := f.image(f.repo, "a", nil)
		f.push(image, "v1")
		nested := f.repository(f.repo.NamespaceID, "app/nested")
		f.image(nested, "a", nil)
		if _, err := f.reg.Push(t.Context(), nested, registry.Push{Tags: []string{"v1"}, Bytes: image.bytes()}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.reg.DeleteManifest(t.Context(), nested, image.digest()); err != nil {
			t.Fatal(err)
		}
		f.wantTag("v1", image)
		if err := f.reg.DeleteRepository(t.Context(), nested.ID); err != nil {
			t.Fatal(err)
		}
		f.wantTag("v1", image)
	})
}
