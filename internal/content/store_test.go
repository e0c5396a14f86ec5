package content_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/fakestore"
	"github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// partBytes is the part size of the fake object store.
const partBytes = 3000

// env is a database and a blob location on which any number of stores may work.
type env struct {
	t     *testing.T
	db    *db.DB
	root  string            // folder, empty for the object store
	fake  *fakestore.Server // nil for the folder
	sys   fs.FileSystem     // nil for the operating system
	clock *clock
}

// each runs a test on both kinds of location and every kind of database; the locale does not matter twice.
func each(t *testing.T, fn func(t *testing.T, e *env)) {
	t.Helper()
	t.Run("files", func(t *testing.T) { eachFiles(t, fn) })
	for _, kind := range []dbtest.Kind{dbtest.SQLite, dbtest.PostgreSQL} {
		t.Run("objects/"+string(kind), func(t *testing.T) {
			fn(t, objects(t, dbtest.Open(t, kind)))
		})
	}
}

// eachFiles runs a test on every kind of database with a folder.
func eachFiles(t *testing.T, fn func(t *testing.T, e *env)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { fn(t, files(t, d)) })
}

func files(t *testing.T, d *db.DB) *env {
	return &env{t: t, db: d, root: filepath.Join(t.TempDir(), "blobs"), clock: newClock()}
}

func objects(t *testing.T, d *db.DB) *env {
	return &env{t: t, db: d, fake: &fakestore.Server{MinPart: 2000, Late: 2}, clock: newClock()}
}

// on is the same environment for a subtest.
func (e *env) on(t *testing.T) *env {
	sub := *e
	sub.t = t
	return &sub
}

// store opens a store as a new process would.
func (e *env) store(change ...func(o *content.Options)) *content.Store {
	e.t.Helper()
	o := content.Options{
		DB: e.db, Locations: []content.Location{{Name: "default", Driver: e.driver()}},
		Lease: time.Hour, Clock: e.clock.now,
	}
	for _, c := range change {
		c(&o)
	}
	s, err := content.NewStore(e.t.Context(), o)
	if err != nil {
		e.t.Fatalf("NewStore: %v", err)
	}
	s.SetPatience(300 * time.Millisecond)
	return s
}

func (e *env) driver() content.Driver {
	if e.fake != nil {
		return &fakestore.Driver{Server: e.fake, PartSize: partBytes, Patience: 5, Pause: time.Microsecond}
	}
	d, err := fs.New(fs.Options{Root: e.root, System: e.sys})
	if err != nil {
		e.t.Fatalf("fs.New: %v", err)
	}
	e.t.Cleanup(func() { d.Close() })
	return d
}

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.UnixMilli(1_800_000_000_000)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

var (
	alice = content.Owner{RepositoryID: 11, AccountID: 1, Actor: "user:alice"}
	bob   = content.Owner{RepositoryID: 22, AccountID: 2, Actor: "user:bob"}
)

func in(o content.Owner, repository int64) content.Owner {
	o.RepositoryID = repository
	return o
}

