package registry_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

func TestLabelsOfAnImage(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		log, ctx := &recorder{}, t.Context()
		f := newFixture(t, d, recording(log))
		image := f.image(f.repo, "a", map[string]string{"maintainer": "bob"})
		f.push(image, "t")
		log.entries = nil
		added := map[string]registry.Label{}
		for key, value := range map[string]string{"team": "a", "teams": `{"a":1}`, "other": "{"} {
			l, err := f.reg.AddLabel(ctx, f.repo, image.digest(), registry.NewLabel{Key: key, Value: value})
			if err != nil {
				t.Fatal(err)
			}
			added[key] = l
		}
		if got := added["teams"].MediaType + " " + added["other"].MediaType; got != "application/json text/plain" {
			t.Errorf("inferred %s", got)
		}
		list, err := f.reg.Labels(ctx, f.repo, image.digest(), "team")
		if diff := cmp.Diff([]registry.Label{added["team"], added["teams"]}, list); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		list, err = f.reg.Labels(ctx, f.repo, image.digest(), "main")
		if err != nil || len(list) != 1 || list[0].Source != registry.FromManifest {
			t.Fatalf("%v %v", list, err)
		}
		wantCode(t, f.reg.DeleteLabel(ctx, f.repo, image.digest(), list[0].UUID), problem.Invalid, "")
		log.entries = nil
		if err := f.reg.DeleteLabel(ctx, f.repo, image.digest(), added["team"].UUID); err != nil {
			t.Fatal(err)
		}
		log.want(t, "manifest_label_delete key=team")
		wantCode(t, f.reg.DeleteLabel(ctx, f.repo, image.digest(), added["team"].UUID), problem.NotFound, "")

		other := f.pushed("b")
		_, err = f.reg.Label(ctx, f.repo, other.digest(), added["teams"].UUID)
		wantCode(t, err, problem.NotFound, "") // a label is looked up inside its manifest
		if got, err := f.reg.Label(ctx, f.repo, image.digest(), added["teams"].UUID); err != nil || got != added["teams"] {
			t.Errorf("%v %v", got, err)
		}
		f.delete(image)
		_, err = f.reg.Labels(ctx, f.repo, image.digest(), "")
		wantCode(t, err, problem.NotFound, "MANIFEST_UNKNOWN")
		_, err = f.reg.AddLabel(ctx, f.repo, image.digest(), registry.NewLabel{Key: "team"})
		wantCode(t, err, problem.NotFound, "MANIFEST_UNKNOWN")
	})
}

func TestLabelsThatNobodySets(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	f := newFixture(t, d, func(o *registry.Options) { o.Reserved = []string{"acme."} })
	image := f.pushed("a")
	for _, l := range []registry.NewLabel{
		{Key: ""}, {Key: "A"}, {Key: "-a"}, {Key: "a-"}, {Key: "a..b"}, {Key: "a.-b"}, {Key: "a_b"}, {Key: strings.Repeat("a", 256)},
		{Key: "quay.expires-after"}, {Key: "quay.immutable"}, {Key: "io.quayx"}, {Key: "com.docker.x"}, {Key: "acme.x"},
		{Key: "a", MediaType: "text/html"},
	} {
		if _, err := f.reg.AddLabel(t.Context(), f.repo, image.digest(), l); !problem.Is(err, problem.Invalid) {
			t.Errorf("%+v: %v", l, err)
		}
	}
	for _, key := range []string{"a", "a.b-c", strings.Repeat("a", 255), "com.dockers", "acme"} {
		if _, err := f.reg.AddLabel(t.Context(), f.repo, image.digest(), registry.NewLabel{Key: key, Value: "x"}); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestManifestDetail(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image := f.pushed("a")
		list := index(image)
		f.push(list)
		got, err := f.reg.ManifestDetail(t.Context(), f.repo, image.digest())
		if err != nil || got.Index || len(got.Steps) != 1 || got.Steps[0].Layer == nil || got.Digest != image.digest() {
			t.Errorf("%+v %v", got, err)
		}
		got, err = f.reg.ManifestDetail(t.Context(), f.repo, list.digest())
		if err != nil || !got.Index || got.Steps != nil {
			t.Errorf("%+v %v", got, err)
		}
	})
}

func TestOnlyTheMirrorsRobotIsToldInTheStateMirror(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		robot := f.account("acme+mirror", 3)
		f.exec(`INSERT INTO mirror (repo_id, robot_id, external_reference, rule_uuid, rule_value, rule_created_ms, interval_s, transaction_id, created_ms)
			VALUES ($1, $2, 'x', 'u', '[]', 0, 60, 't', 0)`, f.repo.ID, robot)
		for state, want := range map[int]int64{0: 0, 1: 0, 2: robot} {
			f.exec(`UPDATE repository SET state = $2 WHERE id = $1`, f.repo.ID, state)
			f.reg.Forget()
			repo, err := f.reg.Repository(t.Context(), "acme", "app")
			if err != nil || repo.MirrorRobotID != want || repo.Object().MirrorRobotID != want {
				t.Errorf("state %d: robot %d, %v", state, repo.MirrorRobotID, err)
			}
		}
	})
}
