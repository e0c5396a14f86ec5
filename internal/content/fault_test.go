package content_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/fakestore"
	"github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/content/fs/faultfs"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func TestRowIsCommittedAfterFileAndFolderAreSynced(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		var file, folder atomic.Bool
		e.sys = &faultfs.FS{System: fs.OS{}, Call: func(operation, name string, do func() error) error {
			err := do()
			if strings.Contains(name, marker) {
				return err
			}
			inside := strings.Contains(name, "sha256/")
			if operation == "sync" || operation == "syncdir" && inside {
				if len(e.glob("sha256/*/*")) != 1 || len(e.glob("uploads/*")) != 0 {
					t.Errorf("%s before the file had its final name", operation)
				}
				time.Sleep(20 * time.Millisecond) // time for a commit that does not wait
				if n := e.count(`blob`) + e.count(`blob_object`); n != 0 {
					t.Errorf("%d rows are committed before the end of %s", n, operation)
				}
				file.Store(file.Load() || operation == "sync")
				folder.Store(folder.Load() || operation == "syncdir")
			}
			return err
		}}
		e.push(e.store(), alice, random(1, 1000))
		if !file.Load() || !folder.Load() {
			t.Errorf("synced: file %t, folder %t", file.Load(), folder.Load())
		}
	})
}

func TestFailedSyncIsAnErrorAndLeavesNothing(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		for _, operation := range []string{"sync", "syncdir"} {
			var fail atomic.Bool
			e.sys = &faultfs.FS{System: fs.OS{}, Call: func(op, name string, do func() error) error {
				if fail.Load() && op == operation && !strings.HasSuffix(name, "sha256") {
					return syscall.EIO
				}
				return do()
			}}
			s := e.store()
			data := random(1, 1000)
			e.push(s, bob, random(2, 1000)) // the folders are there
			id := e.start(s, alice)
			fail.Store(true)
			_, err := s.Finish(t.Context(), alice, id, appending(data), sha256Of(data))
			fail.Store(false)
			if !problem.Is(err, problem.Internal) {
				t.Errorf("%s: %v, want an internal error", operation, err)
			}
			e.wantUnknownUpload(s, alice, id)
			e.wantUnknownBlob(s, alice.RepositoryID, sha256Of(data))
			e.wantLeft(1, 0)
		}
	})
}

func TestFullDiskKeepsTheUpload(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		var full atomic.Bool
		e.sys = &faultfs.FS{System: fs.OS{}, Call: func(op, name string, do func() error) error {
			if full.Load() && (op == "writeat" || op == "create" || op == "rename") {
				return syscall.ENOSPC
			}
			return do()
		}}
		s := e.store()
		data := random(1, 1000)
		id := e.start(s, alice)
		e.append(s, alice, id, appending(data[:500]))
		full.Store(true)
		_, err := s.Start(t.Context(), alice, digest.SHA256)
		wantCode(t, "POST", err, problem.Unavailable, "")
		_, err = s.Append(t.Context(), alice, id, appending(data[500:]))
		wantCode(t, "PATCH", err, problem.Unavailable, "")
		_, err = s.Finish(t.Context(), alice, id, appending(nil), sha256Of(data[:500]))
		wantCode(t, "PUT", err, problem.Unavailable, "")
		full.Store(false)
		e.wantKept(s, alice, id, 500)
		e.finish(s, alice, id, ranged(500, data[500:]), sha256Of(data))
		if n := e.count(`upload`); n != 0 {
			t.Errorf("%d uploads are left", n)
		}
	})
}

