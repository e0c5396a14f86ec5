package fs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"

	"github.com/longshore-registry/longshore/internal/content"
)

// object is an open file. Being made of an *os.File it is sent by the kernel when it is copied to a connection.
type object struct {
	*osHandle
	size  int64
	stamp content.Stamp
}

// osHandle gives the embedded field a name other than File's.
type osHandle = os.File

// Size is the file's length when it was opened.
func (o object) Size() int64 { return o.size }

// Stamp is the state of the file when it was opened.
func (o object) Stamp() content.Stamp { return o.stamp }

// File is the file itself, for content.File.
func (o object) File() *os.File { return o.osHandle }

// Open opens an object. What is no regular file is none.
func (d *Driver) Open(ctx context.Context, p string) (content.Object, error) {
	name, err := d.file(p)
	if err != nil {
		return nil, err
	}
	f, err := d.system.Open(name)
	if err != nil {
		return nil, d.explain(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return object{osHandle: f, size: info.Size(), stamp: stampOf(info)}, nil
}

// Stat gives a file's length.
func (d *Driver) Stat(ctx context.Context, p string) (int64, error) {
	name, err := d.file(p)
	if err != nil {
		return 0, err
	}
	info, err := d.system.Stat(name)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return info.Size(), nil
}

// Delete removes files and syncs each of their folders once, also where a file was missing: the call that removed it
// may not have come that far.
func (d *Driver) Delete(ctx context.Context, paths ...string) error {
	folders := map[string]bool{}
	for _, p := range paths {
		name, err := d.file(p)
		if err != nil {
			return err
		}
		if err := d.system.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return d.explain(err)
		}
		folders[path.Dir(p)] = true
	}
	for p := range folders {
		if err := d.dirs.sync(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return d.explain(err)
		}
	}
	return nil
}

// Close closes the folders that are kept open. Objects and writers are not affected.
func (d *Driver) Close() error { return d.dirs.close() }
