package content_test

import (
	"context"
	"errors"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// manifest makes a manifest row of a repository and links blobs to it.
func (e *env) manifest(repository int64, id int64, blobs ...digest.Digest) {
	e.t.Helper()
	err := e.tx(func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO manifest (id, digest, media_type, size, kind, created_ms) VALUES ($1, $2, 'x', 1, 1, 0)
			ON CONFLICT (id) DO NOTHING`, id, sha256Of([]byte{byte(id)}))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO repo_manifest (repo_id, manifest_id, pushed_ms) VALUES ($1, $2, 0)
			ON CONFLICT (repo_id, manifest_id) DO UPDATE SET deleted_ms = NULL`, repository, id)
		if err != nil {
			return err
		}
		return content.LinkTx(ctx, tx, repository, id, blobs)
	})
	if err != nil {
		e.t.Fatalf("pushing manifest %d: %v", id, err)
	}
}

// setDeleted deletes or restores a manifest.
func (e *env) setDeleted(repository, id int64, deleted bool) {
	e.t.Helper()
	var at any
	if deleted {
		at = 1
	}
	e.exec(`UPDATE repo_manifest SET deleted_ms = $3 WHERE repo_id = $1 AND manifest_id = $2`, repository, id, at)
}

// expireLeases does what the collector does with leases that have ended.
func (e *env) expireLeases() {
	e.t.Helper()
	e.exec(`DELETE FROM blob_ref WHERE manifest_id = 0 AND lease_ms <= $1`, db.Millis(e.clock.now()))
}

func (e *env) lease(repository int64, b content.Blob) time.Duration {
	e.t.Helper()
	var ms int64
	err := e.db.QueryRow(e.t.Context(), `SELECT lease_ms FROM blob_ref WHERE repo_id = $1 AND blob_id = $2 AND manifest_id = 0`, repository, b.ID).Scan(&ms)
	if errors.Is(err, db.ErrNoRows) {
		return 0
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return db.Time(ms).Sub(e.clock.now())
}

func TestPromiseLastsAnHour(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		b := e.push(s, alice, random(1, 100))
		repo := alice.RepositoryID
		want := func(claim string, lease time.Duration) {
			t.Helper()
			if got := e.lease(repo, b); got != lease {
				t.Errorf("%s: the lease lasts %v, want %v", claim, got, lease)
			}
		}
		head := func(mayPush bool) {
			t.Helper()
			if _, err := s.Stat(t.Context(), repo, b.Digest, mayPush); err != nil {
				t.Fatalf("Stat: %v", err)
			}
		}
		want("after the upload", 2*time.Hour)
		e.clock.forward(time.Hour)
		head(true)
		want("a question within the hour costs no write", time.Hour)
		e.clock.forward(time.Minute)
		head(false)
		want("a question by somebody who only pulls promises nothing", 59*time.Minute)
		head(true)
		want("a later question extends it", 2*time.Hour)

		e.manifest(repo, 1, b.Digest)
		e.clock.forward(3 * time.Hour)
		e.expireLeases()
		head(true)
		want("a manifest keeps the blob by itself", 0)
		e.setDeleted(repo, 1, true)
		head(true)
		want("a deleted manifest that the history has keeps it too", 0)
	})
}

func TestRepeatedUploadExtendsTheLease(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 100)
		b := e.push(s, alice, data)
		e.clock.forward(90 * time.Minute)
		if again := e.push(s, alice, data); again != b {
			t.Errorf("the second upload made %+v of %+v", again, b)
		}
		if got := e.lease(alice.RepositoryID, b); got != 2*time.Hour {
			t.Errorf("the lease lasts %v", got)
		}
		e.wantLeft(1, 0)
	})
}

func TestMount(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 100)
		d := sha256Of(data)
		mount := func(claim string, from, to int64, want bool) {
			t.Helper()
			b, ok, err := s.Mount(t.Context(), d, from, to)
			if err != nil || ok != want || ok != (b.Digest == d) {
				t.Errorf("%s: %+v, %t, %v; want %t", claim, b, ok, err, want)
			}
		}
		mount("a blob that does not exist", 11, 22, false)
		b := e.push(s, alice, data)
		mount("from a repository that has not got it", 12, 22, false)
		e.wantUnknownBlob(s, 22, d)
		mount("from one that has", 11, 22, true)
		if got := e.wantBlob(s, 22, d, data); got != b {
			t.Errorf("mounted as %+v, want %+v", got, b)
		}
		if got := e.lease(22, b); got != 2*time.Hour {
			t.Errorf("the mounted blob's lease lasts %v", got)
		}
		mount("again", 11, 22, true)
		mount("onto itself", 11, 11, true)
		mount("from where it was mounted", 22, 33, true)
		if err := s.Unlink(t.Context(), 11, d); err != nil {
			t.Fatal(err)
		}
		mount("from a repository it was removed from", 11, 44, false)
		e.wantBlob(s, 33, d, data)
		e.exec(`UPDATE blob_object SET state = 4`)
		if err := e.driver().Delete(t.Context(), b.Object.Path); err != nil {
			t.Fatal(err)
		}
		mount("a blob without a sound object", 22, 55, false)
	})
}

