package audit

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
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
)

func TestMain(m *testing.M) {
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
