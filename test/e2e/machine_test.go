//go:build e2e

package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// missing skips a test whose needs this machine does not meet; with CI set it fails, because there everything is
// installed and a skipped test would be one that nobody runs.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("missing: %s", what)
	}
	announce(t, t.Name()+" skipped, missing: "+what+"\n")
	t.SkipNow()
}

// announce is for what has to be seen also when all is well.
func announce(t *testing.T, text string) {
	t.Helper()
	t.Log("\n" + text)
	name := os.Getenv("LONGSHORE_E2E_REPORT")
	if name == "" {
		return
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = file.WriteString(text)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Error(err)
	}
}

// findProgram looks for a client: what make tools built, then the system's own folders, then PATH.
func findProgram(name string) (string, error) {
	for _, folder := range []string{os.Getenv("LONGSHORE_TOOLS_BIN"), "/usr/bin", "/usr/sbin"} {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); folder != "" && err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return exec.LookPath(name)
}

// temporary is a folder with a short name (the sockets of daemons live in it) that goes when the test ends.
func temporary(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "ls-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if os.Getenv("LONGSHORE_E2E_KEEP") != "" {
			t.Logf("kept %s", folder)
			return
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	return folder
}
