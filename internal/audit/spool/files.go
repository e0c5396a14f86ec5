package spool

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	lockSuffix    = ".lock"
	segmentSuffix = ".seg"
)

// Files are a spool's segments, and the lock by which this process owns them. Methods may be called concurrently.
type Files struct {
	id     string
	path   string
	lock   *os.File
	budget *Budget
	call   func(step string, do func() error) error
	// reserve takes what is released; nil for spools that are not written to.
	reserve *reserve

	mu       sync.Mutex
	segments []segment // ascending
	active   int64     // the one that is written to, 0 for none

	read []byte // Read's alone
}

type segment struct{ number, size int64 }

// ID names the spool among those of all processes, for ever.
func (f *Files) ID() string { return f.id }

// Begun is when the spool was made, which its ID begins with.
func (f *Files) Begun() time.Time {
	ms, _, _ := strings.Cut(f.id, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return time.Time{} // a folder that somebody else has named
	}
	return time.UnixMilli(n).UTC()
}

// create makes the folder of a new spool. Its lock comes first, so that nobody takes it for abandoned.
func create(o Options) (*Files, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	id := fmt.Sprintf("%013d-%s", o.Clock().UnixMilli(), strings.ToLower(rand.Text()[:12]))
	path := filepath.Join(o.Dir, id)
	lock, err := takeLock(path)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &Files{id: id, path: path, lock: lock, budget: o.Budget, call: o.call, active: 1}, nil
}

// takeLock locks a spool, or returns an error that is unix.EWOULDBLOCK when another process has it. The system frees
// the lock when the process dies.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path+lockSuffix, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Adopt gives the spools that no process owns, the oldest first. Their bytes count against the budget even if they
// exceed it.
func Adopt(o Options) ([]*Files, error) {
	entries, err := os.ReadDir(o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for spools: %w", err)
	}
	var all []*Files
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		f, err := adopt(o, e.Name())
		if err != nil {
			o.Log.Error("a spool of an earlier process cannot be read", "folder", filepath.Join(o.Dir, e.Name()), "error", err)
			continue
		}
		if f != nil {
			all = append(all, f)
		}
	}
	return all, nil
}

// adopt takes one spool; nil when another process has it, or had it until a moment ago and has emptied it.
func adopt(o Options, id string) (*Files, error) {
	f := &Files{id: id, path: filepath.Join(o.Dir, id), budget: o.Budget, call: o.call}
	var err error
	if f.lock, err = takeLock(f.path); errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, f.unlock()
	}
	if err != nil {
		return nil, errors.Join(err, f.lock.Close())
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), reserveSuffix) { // room that nobody will use
			_ = os.Remove(filepath.Join(f.path, e.Name()))
			continue
		}
		number, ok := segmentNumber(e.Name())
		info, err := e.Info()
		if !ok || err != nil {
			continue
		}
		f.segments = append(f.segments, segment{number, info.Size()})
		f.budget.used.Add(info.Size())
	}
	slices.SortFunc(f.segments, func(a, b segment) int { return int(a.number - b.number) })
	return f, nil
}

func (f *Files) segmentName(number int64) string {
	return filepath.Join(f.path, fmt.Sprintf("%012d%s", number, segmentSuffix))
}

func segmentNumber(name string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, ok && err == nil && n > 0
}

// grow notes what was written.
func (f *Files) grow(number, size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = number
	if n := len(f.segments); n > 0 && f.segments[n-1].number == number {
		f.segments[n-1].size = size
		return
	}
	f.segments = append(f.segments, segment{number, size})
}

// Release deletes what lies before a position, by whole segments.
func (f *Files) Release(before Position) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.segments) > 0 && f.segments[0].number < before.Segment {
		first := f.segments[0]
		err := f.call("remove-segment", func() error { return f.discard(first) })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete a segment of the spool: %w", err)
		}
		f.budget.used.Add(-first.size)
		f.segments = f.segments[1:]
	}
	return nil
}

func (f *Files) discard(s segment) error {
	if name := f.segmentName(s.number); !f.reserve.giveBack(name, s.size) {
		return os.Remove(name)
	}
	return nil
}

// SetAside takes a segment out of the spool that cannot be read, and moves its file out of the spool's folder, which
// goes some day. It gives the file's new name, empty if there is no file any more, and the segment's bytes. After an
// error the segment is out of the spool nonetheless, and where it was.
func (f *Files) SetAside(number int64) (file string, lost int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.segments, func(s segment) bool { return s.number == number })
	if i < 0 {
		return "", 0, nil
	}
	lost = f.segments[i].size
	f.budget.used.Add(-lost)
	f.segments = slices.Delete(f.segments, i, i+1)
	name := f.segmentName(number)
	file = f.path + "-" + filepath.Base(name) + ".damaged"
	switch err := os.Rename(name, file); {
	case errors.Is(err, fs.ErrNotExist):
		return "", lost, nil
	case err != nil:
		return name, lost, err
	}
	return file, lost, nil
}

// Remove deletes the spool and gives up its lock. One that is appended to must be closed before.
func (f *Files) Remove() error {
	if err := f.Release(Position{Segment: math.MaxInt64}); err != nil {
		return err
	}
	if err := f.call("remove", func() error { return os.RemoveAll(f.path) }); err != nil {
		return fmt.Errorf("delete the spool: %w", err)
	}
	return f.unlock()
}

// Leave gives up the lock and leaves the files to whoever adopts them.
func (f *Files) Leave() error { return f.lock.Close() }

// unlock deletes the lock's file before it gives up the lock: who has opened it meanwhile finds no folder. A second
// call does nothing.
func (f *Files) unlock() error {
	err := os.Remove(f.path + lockSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	closed := f.lock.Close()
	if errors.Is(closed, os.ErrClosed) {
		closed = nil
	}
	return errors.Join(err, closed)
}
