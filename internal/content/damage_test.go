package content_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/problem"
)

func (e *env) file(b content.Blob) string { return filepath.Join(e.root, b.Object.Path) }

func TestADamagedObjectIsBackWhenItsBytesAreRightAgain(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		for _, size := range []int{100, 100_000} {
			s := e.store()
			data := random(uint64(size), size)
			b := e.push(s, alice, data)

			if err := os.Rename(e.file(b), e.file(b)+".away"); err != nil {
				t.Fatal(err)
			}
			_, err := s.Stat(t.Context(), alice.RepositoryID, b.Digest, true)
			wantCode(t, "a promise on what is missing", err, problem.NotFound, "BLOB_UNKNOWN")
			if n := e.count(`blob_object WHERE state = 4 AND path = $1`, b.Object.Path); n != 1 {
				t.Fatal("a missing object is in service")
			}
			if err := os.Rename(e.file(b)+".away", e.file(b)); err != nil {
				t.Fatal(err)
			}
			e.wantBlob(s, alice.RepositoryID, b.Digest, data)

			touched := b
			touched.Object.Published = 0 // as the clock of files would have it
			e.change(b, 50)
			if o, err := s.OpenPart(t.Context(), touched); !problem.Is(err, problem.Internal) {
				t.Fatalf("a changed object of %d bytes: %v, %v", size, o, err)
			}
			e.wantUnknownBlob(s, alice.RepositoryID, b.Digest)
			e.change(b, 50) // as it was
			e.wantUnknownBlob(s, alice.RepositoryID, b.Digest)
			e.clock.forward(content.ReviveAge)
			e.wantBlob(s, alice.RepositoryID, b.Digest, data)
			if again, err := s.Stat(t.Context(), alice.RepositoryID, b.Digest, true); err != nil || again.Object.Path != b.Object.Path {
				t.Errorf("%d bytes: a promise on %+v, %v", size, again, err)
			}
		}
	})
}

func TestAPushReplacesWhatTheDiskChangedUnseen(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		for _, size := range []int{100, 100_000, 1 << 20} {
			s := e.store()
			data := random(uint64(size), size)
			first := e.push(s, alice, data)
			e.clock.forward(2 * time.Hour)
			e.change(first, 50) // the clock is ahead of the file system's: nothing seems touched
			if _, err := s.Stat(t.Context(), alice.RepositoryID, first.Digest, true); err != nil {
				t.Fatalf("the change is seen: %v", err)
			}
			second := e.push(s, alice, data)
			if second.Object.Path == first.Object.Path {
				t.Errorf("%d bytes: the changed object is kept, the good one dropped", size)
			}
			e.wantBlob(s, alice.RepositoryID, first.Digest, data)
			if left := e.glob("sha256/*/" + filepath.Base(second.Object.Path)); len(left) != 1 {
				t.Errorf("%d bytes: the new object is not there", size)
			}
		}
	})
}

// refusing does not open the files for which refuse gives an error.
type refusing struct {
	fs.OS
	refuse func(name string) error
}

func (r refusing) Open(name string) (*os.File, error) {
	if err := r.refuse(name); err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return r.OS.Open(name)
}

func TestAnObjectThatTheDiskDoesNotGiveIsReplaced(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		for _, cause := range []syscall.Errno{syscall.EIO, syscall.EACCES} {
			for _, size := range []int{100, 100_000} {
				var lost atomic.Pointer[string]
				var passing atomic.Bool
				e.sys = refusing{refuse: func(name string) error {
					if path := lost.Load(); path == nil || !strings.HasSuffix(name, *path) {
						return nil
					}
					if passing.Load() {
						lost.Store(nil)
					}
					return cause
				}}
				s := e.store()
				data := random(uint64(size)+uint64(cause), size)
				first := e.push(s, alice, data)
				e.clock.forward(2 * time.Hour)

				passing.Store(true)
				lost.Store(&first.Object.Path)
				if _, err := s.Open(t.Context(), first); err == nil {
					t.Errorf("%v: the object was opened", cause)
				}
				if again := e.push(s, alice, data); again.Object.Path != first.Object.Path {
					t.Errorf("%v: one failure took the object out of service", cause)
				}

				e.clock.forward(2 * time.Hour)
				passing.Store(false)
				lost.Store(&first.Object.Path)
				second := e.push(s, alice, data)
				if second.Object.Path == first.Object.Path {
					t.Errorf("%v: the object that cannot be read is kept", cause)
				}
				e.wantBlob(s, alice.RepositoryID, first.Digest, data)
			}
		}
	})
}

func TestAReaderKeepsTheObjectThatAPushReplaces(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 1<<20)
		b := e.push(s, alice, data)
		o, err := s.Open(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		e.clock.forward(2 * time.Hour)
		if err := os.Remove(e.file(b)); err != nil {
			t.Fatal(err)
		}
		e.push(s, alice, data)
		if got, err := read(o); err != nil || !bytes.Equal(got, data) {
			t.Errorf("an open object has %d bytes, %v", len(got), err)
		}
	})
}
