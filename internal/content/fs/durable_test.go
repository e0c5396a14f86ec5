package fs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/content/fs/faultfs"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// watched is a driver whose calls a test sees and can make fail.
type watched struct {
	*fs.Driver
	root string
	mu   sync.Mutex
	log  []string
	fail func(call string) error // nil for never
}

func watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{root: t.TempDir()}
	w.Driver = open(t, fs.Options{Root: w.root, System: &faultfs.FS{System: fs.OS{}, Call: w.call}})
	w.log = nil
	return w
}

func (w *watched) call(operation, name string, do func() error) error {
	rel, _ := filepath.Rel(w.root, name)
	line := operation + " " + rel
	w.mu.Lock()
	w.log = append(w.log, line)
	fail := w.fail
	w.mu.Unlock()
	if fail != nil {
		if err := fail(line); err != nil {
			return err
		}
	}
	return do()
}

// calls gives what was called since the last time, but for looks at the free space.
func (w *watched) calls() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, line := range w.log {
		if !strings.HasPrefix(line, "space") {
			list = append(list, line)
		}
	}
	w.log = nil
	return list
}

func (w *watched) failing(operation string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = func(call string) error {
		if strings.HasPrefix(call, operation) {
			return err
		}
		return nil
	}
}

// upload collects data and gives the session.
func upload(t *testing.T, d content.Driver, data string) content.Session {
	t.Helper()
	s, err := d.Start(t.Context(), uuid.NewString())
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	w, err := d.Resume(t.Context(), s)
	if err != nil {
		t.Fatalf("Resume: %v", err)
	}
	defer w.Close()
	if _, err := w.Write([]byte(data)); err != nil {
		t.Fatalf("Write: %v", err)
	}
	if s, err = w.Save(t.Context(), true); err != nil {
		t.Fatalf("Save: %v", err)
	}
	return s
}

func TestPublicationIsRenamedThenSynced(t *testing.T) {
	w := watch(t)
	d := digest.SHA256.Of([]byte("content"))
	dir := "sha256/" + d.Hex()[:2]
	for i, claim := range []string{"into a new folder", "into a folder that is known"} {
		s := upload(t, w, "content")
		w.calls()
		path, err := w.Publish(t.Context(), s, d)
		if err != nil {
			t.Fatal(err)
		}
		if want := dir + "/" + d.Hex() + "." + s.ID; path != want {
			t.Errorf("published as %s, want %s", path, want)
		}
		got := w.calls()
		want := []string{"write " + s.Path}
		if i == 0 { // the folder itself is durable before anything is in it
			want = append(want, "mkdir "+dir, "opendir sha256", "syncdir sha256", "opendir "+dir)
		}
		want = append(want, "rename "+path)
		if n := len(want); len(got) < n || !cmp.Equal(got[:n], want) {
			t.Errorf("%s: calls %q, want %q first", claim, got, want)
		}
		together := map[string]bool{}
		for _, call := range got[min(len(want), len(got)):] {
			together[call] = true
		}
		if !cmp.Equal(together, map[string]bool{"sync " + s.Path: true, "syncdir " + dir: true}) {
			t.Errorf("%s: after the rename %v, want one sync of the file and one of its folder", claim, together)
		}
	}
}

func TestFailedSyncDiscardsTheUploadAndIsNotRepeated(t *testing.T) {
	d := digest.SHA256.Of([]byte("content"))
	for _, operation := range []string{"sync uploads/", "syncdir sha256/"} {
		t.Run(operation, func(t *testing.T) {
			w := watch(t)
			s := upload(t, w, "content")
			w.calls()
			w.failing(operation, syscall.EIO)
			_, err := w.Publish(t.Context(), s, d)
			if err == nil || problem.Is(err, problem.Unavailable) || errors.Is(err, content.ErrLost) || !errors.Is(err, syscall.EIO) {
				t.Errorf("Publish: %v, want an error that says that the upload is gone", err)
			}
			syncs := 0
			for _, call := range w.calls() {
				if strings.HasPrefix(call, "sync ") {
					syncs++
				}
			}
			if syncs != 1 {
				t.Errorf("the file was synced %d times", syncs)
			}
			w.failing("nothing", nil)
			if left := files(t, w.root); len(left) != 0 {
				t.Errorf("left behind: %q", left)
			}
			_, err = w.Publish(t.Context(), s, d)
			if !errors.Is(err, content.ErrLost) {
				t.Errorf("Publish again: %v, want ErrLost", err)
			}
			if path, err := w.Publish(t.Context(), upload(t, w, "content"), d); err != nil {
				t.Errorf("the next upload, as %s: %v", path, err)
			}
		})
	}
}

func files(t *testing.T, root string) []string {
	t.Helper()
	var list []string
	for _, pattern := range []string{"uploads/*", "sha256/*/*", "sha512/*/*"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, names...)
	}
	return list
}

func TestFailureBeforeTheRenameLeavesTheUploadAsItWas(t *testing.T) {
	d := digest.SHA256.Of([]byte("content"))
	for _, operation := range []string{"mkdir", "rename"} {
		w := watch(t)
		s := upload(t, w, "content")
		w.failing(operation, syscall.ENOSPC)
		if _, err := w.Publish(t.Context(), s, d); !problem.Is(err, problem.Unavailable) {
			t.Errorf("%s on a full disk: %v, want Unavailable", operation, err)
		}
		w.failing("nothing", nil)
		if _, err := w.Publish(t.Context(), s, d); err != nil {
			t.Errorf("after there was room again: %v", err)
		}
	}
}

