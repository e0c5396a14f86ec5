package audit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// The test program starts itself as another process with these in its environment.
const (
	childEnv = "LONGSHORE_AUDIT_TEST_URI"
	dirEnv   = "LONGSHORE_AUDIT_TEST_DIR"
	fromEnv  = "LONGSHORE_AUDIT_TEST_FROM"
	fullEnv  = "LONGSHORE_AUDIT_TEST_FULL"
)

func TestMain(m *testing.M) {
	if os.Getenv(fullEnv) != "" {
		if err := childFull(os.Getenv(childEnv)); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	if uri := os.Getenv(childEnv); uri != "" {
		childPulls(uri)
		return
	}
	os.Exit(m.Run())
}

// childPulls records pulls without end, with the program's own delays, and prints each number and the time at which it
// was taken.
func childPulls(uri string) {
	ctx := context.Background()
	d, err := db.Open(ctx, dbtest.Options(uri))
	if err != nil {
		fmt.Println("error", err)
		return
	}
	l, err := Open(ctx, Options{DB: d, Dir: os.Getenv(dirEnv), Clock: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var n int
	_, _ = fmt.Sscan(os.Getenv(fromEnv), &n)
	for ; ; n++ {
		if err := l.Pulled(pull(n)); err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Println(n, time.Now().UnixNano()) // one write call each, so that a kill loses no line that was printed
		time.Sleep(50 * time.Microsecond)
	}
}

// TestAKilledProcessLosesItsLastMomentOnly kills one after the other in the middle of its work. What each had taken
// 100 ms before is stored by the next, exactly once and in order.
func TestAKilledProcessLosesItsLastMomentOnly(t *testing.T) {
	for _, kind := range dbtest.Kinds() {
		if kind == dbtest.PostgreSQLICU {
			continue // sorts nothing here
		}
		t.Run(string(kind), func(t *testing.T) {
			uri, dir := dbtest.URI(t, kind), t.TempDir()
			promised := 0 // pulls that must be there
			next := 0
			for round := range 4 {
				taken, killed := runAndKill(t, uri, dir, next, time.Duration(150+130*round)*time.Millisecond)
				lost := 0
				d := dbtest.OpenURI(t, uri)
				o := optionsFor(t, d, at("2026-11-22 10:00:00"))
				o.Dir, o.Clock = dir, time.Now
				l := open(t, o)
				check(t, l.Flush(t.Context()))
				stored := numbers(t, l)
				for i, when := range taken {
					switch n := stored[next+i]; {
					case n > 1:
						t.Fatalf("pull %d is there %d times", next+i, n)
					case n == 1:
						promised++
					case killed.Sub(when) > 100*time.Millisecond:
						t.Fatalf("pull %d was taken %v before the end and is lost", next+i, killed.Sub(when))
					default:
						lost++
					}
				}
				t.Logf("round %d: %d taken, %d of the last moment lost", round, len(taken), lost)
				countedAs(t, d)
				next += len(taken) + 1000 // one may have been taken and not printed
				check(t, l.Close(t.Context()))
				check(t, d.Close())
			}
		})
	}
}

// runAndKill starts a process at a number and kills it some time after its first pull, when it has taken a hundred. It gives when each was taken.
func runAndKill(t *testing.T, uri, dir string, from int, after time.Duration) (taken []time.Time, killed time.Time) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+uri, dirEnv+"="+dir, fmt.Sprintf("%s=%d", fromEnv, from))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var n int
		var ns int64
		if _, err := fmt.Sscan(lines.Text(), &n, &ns); err != nil || n != from+len(taken) {
			t.Fatalf("%q", lines.Text())
		}
		taken = append(taken, time.Unix(0, ns))
		if killed.IsZero() && len(taken) >= 100 && time.Since(taken[0]) > after {
			killed = time.Now() // before the kill, which is the stricter
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	return taken, killed
}

// numbers counts how often each pull is stored, and expects them in order.
func numbers(t *testing.T, l *Log) map[int]int {
	t.Helper()
	found, last := map[int]int{}, 1<<62
	for e, err := range l.All(t.Context(), ever(Query{NamespaceID: 1})) {
		check(t, err)
		var n int
		if _, err := fmt.Sscanf(string(e.Metadata), `{"n":%d}`, &n); err != nil {
			t.Fatal(err)
		}
		if n > last {
			t.Fatalf("%d is listed after %d", n, last)
		}
		last = n
		found[n]++
	}
	return found
}

// childFull records pulls into a spool whose disk is full: first while the database is away, as many as the reserve
// has room for and memory has not, then while it is there, several times as many.
func childFull(uri string) error {
	const away, there = 20_000, 120_000 // of 230 bytes
	ctx := context.Background()
	var gone atomic.Bool
	o := dbtest.Options(uri)
	o.Watch = func(transaction string, m db.Moment) error {
		if gone.Load() && transaction == "store pulls" {
			return errAway
		}
		return nil
	}
	d, err := db.Open(ctx, o)
	if err != nil {
		return err
	}
	l, err := Open(ctx, Options{
		DB: d, Dir: os.Getenv(dirEnv), Clock: time.Now, Log: slog.New(slog.NewTextHandler(os.Stdout, nil)), SpoolReserve: 16 << 20, storeEvery: 10 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); l.Stats().SpoolReserve < 16<<20; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d bytes are set aside", l.Stats().SpoolReserve)
		}
	}
	if err := fillDisk(filepath.Join(os.Getenv(dirEnv), "ballast")); err != nil {
		return err
	}
	gone.Store(true)
	for n := range away + there {
		gone.Store(n < away)
		if err := l.Pulled(benchEntry); err != nil {
			return fmt.Errorf("pull %d: %w", n, err)
		}
		if n%1000 != 0 {
			continue
		}
		// A thousand at once is more than a registry does in the 20 ms that its goroutine takes.
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
			err := l.pulls.own.Write()
			if err == nil && (n < away || l.Stats().Stored+away > uint64(n)) {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("pull %d: %w, %+v", n, err, l.Stats())
			}
		}
	}
	if err := l.Close(ctx); err != nil {
		return err
	}
	if s := l.Stats(); s.Stored != away+there || s.Refused+s.Dropped+s.Damaged > 0 {
		return fmt.Errorf("%+v", s)
	}
	return d.Close()
}

// fillDisk writes until no byte is left.
func fillDisk(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return nil
}

// TestPullsGoOnWhenTheDiskIsFull has a data disk without a byte left, beside a database on another one.
func TestPullsGoOnWhenTheDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("no file system can be mounted in a namespace here: %v %s", err, out)
	}
	uri := dbtest.URI(t, dbtest.SQLite)
	check(t, dbtest.OpenURI(t, uri).Close())
	cmd := exec.Command("unshare", "-rm", "sh", "-c", `mount -t tmpfs -o size=40m tmpfs "$0" && exec "$@"`, dir, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+uri, dirEnv+"="+dir, fullEnv+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
