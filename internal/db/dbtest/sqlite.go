package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
)

// migratedFile is the content of a migrated SQLite file, made once a process.
var migratedFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "longshore-dbtest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "longshore.db")
	if err := migrate(context.Background(), "sqlite:///"+path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func migrate(ctx context.Context, uri string) error {
	d, err := db.Open(ctx, Options(uri))
	if err != nil {
		return err
	}
	return errors.Join(d.Migrate(ctx), d.Close())
}

func sqliteFile(t testing.TB, migrated bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "longshore.db")
	if migrated {
		content, err := migratedFile()
		if err == nil {
			err = os.WriteFile(path, content, 0o600)
		}
		if err != nil {
			t.Fatalf("making the test's database: %v", err)
		}
	}
	return fmt.Sprintf("sqlite:///%s", path)
}
