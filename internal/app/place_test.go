package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/config"
	blobfiles "github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/content/fs/faultfs"
)

func TestTheDataFolderIsOnDiskUnderItsNameBeforeAnythingIsInIt(t *testing.T) {
	root := t.TempDir()
	data := filepath.Join(root, "deep", "data")
	var synced []string
	watched := &faultfs.FS{System: blobfiles.OS{}, Call: func(operation, name string, do func() error) error {
		if entries, err := os.ReadDir(data); err == nil && len(entries) > 0 {
			t.Errorf("%s of %s when something is in the folder", operation, name)
		}
		if operation == "syncdir" {
			synced = append(synced, name)
		}
		return do()
	}}
	for _, want := range [][]string{{root, filepath.Dir(data)}, nil} { // at the first start, at the next
		synced = nil
		i := &installation{config: &config.Config{}, data: data, seams: seams{files: watched}}
		if err := i.prepare(); err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(synced, want) {
			t.Errorf("synced %q, want %q", synced, want)
		}
		watched.Call = func(operation, name string, do func() error) error { return do() }
	}
	for _, name := range []string{data, filepath.Dir(data)} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v; only the program's user may enter", name, info, err)
		}
	}
}
