package content_test

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/content/fs/faultfs"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func TestAnUploadThatCannotBeRemovedStopsNoOther(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		var stuck [2]string
		var broken atomic.Bool
		e.sys = &faultfs.FS{System: fs.OS{}, Call: func(op, name string, do func() error) error {
			if id := filepath.Base(name); broken.Load() && op == "remove" && (id == stuck[0] || id == stuck[1]) {
				return syscall.EIO
			}
			return do()
		}}
		s := e.store(func(o *content.Options) { o.MaxUploads = 5 })
		stuck = [2]string{e.start(s, alice), e.start(s, alice)}
		for range 3 {
			e.clock.forward(1)
			e.start(s, alice)
		}
		_, err := s.Start(t.Context(), alice, digest.SHA256)
		wantCode(t, "one upload too many", err, problem.TooMany, "TOOMANYREQUESTS")

		e.clock.forward(content.UploadLifetime)
		broken.Store(true)
		last := e.start(s, alice) // what expired does not count, though it is still there
		if err := s.Cancel(t.Context(), alice, last); err != nil {
			t.Fatal(err)
		}
		n, err := s.Reap(t.Context(), 3)
		if n != 3 || err == nil || !strings.Contains(err.Error(), stuck[0]) {
			t.Errorf("Reap: %d, %v; want the 3 that can be removed, and the first that cannot", n, err)
		}
		if n, err := s.Reap(t.Context(), 3); n != 0 || err != nil {
			t.Errorf("at once again: %d, %v; want that the others wait", n, err)
		}
		for range 5 { // nor does what was put off
			e.start(s, alice)
		}
		broken.Store(false)
		e.clock.forward(content.PutOffTime)
		if n, err := s.Reap(t.Context(), 3); n != 2 || err != nil {
			t.Errorf("later: %d, %v; want 2", n, err)
		}
		e.wantLeft(0, 5)
	})
}

func TestUploadsInALocationThatIsNotConfigured(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		before := e.store()
		id := e.start(before, alice)
		for range 3 {
			e.start(before, alice)
		}
		e.clock.forward(1)
		moved := e.on(t)
		moved.root += ".new"
		now := moved.store(func(o *content.Options) { o.Locations[0].Name, o.MaxUploads = "new", 2 })
		if err := now.Cancel(t.Context(), alice, id); err != nil {
			t.Errorf("Cancel: %v", err)
		}
		e.wantUnknownUpload(now, alice, id)
		moved.start(now, bob)

		e.clock.forward(content.UploadLifetime)
		moved.start(now, alice) // those that expired do not count
		if n, err := now.Reap(t.Context(), 1); n != 1 || err != nil {
			t.Errorf("Reap: %d, %v; want the one that is in a configured location", n, err)
		}
		moved.wantLeft(0, 1)
		e.wantLeft(0, 4)
		if n, err := before.Reap(t.Context(), 10); n != 4 || err != nil {
			t.Errorf("Reap where the location is configured: %d, %v; want 4", n, err)
		}
		e.wantLeft(0, 0)
	})
}

func TestUploadsInAStorageThatIsNotMountedAreNotLost(t *testing.T) {
	eachFiles(t, func(t *testing.T, e *env) {
		s := e.store()
		data := random(1, 100)
		id, other := e.start(s, alice), e.start(s, bob)
		e.append(s, alice, id, appending(data[:50]))
		mount := e.unmount()
		_, err := s.Finish(t.Context(), alice, id, appending(data[50:]), sha256Of(data))
		wantCode(t, "Finish", err, problem.Unavailable, "")
		_, err = s.Finish(t.Context(), alice, id, appending(nil), sha256Of(data[:50]))
		wantCode(t, "Finish of what arrived", err, problem.Unavailable, "")
		wantCode(t, "Cancel", s.Cancel(t.Context(), bob, other), problem.Unavailable, "")
		mount()
		e.finish(s, alice, id, appending(data[50:]), sha256Of(data))
		e.wantBlob(s, alice.RepositoryID, sha256Of(data), data)
		e.wantLeft(1, 1)
	})
}