func random(seed uint64, size int) []byte {
	b := make([]byte, size)
	r := rand.New(rand.NewPCG(seed, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func sha256Of(b []byte) digest.Digest { return digest.SHA256.Of(b) }
func sha512Of(b []byte) digest.Digest { return digest.SHA512.Of(b) }

// appending is a chunk without range.
func appending(b []byte) content.Chunk {
	return content.Chunk{From: -1, To: -1, Body: bytes.NewReader(b)}
}

// ranged is a chunk that says where it belongs.
func ranged(from int, b []byte) content.Chunk {
	return content.Chunk{From: int64(from), To: int64(from + len(b) - 1), Body: bytes.NewReader(b)}
}

func (e *env) start(s *content.Store, o content.Owner) string {
	e.t.Helper()
	u, err := s.Start(e.t.Context(), o, digest.SHA256)
	if err != nil {
		e.t.Fatalf("Start: %v", err)
	}
	return u.ID
}

func (e *env) append(s *content.Store, o content.Owner, id string, c content.Chunk) content.Upload {
	e.t.Helper()
	u, err := s.Append(e.t.Context(), o, id, c)
	if err != nil {
		e.t.Fatalf("Append: %v", err)
	}
	return u
}

func (e *env) finish(s *content.Store, o content.Owner, id string, c content.Chunk, d digest.Digest) content.Blob {
	e.t.Helper()
	b, err := s.Finish(e.t.Context(), o, id, c, d)
	if err != nil {
		e.t.Fatalf("Finish: %v", err)
	}
	return b
}

// push uploads a blob in one request.
func (e *env) push(s *content.Store, o content.Owner, data []byte) content.Blob {
	e.t.Helper()
	return e.finish(s, o, e.start(s, o), appending(data), sha256Of(data))
}

// wantKept holds an upload against the number of bytes it should have.
func (e *env) wantKept(s *content.Store, o content.Owner, id string, want int) {
	e.t.Helper()
	u, err := s.Status(e.t.Context(), o, id)
	if err != nil || u.Received != int64(want) || u.ID != id {
		e.t.Errorf("Status: %+v, %v; want %d bytes", u, err, want)
	}
}

// wantBlob holds a repository's blob against content.
func (e *env) wantBlob(s *content.Store, repository int64, d digest.Digest, want []byte) content.Blob {
	e.t.Helper()
	b, err := s.Stat(e.t.Context(), repository, d, false)
	if err != nil {
		e.t.Fatalf("Stat of %s: %v", d, err)
	}
	o, err := s.Open(e.t.Context(), b)
	if err != nil {
		e.t.Fatalf("Open of %s: %v", d, err)
	}
	defer o.Close()
	got, err := io.ReadAll(o)
	if err != nil || !bytes.Equal(got, want) || b.Size != int64(len(want)) || b.Digest != d {
		e.t.Errorf("blob %+v has %d bytes, %v; want %d", b, len(got), err, len(want))
	}
	return b
}

func (e *env) wantUnknownBlob(s *content.Store, repository int64, d digest.Digest) {
	e.t.Helper()
	for _, mayPush := range []bool{false, true} {
		_, err := s.Stat(e.t.Context(), repository, d, mayPush)
		wantCode(e.t, "Stat", err, problem.NotFound, "BLOB_UNKNOWN")
	}
}

func (e *env) wantUnknownUpload(s *content.Store, o content.Owner, id string) {
	e.t.Helper()
	_, err := s.Status(e.t.Context(), o, id)
	wantCode(e.t, "Status", err, problem.NotFound, "BLOB_UPLOAD_UNKNOWN")
}

func wantCode(t *testing.T, what string, err error, kind problem.Kind, code string) {
	t.Helper()
	if !problem.Is(err, kind) || !problem.HasCode(err, code) {
		t.Errorf("%s: error %v; want kind %d, code %s", what, err, kind, code)
	}
}

// wantLeft counts what is in the location: objects of blobs, and what uploads left.
func (e *env) wantLeft(objects, unfinished int) {
	e.t.Helper()
	var gotObjects, gotUnfinished int
	if e.fake != nil {
		gotObjects, gotUnfinished = e.fake.Left()
	} else {
		gotObjects, gotUnfinished = len(e.glob("sha*/*/*")), len(e.glob("uploads/*"))
	}
	if gotObjects != objects || gotUnfinished != unfinished {
		e.t.Errorf("the location holds %d objects and %d unfinished uploads, want %d and %d", gotObjects, gotUnfinished, objects, unfinished)
	}
}

func (e *env) glob(pattern string) []string {
	e.t.Helper()
	names, err := filepath.Glob(filepath.Join(e.root, pattern))
	if err != nil {
		e.t.Fatal(err)
	}
	return names
}

// count counts rows.
func (e *env) count(from string, args ...any) int {
	e.t.Helper()
	var n int
	if err := e.db.QueryRow(e.t.Context(), `SELECT COUNT(*) FROM `+from, args...).Scan(&n); err != nil {
		e.t.Fatal(err)
	}
	return n
}

func (e *env) exec(query string, args ...any) {
	e.t.Helper()
	if _, err := e.db.Exec(e.t.Context(), query, args...); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) tx(fn func(ctx context.Context, tx db.Tx) error) error {
	return e.db.Hard(e.t.Context(), "test", fn)
}

// broken is a body whose connection is cut after its bytes.
type broken struct{ io.Reader }

var errCut = errors.New("connection reset by peer")

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = errCut
	}
	return n, err
}

func damage(t *testing.T, name string, change func(data []byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, change(data), 0o644); err != nil {
		t.Fatal(err)
	}
}
