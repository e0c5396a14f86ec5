package registry_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

func remembering(o *registry.Options) { o.Memory = registry.DefaultMemory }

// served reads a tag and reports what a client would see.
func served(t *testing.T, reg *registry.Registry, repo registry.Repository, ref registry.Reference) string {
	t.Helper()
	m, err := reg.Manifest(t.Context(), repo, ref)
	if problem.Is(err, problem.NotFound) {
		return "unknown"
	}
	if err != nil {
		t.Fatal(err)
	}
	if m.Digest.Algorithm().Of(m.Bytes) != m.Digest {
		t.Fatalf("the bytes of %s are others", m.Digest)
	}
	return m.Digest.String()
}

// pushNumbered pushes an image that differs by its number, and gives its digest.
func pushNumbered(t *testing.T, f *fixture, reg *registry.Registry, n int, tags ...string) registry.Reference {
	t.Helper()
	layer := f.upload(f.repo, gzipLayer, fmt.Appendf(nil, "layer %d", n))
	config := f.upload(f.repo, "application/vnd.oci.image.config.v1+json", fmt.Appendf(nil, `{"n":%d}`, n))
	body := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[{"mediaType":%q,"digest":%q,"size":%d}]}`,
		config.MediaType, config.Digest, config.Size, layer.MediaType, layer.Digest, layer.Size)
	pushed, err := reg.Push(t.Context(), f.repo, registry.Push{Tags: tags, ContentType: "application/vnd.oci.image.manifest.v1+json", Bytes: body})
	if err != nil {
		t.Fatal(err)
	}
	return registry.Reference{Digest: pushed.Digest}
}

func TestAProcessSeesItsOwnChangesAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, remembering)
		tag := registry.Reference{Tag: "v"}
		for n := range 3 {
			digest := pushNumbered(t, f, f.reg, n, "v")
			for range 2 {
				if got := served(t, f.reg, f.repo, tag); got != digest.Digest.String() {
					t.Fatalf("after push %d the tag is %s", n, got)
				}
				if got := served(t, f.reg, f.repo, digest); got != digest.Digest.String() {
					t.Fatalf("after push %d the digest is %s", n, got)
				}
			}
		}
		m, err := f.reg.Manifest(t.Context(), f.repo, tag)
		if err != nil {
			t.Fatal(err)
		}
		last := registry.Reference{Digest: m.Digest}
		if err := f.reg.DeleteTag(t.Context(), f.repo, "v"); err != nil {
			t.Fatal(err)
		}
		if got := served(t, f.reg, f.repo, tag); got != "unknown" {
			t.Errorf("a deleted tag is %s", got)
		}
		if got := served(t, f.reg, f.repo, last); got == "unknown" {
			t.Error("a manifest went with its tag")
		}
		if _, err := f.reg.DeleteManifest(t.Context(), f.repo, last.Digest); err != nil {
			t.Fatal(err)
		}
		if got := served(t, f.reg, f.repo, last); got != "unknown" {
			t.Errorf("a deleted manifest is %s", got)
		}
		if again := pushNumbered(t, f, f.reg, 2, "v"); served(t, f.reg, f.repo, again) == "unknown" || served(t, f.reg, f.repo, tag) == "unknown" {
			t.Error("a manifest pushed again is unknown")
		}
	})
}

func TestChangesOfARepositoryCountAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, remembering)
		known := func() registry.Repository {
			repo, _, err := f.reg.Remembered(t.Context(), "acme", "app")
			if err != nil {
				t.Fatal(err)
			}
			return repo
		}
		known()
		if err := f.reg.SetVisibility(t.Context(), f.repo.ID, true); err != nil || !known().Public {
			t.Errorf("visibility: %v", err)
		}
		if err := f.reg.SetDescription(t.Context(), f.repo.ID, "words"); err != nil || known().Description != "words" {
			t.Errorf("description: %v", err)
		}
		if err := f.reg.SetState(t.Context(), f.repo.ID, access.ReadOnlyState); err != nil || known().State != access.ReadOnlyState {
			t.Errorf("state: %v", err)
		}
		if err := f.reg.DeleteRepository(t.Context(), f.repo.ID); err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.reg.Remembered(t.Context(), "acme", "app"); !problem.Is(err, problem.NotFound) {
			t.Errorf("a deleted repository is remembered: %v", err)
		}
		if again := f.repository(f.repo.NamespaceID, "app"); known().ID != again.ID {
			t.Error("the new repository of a name is not found")
		}
	})
}

// TestAnotherProcessIsSeenInTime has two registries on one database. On SQLite there is one process, so that the other
// is a second connection to the file: what it commits drops everything.
func TestAnotherProcessIsSeenInTime(t *testing.T) {
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			uri := dbtest.URI(t, kind)
			d := dbtest.OpenURI(t, uri)
			f := newFixture(t, d, remembering)
			options := dbtest.Options(uri)
			options.Beside = true
			beside, err := db.Open(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = beside.Close() })
			other := f.registry(remembering, func(o *registry.Options) { o.DB = beside })
			tag := registry.Reference{Tag: "v"}
			digest := pushNumbered(t, f, f.reg, 1, "v")
			for range 2 {
				served(t, f.reg, f.repo, tag)
				served(t, f.reg, f.repo, digest)
			}

			if _, err := other.DeleteManifest(t.Context(), f.repo, digest.Digest); err != nil {
				t.Fatal(err)
			}
			if kind == dbtest.SQLite {
				eventually(t, "the commit of a command is noticed", func() bool {
					return served(t, f.reg, f.repo, digest) == "unknown" && served(t, f.reg, f.repo, tag) == "unknown"
				})
				return
			}
			if got := served(t, f.reg, f.repo, tag); got != "unknown" {
				t.Errorf("a tag that another process deleted is %s", got)
			}
			f.pass(30 * time.Second)
			if got := served(t, f.reg, f.repo, digest); got != "unknown" {
				t.Errorf("30 s after another process deleted a manifest it is %s", got)
			}

			if _, _, err := f.reg.Remembered(t.Context(), "acme", "app"); err != nil {
				t.Fatal(err)
			}
			if err := other.DeleteRepository(t.Context(), f.repo.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := f.reg.Repository(t.Context(), "acme", "app"); !problem.Is(err, problem.NotFound) {
				t.Errorf("who asks for now gets an old repository: %v", err)
			}
			f.pass(30 * time.Second)
			if _, _, err := f.reg.Remembered(t.Context(), "acme", "app"); !problem.Is(err, problem.NotFound) {
				t.Errorf("a repository that another process deleted is remembered: %v", err)
			}
		})
	}
}

// eventually waits for what the database notices every 250 ms.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in 10 s: %s", what)
		}
	}
}

func TestATagExpiresInMemory(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, remembering)
		pushNumbered(t, f, f.reg, 1, "v")
		f.exec(`UPDATE tag SET expires_ms = $1 WHERE name = 'v'`, db.Millis(f.clock().Add(time.Minute)))
		f.reg.Forget()
		tag := registry.Reference{Tag: "v"}
		if got := served(t, f.reg, f.repo, tag); got == "unknown" {
			t.Fatal("the tag has expired too early")
		}
		f.pass(time.Minute)
		if got := served(t, f.reg, f.repo, tag); got != "unknown" {
			t.Errorf("an expired tag is %s", got)
		}
	})
}

// TestReadersNeverGoBack has one writer that moves a tag and readers that look after each answer: a look that began
// before must never leave the old answer behind.
func TestReadersNeverGoBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, remembering)
		pushNumbered(t, f, f.reg, 0, "v")
		second := pushNumbered(t, f, f.reg, 1, "v")
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var looks atomic.Int64
		for range 4 {
			wg.Go(func() {
				for ctx.Err() == nil {
					_, _ = f.reg.Manifest(ctx, f.repo, registry.Reference{Tag: "v"})
					_, _ = f.reg.Manifest(ctx, f.repo, second)
					looks.Add(1)
				}
			})
		}
		for n := range 30 {
			want := pushNumbered(t, f, f.reg, n%2, "v")
			if got := served(t, f.reg, f.repo, registry.Reference{Tag: "v"}); got != want.Digest.String() {
				t.Errorf("push %d: the tag is still %s", n, got)
			}
			if n%2 == 1 {
				if _, err := f.reg.DeleteManifest(t.Context(), f.repo, second.Digest); err != nil {
					t.Fatal(err)
				}
				if got := served(t, f.reg, f.repo, second); got != "unknown" {
					t.Errorf("push %d: the deleted manifest is %s", n, got)
				}
			}
		}
		stop()
		wg.Wait()
		t.Logf("%d looks", looks.Load())
	})
}

// TestAWarmPullAsksNoDatabase closes the database: what is still answered was answered from memory.
func TestAWarmPullAsksNoDatabase(t *testing.T) {
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			d, err := db.Open(t.Context(), dbtest.Options(dbtest.URI(t, kind)))
			if err != nil {
				t.Fatal(err)
			}
			f := newFixture(t, d, remembering)
			digest := pushNumbered(t, f, f.reg, 1, "v")
			tag := registry.Reference{Tag: "v"}
			if _, _, err := f.reg.Remembered(t.Context(), "acme", "app"); err != nil {
				t.Fatal(err)
			}
			want := served(t, f.reg, f.repo, digest)
			served(t, f.reg, f.repo, tag)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if _, _, err := f.reg.Remembered(t.Context(), "acme", "app"); err != nil {
				t.Errorf("the repository: %v", err)
			}
			if got := served(t, f.reg, f.repo, digest); got != want {
				t.Errorf("by digest: %s", got)
			}
			got, err := f.reg.Manifest(t.Context(), f.repo, tag)
			if asked := kind != dbtest.SQLite; err != nil || asked != got.Stale || got.Digest.String() != want {
				t.Errorf("by tag: %s, stale %t, %v", got.Digest, got.Stale, err)
			}
			for _, ref := range []registry.Reference{{Tag: "other"}, {Digest: digest.Digest.Algorithm().Of([]byte("other"))}} {
				if _, err := f.reg.Manifest(t.Context(), f.repo, ref); err == nil || problem.Is(err, problem.NotFound) {
					t.Errorf("%v, which is not remembered: %v", ref, err)
				}
			}
		})
	}
}
