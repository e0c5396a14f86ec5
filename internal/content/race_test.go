package content_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/db"
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
