package fs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/content"
)

// markerFile bears a folder's name, in its root. Without it an empty mount point looks like a store that lost everything.
const markerFile = ".longshore-location"

// Marker reads the folder's name.
func (d *Driver) Marker(context.Context) (content.Marker, error) {
	m := content.Marker{File: filepath.Join(d.root, markerFile)}
	f, err := d.system.Open(m.File)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, d.away(err)
	}
	defer f.Close()
	const longest = 1 << 10 // many times a UUID
	b, err := io.ReadAll(io.LimitReader(f, longest))
	if err != nil {
		return m, d.away(err)
	}
	m.Name = strings.TrimSpace(string(b))
	return m, nil
}

// Mark writes the file beside its place, then gives it its name, so that nobody reads half of it.
func (d *Driver) Mark(_ context.Context, name string) error {
	to := filepath.Join(d.root, markerFile)
	from := to + "." + uuid.NewString()
	err := d.writeFile(from, name+"\n")
	if err == nil {
		err = d.system.Rename(from, to)
	}
	if err != nil {
		_ = d.system.Remove(from) // what is left is small, and in nobody's way
		return d.away(err)
	}
	if err := d.dirs.sync("."); err != nil {
		return d.away(err)
	}
	return nil
}

// writeFile makes a small file, synced under a name that is not.
func (d *Driver) writeFile(name, text string) error {
	f, err := d.system.Create(name)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), 0)
	return errors.Join(err, f.Sync(), f.Close())
}
