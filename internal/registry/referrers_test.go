package registry_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/registry"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

func (f *fixture) referrers(subject digest.Digest, artifactType string) []registry.Descriptor {
	f.t.Helper()
	list, next, err := f.reg.Referrers(f.t.Context(), f.repo, subject, artifactType, 0)
	if err != nil || next != 0 {
		f.t.Fatalf("next %d, %v", next, err)
	}
	return list
}

func entry(d doc, artifactType string) registry.Descriptor {
	return registry.Descriptor{MediaType: d.MediaType, Digest: d.digest().String(), Size: int64(len(d.bytes())), ArtifactType: artifactType, Annotations: d.Annotations}
}

func TestReferrers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image := f.image(f.repo, "a", nil)
		s := image.desc()
		byType := f.artifact(f.repo, "application/x.one", &s, map[string]string{"k": "v"})
		byConfig := f.image(f.repo, "b", nil)
		byConfig.Subject = &s
		typedIndex, bareIndex := index(), index()
		typedIndex.Subject, bareIndex.Subject = &s, &s
		typedIndex.ArtifactType = "application/x.one"
		f.push(byType)
		pushed := f.push(byConfig, "tagged")
		if pushed.Subject != image.digest() {
			t.Errorf("subject %s", pushed.Subject)
		}
		f.push(typedIndex)
		f.push(bareIndex)
		f.push(image, "image") // after its referrers
		all := []registry.Descriptor{entry(byType, "application/x.one"), entry(byConfig, manifest.OCIConfig), entry(typedIndex, "application/x.one"), entry(bareIndex, "")}
		if diff := cmp.Diff(all, f.referrers(image.digest(), "")); diff != "" {
			t.Errorf("all: %s", diff)
		}
		if diff := cmp.Diff([]registry.Descriptor{all[0], all[2]}, f.referrers(image.digest(), "application/x.one")); diff != "" {
			t.Errorf("filtered: %s", diff)
		}
		if got := f.referrers(image.digest(), "application/x.none"); len(got) != 0 {
			t.Errorf("another type: %v", got)
		}
		if got := f.referrers(byType.digest(), ""); len(got) != 0 {
			t.Errorf("of a manifest without referrers: %v", got)
		}
		if got := f.referrers(digest.SHA512.Of(nil), ""); len(got) != 0 {
			t.Errorf("of an unknown digest: %v", got)
		}
		f.delete(byType)
		if diff := cmp.Diff(all[1:], f.referrers(image.digest(), "")); diff != "" {
			t.Errorf("after a deletion: %s", diff)
		}
		f.delete(image)
		if diff := cmp.Diff(all[1:], f.referrers(image.digest(), "")); diff != "" {
			t.Errorf("after the subject's deletion: %s", diff)
		}
	})
}

func TestReferrersOfTheFallbackTagAreMerged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image := f.image(f.repo, "a", nil)
		f.push(image, "image")
		s := image.desc()
		both := f.artifact(f.repo, "application/x.both", &s, nil)
		old := f.artifact(f.repo, "application/x.old", nil, map[string]string{"from": "before"})
		f.push(old)
		f.push(both)
		f.push(index(old, both), "sha256-"+image.digest().Hex())
		want := []registry.Descriptor{entry(old, "application/x.old"), entry(both, "application/x.both")}
		if diff := cmp.Diff(want, f.referrers(image.digest(), "")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(want[:1], f.referrers(image.digest(), "application/x.old")); diff != "" {
			t.Error(diff)
		}
		f.deleteTag("sha256-" + image.digest().Hex())
		if diff := cmp.Diff(want[1:], f.referrers(image.digest(), "")); diff != "" {
			t.Error(diff)
		}

		long := digest.SHA512.Of([]byte("subject"))
		f.push(index(old), "sha512-"+long.Hex()[:64])
		if diff := cmp.Diff(want[:1], f.referrers(long, "")); diff != "" {
			t.Errorf("sha512: %s", diff)
		}
	})
}

func TestReferrersPage(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		s := f.image(f.repo, "a", nil).desc()
		subject := s.digest(t)
		var want, got []string
		for i := range 5 { // of 3 MiB each, so that a page holds two
			a := f.artifact(f.repo, "application/x.large", &s, map[string]string{})
			for j := range 3 {
				a.Annotations[fmt.Sprint(i, j)] = strings.Repeat("x", 1<<20)
			}
			f.push(a)
			want = append(want, a.digest().String())
		}
		pages := 0
		for after := int64(0); pages == 0 || after != 0; pages++ {
			list, next, err := f.reg.Referrers(t.Context(), f.repo, subject, "application/x.large", after)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range list {
				got = append(got, d.Digest)
			}
			after = next
		}
		if !slices.Equal(want, got) || pages != 3 {
			t.Errorf("%d pages gave %v, want 3 with %v", pages, got, want)
		}
	})
}
