package content_test

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/content/fs/faultfs"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

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
				e := e.on(t)
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
