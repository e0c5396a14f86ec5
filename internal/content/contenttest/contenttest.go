// Package contenttest holds every content.Driver to the same contract. A driver's own test calls Run.
package contenttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/digest"
)

// Subject is one empty store.
type Subject struct {
	// Open gives a driver of the store, a new one at each call, as another process would have.
	Open func() content.Driver
	// PartBytes is a size at which the driver may have reason to behave differently, such as that of a part.
	PartBytes int
	// Place puts an object where another registry would have left it.
	Place func(path string, data []byte)
}

// Run runs the suite. Each test gets a subject of its own.
func Run(t *testing.T, subject func(t *testing.T) Subject) {
	for _, test := range []struct {
		claim string
		run   func(t *testing.T, s Subject)
	}{
		{"what is written in pieces is published whole, whatever its size", wholeAtEverySize},
		{"what was saved is continued by another process", continues},
		{"what was written after the last save is dropped", dropsUnsaved},
		{"an upload with fewer bytes than its session says is lost", losesShortUploads},
		{"an object is published from a saved session alone", publishesWithoutWriter},
		{"publishing again gives the same path", publishesAgain},
		{"two uploads of one content have two paths", usesPathsOnce},
		{"deleting is idempotent and hits nothing else", deletes},
		{"an abandoned upload leaves nothing", abandons},
		{"a published object is abandoned by a process that knows only the row", abandonsPublished},
		{"a writer that was left behind does not change what is published", adopts},
		{"an object is read from any position", seeks},
		{"what is absent is reported as fs.ErrNotExist", reportsAbsence},
		{"an object of another registry is served as it lies", servesImported},
		{"uploads do not disturb each other", concurrent},
		{"random writes, saves and interruptions end in the same content", random},
		{"the store says that it can be written", checks},
	} {
		t.Run(test.claim, func(t *testing.T) { test.run(t, subject(t)) })
	}
}

// content of a size, different for each seed.
func blob(seed uint64, size int) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1})
	_, _ = r.Read(b) // never fails
	return b
}

func of(data []byte) digest.Digest { return digest.SHA256.Of(data) }

func start(t *testing.T, d content.Driver) content.Session {
	t.Helper()
	s, err := d.Start(t.Context(), uuid.NewString())
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	return stored(s)
}

// stored is a session as it comes back from the database.
func stored(s content.Session) content.Session {
	s.Object = ""
	s.State = bytes.Clone(s.State)
	s.Parts = append([]content.Part(nil), s.Parts...)
	return s
}

// write adds data to an upload in pieces and saves it.
func write(t *testing.T, d content.Driver, s content.Session, data []byte, last bool) content.Session {
	t.Helper()
	w := resume(t, d, s)
	defer w.Close()
	put(t, w, data)
	return save(t, w, last)
}

func resume(t *testing.T, d content.Driver, s content.Session) content.Writer {
	t.Helper()
	w, err := d.Resume(t.Context(), s)
	if err != nil {
		t.Fatalf("Resume at byte %d: %v", s.Size, err)
	}
	return w
}

func put(t *testing.T, w io.Writer, data []byte) {
	t.Helper()
	const piece = 1000
	for len(data) > 0 {
		n := min(piece, len(data))
		if m, err := w.Write(data[:n]); err != nil || m != n {
			t.Fatalf("Write of %d bytes: %d, %v", n, m, err)
		}
		data = data[n:]
	}
}

func save(t *testing.T, w content.Writer, last bool) content.Session {
	t.Helper()
	s, err := w.Save(t.Context(), last)
	if err != nil {
		t.Fatalf("Save: %v", err)
	}
	return stored(s)
}

func publish(t *testing.T, d content.Driver, s content.Session, data []byte) string {
	t.Helper()
	path, err := d.Publish(t.Context(), s, of(data))
	if err != nil {
		t.Fatalf("Publish of %d bytes: %v", s.Size, err)
	}
	return path
}

// object makes an object in one go.
func object(t *testing.T, d content.Driver, data []byte) (content.Session, string) {
	t.Helper()
	s := write(t, d, start(t, d), data, true)
	return s, publish(t, d, s, data)
}

func wantContent(t *testing.T, d content.Driver, path string, want []byte) {
	t.Helper()
	size, err := d.Stat(t.Context(), path)
	if err != nil || size != int64(len(want)) {
		t.Errorf("Stat of %s: %d, %v; want %d bytes", path, size, err, len(want))
	}
	o, err := d.Open(t.Context(), path)
	if err != nil {
		t.Fatalf("Open of %s: %v", path, err)
	}
	defer o.Close()
	if o.Size() != int64(len(want)) {
		t.Errorf("%s says it has %d bytes, want %d", path, o.Size(), len(want))
	}
	got, err := io.ReadAll(o)
	if err != nil {
		t.Fatalf("reading %s: %v", path, err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes that are not the %d written", path, len(got), len(want))
	}
}

func wantAbsent(t *testing.T, d content.Driver, path string) {
	t.Helper()
	if _, err := d.Stat(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of absent %s: %v, want fs.ErrNotExist", path, err)
	}
	if o, err := d.Open(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of absent %s: %v, %v, want fs.ErrNotExist", path, o, err)
	}
}

func wantLost(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, content.ErrLost) {
		t.Errorf("%s: %v, want ErrLost", what, err)
	}
}

func abandon(t *testing.T, d content.Driver, s content.Session) {
	t.Helper()
	if err := d.Abandon(context.WithoutCancel(t.Context()), s); err != nil {
		t.Errorf("Abandon: %v", err)
	}
}