func TestRepositoriesWith(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 100)
		d := sha256Of(data)
		want := func(claim string, limit int, want ...int64) {
			t.Helper()
			got, err := s.RepositoriesWith(t.Context(), d, limit)
			if err != nil || !cmp.Equal(got, want) {
				t.Errorf("%s: %v, %v; want %v", claim, got, err, want)
			}
		}
		want("nobody has it", 10)
		e.push(s, alice, data)
		e.push(s, bob, data)
		e.manifest(alice.RepositoryID, 7, d)
		e.manifest(33, 8, d)
		e.manifest(33, 9, d)
		want("the newest manifest first", 10, 33, 11, 22)
		want("no more than asked for", 2, 33, 11)
		e.setDeleted(33, 8, true)
		e.setDeleted(33, 9, true)
		if err := s.Unlink(t.Context(), 33, d); err != nil {
			t.Fatal(err)
		}
		want("not where it was removed", 10, 11, 22)
	})
}

func TestUnlink(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 100)
		b := e.push(s, alice, data)
		repo, d := alice.RepositoryID, b.Digest
		unlink := func() error { return s.Unlink(t.Context(), repo, d) }

		wantCode(t, "a blob of another repository", s.Unlink(t.Context(), 99, d), problem.NotFound, "BLOB_UNKNOWN")
		e.manifest(repo, 1, d)
		wantCode(t, "a blob that a manifest uses", unlink(), problem.Unsupported, "UNSUPPORTED")
		e.wantBlob(s, repo, d, data)

		e.setDeleted(repo, 1, true)
		e.clock.forward(3 * time.Hour)
		e.expireLeases()
		e.wantBlob(s, repo, d, data) // a push after the deletion still finds it
		if err := unlink(); err != nil {
			t.Fatalf("a blob that only the history has: %v", err)
		}
		e.wantUnknownBlob(s, repo, d)
		wantCode(t, "a second time", unlink(), problem.NotFound, "BLOB_UNKNOWN")
		if n := e.count(`blob_ref WHERE blob_id = $1`, b.ID); n != 1 {
			t.Errorf("the history holds on to the blob with %d rows, want 1", n)
		}
		if n := e.count(`review`); n != 0 {
			t.Errorf("%d reviews of a blob that is kept", n)
		}

		e.setDeleted(repo, 1, false)
		e.wantBlob(s, repo, d, data) // a restored manifest misses nothing
		wantCode(t, "after the manifest was restored", unlink(), problem.Unsupported, "UNSUPPORTED")
		if _, err := s.Stat(t.Context(), repo, d, true); err != nil || e.lease(repo, b) != 2*time.Hour {
			t.Errorf("a promise on a blob that only a restored manifest shows: %v, the lease lasts %v", err, e.lease(repo, b))
		}
		e.setDeleted(repo, 1, true)
		e.wantBlob(s, repo, d, data) // the promise holds
		if err := unlink(); err != nil {
			t.Fatal(err)
		}

		e.push(s, alice, data)
		e.manifest(repo, 1, d) // pushed again: as if it had never been removed
		e.setDeleted(repo, 1, true)
		e.clock.forward(3 * time.Hour)
		e.expireLeases()
		e.wantBlob(s, repo, d, data)
	})
}

func TestUnlinkOfTheLastReferenceAsksForAReview(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		b := e.push(s, alice, random(1, 100))
		e.push(s, bob, random(1, 100))
		for i, repo := range []int64{alice.RepositoryID, bob.RepositoryID} {
			if err := s.Unlink(t.Context(), repo, b.Digest); err != nil {
				t.Fatal(err)
			}
			if n := e.count(`review WHERE kind = 3 AND repo_id = 0 AND item_id = $1`, b.ID); n != i {
				t.Errorf("%d reviews after %d of 2 repositories lost the blob", n, i+1)
			}
		}
	})
}

