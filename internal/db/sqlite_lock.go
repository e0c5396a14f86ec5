package db

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/longshore-registry/longshore/internal/problem"
)

// lockWait is how long a starting process waits for the one before it to end.
const lockWait = 3 * time.Second

// fileLock is the lock that makes one process the owner of a SQLite file. The system frees it when the process dies,
// however it dies; the file next to the database stays and names the last owner.
type fileLock struct{ file *os.File }

// lockFile takes the lock of a database file. A process that finds it taken is told by whom.
func lockFile(database string) (*fileLock, error) {
	path := database + ".lock"
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, problem.Wrap(err, problem.Invalid, "the lock file %s cannot be opened", path)
	}
	for deadline := time.Now().Add(lockWait); ; time.Sleep(50 * time.Millisecond) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(deadline) {
			break
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		owner := readOwner(f)
		_ = f.Close()
		return nil, problem.New(problem.Conflict, "the database file %s is in use by %s: stop that process first, or "+
			"give this one another file", database, owner)
	}
	if err != nil {
		_ = f.Close()
		return nil, problem.Wrap(err, problem.Unavailable, "the lock file %s cannot be locked", path)
	}
	if err := writeOwner(f); err != nil {
		_ = f.Close()
		return nil, problem.Wrap(err, problem.Unavailable, "the lock file %s cannot be written", path)
	}
	return &fileLock{file: f}, nil
}

func writeOwner(f *os.File) error {
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "process %d (%s)\n", os.Getpid(), program), 0)
	return err
}

func readOwner(f *os.File) string {
	buf := make([]byte, 512)
	n, _ := f.ReadAt(buf, 0)
	if owner := strings.TrimSpace(string(buf[:n])); owner != "" {
		return owner
	}
	return "another process"
}

// release frees the lock; on nil it does nothing.
func (l *fileLock) release() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}
