package content_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/problem"
)

// dated makes the store's clock that of the file system, as it is in the program.
func dated(o *content.Options) { o.Clock = time.Now }

// read reads an object to its end.
func read(o content.Object) ([]byte, error) {
	defer o.Close()
	return io.ReadAll(struct{ io.Reader }{o})
}

// change turns a byte of a blob's file over; length and name stay.
func (e *env) change(b content.Blob, at int64) {
	e.t.Helper()
	f, err := os.OpenFile(filepath.Join(e.root, b.Object.Path), os.O_RDWR, 0)
	if err != nil {
		e.t.Fatal(err)
	}
	defer f.Close()
	one := make([]byte, 1)
	if _, err := f.ReadAt(one, at); err != nil {
		e.t.Fatal(err)
	}
	one[0] ^= 1
	if _, err := f.WriteAt(one, at); err != nil {
		e.t.Fatal(err)
	}
}

func TestTouchedFilesAreVerified(t *testing.T) {
	const held = 256 << 10
	eachFiles(t, func(t *testing.T, e *env) {
		for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, held - 1, held, held + 1, 3 * held} {
			data := random(uint64(size), size)
			s := e.store()
			e.push(s, alice, data)
			stat := func() content.Blob {
				t.Helper()
				b, err := s.Stat(t.Context(), alice.RepositoryID, sha256Of(data), false)
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			for range 2 { // unknown to this process, then known
				b := stat()
				b.Object.Published = 0
				o, err := s.Open(t.Context(), b)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := read(o); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes: %d are read, %v", size, len(got), err)
				}
			}
			if size == 0 {
				continue
			}
			b := stat()
			b.Object.Published = 0
			if o, err := s.Open(t.Context(), b); err != nil {
				t.Fatal(err)
			} else if (content.File(o) == nil) != (size <= 64<<10) {
				t.Errorf("%d bytes: a file that was verified is not trusted", size)
			}
			e.change(b, int64(size-1))
			b.Object.Published = 0
			o, err := s.Open(t.Context(), b)
			var got []byte
			if err == nil {
				got, err = read(o)
			}
			if !problem.Is(err, problem.Internal) || len(got) > max(0, size-held) {
				t.Errorf("%d bytes with another one at the end: %d are read, %v", size, len(got), err)
			}
			e.wantUnknownBlob(s, alice.RepositoryID, b.Digest)
			e.push(s, alice, data)
			e.wantBlob(s, alice.RepositoryID, b.Digest, data)
		}
	})
}

func TestPartsOfATouchedFileAreReadOnlyWhenAllOfItIsRight(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 1<<20)
		e.push(s, alice, data)
		b, err := s.Stat(t.Context(), alice.RepositoryID, sha256Of(data), false)
		if err != nil {
			t.Fatal(err)
		}
		b.Object.Published = 0
		var readers sync.WaitGroup
		for range 8 {
			readers.Go(func() {
				o, err := s.OpenPart(t.Context(), b)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := read(o); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes are read, %v", len(got), err)
				}
			})
		}
		readers.Wait()
		e.change(b, 1)
		if _, err := s.OpenPart(t.Context(), b); !problem.Is(err, problem.Internal) {
			t.Errorf("a part of a changed file: %v", err)
		}
		e.wantUnknownBlob(s, alice.RepositoryID, b.Digest)
	})
}

// TestAFileIsTrustedUntilItIsTouched: with the clock that files are dated by.
func TestAFileIsTrustedUntilItIsTouched(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		s := e.store(dated)
		data := random(1, 1<<20)
		e.push(s, alice, data)
		trusted := func() bool {
			t.Helper()
			b, err := s.Stat(t.Context(), alice.RepositoryID, sha256Of(data), false)
			if err != nil {
				t.Fatal(err)
			}
			if b.Object.Published == 0 {
				t.Fatal("nobody knows when the object was published")
			}
			o, err := s.Open(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			defer o.Close()
			if content.File(o) != nil {
				return true
			}
			_, err = io.Copy(io.Discard, struct{ io.Reader }{o})
			if err != nil {
				t.Fatal(err)
			}
			return false
		}
		if !trusted() {
			t.Error("a file that nobody touched is read")
		}
		e.exec(`UPDATE blob_object SET inherited = 1`)
		s = e.store(dated)
		b, err := s.Stat(t.Context(), alice.RepositoryID, sha256Of(data), false)
		if err != nil || b.Object.Published != 0 {
			t.Errorf("an inherited object was published at %d, %v", b.Object.Published, err)
		}
		e.exec(`UPDATE blob_object SET inherited = 0`)
		time.Sleep(20 * time.Millisecond)
		name := filepath.Join(e.root, b.Object.Path)
		if err := errors.Join(os.Chmod(name, 0o600), os.Chtimes(name, time.Unix(1, 0), time.Unix(1, 0))); err != nil {
			t.Fatal(err)
		}
		s = e.store(dated)
		if trusted() {
			t.Error("a touched file is trusted, whatever date it bears")
		}
		if !trusted() {
			t.Error("a file that was verified is read again")
		}
	})
}

func TestAPushReplacesAChangedFile(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		s := e.store(dated)
		for _, size := range []int{100, 1 << 20} {
			data := random(uint64(size), size)
			e.push(s, alice, data)
			b, err := s.Stat(t.Context(), alice.RepositoryID, sha256Of(data), false)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
			e.change(b, 50)
			e.push(s, alice, data) // before anybody has read it
			e.wantBlob(s, alice.RepositoryID, b.Digest, data)
		}
	})
}

func TestAFileThatIsCutWhileItIsVerifiedBreaksOff(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		for _, left := range []int64{0, 600_000, 1<<20 - 1} {
			s := e.store()
			data := random(1, 1<<20)
			e.push(s, alice, data)
			b, err := s.Stat(t.Context(), alice.RepositoryID, sha256Of(data), false)
			if err != nil {
				t.Fatal(err)
			}
			b.Object.Published = 0
			o, err := s.Open(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, o, 1000); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(filepath.Join(e.root, b.Object.Path), left); err != nil {
				t.Fatal(err)
			}
			if got, err := read(o); !problem.Is(err, problem.Internal) || int64(len(got)) > left {
				t.Errorf("cut to %d bytes: %d more are read, %v", left, len(got), err)
			}
			e.wantUnknownBlob(s, alice.RepositoryID, b.Digest)
		}
	})
}
