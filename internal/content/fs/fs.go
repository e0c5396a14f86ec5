// Package fs keeps objects in a folder, in the layout of Quay's LocalStorage.
//
// An upload is collected in uploads/<id> and becomes sha256/<first two digits>/<digest>.<id>: Quay's folders, but a
// name that is used once, so that a late delete cannot hit a digest that was pushed again. Objects that a Quay wrote
// keep the name they have. A published object is on disk, content and name, before Publish returns (publish.go holds
// the one recipe); what is collected may be lost in a power cut, and the epoch says when that could have happened.
//
// The folder is never filled up: a reserve is kept for deletes and for a database on the same disk.
package fs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	uploads = "uploads" // the folder of what is not published yet

	writebackBytes = 256 << 10 // after this much the kernel is asked to start writing; later after as much again, up to
	writebackMost  = 4 << 20   // this: each asking takes processor time
	roomBytes      = 64 << 20  // after this much the free space is looked at
	reserveBytes   = 256 << 20 // what is left free, or
	reservePart    = 100       // this part of the file system if that is less
)

// Options says where objects lie. Root is required.
type Options struct {
	Root   string     // folder; it and its parents are made if they are missing
	Shared bool       // several hosts write to the folder: what Save acknowledges is synced, since boot ids say nothing
	System FileSystem // nil for the operating system's
}

// Driver keeps objects in a folder. It is a content.Files.
type Driver struct {
	root   string
	shared bool
	system FileSystem
	epoch  string
	dirs   dirs
}

var _ content.Files = (*Driver)(nil)

// New opens a folder and makes the fixed part of its layout. It does not look at what is in it.
func New(o Options) (*Driver, error) {
	root, err := filepath.Abs(o.Root)
	if err != nil || o.Root == "" {
		return nil, problem.Wrap(err, problem.Invalid, "the storage folder %q cannot be used", o.Root)
	}
	d := &Driver{root: root, shared: o.Shared, system: o.System}
	if d.system == nil {
		d.system = OS{}
	}
	if !d.shared {
		d.epoch = bootID()
	}
	d.dirs = dirs{driver: d, open: map[string]Dir{}}
	if err := MakeFolder(d.system, root); err != nil {
		return nil, problem.Wrap(err, problem.Invalid, "the storage folder %s cannot be made: %v", root, err)
	}
	for _, name := range []string{uploads, "sha256", "sha512"} {
		if err := d.system.Mkdir(filepath.Join(root, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, problem.Wrap(err, problem.Invalid, "the storage folder %s cannot be written: %v", root, err)
		}
	}
	if err := d.dirs.sync("."); err != nil {
		return nil, err
	}
	return d, nil
}

// bootID names the time since the system was started; where the system does not say, since the process was.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if s := strings.TrimSpace(string(id)); err == nil && s != "" {
		return s
	}
	return uuid.NewString()
}

// Epoch names the time in which bytes that were not synced are safe; empty when several hosts share the folder.
func (d *Driver) Epoch() string { return d.epoch }

// file gives the name of a path in the operating system. Paths come from the database; one that would leave the folder
// is refused, whoever wrote it.
func (d *Driver) file(p string) (string, error) {
	if p == "" || p == "." || path.Clean(p) != p || !filepath.IsLocal(p) || strings.ContainsAny(p, "\\\x00") {
		return "", problem.New(problem.Internal, "%q is not a path inside a storage folder", p)
	}
	return filepath.Join(d.root, filepath.FromSlash(p)), nil
}

// room reports whether the file system has more than its reserve free.
func (d *Driver) room() error {
	free, total, err := d.system.Space(d.root)
	if err != nil {
		return d.away(err)
	}
	if free > reserve(total) {
		return nil
	}
	return full("%d MiB are free and %d MiB are kept in reserve", free>>20, reserve(total)>>20)
}

// reserve is what is left free of a file system of so many bytes.
func reserve(total int64) int64 { return min(reserveBytes, total/reservePart) }

// Spare is how many bytes a folder's file system has free beyond the reserve that is kept for deletes and for a database;
// negative when it is short of it.
func Spare(s FileSystem, folder string) (int64, error) {
	free, total, err := s.Space(folder)
	return free - reserve(total), err
}

func full(format string, args ...any) *problem.Error {
	e := problem.New(problem.Unavailable, "insufficient storage: the disk of the blob store is full: "+format, args...)
	e.RetryAfter = fullRetry
	return e
}

// explain names the errors of the operating system that an administrator can do something about.
func (d *Driver) explain(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e := full("the file system takes no more")
		e.Cause = err
		return e
	case errors.Is(err, syscall.EROFS):
		return d.away(err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		e := problem.Wrap(err, problem.Unavailable, "the blob store has too many open files")
		e.RetryAfter = busyRetry
		return e
	}
	return err
}

// Check reports whether a file can be written and synced now.
func (d *Driver) Check(ctx context.Context) error {
	if err := d.room(); err != nil {
		return err
	}
	name := filepath.Join(d.root, uploads, ".check-"+uuid.NewString())
	err := d.probe(name)
	if removeErr := d.system.Remove(name); err == nil {
		err = removeErr
	}
	if err == nil || problem.Is(err, problem.Unavailable) {
		return err
	}
	return d.away(err)
}

// away is the error of a folder that cannot be used as a whole.
func (d *Driver) away(cause error) error {
	e := problem.Wrap(cause, problem.Unavailable, "the storage folder %s is not there or cannot be written", d.root)
	e.RetryAfter = busyRetry
	return e
}

func (d *Driver) probe(name string) error {
	f, err := d.system.Create(name)
	if err != nil {
		return d.explain(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0}, 0); err != nil {
		return d.explain(err)
	}
	return f.Sync()
}
