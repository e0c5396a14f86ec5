package db_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// The test program starts itself as another process with these in its environment.
const (
	childEnv = "LONGSHORE_DB_TEST_CHILD" // what to do
	uriEnv   = "LONGSHORE_DB_TEST_URI"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "write":
		childWrites()
	case "hold":
		childHolds()
	}
}

// childWrites makes hard transactions without end, and writes the name of each that was acknowledged to its output.
func childWrites() {
	ctx := context.Background()
	d, err := db.Open(ctx, db.Options{URI: os.Getenv(uriEnv)})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				name := fmt.Sprintf("row%d-%d", os.Getpid(), next.Add(1))
				err := d.Hard(ctx, "write", func(ctx context.Context, tx db.Tx) error {
					_, err := tx.Exec(ctx, addLocation, name)
					return err
				})
				if err != nil {
					name = "error " + err.Error()
				}
				fmt.Println(name) // one write call each, so that a kill loses no line that was printed
			}
		})
	}
	group.Wait()
}

// childHolds opens the database and keeps it until its input ends.
func childHolds() {
	d, err := db.Open(context.Background(), db.Options{URI: os.Getenv(uriEnv)})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = d.Close()
}

// child starts the test program as another process.
func child(t *testing.T, what, uri string) (*exec.Cmd, *bufio.Scanner, io.Closer) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+what, uriEnv+"="+uri)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, bufio.NewScanner(out), in
}

func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	for _, kind := range []dbtest.Kind{dbtest.SQLite, dbtest.PostgreSQL} {
		t.Run(string(kind), func(t *testing.T) {
			uri := dbtest.URI(t, kind)
			acknowledged := map[string]bool{}
			for round := range 3 {
				cmd, out, _ := child(t, "write", uri)
				enough := len(acknowledged) + 300 + 100*round
				for out.Scan() {
					if strings.HasPrefix(out.Text(), "error") {
						t.Fatal(out.Text())
					}
					acknowledged[out.Text()] = true
					if len(acknowledged) == enough {
						_ = cmd.Process.Kill() // in the middle of its work; what it has printed is still read
					}
				}
				if len(acknowledged) < enough {
					t.Fatalf("round %d ended after %d", round, len(acknowledged))
				}
			}
			d := dbtest.OpenURI(t, uri)
			there := map[string]bool{}
			for _, name := range column(t, d, "SELECT name FROM storage_location") {
				there[name] = true
			}
			for name := range acknowledged {
				if !there[name] {
					t.Errorf("%s was acknowledged and is not there", name)
				}
			}
			t.Logf("%d acknowledged, %d there", len(acknowledged), len(there))
		})
	}
}

func TestASecondProcessIsRefusedWithTheNameOfTheFirst(t *testing.T) {
	t.Parallel() // it mostly waits
	uri := dbtest.URI(t, dbtest.SQLite)
	cmd, out, in := child(t, "hold", uri)
	if !out.Scan() || out.Text() != "open" {
		t.Fatal(out.Text())
	}
	_, err := db.Open(t.Context(), dbtest.Options(uri))
	if !problem.Is(err, problem.Conflict) {
		t.Fatalf("got %v", err)
	}
	program, _ := os.Executable()
	for _, part := range []string{fmt.Sprintf("process %d", cmd.Process.Pid), program, strings.TrimPrefix(uri, "sqlite:///")} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %s", err, part)
		}
	}
	_ = in.Close() // the first ends, and the file is free
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	dbtest.OpenURI(t, uri)
}

func TestTheLockOfADeadProcessDoesNotCount(t *testing.T) {
	uri := dbtest.URI(t, dbtest.SQLite)
	cmd, out, _ := child(t, "hold", uri)
	if !out.Scan() || out.Text() != "open" {
		t.Fatal(out.Text())
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	dbtest.OpenURI(t, uri)
}

func TestForeignCommitsAreNoticed(t *testing.T) {
	uri := dbtest.URI(t, dbtest.SQLite)
	d := dbtest.OpenURI(t, uri)
	var noticed atomic.Int32
	d.OnForeignCommit(func() { noticed.Add(1) })
	for range 20 {
		if _, err := d.Exec(t.Context(), "UPDATE storage_location SET hold = 0"); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(600 * time.Millisecond)
	if n := noticed.Load(); n != 0 {
		t.Errorf("own commits were noticed as foreign %d times", n)
	}
	options := dbtest.Options(uri)
	options.Beside = true
	command, err := db.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer command.Close()
	if _, err := command.Exec(t.Context(), addLocation, "foreign"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Second)
	for noticed.Load() == 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if noticed.Load() == 0 {
		t.Error("a foreign commit was not noticed")
	}
	if _, err := command.Exec(t.Context(), addLocation, "foreign too"); err != nil {
		t.Fatal(err)
	}
	before := noticed.Load()
	err = d.Hard(t.Context(), "look", func(context.Context, db.Tx) error {
		if noticed.Load() == before {
			t.Error("a transaction ran before the foreign commit was noticed")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAMissingFolderIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "l.db")
	_, err := db.Open(t.Context(), db.Options{URI: "sqlite:///" + path})
	if !problem.Is(err, problem.Invalid) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}
