// Package forgetfs is a file system for tests of the fs driver that forgets, when the power is cut, everything that was
// not synced: a file's bytes without a sync of the file, a name without a sync of its folder.
//
// Names and bytes lie in a folder of the operating system, since readers get real files; what of them is durable is kept
// in memory. Cut replaces the folder's content by what is durable and by as much of the rest as chance wants, since a
// disk may also have written what nobody asked for, in any order.
package forgetfs

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	blobfiles "github.com/longshore-registry/longshore/internal/content/fs"
)

// ErrCut is the error of every call after the power was cut.
var ErrCut = errors.New("the power was cut")

// FS is a file system below one folder, which holds nothing at first. Folders outside are not its business.
type FS struct {
	blobfiles.OS
	root string

	mu   sync.Mutex
	top  *node
	gone bool
}

var _ blobfiles.FileSystem = (*FS)(nil)

// node is a file or a folder, whatever names it has.
type node struct {
	now, durable map[string]*node // of a folder
	data, synced []byte           // of a file
}

func newFolder() *node { return &node{now: map[string]*node{}, durable: map[string]*node{}} }

func (n *node) isFolder() bool { return n.now != nil }

// New gives the file system below an empty folder.
func New(root string) *FS { return &FS{root: root, top: newFolder()} }

// find gives the node of a folder by its name; nil for one outside or unknown.
func (f *FS) find(name string) *node {
	rel, err := filepath.Rel(f.root, name)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return nil
	}
	n := f.top
	for part := range strings.SplitSeq(rel, "/") {
		if part != "." && n != nil {
			n = n.now[part]
		}
	}
	return n
}

// change makes a call of the system and, when it succeeds, notes it; nothing after the cut.
func (f *FS) change(call func() error, note func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return ErrCut
	}
	if err := call(); err != nil {
		return err
	}
	note()
	return nil
}

// link gives a node a name.
func (f *FS) link(name string, n *node) {
	if folder := f.find(filepath.Dir(name)); folder != nil {
		folder.now[filepath.Base(name)] = n
	}
}

func (f *FS) unlink(name string) {
	if folder := f.find(filepath.Dir(name)); folder != nil {
		delete(folder.now, filepath.Base(name))
	}
}

// Create makes an empty file.
func (f *FS) Create(name string) (opened blobfiles.File, err error) {
	n := &node{}
	err = f.change(func() (err error) {
		opened, err = f.OS.Create(name)
		return err
	}, func() { f.link(name, n) })
	if err != nil {
		return nil, err
	}
	return &file{opened, f, n}, nil
}

// Write opens a file to write.
func (f *FS) Write(name string) (opened blobfiles.File, err error) {
	var n *node
	err = f.change(func() (err error) {
		opened, err = f.OS.Write(name)
		return err
	}, func() { n = f.find(name) })
	if err != nil {
		return nil, err
	}
	return &file{opened, f, n}, nil
}

// Copy copies a file's beginning.
func (f *FS) Copy(from, to string, size int64) error {
	return f.change(func() error { return f.OS.Copy(from, to, size) }, func() {
		f.link(to, &node{data: slices.Clone(f.find(from).data[:size])})
	})
}

// Rename gives a file another name.
func (f *FS) Rename(from, to string) error {
	return f.change(func() error { return f.OS.Rename(from, to) }, func() {
		n := f.find(from)
		f.unlink(from)
		f.link(to, n)
	})
}

// Remove removes a name.
func (f *FS) Remove(name string) error {
	return f.change(func() error { return f.OS.Remove(name) }, func() { f.unlink(name) })
}

// Mkdir makes a folder.
func (f *FS) Mkdir(name string) error {
	return f.change(func() error { return f.OS.Mkdir(name) }, func() { f.link(name, newFolder()) })
}

