package fs

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"sync"
	"syscall"
)

// MakeFolder makes a folder and the parents it lacks, durably from the top down: each name is synced into its parent before
// anything is made below it.
func MakeFolder(system FileSystem, name string) error {
	info, err := system.Stat(name)
	if err == nil && !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(name)
	if err := MakeFolder(system, parent); err != nil {
		return err
	}
	if err := system.Mkdir(name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	dir, err := system.OpenDir(parent)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// dirs keeps the folders that objects were published to open, at most 256 for each digest algorithm, so that a
// publication syncs its folder without opening it.
type dirs struct {
	driver *Driver
	mu     sync.Mutex
	open   map[string]Dir // by path; each is known to be durable itself
}

func (d *dirs) kept(p string) Dir {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open[p]
}

// make makes sure that a folder is there, durably, and keeps it open. A folder that was found may have been made by a
// process that died before it synced the parent, so the first use in a process syncs the parent in any case.
func (d *dirs) make(p string) error {
	if d.kept(p) != nil {
		return nil
	}
	if err := d.driver.system.Mkdir(d.name(p)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := d.sync(path.Dir(p)); err != nil {
		return err
	}
	dir, err := d.driver.system.OpenDir(d.name(p))
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open[p] != nil {
		return dir.Close() // another publication was first
	}
	d.open[p] = dir
	return nil
}

// sync makes the names in a folder durable. A folder whose sync failed is not used again.
func (d *dirs) sync(p string) error {
	if dir := d.kept(p); dir != nil {
		err := dir.Sync()
		if err != nil {
			d.drop(p, dir)
		}
		return err
	}
	dir, err := d.driver.system.OpenDir(d.name(p))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// drop forgets a folder. It is not closed, since others may be syncing it; its finalizer does that.
func (d *dirs) drop(p string, dir Dir) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open[p] == dir {
		delete(d.open, p)
	}
}

// close closes all folders.
func (d *dirs) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for p, dir := range d.open {
		errs = append(errs, dir.Close())
		delete(d.open, p)
	}
	return errors.Join(errs...)
}

func (d *dirs) name(p string) string { return filepath.Join(d.driver.root, filepath.FromSlash(p)) }