func TestPublicationIsContinuedAfterTheRename(t *testing.T) {
	w := watch(t)
	d := digest.SHA256.Of([]byte("content"))
	s := upload(t, w, "content")
	path, err := w.Publish(t.Context(), s, d)
	if err != nil {
		t.Fatal(err)
	}
	other := open(t, fs.Options{Root: w.root})
	if again, err := other.Publish(t.Context(), s, d); err != nil || again != path {
		t.Errorf("%s, %v; want %s", again, err, path)
	}
}

func TestReserveIsKeptFree(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		claim       string
		free, total int64
		room        bool
	}{
		{"a large disk keeps 256 MiB", 256 * mib, 1 << 40, false},
		{"a large disk is used up to there", 256*mib + 1, 1 << 40, true},
		{"a small disk keeps one part in a hundred", 10 * mib, 1000 * mib, false},
		{"a small disk is used up to there", 10*mib + 1, 1000 * mib, true},
	} {
		t.Run(test.claim, func(t *testing.T) {
			d := open(t, fs.Options{Root: t.TempDir(), System: space{free: &test.free, total: test.total}})
			_, err := d.Start(t.Context(), uuid.NewString())
			if test.room && err != nil {
				t.Errorf("Start: %v", err)
			}
			if !test.room && (!problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "insufficient storage")) {
				t.Errorf("Start: %v, want Unavailable and a reason", err)
			}
			if err := d.Check(t.Context()); (err == nil) != test.room {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

// space is a disk of a size.
type space struct {
	fs.OS
	free  *int64
	total int64
}

func (s space) Space(string) (int64, int64, error) { return *s.free, s.total, nil }

func TestReserveIsLookedAtWhileWriting(t *testing.T) {
	free := int64(1 << 40)
	d := open(t, fs.Options{Root: t.TempDir(), System: discard{space{free: &free, total: 1 << 40}}})
	s, err := d.Start(t.Context(), uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	w, err := d.Resume(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	free = 0
	piece := make([]byte, 1<<20)
	for i := range 64 {
		if _, err = w.Write(piece); err != nil && i < 63 {
			t.Fatalf("after %d MiB: %v", i, err)
		}
	}
	if !problem.Is(err, problem.Unavailable) {
		t.Errorf("after 64 MiB: %v, want Unavailable", err)
	}
}

// discard writes nothing.
type discard struct{ space }

func (d discard) Write(name string) (fs.File, error) {
	f, err := d.space.Write(name)
	return nothing{f}, err
}

type nothing struct{ fs.File }

func (nothing) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

func TestFullDiskIsSaidToBeFull(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE} {
		w := watch(t)
		s := upload(t, w, "some")
		writer, err := w.Resume(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		w.failing("writeat", &os.PathError{Op: "write", Err: cause})
		_, err = writer.Write([]byte("more"))
		if p := problem.From(err); p.Kind != problem.Unavailable || p.RetryAfter == 0 || !errors.Is(err, cause) {
			t.Errorf("%v: %+v", cause, p)
		}
		writer.Close()
		w.failing("create", cause)
		if s, err = w.Start(t.Context(), uuid.NewString()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Resume(t.Context(), s); !problem.Is(err, problem.Unavailable) {
			t.Errorf("Resume of a new upload: %v", err)
		}
	}
}

func TestEpoch(t *testing.T) {
	root := t.TempDir()
	first, second := open(t, fs.Options{Root: root}), open(t, fs.Options{Root: root})
	if first.Epoch() == "" || first.Epoch() != second.Epoch() {
		t.Errorf("two processes of one start of the system say %q and %q", first.Epoch(), second.Epoch())
	}
	if e := open(t, fs.Options{Root: root, Shared: true}).Epoch(); e != "" {
		t.Errorf("a shared folder, whose uploads are synced, has the epoch %q", e)
	}
}

func TestSharedFolderIsSyncedAtEachSave(t *testing.T) {
	for _, shared := range []bool{false, true} {
		syncs := 0
		system := &faultfs.FS{System: fs.OS{}, Call: func(operation, _ string, do func() error) error {
			if operation == "sync" {
				syncs++
			}
			return do()
		}}
		d := open(t, fs.Options{Root: t.TempDir(), Shared: shared, System: system})
		s, err := d.Start(t.Context(), uuid.NewString())
		if err != nil {
			t.Fatal(err)
		}
		w, err := d.Resume(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, "content")
		if _, err := w.Save(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if want := map[bool]int{false: 0, true: 1}[shared]; syncs != want {
			t.Errorf("shared %t: %d syncs, want %d", shared, syncs, want)
		}
	}
}

func TestObjectsLieInQuaysFolders(t *testing.T) {
	d := open(t, fs.Options{Root: t.TempDir()})
	for alg, layout := range map[digest.Algorithm]string{
		digest.SHA256: `^sha256/([0-9a-f]{2})/[0-9a-f]{64}\.[0-9a-f-]{36}$`,
		digest.SHA512: `^sha512/([0-9a-f]{2})/[0-9a-f]{128}\.[0-9a-f-]{36}$`,
	} {
		path, err := d.Publish(t.Context(), upload(t, d, "content"), alg.Of([]byte("content")))
		if err != nil || !regexp.MustCompile(layout).MatchString(path) {
			t.Errorf("%s: published as %s, %v", alg, path, err)
		}
	}
}