func TestLinkingManifests(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		want := map[digest.Digest]int64{}
		var all []digest.Digest
		for i := range 70 {
			b := e.push(s, alice, random(uint64(i), i))
			want[b.Digest] = b.Size
			all = append(all, b.Digest)
		}
		sizes := func(repo int64, ask []digest.Digest) map[digest.Digest]int64 {
			t.Helper()
			var got map[digest.Digest]int64
			err := e.tx(func(ctx context.Context, tx db.Tx) (err error) {
				got, err = content.SizesTx(ctx, tx, repo, ask)
				return err
			})
			if err != nil {
				t.Fatalf("SizesTx: %v", err)
			}
			return got
		}
		exporter := cmp.AllowUnexported(digest.Digest{})
		missing := sha256Of([]byte("missing"))
		if diff := cmp.Diff(want, sizes(alice.RepositoryID, append(all, missing, all[0])), exporter); diff != "" {
			t.Errorf("sizes (-want +got):\n%s", diff)
		}
		if got := sizes(bob.RepositoryID, all); len(got) != 0 {
			t.Errorf("another repository sees %d blobs", len(got))
		}
		if got := sizes(alice.RepositoryID, nil); len(got) != 0 {
			t.Errorf("no question, %d answers", len(got))
		}
		for range 2 {
			e.manifest(alice.RepositoryID, 1, append(all, all[0])...)
		}
		if n := e.count(`blob_ref WHERE manifest_id = 1`); n != len(all) {
			t.Errorf("%d references, want %d", n, len(all))
		}
		err := e.tx(func(ctx context.Context, tx db.Tx) error {
			return content.LinkTx(ctx, tx, alice.RepositoryID, 1, []digest.Digest{all[0], missing})
		})
		wantCode(t, "LinkTx of a blob that is gone", err, problem.NotFound, "BLOB_UNKNOWN")
	})
}

func TestBytes(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 100)
		b := e.push(s, alice, data)
		got, err := s.Bytes(t.Context(), alice.RepositoryID, b.Digest, 100)
		if err != nil || !cmp.Equal(got, data) {
			t.Errorf("Bytes: %d, %v", len(got), err)
		}
		_, err = s.Bytes(t.Context(), alice.RepositoryID, b.Digest, 99)
		wantCode(t, "a blob over the limit", err, problem.TooLarge, "")
		_, err = s.Bytes(t.Context(), bob.RepositoryID, b.Digest, 100)
		wantCode(t, "another repository's blob", err, problem.NotFound, "BLOB_UNKNOWN")
		if e.root != "" {
			damage(t, filepath.Join(e.root, b.Object.Path), func(data []byte) []byte { data[7]++; return data })
			_, err = s.Bytes(t.Context(), alice.RepositoryID, b.Digest, 100)
			wantCode(t, "a blob with a changed byte", err, problem.Internal, "")
			e.wantUnknownBlob(s, alice.RepositoryID, b.Digest)
		}
	})
}

func TestRedirectURL(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		b := e.push(s, alice, random(1, 100))
		u, err := s.RedirectURL(t.Context(), b, time.Minute)
		if err != nil || (u != "") != (e.fake != nil) {
			t.Errorf("RedirectURL: %q, %v", u, err)
		}
		b.Object.Location = "elsewhere"
		if _, err := s.RedirectURL(t.Context(), b, time.Minute); !problem.Is(err, problem.Internal) {
			t.Errorf("RedirectURL of an unknown location: %v", err)
		}
		if _, err := s.Open(t.Context(), b); !problem.Is(err, problem.Internal) {
			t.Errorf("Open in an unknown location: %v", err)
		}
	})
}

func TestDamagedFileIsTakenOutOfServiceAndReplaced(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 100)
		d := sha256Of(data)
		repo := alice.RepositoryID
		for claim, change := range map[string]func(name string) error{
			"missing": os.Remove,
			"shorter": func(name string) error { return os.Truncate(name, 99) },
			"longer":  func(name string) error { return os.Truncate(name, 101) },
			"folder":  func(name string) error { return errors.Join(os.Remove(name), os.Mkdir(name, 0o755)) },
		} {
			t.Run(claim, func(t *testing.T) {
				e := e.on(t)
				spoil := func() content.Blob {
					t.Helper()
					b := e.wantBlob(s, repo, d, data)
					if err := change(filepath.Join(e.root, b.Object.Path)); err != nil {
						t.Fatal(err)
					}
					return b
				}
				e.push(s, alice, data)
				b := spoil()
				if _, err := s.Open(t.Context(), b); !problem.Is(err, problem.Internal) {
					t.Errorf("Open: %v", err)
				}
				e.wantUnknownBlob(s, repo, d)

				e.push(s, alice, data)
				spoil()
				_, err := s.Stat(t.Context(), repo, d, true)
				wantCode(t, "a promise", err, problem.NotFound, "BLOB_UNKNOWN")

				e.push(s, alice, data)
				spoil()
				if _, ok, err := s.Mount(t.Context(), d, repo, 77); ok || err != nil {
					t.Errorf("Mount: %t, %v", ok, err)
				}

				e.push(s, alice, data)
				spoil()
				e.push(s, alice, data) // without asking first
				e.wantBlob(s, repo, d, data)
			})
		}
	})
}

