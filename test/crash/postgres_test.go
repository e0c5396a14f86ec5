//go:build e2e

package crash

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/pgcluster"
)

// cluster is a PostgreSQL server that a test may stop.
type cluster struct {
	*pgcluster.Cluster
	folder string
	argv   []string
	again  *exec.Cmd // the second one, nil while the first runs
}

// private starts a server of this test's own, or skips the test.
func private(t *testing.T) *cluster {
	t.Helper()
	c, err := pgcluster.Start(t.Context(), pgcluster.C)
	if errors.Is(err, pgcluster.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	pid := postmaster(t, c.URI)
	folder, err := os.Readlink("/proc/" + itoa(pid) + "/cwd")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("/proc/" + itoa(pid) + "/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{Cluster: c, folder: folder, argv: strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")}
}

// uri makes a database and gives its address.
func (c *cluster) uri(t *testing.T) string {
	t.Helper()
	db, err := sql.Open("pgx", c.URI)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE registry"); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(c.URI, "/postgres") + "/registry"
}

// kill ends the server and its connections at once.
func (c *cluster) kill(t *testing.T) {
	t.Helper()
	pid := postmaster(t, c.URI)
	all := family(t, pid)
	signal(t, all, syscall.SIGKILL)
	for deadline := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil && !zombie(pid) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
}

func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(b), ") Z ")
}

// start runs the server once more on the same data and waits for it.
func (c *cluster) start(t *testing.T) {
	t.Helper()
	_ = os.Remove(filepath.Join(c.folder, "postmaster.pid"))
	c.again = exec.Command(c.argv[0], c.argv[1:]...)
	c.again.Dir = "/"
	if os.Getuid() == 0 {
		const nobody = 65534
		c.again.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if err := c.again.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.again.Process.Signal(syscall.SIGQUIT)
		_ = c.again.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	db, err := sql.Open("pgx", c.URI)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for db.PingContext(ctx) != nil {
		if ctx.Err() != nil {
			t.Fatal("PostgreSQL does not start again")
		}
		time.Sleep(50 * time.Millisecond)
	}
}
