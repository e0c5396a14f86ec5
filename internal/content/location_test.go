package content_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

const marker = ".longshore-location"

// open starts a store as a new process would, and gives its error.
func (e *env) open() (*content.Store, error) {
	e.t.Helper()
	d, err := fs.New(fs.Options{Root: e.root, System: e.sys})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { d.Close() })
	return content.NewStore(e.t.Context(), content.Options{
		DB: e.db, Locations: []content.Location{{Name: "default", Driver: d}}, Clock: e.clock.now,
	})
}

// unmount has an empty folder where the storage was; mount undoes it.
func (e *env) unmount() (mount func()) {
	e.t.Helper()
	if err := os.Rename(e.root, e.root+".away"); err != nil {
		e.t.Fatal(err)
	}
	for _, name := range []string{"uploads", "sha256", "sha512"} { // as a program made them that did not look
		if err := os.MkdirAll(filepath.Join(e.root, name), 0o755); err != nil {
			e.t.Fatal(err)
		}
	}
	return func() {
		e.t.Helper()
		if err := os.RemoveAll(e.root); err != nil {
			e.t.Fatal(err)
		}
		if err := os.Rename(e.root+".away", e.root); err != nil {
			e.t.Fatal(err)
		}
	}
}

func TestAStoreWhoseStorageIsNotMountedDoesNotStart(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		data := random(1, 100)
		e.push(e.store(), alice, data)
		name, err := os.ReadFile(filepath.Join(e.root, marker))
		if err != nil {
			t.Fatalf("the folder bears no name: %v", err)
		}
		mount := e.unmount()
		for claim, change := range map[string]func() error{
			"an empty mount point": func() error { return nil },
			"another installation's folder": func() error {
				return os.WriteFile(filepath.Join(e.root, marker), []byte("another\n"), 0o644)
			},
		} {
			if err := change(); err != nil {
				t.Fatal(err)
			}
			_, err = e.open()
			wantCode(t, claim, err, problem.Unavailable, "")
			for _, word := range []string{e.root, strings.TrimSpace(string(name)), "Mount"} {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("%s: the error %q does not say %q", claim, err, word)
				}
			}
		}
		mount()
		e.wantBlob(e.store(), alice.RepositoryID, sha256Of(data), data)
	})
}

func TestAStorageThatIsUnmountedWhileTheStoreRunsLosesNothing(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		s := e.store()
		small, large := random(1, 100), random(2, 100_000)
		b, c := e.push(s, alice, small), e.push(s, alice, large)
		mount := e.unmount()
		for _, b := range []content.Blob{b, c} {
			_, err := s.Stat(t.Context(), alice.RepositoryID, b.Digest, true)
			wantCode(t, "a promise", err, problem.Unavailable, "")
			_, err = s.Open(t.Context(), b)
			wantCode(t, "Open", err, problem.Unavailable, "")
		}
		_, err := s.Start(t.Context(), alice, digest.SHA256)
		wantCode(t, "Start", err, problem.Unavailable, "")
		wantCode(t, "Check", s.Check(t.Context()), problem.Unavailable, "")
		if n := e.count(`blob_object WHERE state <> 1`); n != 0 {
			t.Errorf("%d objects are out of service", n)
		}
		mount()
		e.wantBlob(s, alice.RepositoryID, b.Digest, small)
		e.wantBlob(s, alice.RepositoryID, c.Digest, large)
	})
}

func TestAFolderWithoutANameIsKnownByItsObjects(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		data := random(1, 100)
		b := e.push(e.store(), alice, data)
		for claim, old := range map[string]bool{"of an installation that had no such names": true, "whose file was removed": false} {
			if err := os.Remove(filepath.Join(e.root, marker)); err != nil {
				t.Fatal(err)
			}
			if old {
				e.exec(`UPDATE storage_location SET marker = NULL`)
			}
			mount := e.unmount()
			_, err := e.open()
			wantCode(t, "an empty mount point "+claim, err, problem.Unavailable, "")
			mount()
			s, err := e.open()
			if err != nil {
				t.Fatalf("a folder %s: %v", claim, err)
			}
			e.wantBlob(s, alice.RepositoryID, b.Digest, data)
			if _, err := os.Stat(filepath.Join(e.root, marker)); err != nil {
				t.Errorf("a folder %s was not named: %v", claim, err)
			}
		}
	})
}

func TestAFolderOfWhichNothingIsKnownIsTaken(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		e.store()
		if err := os.RemoveAll(e.root); err != nil { // nothing was pushed
			t.Fatal(err)
		}
		e.store()
		if err := os.WriteFile(filepath.Join(e.root, marker), []byte("another\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		data := random(1, 100)
		e.push(e.store(), alice, data)
		e.wantBlob(e.store(), alice.RepositoryID, sha256Of(data), data)
		if name, err := os.ReadFile(filepath.Join(e.root, marker)); err != nil || string(name) != "another\n" {
			t.Errorf("the folder's name became %q, %v", name, err)
		}
	})
}
