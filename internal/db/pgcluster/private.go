package pgcluster

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// nobody is Debian's user and group for what owns nothing.
const nobody = 65534

// unprivileged makes root's command run as nobody, and keeps signals of the terminal away from it.
func unprivileged(cmd *exec.Cmd) {
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
}

// memoryFolder is where Linux keeps files in memory. A cluster there starts and copies databases several times as fast.
const (
	memoryFolder = "/dev/shm"
	memoryNeeded = 2 << 30 // bytes
)

// makeDir makes the cluster's folder: in memory if there is room, else where temporary files go. Root's own temporary
// folder may not be passable for nobody, so root uses /tmp.
func makeDir() (string, error) {
	parent := os.TempDir()
	if os.Getuid() == 0 {
		parent = "/tmp"
	}
	var room unix.Statfs_t
	if err := unix.Statfs(memoryFolder, &room); err == nil && room.Bavail*uint64(room.Bsize) >= memoryNeeded {
		parent = memoryFolder
	}
	dir, err := os.MkdirTemp(parent, "longshore-pg-")
	if err != nil || os.Getuid() != 0 {
		return dir, err
	}
	return dir, os.Chown(dir, nobody, nobody)
}
