package distribution_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func sha256Of(b []byte) string { return digest.SHA256.Of(b).String() }

// TestWhatAWarmPullAsksTheDatabase counts queries. On SQLite there are none; on PostgreSQL the tag is asked for, and
// nothing else.
func TestWhatAWarmPullAsksTheDatabase(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRig(t, d)
		pusher := r.token("alice", scopeOf("alice/app", "pull,push"))
		blob := r.upload(pusher, "alice/app", []byte("a layer"))
		manifest := r.push(pusher, "alice/app", "v1", emptyIndex).String()
		token := r.token("alice", scopeOf("alice/app", "pull"))
		tag := uint64(1)
		if d.Dialect() == db.SQLite {
			tag = 0
		}
		for _, row := range []struct {
			path string
			want uint64
		}{
			{"/manifests/v1", tag},
			{"/manifests/" + manifest, 0},
			{"/blobs/" + blob.String(), 0},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				request := call{method: method, path: "/v2/alice/app" + row.path, token: token}
				r.want(r.send(request), 200)
				before := d.Stats()
				for range 5 {
					r.want(r.send(request), 200)
				}
				after := d.Stats()
				if n := after.Queries - before.Queries; n != 5*row.want || after.Transactions != before.Transactions {
					t.Errorf("%s %s five times: %d queries and %d transactions, want %d queries", method, row.path, n,
						after.Transactions-before.Transactions, 5*row.want)
				}
			}
		}
	})
}

// TestWhatIsMissingIsAskedForAgain pushes at one process what another has just not found.
func TestWhatIsMissingIsAskedForAgain(t *testing.T) {
	uri := dbtest.URI(t, dbtest.PostgreSQL)
	folder := ""
	first := newRig(t, dbtest.OpenURI(t, uri), func(s *settings) { s.storage = func(dir string) { folder = dir } })
	second := newRig(t, dbtest.OpenURI(t, uri), func(s *settings) { s.folder = folder })
	first.user("alice")
	pusher := first.token("alice", scopeOf("alice/app", "pull,push"))
	token := second.tokenOf("alice", password("alice"), scopeOf("alice/app", "pull,push"))
	look := func(what string, status int) {
		t.Helper()
		for range 2 {
			second.want(second.send(call{path: "/v2/alice/app" + what, token: token}), status)
		}
	}
	byDigest := "/manifests/" + sha256Of(emptyIndex)
	look("/tags/list", 404)
	look("/manifests/v1", 404)
	blob := first.upload(pusher, "alice/app", []byte("a layer")).String()
	look("/blobs/"+blob, 200)
	look("/manifests/v1", 404)
	look(byDigest, 404)
	look("/blobs/"+sha256Of([]byte("other")), 404)
	first.push(pusher, "alice/app", "v1", emptyIndex)
	look("/manifests/v1", 200)
	look(byDigest, 200)
	first.upload(pusher, "alice/app", []byte("other"))
	look("/blobs/"+sha256Of([]byte("other")), 200)
}

