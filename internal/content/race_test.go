package content_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/content/fs/faultfs"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// together runs functions at the same time.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			fn(i)
		})
	}
	close(begin)
	wg.Wait()
}

// gate is a body that gives its bytes, says so, and waits before it ends.
type gate struct {
	data    io.Reader
	reached chan struct{}
	open    chan struct{}
	once    sync.Once
}

func newGate(data []byte) *gate {
	return &gate{data: bytes.NewReader(data), reached: make(chan struct{}), open: make(chan struct{})}
}

func (g *gate) Read(p []byte) (int, error) {
	n, err := g.data.Read(p)
	if err == io.EOF {
		g.once.Do(func() { close(g.reached) })
		<-g.open
	}
	return n, err
}

func TestSecondRequestOnAnUploadIsTurnedAway(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 1000)
		id := e.start(s, alice)
		e.append(s, alice, id, appending(data[:100]))
		g := newGate(data[100:500])
		done := make(chan error)
		go func() {
			_, err := s.Append(t.Context(), alice, id, content.Chunk{From: -1, To: -1, Body: g})
			done <- err
		}()
		<-g.reached
		u, err := s.Append(t.Context(), alice, id, appending(data[100:]))
		wantCode(t, "a second PATCH", err, problem.RangeInvalid, "BLOB_UPLOAD_INVALID")
		if u != (content.Upload{ID: id, Received: 100}) {
			t.Errorf("the second PATCH is told %+v", u)
		}
		_, err = s.Finish(t.Context(), alice, id, appending(data[100:]), sha256Of(data))
		wantCode(t, "a PUT beside it", err, problem.RangeInvalid, "BLOB_UPLOAD_INVALID")
		close(g.open)
		if err := <-done; err != nil {
			t.Errorf("the first PATCH: %v", err)
		}
		e.finish(s, alice, id, ranged(500, data[500:]), sha256Of(data))
		e.wantBlob(s, alice.RepositoryID, sha256Of(data), data)
	})
}

func TestSecondRequestWaitsForOneThatIsEnding(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		s.SetPatience(10 * time.Second)
		data := random(1, 1000)
		id := e.start(s, alice)
		g := newGate(data[:500])
		go s.Append(t.Context(), alice, id, content.Chunk{From: -1, To: -1, Body: g})
		<-g.reached
		time.AfterFunc(20*time.Millisecond, func() { close(g.open) })
		e.finish(s, alice, id, ranged(500, data[500:]), sha256Of(data))
	})
}

// TestAnotherProcessTakesOver has a process that stalls in the middle of a request, with some of its bytes written and
// some not, while another goes on with the upload. On SQLite there is only one process.
func TestAnotherProcessTakesOver(t *testing.T) {
	run := func(t *testing.T, e *env) {
		for i, test := range []struct {
			claim  string
			kept   int // before the stalled request
			size   int // of its body
			other  bool
			finish bool
			late   bool // it goes on after the blob was made
		}{
			{"a PATCH of the same bytes", 100_000, 300_000, false, false, false},
			{"a PATCH of other bytes", 100_000, 300_000, true, false, false},
			{"a PATCH that goes on after the end", 100_000, 300_000, true, false, true},
			{"the first PATCH", 0, 1000, false, false, false},
			{"the first PATCH, of other bytes", 0, 300_000, true, false, false},
			{"a PUT of the same bytes", 100_000, 500_000, false, true, false},
			{"a PUT of other bytes", 100_000, 500_000, true, true, false},
			{"a PUT that goes on after the end", 100_000, 500_000, true, true, true},
		} {
			t.Run(test.claim, func(t *testing.T) {
				data := random(uint64(i), 600_000)
				body := data[test.kept:][:test.size]
				if test.other {
					body = random(99, test.size)
				}
				first, second := e.store(), e.store()
				second.SetPatience(50 * time.Millisecond)
				id := e.start(first, alice)
				e.append(first, alice, id, appending(data[:test.kept]))
				g := newGate(body)
				done := make(chan error)
				go func() {
					var err error
					if c := (content.Chunk{From: -1, To: -1, Body: g}); test.finish {
						_, err = first.Finish(t.Context(), alice, id, c, sha256Of(append(data[:test.kept:test.kept], body...)))
					} else {
						_, err = first.Append(t.Context(), alice, id, c)
					}
					done <- err
				}()
				<-g.reached
				e.append(second, alice, id, ranged(test.kept, data[test.kept:]))
				goOn := func() {
					t.Helper()
					close(g.open)
					err := <-done
					if !problem.Is(err, problem.RangeInvalid) && !(test.late && problem.HasCode(err, "BLOB_UPLOAD_UNKNOWN")) {
						t.Errorf("the process that stalled: %v", err)
					}
				}
				if test.late {
					defer e.wantBlob(first, alice.RepositoryID, sha256Of(data), data)
					defer goOn()
				} else {
					goOn()
				}
				_, err := second.Finish(t.Context(), alice, id, content.Chunk{From: -1, To: -1}, sha256Of(data))
				if e.fake != nil && problem.HasCode(err, "BLOB_UPLOAD_UNKNOWN") {
					e.push(second, alice, data) // a part was replaced: the upload is lost, not mixed
				} else if err != nil {
					t.Fatalf("the process that took over: %v", err)
				}
				e.wantBlob(first, alice.RepositoryID, sha256Of(data), data)
			})
			e.wantLeft(i+1, 0)
		}
		if n := e.count(`blob_object WHERE state <> 1`) + e.count(`upload`); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	}
	t.Run("files", func(t *testing.T) { run(t, files(t, dbtest.Open(t, dbtest.PostgreSQL))) })
	t.Run("objects", func(t *testing.T) { run(t, objects(t, dbtest.Open(t, dbtest.PostgreSQL))) })
}

