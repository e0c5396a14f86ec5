package registry_test

import (
	"testing"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

func TestRepositoriesAreFlat(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		for _, name := range []string{"app/nested", "app/tag/v1", "blobs/uploads", "a/b/c/d/e", "manifests"} {
			f.repository(f.repo.NamespaceID, name)
			repo, err := f.reg.Repository(t.Context(), "acme", name)
			if err != nil || repo.Name != name || repo.Path() != "acme/"+name {
				t.Errorf("%s: %+v, %v", name, repo, err)
			}
			byID, err := f.reg.RepositoryByID(t.Context(), repo.ID)
			if err != nil || byID != repo {
				t.Errorf("%s by id: %+v, %v", name, byID, err)
			}
		}
		for _, missing := range [][2]string{{"acme", "app/tag"}, {"acme", "a/b"}, {"acme", ""}, {"acme", "App"}, {"nobody", "app"}, {"", "app"}} {
			_, err := f.reg.Repository(t.Context(), missing[0], missing[1])
			wantCode(t, err, problem.NotFound, "NAME_UNKNOWN")
		}
		_, err := f.reg.RepositoryByID(t.Context(), 99999)
		wantCode(t, err, problem.NotFound, "NAME_UNKNOWN")
		if f.repo.TagWindow != window || f.repo.Public || f.repo.Application || !f.repo.NamespaceEnabled || f.repo.State != access.Normal || !f.repo.CreatedAt.Equal(f.now) {
			t.Errorf("got %+v", f.repo)
		}
	})
}

func TestRepositoryLifeCycle(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		n := registry.NewRepository{NamespaceID: f.repo.NamespaceID, Name: "life", Public: true, Description: "d"}
		first, err := f.reg.CreateRepository(t.Context(), n)
		if err != nil || !first.Public || first.Description != "d" {
			t.Fatalf("%+v, %v", first, err)
		}
		_, err = f.reg.CreateRepository(t.Context(), n)
		if p := wantCode(t, err, problem.Conflict, ""); p.Message != "Repository already exists" {
			t.Errorf("message %q", p.Message)
		}
		for _, step := range []error{
			f.reg.SetVisibility(t.Context(), first.ID, false),
			f.reg.SetDescription(t.Context(), first.ID, "other"),
			f.reg.SetState(t.Context(), first.ID, access.Mirror),
		} {
			if step != nil {
				t.Error(step)
			}
		}
		if got, err := f.reg.Repository(t.Context(), "acme", "life"); err != nil || got.Public || got.Description != "other" || got.State != access.Mirror {
			t.Errorf("%+v, %v", got, err)
		}
		if err := f.reg.DeleteRepository(t.Context(), first.ID); err != nil {
			t.Fatal(err)
		}
		if due, want := f.number(`SELECT due_ms FROM review WHERE kind = 4 AND repo_id = $1`, first.ID), db.Millis(f.clock().Add(window)); due != want {
			t.Errorf("review due at %d, want %d", due, want)
		}
		for _, err := range []error{
			f.reg.DeleteRepository(t.Context(), first.ID), f.reg.SetVisibility(t.Context(), first.ID, true),
			f.reg.SetDescription(t.Context(), first.ID, "x"), f.reg.SetState(t.Context(), first.ID, access.Normal),
		} {
			wantCode(t, err, problem.NotFound, "NAME_UNKNOWN")
		}
		second, err := f.reg.CreateRepository(t.Context(), n)
		if err != nil || second.ID == first.ID {
			t.Errorf("the name is not free again: %+v, %v", second, err)
		}
	})
}

func TestRefusedRepositories(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		for _, name := range []string{"", "A", "a/", "../x", ".x", "a b"} {
			_, err := f.reg.CreateRepository(t.Context(), registry.NewRepository{NamespaceID: f.repo.NamespaceID, Name: name})
			wantCode(t, err, problem.Invalid, "NAME_INVALID")
		}
		plain := f.registry(func(o *registry.Options) { o.Names.Extended = false })
		_, err := plain.CreateRepository(t.Context(), registry.NewRepository{NamespaceID: f.repo.NamespaceID, Name: "a/b"})
		wantCode(t, err, problem.Invalid, "NAME_INVALID")
		for _, namespace := range []int64{0, 99999, f.account("acme+robot", 3)} {
			_, err := f.reg.CreateRepository(t.Context(), registry.NewRepository{NamespaceID: namespace, Name: "x"})
			wantCode(t, err, problem.NotFound, "NAME_UNKNOWN")
		}
	})
}

func TestTheCreatorAdministersARepositoryOfAnOrganization(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		alice := f.account("alice", 1)
		repo, err := f.reg.CreateRepository(t.Context(), registry.NewRepository{NamespaceID: f.repo.NamespaceID, Name: "x", CreatorID: alice})
		if err != nil {
			t.Fatal(err)
		}
		if role := f.number(`SELECT role FROM repository_permission WHERE repo_id = $1 AND account_id = $2`, repo.ID, alice); role != int64(access.Admin) {
			t.Errorf("role %d", role)
		}
	})
}
