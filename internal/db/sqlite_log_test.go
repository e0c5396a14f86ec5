package db

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTheLogIsGrownInAQuietMomentAndStaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	d, err := Open(t.Context(), Options{URI: "sqlite:///" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	logSize := func() int64 {
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if n := logSize(); n > 1<<20 {
		t.Errorf("the start waited until the log had %d bytes", n)
	}
	for deadline := time.Now().Add(10 * time.Second); logSize() < defaultLogBytes && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if _, err := d.Exec(t.Context(), "PRAGMA user_version"); err != nil { // waits until the writer has done with it
		t.Fatal(err)
	}
	if n := logSize(); n < defaultLogBytes || n > 2*defaultLogBytes {
		t.Errorf("the log has %d bytes", n)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 64<<10 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	if _, err := d.Exec(t.Context(), "CREATE TABLE t (b BLOB) STRICT"); err != nil {
		t.Fatal(err)
	}
	for range 400 { // 40 MB
		err := d.Soft(t.Context(), "write", func(ctx context.Context, tx Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO t (b) VALUES ($1)", make([]byte, 100<<10))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	if n := logSize(); n > 4*defaultLogBytes {
		t.Errorf("after 40 MB the log has %d bytes: it is not started again from its head", n)
	}
	if info, err := os.Stat(path); err != nil || info.Size() < 20<<20 {
		t.Errorf("nothing was moved to the file: %d bytes, %v", info.Size(), err)
	}
}

func TestConnectionsAreSetUp(t *testing.T) {
	d := openFile(t)
	check := func(q Queryer, want map[string]string) {
		t.Helper()
		for name, value := range want {
			var got string
			if err := q.QueryRow(t.Context(), "PRAGMA "+name).Scan(&got); err != nil || got != value {
				t.Errorf("PRAGMA %s is %q (%v), want %q", name, got, err, value)
			}
		}
	}
	common := map[string]string{
		"journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "5000", "wal_autocheckpoint": "0", "page_size": fmt.Sprint(pageSize),
	}
	check(d, common)
	check(d, map[string]string{"query_only": "1", "cache_size": "-256"})
	err := d.Hard(t.Context(), "look", func(_ context.Context, tx Tx) error {
		check(tx, common)
		check(tx, map[string]string{"query_only": "0", "cache_size": "-4096", "synchronous": "2"})
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := d.Query(t.Context(), "INSERT INTO t (name) VALUES ('x') RETURNING name"); err == nil {
		t.Error("a reading connection wrote")
	}
}

func TestTheFileIsItsOwnersAlone(t *testing.T) {
	d := openFile(t)
	for _, suffix := range []string{"", "-wal", ".lock"} {
		info, err := os.Stat(d.sqlite.path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", suffix, info, err)
		}
	}
}