// TestCommitIsFenced changes an upload between its publication and the commit.
func TestCommitIsFenced(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		data := random(1, 2*partBytes+10)
		for claim, change := range map[string]func(id string){
			"the upload is cancelled": func(id string) {
				if err := e.store().Cancel(t.Context(), alice, id); err != nil {
					t.Error(err)
				}
			},
			"the upload expires": func(string) {
				e.clock.forward(content.UploadLifetime)
				if n, err := e.store().Reap(t.Context(), 10); n != 1 || err != nil {
					t.Errorf("Reap: %d, %v", n, err)
				}
			},
		} {
			s := e.store()
			id := e.start(s, alice)
			_, err := s.FinishWith(t.Context(), alice, id, appending(data), sha256Of(data), func() { change(id) })
			wantCode(t, claim, err, problem.NotFound, "BLOB_UPLOAD_UNKNOWN")
			e.wantUnknownBlob(s, alice.RepositoryID, sha256Of(data))
			e.wantLeft(0, 0)
			if n := e.count(`upload`) + e.count(`blob`) + e.count(`blob_object`); n != 0 {
				t.Errorf("%s: %d rows are left", claim, n)
			}
		}
		if e.db.Dialect() == db.SQLite {
			return // there is no other process
		}
		first, second := e.store(), e.store()
		second.SetPatience(50 * time.Millisecond)
		if e.root != "" {
			id := e.start(first, alice)
			_, err := first.FinishWith(t.Context(), alice, id, appending(data), sha256Of(data), func() {
				e.append(second, alice, id, ranged(0, data[:50]))
			})
			wantCode(t, "another process goes on with the upload", err, problem.RangeInvalid, "BLOB_UPLOAD_INVALID")
			e.wantLeft(0, 1)
			e.wantKept(first, alice, id, 50)
			e.finish(first, alice, id, ranged(50, data[50:100]), sha256Of(data[:100]))
			e.wantLeft(1, 0)
			data = random(3, 500)
			defer e.wantLeft(2, 0)
		} else {
			defer e.wantLeft(1, 0)
		}
		id := e.start(first, alice)
		e.append(first, alice, id, appending(data))
		b, err := first.FinishWith(t.Context(), alice, id, appending(nil), sha256Of(data), func() {
			e.finish(second, alice, id, appending(nil), sha256Of(data))
		})
		if e.fake != nil && (err != nil || b.Size != int64(len(data))) || e.fake == nil && !problem.HasCode(err, "BLOB_UPLOAD_UNKNOWN") {
			t.Errorf("another process was faster: %+v, %v", b, err)
		}
		e.wantBlob(first, alice.RepositoryID, sha256Of(data), data)
	})
}