func TestFolderThatIsAwayIsNotTakenForDamage(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 100)
		b := e.push(s, alice, data)
		id := e.start(s, alice)
		if err := os.Rename(e.root, e.root+".away"); err != nil {
			t.Fatal(err)
		}
		_, err := s.Stat(t.Context(), alice.RepositoryID, b.Digest, true)
		wantCode(t, "a promise", err, problem.Unavailable, "")
		_, err = s.Open(t.Context(), b)
		wantCode(t, "Open", err, problem.Unavailable, "")
		_, err = s.Start(t.Context(), alice, digest.SHA256)
		wantCode(t, "Start", err, problem.Unavailable, "")
		wantCode(t, "Check", s.Check(t.Context()), problem.Unavailable, "")
		if err := os.Rename(e.root+".away", e.root); err != nil {
			t.Fatal(err)
		}
		e.wantBlob(s, alice.RepositoryID, b.Digest, data)
		e.append(s, alice, id, appending(data))
		if err := s.Check(t.Context()); err != nil {
			t.Errorf("Check: %v", err)
		}
	})
}

func TestOpenBlobIsAFile(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		s := e.store()
		e.push(s, alice, random(1, 100_000))
		b, err := s.Stat(t.Context(), alice.RepositoryID, sha256Of(random(1, 100_000)), false)
		if err != nil {
			t.Fatal(err)
		}
		o, err := s.Open(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		f := content.File(o)
		if f == nil {
			t.Fatal("the object does not give its file")
		}
		if _, err := o.Seek(99_990, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(f); err != nil || len(rest) != 10 {
			t.Errorf("the file gives %d bytes, %v; want the 10 after the object's position", len(rest), err)
		}
		if err := s.Unlink(t.Context(), alice.RepositoryID, b.Digest); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(f.Name()); errors.Is(err, iofs.ErrNotExist) {
			t.Error("removing the blob from the repository removed the file")
		}
	})
}

func TestLocations(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		data := random(1, 100)
		first := e.store()
		b := e.push(first, alice, data)
		second := e.driver()
		twice := func(o *content.Options) {
			o.Locations = append(o.Locations, content.Location{Name: "default", Driver: second})
		}
		if _, err := content.NewStore(t.Context(), content.Options{DB: e.db, Locations: nil}); !problem.Is(err, problem.Internal) {
			t.Errorf("a store without locations: %v", err)
		}
		o := content.Options{DB: e.db, Locations: []content.Location{{Name: "default", Driver: second}}}
		twice(&o)
		if _, err := content.NewStore(t.Context(), o); !problem.Is(err, problem.Invalid) {
			t.Errorf("a location named twice: %v", err)
		}
		moved := e.store(func(o *content.Options) {
			o.Locations = []content.Location{{Name: "new", Driver: second}, o.Locations[0]}
		})
		e.wantBlob(moved, alice.RepositoryID, b.Digest, data)
		again := e.push(moved, bob, data)
		if again.Object.Location != "new" {
			t.Errorf("an upload went to %+v", again.Object)
		}
		if got := e.wantBlob(moved, alice.RepositoryID, b.Digest, data); got.Object.Location != "new" {
			t.Errorf("read from %+v, want the first location", got.Object)
		}
		if got := e.wantBlob(e.store(), alice.RepositoryID, b.Digest, data); got != b {
			t.Errorf("a store that only has the old location reads %+v, want %+v", got, b)
		}
		gone := e.store(func(o *content.Options) { o.Locations[0].Name = "third" })
		e.wantUnknownBlob(gone, alice.RepositoryID, b.Digest)
		id := e.start(first, alice)
		if _, err := gone.Status(t.Context(), alice, id); !problem.Is(err, problem.Internal) {
			t.Errorf("an upload in a location that is not configured: %v", err)
		}
	})
}
