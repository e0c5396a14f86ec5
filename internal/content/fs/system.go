package fs

import (
	"errors"
	"io"
	"os"
	"time"
)

const (
	fullRetry = time.Minute     // what a client is told to wait when the disk is full,
	busyRetry = 5 * time.Second // and when it cannot be used for a moment
)

// FileSystem is what the driver asks of the operating system, so that a test can record the order of calls and make
// them fail. Names are absolute. Errors are those of package os.
type FileSystem interface {
	// Open opens a file to read.
	Open(name string) (*os.File, error)
	// Stat describes a file.
	Stat(name string) (os.FileInfo, error)
	// Create makes an empty file and opens it to write; fs.ErrExist when it is there.
	Create(name string) (File, error)
	// Write opens an existing file to write.
	Write(name string) (File, error)
	// Copy makes or replaces a file with the first n bytes of another.
	Copy(from, to string, n int64) error
	// Rename replaces what has the second name, atomically.
	Rename(from, to string) error
	// Remove removes a file.
	Remove(name string) error
	// Mkdir makes a folder; fs.ErrExist when it is there.
	Mkdir(name string) error
	// Names lists a folder in no order.
	Names(name string) ([]string, error)
	// OpenDir opens a folder to sync it.
	OpenDir(name string) (Dir, error)
	// Space gives the free bytes that an ordinary user can have, and the size of the file system.
	Space(name string) (free, total int64, err error)
}

// File is a file open to write.
type File interface {
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Flush starts writing a range to the disk without waiting. It promises nothing.
	Flush(offset, n int64)
	// Sync returns when content and size are on the disk.
	Sync() error
}

// Dir is an open folder.
type Dir interface {
	// Sync returns when the names in the folder are on the disk.
	Sync() error
	Close() error
}

// OS is the operating system's FileSystem.
type OS struct{}

// Open opens a file to read.
func (OS) Open(name string) (*os.File, error) { return os.Open(name) }

// Stat describes a file.
func (OS) Stat(name string) (os.FileInfo, error) { return os.Stat(name) }

// Create makes an empty file and opens it to write.
func (OS) Create(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	return osFile{f}, err
}

// Write opens an existing file to write.
func (OS) Write(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	return osFile{f}, err
}

// Copy copies within the kernel, and without copying at all where files can share blocks.
func (OS) Copy(from, to string, n int64) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.CopyN(dst, src, n)
	return errors.Join(err, dst.Close())
}

// Rename renames a file.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove removes a file.
func (OS) Remove(name string) error { return os.Remove(name) }

// Mkdir makes a folder.
func (OS) Mkdir(name string) error { return os.Mkdir(name, 0o755) }

// Names lists a folder.
func (OS) Names(name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// OpenDir opens a folder to sync it.
func (OS) OpenDir(name string) (Dir, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
