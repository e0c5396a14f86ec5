package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/longshore-registry/longshore/internal/content"
)

// Start chooses a name. The file is made by the first Resume, when a row leads to it.
func (d *Driver) Start(ctx context.Context, id string) (content.Session, error) {
	s := content.Session{ID: id, Path: path.Join(uploads, id)}
	if _, err := d.file(s.Path); err != nil {
		return content.Session{}, err
	}
	return s, d.room()
}

// Resume opens the file and cuts it to what the session says.
func (d *Driver) Resume(ctx context.Context, s content.Session) (content.Writer, error) {
	f, err := d.writable(s.Path)
	if errors.Is(err, fs.ErrNotExist) && s.Size == 0 {
		f, err = d.create(s.Path) // nothing is lost with an empty file
		if errors.Is(err, fs.ErrNotExist) {
			return nil, d.away(err)
		}
	}
	if err == nil {
		err = cut(f, s.Size)
	}
	if err != nil {
		closeFile(f)
		return nil, d.explain(lost(err))
	}
	return &writer{driver: d, file: f, session: s, flushed: s.Size}, nil
}

func (d *Driver) writable(p string) (File, error) {
	name, err := d.file(p)
	if err != nil {
		return nil, err
	}
	f, err := d.system.Write(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d *Driver) create(p string) (File, error) {
	name, err := d.file(p)
	if err != nil {
		return nil, err
	}
	f, err := d.system.Create(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// cut drops what a file has beyond a size. ErrLost when it has less.
func cut(f File, size int64) error {
	has, err := f.Size()
	switch {
	case err != nil:
		return err
	case has < size:
		return fmt.Errorf("%w: the file has %d bytes of %d", content.ErrLost, has, size)
	case has > size:
		return f.Truncate(size)
	}
	return nil
}

// lost is the meaning of a missing file where there must be one.
func lost(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", content.ErrLost, err)
	}
	return err
}

func closeFile(f File) {
	if f != nil {
		f.Close()
	}
}

// Adopt copies the bytes that count to a file of another name. A writer that still has the old one open writes to what
// nobody will publish. If it got as far as to rename it, and no further, the copy is made from there.
func (d *Driver) Adopt(ctx context.Context, s content.Session, generation int64) (content.Session, error) {
	after := s
	after.Path = path.Join(uploads, s.ID+"."+strconv.FormatInt(generation, 10))
	err := d.copy(s.Path, after.Path, s.Size)
	if errors.Is(err, fs.ErrNotExist) {
		found, searchErr := d.search(ctx, path.Base(s.Path))
		if searchErr != nil {
			return content.Session{}, searchErr
		}
		if len(found) > 0 {
			err = d.copy(found[0], after.Path, s.Size)
		}
	}
	if err == nil && d.shared {
		err = d.syncFile(after.Path)
	}
	if err != nil {
		return content.Session{}, d.explain(lost(err))
	}
	return after, nil
}

// Sweep reads the names of all open uploads: the copies that a dead process made are known by their name alone. Those of
// a later generation belong to a process that took over since.
func (d *Driver) Sweep(ctx context.Context, s content.Session, generation int64) error {
	folder, err := d.file(uploads)
	if err != nil {
		return err
	}
	names, err := d.system.Names(folder)
	if err != nil {
		return d.explain(err)
	}
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, s.ID)
		if !ok || name == path.Base(s.Path) {
			continue
		}
		copied, err := strconv.ParseInt(strings.TrimPrefix(rest, "."), 10, 64)
		if rest != "" && (err != nil || copied >= generation) {
			continue
		}
		if err := d.system.Remove(filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return d.explain(err)
		}
	}
	return nil
}

// copy makes or replaces a file with the first n bytes of another. What fails leaves nothing, or a leak under a name
// that no row has.
func (d *Driver) copy(from, to string, n int64) error {
	src, err := d.file(from)
	if err != nil {
		return err
	}
	dst, err := d.file(to)
	if err != nil {
		return err
	}
	err = d.system.Copy(src, dst, n)
	if err != nil {
		_ = d.system.Remove(dst)
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the file has less than %d bytes", content.ErrLost, n)
	}
	return err
}

func (d *Driver) syncFile(p string) error {
	f, err := d.writable(p)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Reread reads the bytes of an unfinished upload.
func (d *Driver) Reread(ctx context.Context, s content.Session) (io.ReadCloser, error) {
	name, err := d.file(s.Path)
	if err != nil {
		return nil, err
	}
	f, err := d.system.Open(name)
	if err != nil {
		return nil, d.explain(lost(err))
	}
	if info, err := f.Stat(); err != nil || info.Size() < s.Size {
		f.Close()
		return nil, errors.Join(content.ErrLost, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(f, s.Size), f}, nil
}

// writer appends to the file of an upload.
type writer struct {
	driver  *Driver
	file    File
	session content.Session
	flushed int64 // bytes whose writing was started
}

// Write writes at the end. The kernel starts writing early, so that Publish does not have to wait for all of it.
func (w *writer) Write(p []byte) (int, error) {
	s := &w.session
	if s.Size/roomBytes != (s.Size+int64(len(p)))/roomBytes {
		if err := w.driver.room(); err != nil {
			return 0, err
		}
	}
	n, err := w.file.WriteAt(p, s.Size)
	s.Size += int64(n)
	if err != nil {
		return n, w.driver.explain(err)
	}
	if s.Size-w.flushed >= min(max(w.flushed, writebackBytes), writebackMost) {
		w.file.Flush(w.flushed, s.Size-w.flushed)
		w.flushed = s.Size
	}
	return n, nil
}

// Save has nothing to do where a process that continues sees the same memory.
func (w *writer) Save(ctx context.Context, last bool) (content.Session, error) {
	if w.driver.shared && !last {
		if err := w.file.Sync(); err != nil {
			return content.Session{}, w.driver.explain(err)
		}
	}
	return w.session, nil
}

func (w *writer) Close() error { return w.file.Close() }
