// Package faultfs is a file system for tests that can watch, fail and forget what the fs driver asks of it.
package faultfs

import (
	"os"

	"github.com/longshore-registry/longshore/internal/content/fs"
)

// FS passes every call that changes or syncs something through Call. Reading goes straight to System.
type FS struct {
	System fs.FileSystem

	// Call decides about a call: it makes it by calling do, before or after which it may do something else, or it gives
	// an error in its place. Operations: create, write (open to write), copy, rename (named by the new name), remove,
	// mkdir, writeat, truncate, sync, opendir, syncdir, space.
	Call func(operation, name string, do func() error) error

	// Halves makes each write in two: the second is named writeat-rest, and when it fails the write was a short one.
	Halves bool
}

var _ fs.FileSystem = (*FS)(nil)

// Open opens a file to read.
func (f *FS) Open(name string) (*os.File, error) { return f.System.Open(name) }

// Stat describes a file.
func (f *FS) Stat(name string) (os.FileInfo, error) { return f.System.Stat(name) }

// Names lists a folder.
func (f *FS) Names(name string) ([]string, error) { return f.System.Names(name) }

// Create makes an empty file.
func (f *FS) Create(name string) (fs.File, error) { return f.file("create", name, f.System.Create) }

// Write opens a file to write.
func (f *FS) Write(name string) (fs.File, error) { return f.file("write", name, f.System.Write) }

func (f *FS) file(operation, name string, open func(string) (fs.File, error)) (fs.File, error) {
	var opened fs.File
	err := f.Call(operation, name, func() (err error) {
		opened, err = open(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return file{opened, f, name}, nil
}

// Copy copies a file's beginning.
func (f *FS) Copy(from, to string, n int64) error {
	return f.Call("copy", to, func() error { return f.System.Copy(from, to, n) })
}

// Rename renames a file.
func (f *FS) Rename(from, to string) error {
	return f.Call("rename", to, func() error { return f.System.Rename(from, to) })
}

// Remove removes a file.
func (f *FS) Remove(name string) error {
	return f.Call("remove", name, func() error { return f.System.Remove(name) })
}

// Mkdir makes a folder.
func (f *FS) Mkdir(name string) error {
	return f.Call("mkdir", name, func() error { return f.System.Mkdir(name) })
}

// Space asks for free space.
func (f *FS) Space(name string) (free, total int64, err error) {
	err = f.Call("space", name, func() (err error) {
		free, total, err = f.System.Space(name)
		return err
	})
	return free, total, err
}

// OpenDir opens a folder to sync it.
func (f *FS) OpenDir(name string) (fs.Dir, error) {
	var opened fs.Dir
	err := f.Call("opendir", name, func() (err error) {
		opened, err = f.System.OpenDir(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return dir{opened, f, name}, nil
}

type dir struct {
	fs.Dir
	fs   *FS
	name string
}

func (d dir) Sync() error { return d.fs.Call("syncdir", d.name, d.Dir.Sync) }

// file keeps the name it was opened under; a later rename does not change it.
type file struct {
	fs.File
	fs   *FS
	name string
}

func (f file) WriteAt(p []byte, offset int64) (n int, err error) {
	half := len(p)
	if f.fs.Halves {
		half = (len(p) + 1) / 2
	}
	n, err = f.write("writeat", p[:half], offset)
	if err == nil && half < len(p) {
		var more int
		more, err = f.write("writeat-rest", p[half:], offset+int64(half))
		n += more
	}
	return n, err
}

func (f file) write(operation string, p []byte, offset int64) (n int, err error) {
	err = f.fs.Call(operation, f.name, func() (err error) {
		n, err = f.File.WriteAt(p, offset)
		return err
	})
	return n, err
}

func (f file) Truncate(size int64) error {
	return f.fs.Call("truncate", f.name, func() error { return f.File.Truncate(size) })
}

func (f file) Sync() error { return f.fs.Call("sync", f.name, f.File.Sync) }
