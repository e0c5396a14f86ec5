package fs_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/fs"
)

func TestSweepLeavesThePresentAndLaterCopies(t *testing.T) {
	root := t.TempDir()
	d := open(t, fs.Options{Root: root})
	id, other := uuid.NewString(), uuid.NewString()
	for _, name := range []string{id, id + ".2", id + ".4", id + ".5", id + ".x", other, other + ".1"} {
		if err := os.WriteFile(filepath.Join(root, "uploads", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Sweep(t.Context(), content.Session{ID: id, Path: "uploads/" + id + ".4"}, 5); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, name := range files(t, root) {
		left = append(left, filepath.Base(name))
	}
	want := []string{id + ".4", id + ".5", id + ".x", other, other + ".1"}
	slices.Sort(left)
	slices.Sort(want)
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("(-want +left):\n%s", diff)
	}
}
