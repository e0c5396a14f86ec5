package spool

import (
	"os"

	"golang.org/x/sys/unix"
)

// allocateFile takes room on the disk for n bytes of a file, whose size stays: where it ends is known as before.
func allocateFile(f *os.File, n int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, n)
}
