package registry_test

import (
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

// What the registry itself has noted, as a Quay that was taken over may have, is not the users' to remove.
func TestOnlyLabelsOfTheAPIAreDeleted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image := f.pushed("a")
		label, err := f.reg.AddLabel(t.Context(), f.repo, image.digest(), registry.NewLabel{Key: "team", Value: "a"})
		if err != nil {
			t.Fatal(err)
		}
		source := func(s registry.LabelSource) {
			t.Helper()
			if _, err := d.Exec(t.Context(), `UPDATE manifest_label SET source = $1 WHERE uuid = $2`, int(s), label.UUID); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range []registry.LabelSource{registry.FromManifest, registry.Internal} {
			source(s)
			wantCode(t, f.reg.DeleteLabel(t.Context(), f.repo, image.digest(), label.UUID), problem.Invalid, "")
		}
		source(registry.FromAPI)
		if err := f.reg.DeleteLabel(t.Context(), f.repo, image.digest(), label.UUID); err != nil {
			t.Error(err)
		}
	})
}
