package fs

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/longshore-registry/longshore/internal/content"
)

// stampOf is the state of a file: its inode's change time, which moves with every change of content, name or owner.
func stampOf(info os.FileInfo) content.Stamp {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return content.Stamp{Changed: info.ModTime()}
	}
	return content.Stamp{Changed: time.Unix(s.Ctim.Unix()), ID: s.Ino}
}

// Flush starts writing a range to the disk, so that less is left to write when Sync comes.
func (f osFile) Flush(offset, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), offset, n, unix.SYNC_FILE_RANGE_WRITE) // Sync reports what fails
}

// Space asks the file system how much room it has.
func (OS) Space(name string) (free, total int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(name, &s); err != nil {
		return 0, 0, err
	}
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}
