//go:build e2e && linux

package crash

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A gate decides about system calls of the real program, with its real files and the kernel's own sendfile: the program
// is started under a seccomp filter that asks the test about every call that reads, writes or syncs a file. It needs no
// rights, and Linux 5.5.
type gate struct {
	mu    sync.Mutex
	rules []refusal
	seen  map[string]int // calls that a rule was applied to
}

// refusal is what becomes of a call on files whose names end in a suffix.
type refusal struct {
	call   string // of gated
	suffix string // of the file's name; a folder's when it begins with /
	after  int    // so many calls go through
	wait   time.Duration
	errno  syscall.Errno // 0: the call is made
}

// Variables that make this test's program a helper, which installs the filter and becomes the program.
const (
	gatedProgram = "LONGSHORE_CRASH_GATED"
	gateSocket   = "LONGSHORE_CRASH_GATE"
)

// gated are the system calls that are asked about.
func gated() map[uint32]string {
	return map[uint32]string{
		unix.SYS_FSYNC: "sync", unix.SYS_FDATASYNC: "sync", unix.SYS_PWRITE64: "write", unix.SYS_WRITE: "write",
		unix.SYS_PREAD64: "read", unix.SYS_READ: "read", unix.SYS_SENDFILE: "sendfile", unix.SYS_FTRUNCATE: "truncate",
	}
}

// becomeGated is the helper's work. It returns only when it fails.
func becomeGated() error {
	runtime.LockOSThread() // the filter is the thread's, which is the process after exec
	conn, err := net.Dial("unix", os.Getenv(gateSocket))
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	socket, err := conn.(*net.UnixConn).File()
	if err != nil {
		return err
	}
	program := os.Getenv(gatedProgram)
	fd, err := installFilter()
	if err != nil {
		return err
	}
	// Nothing here may read or write a file now: nobody answers yet.
	if err := unix.Sendmsg(int(socket.Fd()), []byte{1}, unix.UnixRights(fd), nil, 0); err != nil {
		return err
	}
	_ = unix.Close(fd)
	return syscall.Exec(program, append([]string{program}, os.Args[1:]...), os.Environ())
}

// installFilter makes the gated calls of this thread notifications on the descriptor it returns.
func installFilter() (fd int, err error) {
	code := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}} // the call's number
	left := len(gated())
	for nr := range gated() {
		code = append(code, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(left), K: nr})
		left--
	}
	code = append(code,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	r, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return 0, fmt.Errorf("seccomp: %w", errno)
	}
	return int(r), nil
}

// startGated gives a fresh registry with the embedded database that runs behind a gate, or skips the test.
func startGated(t *testing.T) (*registry, *gate) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "gate-") // a socket's name must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	name := filepath.Join(folder, "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	g := &gate{seen: map[string]int{}}
	go g.accept(listener)
	return startAs(t, self, gatedProgram+"="+program, gateSocket+"="+name), g
}

// accept takes the descriptor of each program that is started, until the test ends.
func (g *gate) accept(listener *net.UnixListener) {
	for {
		conn, err := listener.AcceptUnix()
		if err != nil {
			return
		}
		oob := make([]byte, unix.CmsgSpace(4))
		_, n, _, _, err := conn.ReadMsgUnix(make([]byte, 1), oob)
		conn.Close()
		if err != nil {
			continue
		}
		messages, err := unix.ParseSocketControlMessage(oob[:n])
		if err != nil || len(messages) == 0 {
			continue
		}
		if fds, err := unix.ParseUnixRights(&messages[0]); err == nil && len(fds) == 1 {
			go g.serve(fds[0])
		}
	}
}

// The kernel's struct seccomp_notif and seccomp_notif_resp.
const (
	notifReceive = 0xc0502100
	notifSend    = 0xc0182101
	notifBytes   = 80
	answerBytes  = 24
	goOn         = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE
)

// serve answers the calls of a program until it has ended.
func (g *gate) serve(fd int) {
	defer unix.Close(fd)
	names := gated()
	for {
		ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, -1); err != nil && !errors.Is(err, unix.EINTR) || ready[0].Revents&unix.POLLHUP != 0 {
			return
		}
		var call [notifBytes]byte
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), notifReceive, uintptr(unsafe.Pointer(&call[0]))); errno != 0 {
			continue // its thread has been killed
		}
		order := binary.NativeEndian
		nr, pid, file := order.Uint32(call[16:]), order.Uint32(call[8:]), order.Uint64(call[32:])
		if names[nr] == "sendfile" {
			file = order.Uint64(call[40:]) // the second argument is what is read
		}
		path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, file))
		wait, errno := g.decide(names[nr], path)
		answer := func() {
			var a [answerBytes]byte
			copy(a[:8], call[:8])
			if errno != 0 {
				order.PutUint32(a[16:], uint32(-int32(errno)))
			} else {
				order.PutUint32(a[20:], goOn)
			}
			_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), notifSend, uintptr(unsafe.Pointer(&a[0])))
		}
		if wait > 0 {
			time.AfterFunc(wait, answer)
		} else {
			answer()
		}
	}
}

func (g *gate) decide(call, path string) (time.Duration, syscall.Errno) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.rules {
		r := &g.rules[i]
		if r.call != call || !strings.HasSuffix(path, r.suffix) && !(strings.HasPrefix(r.suffix, "/") && strings.Contains(path, r.suffix)) {
			continue
		}
		if r.after > 0 {
			r.after--
			continue
		}
		g.seen[call+" "+r.suffix]++
		return r.wait, r.errno
	}
	return 0, 0
}

// refuse replaces the rules.
func (g *gate) refuse(rules ...refusal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rules, g.seen = rules, map[string]int{}
}

// wantSeen wants that every rule was applied: a fault that never came proves nothing.
func (g *gate) wantSeen(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.rules {
		if g.seen[r.call+" "+r.suffix] == 0 {
			t.Errorf("no %s of %s came by", r.call, r.suffix)
		}
	}
}
