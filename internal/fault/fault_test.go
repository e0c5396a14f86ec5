package fault

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const childEnv = "LONGSHORE_FAULT_CHILD"

func TestMain(m *testing.M) {
	file := os.Getenv(childEnv)
	if file == "" {
		os.Exit(m.Run())
	}
	p, err := New(file)
	if err != nil {
		os.Exit(3)
	}
	_ = p.Hit("a")
	_ = p.Hit("b c")
	_ = p.Hit("b c")
	os.Exit(4) // it should not come so far
}

// write replaces a plan's file.
func write(t *testing.T, file, rules string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func TestErrorsComeAtTheHitsThatTheRuleNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan")
	for _, test := range []struct {
		rules string
		want  string // of five hits, x for a failure
	}{
		{"", "....."},
		{"fs/sync-upload EIO", "xxxxx"},
		{"fs/sync-* EIO 2", ".x..."},
		{"fs/sync-* EIO 3-", "..xxx"},
		{"fs/* EIO 2-3", ".xx.."},
		{"fs/syncdir-* EIO", "....."},
	} {
		write(t, file, test.rules)
		p, err := New(file)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for range 5 {
			err := p.Hit("fs/sync upload")
			if err != nil && !errors.Is(err, syscall.EIO) {
				t.Fatal(err)
			}
			got.WriteString(map[bool]string{true: "x", false: "."}[err != nil])
		}
		if got.String() != test.want {
			t.Errorf("%q: %s, want %s", test.rules, got.String(), test.want)
		}
	}
}

func TestAReplacedFileIsFollowed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan")
	p, err := New(file)
	if err != nil || p.Hit("x") != nil {
		t.Fatalf("without a file: %v", err)
	}
	write(t, file, "x ENOSPC\nclock -1h")
	if err := p.Hit("x"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("with a rule: %v", err)
	}
	if late := time.Since(p.Now()); late < 59*time.Minute || late > 61*time.Minute {
		t.Errorf("the clock is %s behind", late)
	}
	write(t, file, "x wait 30ms")
	start := time.Now()
	if err := p.Hit("x"); err != nil || time.Since(start) < 30*time.Millisecond {
		t.Errorf("waited %s, %v", time.Since(start), err)
	}
	write(t, file, "x explode")
	if err := p.Hit("x"); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a rule that is none: %v", err)
	}
}

func TestKillEndsTheProcessAndTheRecordSaysWhere(t *testing.T) {
	dir := t.TempDir()
	file, record := filepath.Join(dir, "plan"), filepath.Join(dir, "record")
	write(t, file, "record "+record+"\nb-c kill 2")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+file)
	err := child.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended with %v", err)
	}
	got, err := os.ReadFile(record)
	if want := "a\nb-c\nb-c\nkilled at b-c\n"; err != nil || string(got) != want {
		t.Errorf("recorded %q, %v", got, err)
	}
}

func TestFileNamesWhatACallIsAbout(t *testing.T) {
	for name, want := range map[string]string{
		"/d/storage/uploads/1-2-3":         "fs/sync-upload",
		"/d/storage/uploads/.check-1":      "fs/sync-check",
		"/d/storage/sha256/ab/abcd.1-2":    "fs/sync-object",
		"/d/storage/sha256/ab":             "fs/sync-folder",
		"/d/storage/.longshore-location.1": "fs/sync-marker",
		"/d/storage/sha256":                "fs/sync-root",
		"/d/storage":                       "fs/sync-root",
	} {
		if got := File("sync", name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
