package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	reserveSuffix = ".room"
	reserveRetry  = 10 * time.Second // after the disk had no room for the reserve
)

// errNoReserve is that a file system cannot set room aside.
var errNoReserve = errors.New("the file system cannot set room aside (fallocate)")

// isFull reports whether an error is that there is no room on the disk, or none for us.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// reserve holds files whose room on the disk is taken already, so that segments can be begun when the disk has no room
// left. While it has, segments are made anew and the reserve is not touched. A segment that is released goes back into
// it, with its room, as long as it lacks one; nobody else gets at that room in between.
//
// A file of the reserve is all zeros, synced, before a segment is made of it: records of the segment that it was before
// must not come back. Until then it is no segment by its name, so that a process which dies leaves nothing doubtful.
//
// A nil reserve has nothing and takes nothing. Methods may be called concurrently.
type reserve struct {
	options *Options
	path    string // the spool's folder
	want    int    // files
	work    chan struct{}

	mu    sync.Mutex
	ready []string
	used  []usedFile // to be cleared
	made  int        // for names
	off   bool       // the file system cannot do it, or the spool is closed
}

// usedFile was a segment with so many bytes.
type usedFile struct {
	name string
	size int64
}

func newReserve(o *Options, path string) *reserve {
	want := int(o.Reserve / o.Segment)
	if want <= 0 {
		return nil
	}
	return &reserve{options: o, path: path, want: want, work: make(chan struct{}, 1)}
}

// bytes is how much room there is.
func (r *reserve) bytes() int64 {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(len(r.ready)) * r.options.Segment
}

// keep fills the reserve and clears what comes back, until closing.
func (r *reserve) keep(closing <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	told := false
	for {
		select {
		case <-closing:
			return
		case <-r.work:
		case <-timer.C:
		}
		switch err := r.fill(closing); {
		case errors.Is(err, errNoReserve):
			r.options.Log.Warn("no room on the disk is set aside for the action log: when the disk is full, pulls go on only as long as their entries fit in memory",
				"folder", r.path, "error", err)
			return
		case err != nil:
			if !told {
				r.options.Log.Warn("the room that is set aside for the action log is not as large as it should be; it is tried again",
					"folder", r.path, "bytes", r.bytes(), "wanted", int64(r.want)*r.options.Segment, "error", err)
			}
			told = true
			timer.Reset(reserveRetry)
		default:
			told = false
		}
	}
}

// fill clears used files and makes the missing ones.
func (r *reserve) fill(closing <-chan struct{}) error {
	for {
		select {
		case <-closing:
			return nil
		default:
		}
		name, size, isUsed, enough := r.next()
		var err error
		switch {
		case enough:
			return nil
		case isUsed:
			err = clearFile(name, size)
		default:
			err = r.make(name)
		}
		if err == nil {
			r.mu.Lock()
			r.ready = append(r.ready, name)
			r.mu.Unlock()
			continue
		}
		if removeErr := os.Remove(name); removeErr != nil && !errors.Is(removeErr, os.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
		if !isUsed {
			return err
		}
		r.options.Log.Warn("a file of the action log's spool could not be used again", "file", name, "error", err)
	}
}

// next is the file that is to be cleared or made.
func (r *reserve) next() (name string, size int64, isUsed, enough bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch n := len(r.used); {
	case r.off:
		return "", 0, false, true
	case n > 0:
		last := r.used[n-1]
		r.used = r.used[:n-1]
		return last.name, last.size, true, false
	case len(r.ready) >= r.want:
		return "", 0, false, true
	}
	return r.newName(), 0, false, false
}

func (r *reserve) newName() string {
	r.made++
	return filepath.Join(r.path, fmt.Sprintf("%06d%s", r.made, reserveSuffix))
}

// make makes a file with room, unless that would take what the disk keeps for others.
func (r *reserve) make(name string) error {
	if r.options.Free != nil {
		if free, err := r.options.Free(r.path); err != nil || free < r.options.Segment {
			return errors.Join(err, fmt.Errorf("the disk has %d MiB to spare: %w", max(0, free)>>20, syscall.ENOSPC))
		}
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err = r.options.allocate(f); errors.Is(err, errNoReserve) {
		r.mu.Lock()
		r.off = true
		r.mu.Unlock()
	}
	return errors.Join(err, f.Close())
}

// allocate takes room on the disk for a segment. The file's size stays.
func (o *Options) allocate(f *os.File) error {
	allocate := o.Allocate
	if allocate == nil {
		allocate = allocateFile
	}
	err := allocate(f, o.Segment)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return fmt.Errorf("%w: %w", errNoReserve, err)
	}
	return err
}

// clearFile overwrites what a file holds, in place, so that its room is kept, and syncs it.
func clearFile(name string, size int64) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.CopyN(io.NewOffsetWriter(f, 0), zeros{}, size)
	return errors.Join(err, f.Sync(), f.Close())
}

type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// take makes a file of the reserve the segment of a name; false when there is none.
func (r *reserve) take(name string) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.ready)
	if n == 0 || os.Rename(r.ready[n-1], name) != nil {
		return false
	}
	r.ready = r.ready[:n-1]
	signal(r.work)
	return true
}

// giveBack takes a segment that nobody needs any more; false when the reserve is whole without it.
func (r *reserve) giveBack(name string, size int64) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.off || len(r.ready)+len(r.used) >= r.want {
		return false
	}
	spare := r.newName()
	if os.Rename(name, spare) != nil {
		return false
	}
	r.used = append(r.used, usedFile{spare, size})
	signal(r.work)
	return true
}

// close gives the room back to the disk. keep must have ended.
func (r *reserve) close() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.off = true
	var failed error
	for _, u := range r.used {
		r.ready = append(r.ready, u.name)
	}
	for _, name := range r.ready {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	r.ready, r.used = nil, nil
	return failed
}
