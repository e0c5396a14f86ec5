package forgetfs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	blobfiles "github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/content/fs/forgetfs"
)

// tree lists the files below a folder with their bytes.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		rel, _ := filepath.Rel(root, name)
		all[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOnlyWhatWasSyncedSurvives(t *testing.T) {
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		steps string // m folder, c file, w bytes, s sync of the file, r rename, d sync of the folder, t sync of the top
		want  map[string]string
	}{
		{"mt cws", nil},
		{"mt cwsd", map[string]string{"dir/a": "bytes"}},
		{"m cwsd", nil}, // the folder's own name
		{"mt cwd", map[string]string{"dir/a": ""}},
		{"mt cwsdr", map[string]string{"dir/a": "bytes"}},
		{"mt cwsdrd", map[string]string{"dir/b": "bytes"}},
		{"mt cwrsd", map[string]string{"dir/b": "bytes"}},
		{"mt cwrsdx", map[string]string{"dir/b": "bytes"}}, // a removal that was not synced
		{"mt cwrsdxd", nil},
	} {
		root := t.TempDir()
		f := forgetfs.New(root)
		at := func(name string) string { return filepath.Join(root, name) }
		syncDir := func(name string) error {
			d, err := f.OpenDir(name)
			if err != nil {
				return err
			}
			defer d.Close()
			return d.Sync()
		}
		var open blobfiles.File
		for _, step := range strings.ReplaceAll(test.steps, " ", "") {
			var err error
			switch step {
			case 'm':
				err = f.Mkdir(at("dir"))
			case 'c':
				open, err = f.Create(at("dir/a"))
			case 'w':
				_, err = open.WriteAt([]byte("bytes"), 0)
			case 's':
				err = open.Sync()
			case 'r':
				err = f.Rename(at("dir/a"), at("dir/b"))
			case 'x':
				err = f.Remove(at("dir/b"))
			case 'd':
				err = syncDir(at("dir"))
			case 't':
				err = syncDir(root)
			}
			must(err)
		}
		_, err := f.Cut(nil)
		must(err)
		if test.want == nil {
			test.want = map[string]string{}
		}
		if diff := cmp.Diff(test.want, tree(t, root)); diff != "" {
			t.Errorf("%s (-want +left):\n%s", test.steps, diff)
		}
		if err := open.Sync(); err == nil {
			t.Errorf("%s: a file of before the cut can be synced", test.steps)
		}
		must(open.Close())
	}
}