// TestARepositoryThatIsMadeAnewElsewhere is another one from then on, whatever is remembered of the old one.
func TestARepositoryThatIsMadeAnewElsewhere(t *testing.T) {
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			uri := dbtest.URI(t, kind)
			options := dbtest.Options(uri)
			options.Beside = true
			var folder string
			here := newRig(t, dbtest.OpenURI(t, uri), func(s *settings) { s.storage = func(dir string) { folder = dir } })
			beside, err := db.Open(t.Context(), options)
			here.must(err)
			t.Cleanup(func() { _ = beside.Close() })
			there := newRig(t, beside, func(s *settings) { s.folder = folder })

			pusher := here.token("alice", scopeOf("alice/app", "pull,push"))
			blob := here.upload(pusher, "alice/app", []byte("a layer"))
			old := here.push(pusher, "alice/app", "v1", emptyIndex)
			paths := []string{"/manifests/v1", "/manifests/" + old.String(), "/blobs/" + blob.String()}
			status := func(path string) int { return here.send(call{path: "/v2/alice/app" + path, token: pusher}).status }
			for _, path := range paths {
				if got := status(path); got != 200 {
					t.Fatalf("%s: %d", path, got)
				}
			}
			repo, err := there.registry.Repository(t.Context(), "alice", "app")
			here.must(err)
			here.must(there.registry.DeleteRepository(t.Context(), repo.ID))
			again := there.repository(here.people["alice"], "app", false)
			if again.ID == repo.ID {
				t.Fatal("the identifier is used twice")
			}
			if kind == dbtest.SQLite {
				time.Sleep(500 * time.Millisecond) // the foreign commit is noticed within 250 ms
			} else {
				if got := status("/manifests/v1"); got != 404 {
					t.Errorf("at once the old repository's tag gives %d", got)
				}
				here.clock.advance(30 * time.Second)
			}
			for _, path := range paths {
				if got := status(path); got != 404 {
					t.Errorf("%s of the new repository: %d", path, got)
				}
			}
			other := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"n":"2"}}`)
			here.push(pusher, "alice/app", "v1", other)
			if a := here.send(call{path: "/v2/alice/app/manifests/v1", token: pusher}); string(a.body) != string(other) {
				t.Errorf("the new tag gives %d %s", a.status, a.body)
			}
		})
	}
}

// TestARightThatIsTakenAwayStopsWarmPulls: here at once, at another process within 30 s.
func TestARightThatIsTakenAwayStopsWarmPulls(t *testing.T) {
	uri := dbtest.URI(t, dbtest.PostgreSQL)
	var folder string
	first := newRig(t, dbtest.OpenURI(t, uri), func(s *settings) { s.storage = func(dir string) { folder = dir } })
	second := newRig(t, dbtest.OpenURI(t, uri), func(s *settings) { s.folder = folder })
	pusher := first.token("alice", scopeOf("alice/app", "pull,push"))
	blob := first.upload(pusher, "alice/app", []byte("a layer"))
	manifest := first.push(pusher, "alice/app", "v1", emptyIndex)
	repo, err := first.registry.Repository(t.Context(), "alice", "app")
	first.must(err)
	bob := first.user("bob")
	first.grant(repo, bob, access.Read)
	token := first.token("bob", scopeOf("alice/app", "pull"))
	look := func(r *rig, status int) {
		t.Helper()
		for _, path := range []string{"/manifests/v1", "/manifests/" + manifest.String(), "/blobs/" + blob.String()} {
			r.want(r.send(call{path: "/v2/alice/app" + path, token: token}), status)
		}
	}
	look(first, 200)
	look(second, 200)
	_, err = first.access.Revoke(t.Context(), repo.ID, access.Subject{AccountID: bob.ID})
	first.must(err)
	look(first, 401)
	second.clock.advance(30 * time.Second)
	look(second, 401)
}

// TestABlobWhoseObjectMovedIsFoundAgain moves a file behind the back of what is remembered.
func TestABlobWhoseObjectMovedIsFoundAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var folder string
		r := newRig(t, d, func(s *settings) { s.storage = func(dir string) { folder = dir } })
		token := r.token("alice", scopeOf("alice/app", "pull,push"))
		blob := r.upload(token, "alice/app", []byte("a layer"))
		get := call{path: "/v2/alice/app/blobs/" + blob.String(), token: token}
		r.want(r.send(get), 200)
		var path string
		r.must(d.QueryRow(t.Context(), `SELECT path FROM blob_object WHERE state = 1`).Scan(&path))
		r.must(os.Rename(filepath.Join(folder, path), filepath.Join(folder, "sha256", "moved")))
		_, err := d.Exec(t.Context(), `UPDATE blob_object SET path = 'sha256/moved'`)
		r.must(err)
		if a := r.want(r.send(get), 200); string(a.body) != "a layer" || len(a.header["Etag"]) != 1 {
			t.Errorf("got %q, %v", a.body, a.header)
		}
		_, err = r.content.Stat(t.Context(), 1<<40, blob, false)
		if !problem.HasCode(err, "BLOB_UNKNOWN") {
			t.Errorf("in another repository: %v", err)
		}
	})
}