func TestUnfinishedFileIsHeldAgainstItsRow(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		data := random(1, 5000)
		for claim, test := range map[string]struct {
			change func(b []byte) []byte
			reboot bool
			known  bool
		}{
			"an untouched file goes on":                                   {func(b []byte) []byte { return b }, false, true},
			"a longer file is cut":                                        {func(b []byte) []byte { return append(b, "more"...) }, false, true},
			"a shorter file is unknown":                                   {func(b []byte) []byte { return b[:4999] }, false, false},
			"an empty file is unknown":                                    {func([]byte) []byte { return nil }, false, false},
			"after a start of the system an intact file goes on":          {func(b []byte) []byte { return append(b, "more"...) }, true, true},
			"after a start of the system a file with holes is unknown":    {func(b []byte) []byte { clear(b[4000:]); return b }, true, false},
			"after a start of the system a file that is short is unknown": {func(b []byte) []byte { return b[:10] }, true, false},
		} {
			t.Run(claim, func(t *testing.T) {
				e := e.on(t)
				s := e.store()
				id := e.start(s, alice)
				e.append(s, alice, id, appending(data))
				damage(t, filepath.Join(e.root, "uploads", id), test.change)
				if test.reboot {
					e.exec(`UPDATE upload SET boot = 'another' WHERE uuid = $1`, id)
				}
				b, err := e.store().Finish(t.Context(), alice, id, appending([]byte("end")), sha256Of(append(data[:5000:5000], "end"...)))
				if test.known {
					if err != nil || b.Size != 5003 {
						t.Errorf("Finish: %+v, %v", b, err)
					}
					if err := s.Unlink(t.Context(), alice.RepositoryID, b.Digest); err != nil {
						t.Error(err)
					}
					return
				}
				wantCode(t, "Finish", err, problem.NotFound, "BLOB_UPLOAD_UNKNOWN")
				e.wantUnknownUpload(s, alice, id)
			})
		}
		e.wantLeft(1, 0)
	})
}

// TestObjectStoreThatLosesItsAnswer has calls that took effect although they failed.
func TestObjectStoreThatLosesItsAnswer(t *testing.T) {
	away := problem.New(problem.Unavailable, "the store does not answer")
	for _, kind := range []dbtest.Kind{dbtest.SQLite, dbtest.PostgreSQL} {
		e := objects(t, dbtest.Open(t, kind))
		seed := uint64(0)
		for _, size := range []int{100, 2*partBytes + 100} {
			for _, after := range []bool{false, true} {
				for _, operation := range []string{"put", "create", "part", "complete", "head"} {
					seed++
					e.fake = &fakestore.Server{MinPart: 2000, Late: 2}
					data := random(seed, size)
					s := e.store()
					id := e.start(s, alice)
					e.append(s, alice, id, appending(data))
					armed := true
					e.fake.Fault = func(op, key string, done bool) error {
						if armed && op == operation && done == after {
							armed = false
							return away
						}
						return nil
					}
					_, err := s.Finish(t.Context(), alice, id, content.Chunk{From: -1, To: -1}, sha256Of(data))
					if !armed && !problem.Is(err, problem.Unavailable) && operation != "head" {
						t.Errorf("%s, after %t: %v", operation, after, err)
					}
					armed = false
					e.finish(e.store(), alice, id, content.Chunk{From: -1, To: -1}, sha256Of(data))
					e.wantBlob(s, alice.RepositoryID, sha256Of(data), data)
					e.wantLeft(1, 0)
				}
			}
		}
	}
}

// TestCommitThatIsRunAgain has a transaction that was committed although it did not look so, and is run again.
func TestCommitThatIsRunAgain(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 1000)
		id := e.start(s, alice)
		first, second, err := s.FinishTwice(t.Context(), alice, id, appending(data), sha256Of(data))
		if err != nil || first != second {
			t.Errorf("the first commit made %+v, the second %+v, %v", first, second, err)
		}
		e.wantBlob(s, alice.RepositoryID, sha256Of(data), data)
		e.wantLeft(1, 0)
	})
}

// TestCrashBetweenPublicationAndCommit leaves a file under its final name that no row knows.
func TestCrashBetweenPublicationAndCommit(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		data := random(1, 2*partBytes+10)
		publish := func(s *content.Store, early int) string {
			t.Helper()
			id := e.start(s, alice)
			e.append(s, alice, id, appending(data[:early]))
			if err := s.PublishOnly(t.Context(), alice, id, appending(data[early:]), sha256Of(data)); err != nil {
				t.Fatal(err)
			}
			return id
		}
		id := publish(e.store(), len(data))
		s := e.store()
		e.finish(s, alice, id, content.Chunk{From: -1, To: -1}, sha256Of(data)) // the client asks again
		e.wantBlob(s, alice.RepositoryID, sha256Of(data), data)

		publish(e.store(), len(data)) // the client does not
		publish(e.store(), 100)
		e.clock.forward(content.UploadLifetime)
		if n, err := e.store().Reap(t.Context(), 10); n != 2 || err != nil {
			t.Errorf("Reap: %d, %v", n, err)
		}
		e.wantBlob(s, alice.RepositoryID, sha256Of(data), data)
		e.wantLeft(1, 0)
	})
}