// TestCommitAfterAHalfDoneRemoval has a removal that could mark the upload and nothing more.
func TestCommitAfterAHalfDoneRemoval(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		var stuck atomic.Bool
		e.sys = &faultfs.FS{System: fs.OS{}, Call: func(op, name string, do func() error) error {
			if stuck.Load() && op == "remove" {
				return syscall.EIO
			}
			return do()
		}}
		s := e.store()
		data := random(1, 100)
		id := e.start(s, alice)
		_, err := s.FinishWith(t.Context(), alice, id, appending(data), sha256Of(data), func() {
			stuck.Store(true)
			if err := e.store().Cancel(t.Context(), alice, id); err == nil {
				t.Error("Cancel succeeded though nothing can be removed")
			}
			stuck.Store(false)
		})
		wantCode(t, "Finish", err, problem.NotFound, "BLOB_UPLOAD_UNKNOWN")
		e.wantUnknownUpload(s, alice, id)
		e.wantLeft(0, 0)
		if n, err := s.Reap(t.Context(), 10); n != 1 || err != nil {
			t.Errorf("Reap: %d, %v", n, err)
		}
	})
}

func TestNobodyElseCanKeepAnUploadBusy(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		s.SetPatience(time.Hour)
		id := e.start(s, alice)
		g := newGate(random(1, 100))
		done := make(chan error)
		go func() {
			_, err := s.Append(t.Context(), alice, id, content.Chunk{From: -1, To: -1, Body: g})
			done <- err
		}()
		<-g.reached
		_, err := s.Append(t.Context(), bob, id, appending(nil))
		wantCode(t, "a stranger, who does not wait", err, problem.NotFound, "BLOB_UPLOAD_UNKNOWN")
		close(g.open)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestUploadOfAProcessThatDiedIsTakenOver(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 3*partBytes)
		id := e.start(s, alice)
		e.append(s, alice, id, appending(data[:partBytes+10]))
		if e.db.Dialect() == db.SQLite {
			t.Skip("claims live in memory")
		}
		e.exec(`UPDATE upload SET holder = 'a process that died'`)
		e.finish(s, alice, id, appending(data[partBytes+10:]), sha256Of(data))
		e.wantBlob(s, alice.RepositoryID, sha256Of(data), data)
		e.wantLeft(1, 0)
	})
}

func TestConcurrentFinishesMakeOneBlob(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		data := random(1, 2*partBytes)
		stores := []*content.Store{e.store()}
		if e.db.Dialect() != db.SQLite {
			stores = append(stores, e.store())
		}
		for _, s := range stores {
			s.SetPatience(5 * time.Second)
		}
		for round := range 5 {
			id := e.start(stores[0], alice)
			e.append(stores[0], alice, id, appending(data))
			d := sha256Of(data)
			together(4, func(i int) {
				if _, err := stores[i%len(stores)].Finish(t.Context(), alice, id, content.Chunk{From: -1, To: -1}, d); err != nil {
					t.Errorf("round %d, request %d: %v", round, i, err)
				}
			})
		}
		e.wantBlob(stores[0], alice.RepositoryID, sha256Of(data), data)
		e.wantLeft(1, 0)
	})
}

func TestConcurrentUploadsOfOneDigest(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		for round := range 3 {
			data := random(uint64(round), 2*partBytes)
			together(6, func(i int) {
				o := content.Owner{RepositoryID: int64(100 + i%3), AccountID: int64(i), Actor: fmt.Sprint("user:", i)}
				u, err := s.Start(t.Context(), o, sha256Of(data).Algorithm())
				if err == nil {
					_, err = s.Finish(t.Context(), o, u.ID, appending(data), sha256Of(data))
				}
				if err != nil {
					t.Errorf("upload %d: %v", i, err)
				}
			})
			for i := range 3 {
				e.wantBlob(s, int64(100+i), sha256Of(data), data)
			}
			e.wantLeft(round+1, 0)
		}
		if n := e.count(`blob_object`); n != 3 {
			t.Errorf("%d objects are recorded, want 3", n)
		}
	})
}

