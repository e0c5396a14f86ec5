package overview_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/overview"
)

// TestAListTakesAConstantNumberOfQueries counts them over a small and a larger organization.
func TestAListTakesAConstantNumberOfQueries(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		ctx, bob, devs := t.Context(), f.id("bob"), f.teamSubject("devs").TeamID
		lists := map[string]struct {
			queries uint64
			read    func() error
		}{
			"teams":           {1, func() error { _, err := f.lists.Teams(ctx, f.acme.ID, bob); return err }},
			"members":         {1, func() error { _, err := f.lists.Members(ctx, f.acme.ID); return err }},
			"one member":      {1, func() error { _, _, err := f.lists.Member(ctx, f.acme.ID, bob); return err }},
			"collaborators":   {1, func() error { _, err := f.lists.Collaborators(ctx, f.acme.ID); return err }},
			"robots' grants":  {1, func() error { _, err := f.lists.RobotGrants(ctx, f.acme.ID); return err }},
			"members of team": {1, func() error { _, err := f.identity.TeamMembers(ctx, devs); return err }},
			"repositories of a namespace": {2, func() error {
				_, err := f.lists.Repositories(ctx, overview.Filter{NamespaceID: f.acme.ID, ViewerID: bob, Public: true}, overview.Position{}, 5, f.now)
				return err
			}},
			"repositories": {2, func() error {
				_, err := f.lists.Repositories(ctx, overview.Filter{ViewerID: bob, Public: true, Modified: true, Popularity: true, StarsOf: bob}, overview.Position{}, 5, f.now)
				return err
			}},
			"starred repositories": {1, func() error {
				_, err := f.lists.Repositories(ctx, overview.Filter{StarredBy: bob, ViewerID: bob, Public: true}, overview.Position{}, 5, f.now)
				return err
			}},
		}
		for _, more := range []int{0, 12} {
			for i := range more {
				name := fmt.Sprintf("person%d", i)
				_, err := f.identity.CreateUser(ctx, identity.NewUser{Name: name, Email: name + "@example.com"})
				f.check(err)
				f.team(fmt.Sprintf("team%d", i), identity.TeamMember, "bob", name)
				f.check(f.identity.AddTeamMember(ctx, f.acme.ID, "devs", f.id(name)))
				app := f.repository("acme", fmt.Sprintf("app%d", i), i%2 == 0)
				f.grant(app, access.Subject{AccountID: f.id("carol")}, access.Read)
				f.grant(app, f.teamSubject(fmt.Sprintf("team%d", i)), access.Read)
				f.check(f.registry.Star(ctx, app, bob))
			}
			for name, list := range lists {
				before := d.Stats().Queries
				f.check(list.read())
				if n := uint64(d.Stats().Queries - before); n != list.queries {
					t.Errorf("%s with %d more of everything: %d queries, want %d", name, more, n, list.queries)
				}
			}
		}
	})
}

// TestTheWayToARepositoryDoesNotChangeTheList compares what the same viewer is listed by each of the ways in which a page
// is read: few and many repositories that were given one by one, few and many namespaces that he administers.
func TestTheWayToARepositoryDoesNotChangeTheList(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		bob := f.id("bob")
		var want []string
		for i := range 40 { // more than are merged
			org, err := f.identity.CreateOrganization(t.Context(), fmt.Sprintf("org%02d", i), "", bob)
			f.check(err)
			open, hidden := f.repository(org.Name, "open", true), f.repository(org.Name, "hidden", false)
			f.grant(open, access.Subject{AccountID: bob}, access.Read) // twice his
			f.grant(hidden, access.Subject{AccountID: bob}, access.Read)
			want = append(want, org.Name+"/hidden", org.Name+"/open")
		}
		f.grant(f.repository("acme", "given", false), access.Subject{AccountID: bob}, access.Read)
		f.repository("acme", "foreign", false)
		want = append([]string{"acme/given"}, want...)
		for _, public := range []bool{false, true} {
			var got []string
			for after := (overview.Position{}); ; {
				page, err := f.lists.Repositories(t.Context(), overview.Filter{ViewerID: bob, Public: public}, after, 7, f.now)
				f.check(err)
				for _, r := range page {
					got = append(got, r.Namespace+"/"+r.Name)
				}
				if len(page) < 7 {
					break
				}
				after = page[len(page)-1].Position
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("public %v: %s", public, diff)
			}
		}
	})
}