// TestTheLastChunkIsSentAgainAfterAFailedCommit has the file under its final name while the row only knows of the bytes
// before.
func TestTheLastChunkIsSentAgainAfterAFailedCommit(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		for claim, again := range map[string]func(s *content.Store, id string, data []byte){
			"with the PUT": func(s *content.Store, id string, data []byte) {
				e.finish(s, alice, id, ranged(100, data[100:]), sha256Of(data))
			},
			"in parts": func(s *content.Store, id string, data []byte) {
				e.append(s, alice, id, ranged(100, data[100:200]))
				e.wantKept(s, alice, id, 200)
				e.finish(s, alice, id, ranged(200, data[200:]), sha256Of(data))
			},
		} {
			t.Run(claim, func(t *testing.T) {
				e := e.on(t)
				data := random(uint64(len(claim)), 5000)
				first := e.store()
				id := e.start(first, alice)
				e.append(first, alice, id, appending(data[:100]))
				if err := first.PublishOnly(t.Context(), alice, id, appending(data[100:]), sha256Of(data)); err != nil {
					t.Fatal(err)
				}
				s := e.store()
				again(s, id, data)
				e.wantBlob(s, alice.RepositoryID, sha256Of(data), data)
			})
		}
		e.wantLeft(2, 0)
	})
}

// TestAFileIsNotTakenBackFromACommit has a request go on with an upload while the one before has published its file and
// not committed yet: one of them makes the blob.
func TestAFileIsNotTakenBackFromACommit(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		data := random(1, 1<<20)
		first, second := e.store(), e.store()
		g := newGate(data[100:600_000])
		done := make(chan error)
		id := e.start(first, alice)
		e.append(first, alice, id, appending(data[:100]))
		_, err := first.FinishWith(t.Context(), alice, id, appending(data[100:]), sha256Of(data), func() {
			go func() {
				_, err := second.Append(t.Context(), alice, id, content.Chunk{From: -1, To: -1, Body: g})
				done <- err
			}()
			<-g.reached // it has written, and saved nothing yet
		})
		wantCode(t, "the commit after another request went on", err, problem.RangeInvalid, "BLOB_UPLOAD_INVALID")
		e.wantUnknownBlob(second, alice.RepositoryID, sha256Of(data))
		close(g.open)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		e.finish(second, alice, id, ranged(600_000, data[600_000:]), sha256Of(data))
		e.wantBlob(second, alice.RepositoryID, sha256Of(data), data)
		e.wantLeft(1, 0)
	})
}

func TestFailedRemovalIsLeftToReap(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		var broken atomic.Bool
		fault := errors.New("input/output error")
		if e.fake != nil {
			e.fake.Fault = func(op, _ string, _ bool) error {
				if broken.Load() && op == "delete" {
					return fault
				}
				return nil
			}
		} else {
			e.sys = &faultfs.FS{System: fs.OS{}, Call: func(op, name string, do func() error) error {
				if broken.Load() && op == "remove" {
					return fault
				}
				return do()
			}}
		}
		s := e.store()
		data := random(1, 100)
		id := e.start(s, alice)
		broken.Store(true)
		_, err := s.Finish(t.Context(), alice, id, content.Chunk{From: -1, To: -1, Body: bytes.NewReader(data)}, sha256Of(data[1:]))
		wantCode(t, "Finish", err, problem.Invalid, "DIGEST_INVALID")
		e.wantUnknownUpload(s, alice, id)
		broken.Store(false)
		if n, err := s.Reap(t.Context(), 10); n != 1 || err != nil {
			t.Errorf("Reap: %d, %v", n, err)
		}
		e.wantLeft(0, 0)
	})
}
