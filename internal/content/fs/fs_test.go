package fs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/contenttest"
	"github.com/longshore-registry/longshore/internal/content/fs"
)

func open(t *testing.T, o fs.Options) *fs.Driver {
	t.Helper()
	d, err := fs.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return d
}

func TestDriver(t *testing.T) {
	for name, shared := range map[string]bool{"folder of one host": false, "folder of several hosts": true} {
		t.Run(name, func(t *testing.T) {
			contenttest.Run(t, func(t *testing.T) contenttest.Subject {
				root := t.TempDir()
				return contenttest.Subject{
					Open:      func() content.Driver { return open(t, fs.Options{Root: root, Shared: shared}) },
					PartBytes: 3000,
					Place: func(path string, data []byte) {
						name := filepath.Join(root, path)
						if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
							t.Fatal(err)
						}
						if err := os.WriteFile(name, data, 0o644); err != nil {
							t.Fatal(err)
						}
					},
				}
			})
		})
	}
}
