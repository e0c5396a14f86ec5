package pgcluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const childEnv = "LONGSHORE_PGCLUSTER_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	c, err := Start(context.Background(), ICU)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println(c.URI, c.dir)
	time.Sleep(time.Hour) // until it is killed
	_ = c.Stop()
}

func TestAClusterEndsWithItsProcess(t *testing.T) {
	if _, err := programs(); errors.Is(err, ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := bufio.NewScanner(out)
	line.Scan()
	uri, dir, ok := strings.Cut(line.Text(), " ")
	if !ok || strings.HasPrefix(line.Text(), "error") {
		t.Fatal(line.Text())
	}
	var sorted bool
	conn, err := pgx.Connect(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(t.Context(), "SELECT 'a' < 'B'").Scan(&sorted); err != nil || !sorted {
		t.Errorf("text is not sorted as people do: %v", err)
	}
	_ = conn.Close(t.Context())

	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there: %v", dir, err)
		}
	}
	if conn, err := pgx.Connect(t.Context(), uri); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the server still answers")
	}
}