// OpenDir opens a folder to sync it.
func (f *FS) OpenDir(name string) (opened blobfiles.Dir, err error) {
	var n *node
	err = f.change(func() (err error) {
		opened, err = f.OS.OpenDir(name)
		return err
	}, func() { n = f.find(name) })
	if err != nil {
		return nil, err
	}
	return &dir{opened, f, n}, nil
}

type dir struct {
	blobfiles.Dir
	fs   *FS
	node *node // nil outside
}

// Sync makes the names durable that the folder has now.
func (d *dir) Sync() error {
	return d.fs.change(func() error { return nil }, func() {
		if d.node != nil {
			d.node.durable = maps.Clone(d.node.now)
		}
	})
}

type file struct {
	blobfiles.File
	fs   *FS
	node *node
}

// WriteAt writes.
func (f *file) WriteAt(p []byte, offset int64) (n int, err error) {
	err = f.fs.change(func() (err error) {
		n, err = f.File.WriteAt(p, offset)
		return err
	}, func() {
		end := int(offset) + len(p)
		if end > len(f.node.data) {
			f.node.data = append(f.node.data, make([]byte, end-len(f.node.data))...)
		}
		copy(f.node.data[offset:], p)
	})
	return n, err
}

// Truncate cuts.
func (f *file) Truncate(size int64) error {
	return f.fs.change(func() error { return f.File.Truncate(size) }, func() { f.node.data = f.node.data[:size:size] })
}

// Sync makes the bytes durable that the file has now.
func (f *file) Sync() error {
	return f.fs.change(func() error { return nil }, func() { f.node.synced = slices.Clone(f.node.data) })
}

// Cut ends this file system and gives the one that is found when the power is back. With a nil random exactly what was
// synced is there; else each change that was not synced may be there, too, and of unsynced bytes any part.
func (f *FS) Cut(random *rand.Rand) (*FS, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	entries, err := os.ReadDir(f.root)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(f.root, e.Name())); err != nil {
			return nil, err
		}
	}
	after := New(f.root)
	after.top, err = survive(f.top, f.root, random, map[*node]*node{})
	return after, err
}

// survive writes what is left of a folder and gives its node. A file with two durable names stays one file.
func survive(n *node, at string, random *rand.Rand, seen map[*node]*node) (*node, error) {
	if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	left := newFolder()
	for name, child := range survivors(n, random) {
		path := filepath.Join(at, name)
		var err error
		if child.isFolder() {
			left.now[name], err = survive(child, path, random, seen)
		} else {
			if seen[child] == nil {
				b := remains(child, random)
				seen[child] = &node{data: b, synced: slices.Clone(b)}
			}
			left.now[name] = seen[child]
			err = os.WriteFile(path, seen[child].data, 0o644)
		}
		if err != nil {
			return nil, err
		}
	}
	left.durable = maps.Clone(left.now)
	return left, nil
}

// survivors are the durable names, and those of the present that chance has put on the disk instead.
func survivors(n *node, random *rand.Rand) map[string]*node {
	left := maps.Clone(n.durable)
	if random == nil {
		return left
	}
	for _, name := range names(n) {
		was, is := n.durable[name], n.now[name]
		if was == is || random.IntN(2) == 0 {
			continue
		}
		if is == nil {
			delete(left, name)
		} else {
			left[name] = is
		}
	}
	return left
}

// names are all that a folder has or had, in order, so that one seed gives one history.
func names(n *node) []string {
	all := slices.Collect(maps.Keys(n.now))
	for name := range n.durable {
		if n.now[name] == nil {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// remains are the bytes of a file after the cut.
func remains(n *node, random *rand.Rand) []byte {
	if random == nil || slices.Equal(n.data, n.synced) {
		return slices.Clone(n.synced)
	}
	switch random.IntN(4) {
	case 0:
		return slices.Clone(n.synced)
	case 1:
		return slices.Clone(n.data)
	case 2: // the length, not the bytes
		b := slices.Clone(n.data)
		clear(b[min(len(b), len(n.synced)):])
		return b
	}
	return slices.Clone(n.data[:random.IntN(len(n.data)+1)])
}