// TestMountBesideRemoval has the source lose the blob while it is mounted: the target has it or has not, and what was
// answered is what is so.
func TestMountBesideRemoval(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		for round := range 10 {
			data := random(uint64(round), 100)
			b := e.push(s, alice, data)
			var mounted bool
			together(2, func(i int) {
				var err error
				if i == 0 {
					_, mounted, err = s.Mount(t.Context(), b.Digest, alice.RepositoryID, bob.RepositoryID)
				} else {
					err = s.Unlink(t.Context(), alice.RepositoryID, b.Digest)
				}
				if err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
			e.wantUnknownBlob(s, alice.RepositoryID, b.Digest)
			if mounted {
				e.wantBlob(s, bob.RepositoryID, b.Digest, data)
			} else {
				e.wantUnknownBlob(s, bob.RepositoryID, b.Digest)
			}
		}
	})
}

// TestPromiseBesideRemoval asks for blobs while they are removed: an error other than "unknown" would be a defect.
func TestPromiseBesideRemoval(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		for round := range 10 {
			b := e.push(s, alice, random(uint64(round), 100))
			e.clock.forward(90 * time.Minute) // a promise has to write
			together(3, func(i int) {
				var err error
				if i == 0 {
					err = s.Unlink(t.Context(), alice.RepositoryID, b.Digest)
				} else if _, err = s.Stat(t.Context(), alice.RepositoryID, b.Digest, true); problem.HasCode(err, "BLOB_UNKNOWN") {
					err = nil
				}
				if err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
			e.wantUnknownBlob(s, alice.RepositoryID, b.Digest)
		}
	})
}

// TestAnyChunking takes an upload through a random course, with requests that are cut, misplaced or go to another
// process, against the model of a growing slice.
func TestAnyChunking(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		stores := []*content.Store{e.store(), e.store()} // one after the other, as after a restart
		seed := uint64(0)
		rapid.Check(t, func(rt *rapid.T) {
			seed++
			data := random(seed, rapid.IntRange(0, 5*partBytes).Draw(rt, "size"))
			id := e.start(stores[0], alice)
			kept := 0
			pick := func() *content.Store { return stores[rapid.IntRange(0, 1).Draw(rt, "process")] }
			for range rapid.IntRange(0, 6).Draw(rt, "requests") {
				n := rapid.IntRange(0, len(data)-kept).Draw(rt, "bytes")
				c := ranged(kept, data[kept:kept+n])
				action := rapid.SampledFrom([]string{"ranged", "appended", "cut", "misplaced", "wrong holder"}).Draw(rt, "request")
				switch action {
				case "appended":
					c.From, c.To = -1, -1
				case "cut":
					c.To += 10
					c.Body = broken{c.Body}
				case "misplaced":
					c.From += rapid.SampledFrom([]int64{-int64(kept) - 0, 1, -1, 50}).Draw(rt, "shift")
					if c.From < 0 || c.From == int64(kept) {
						continue
					}
					c.To = c.From + int64(n) - 1
				}
				o := alice
				if action == "wrong holder" {
					o = bob
				}
				u, err := pick().Append(t.Context(), o, id, c)
				switch action {
				case "ranged", "appended":
					kept += n
				case "cut":
					kept += n
					if !errors.Is(err, errCut) {
						rt.Fatalf("a cut request: %v", err)
					}
					err = nil
				case "misplaced":
					if !problem.Is(err, problem.RangeInvalid) {
						rt.Fatalf("a misplaced chunk: %v", err)
					}
					err = nil
				case "wrong holder":
					if !problem.HasCode(err, "BLOB_UPLOAD_UNKNOWN") {
						rt.Fatalf("somebody else's chunk: %v", err)
					}
					continue
				}
				if err != nil || u.Received != int64(kept) {
					rt.Fatalf("%s of %d bytes: %+v, %v; want %d kept", action, n, u, err, kept)
				}
			}
			b, err := pick().Finish(t.Context(), alice, id, ranged(kept, data[kept:]), sha256Of(data))
			if err != nil || b.Size != int64(len(data)) {
				rt.Fatalf("Finish: %+v, %v", b, err)
			}
			e.wantBlob(pick(), alice.RepositoryID, sha256Of(data), data)
		})
	})
}
