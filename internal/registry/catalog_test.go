package registry_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/registry"
)

func TestCatalogShowsWhatTheViewerMaySee(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d) // acme/app
		alice, bob, robot := f.account("alice", 1), f.account("bob", 1), f.account("acme+ci", 3)
		beta := f.account("beta", 2)
		hidden := f.account("gone", 2)
		nested := f.repository(f.repo.NamespaceID, "app/nested")
		f.repository(alice, "own")
		f.repository(beta, "b")
		public := f.repository(beta, "public")
		if err := f.reg.SetVisibility(t.Context(), public.ID, true); err != nil {
			t.Fatal(err)
		}
		deleted := f.repository(beta, "deleted")
		if err := f.reg.DeleteRepository(t.Context(), deleted.ID); err != nil {
			t.Fatal(err)
		}
		f.repository(hidden, "x")
		f.exec(`UPDATE account SET enabled = 0 WHERE id = $1`, hidden)
		f.exec(`UPDATE repository SET kind = 2 WHERE id = $1`, f.repository(beta, "application").ID)
		team := func(organization int64, role int, member int64) int64 {
			id := f.id(`INSERT INTO team (organization_id, name, role) VALUES ($1, $2, $3) RETURNING id`, organization, "t"+string(rune('a'+role)), role)
			f.exec(`INSERT INTO team_member (team_id, account_id) VALUES ($1, $2)`, id, member)
			return id
		}
		grant := func(repo registry.Repository, column string, id int64) {
			f.exec(`INSERT INTO repository_permission (repo_id, `+column+`, role) VALUES ($1, $2, 3)`, repo.ID, id)
		}
		team(beta, 1, alice)                         // admin of beta
		grant(nested, "team_id", team(beta, 3, bob)) // by a team, on one repository
		team(f.repo.NamespaceID, 2, bob)             // a creator sees nothing by that alone
		grant(f.repo, "account_id", robot)           // directly
		grant(public, "account_id", robot)           // what is public anyway
		all := []string{"acme/app", "acme/app/nested", "alice/own", "beta/b", "beta/public"}
		tests := []struct {
			name   string
			viewer registry.CatalogViewer
			want   []string
		}{
			{"nobody", registry.CatalogViewer{}, nil},
			{"nobody, where public ones are listed", registry.CatalogViewer{Public: true}, all[4:]},
			{"an owner and administrator", registry.CatalogViewer{AccountID: alice}, all[2:]},
			{"a member of a team", registry.CatalogViewer{AccountID: bob}, all[1:2]},
			{"a member of a team, with public ones", registry.CatalogViewer{AccountID: bob, Public: true}, []string{all[1], all[4]}},
			{"a robot", registry.CatalogViewer{AccountID: robot}, []string{all[0], all[4]}},
			{"a superuser", registry.CatalogViewer{AccountID: bob, All: true}, all},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				var got []string
				after, more := registry.CatalogEntry{}, true
				for more { // two at a time
					var list []registry.CatalogEntry
					var err error
					if list, more, err = f.reg.Catalog(t.Context(), tt.viewer, after, 2); err != nil {
						t.Fatal(err)
					}
					for _, e := range list {
						got = append(got, e.Namespace+"/"+e.Name)
						after = e
					}
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
		list, more, err := f.reg.Catalog(t.Context(), registry.CatalogViewer{All: true}, registry.CatalogEntry{Namespace: "acme", Name: "zzz"}, 1)
		if err != nil || !more || len(list) != 1 || list[0].Namespace != "alice" {
			t.Errorf("after an entry that is none: %v %v %v", list, more, err)
		}
		if list, _, _ := f.reg.Catalog(t.Context(), registry.CatalogViewer{All: true}, registry.CatalogEntry{}, 0); len(list) != 0 {
			t.Errorf("limit 0: %v", list)
		}
	})
}
