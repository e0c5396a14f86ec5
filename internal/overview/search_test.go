package overview_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/overview"
)

// found gives the names of everything that a seeker finds.
func (f *fixture) found(s overview.Seeker, text string) []string {
	f.t.Helper()
	ctx := f.t.Context()
	var all []string
	repositories, err := f.lists.FindRepositories(ctx, s, text, 0, 100, f.now)
	f.check(err)
	for _, r := range repositories {
		all = append(all, r.Owner.Name+"/"+r.Name)
	}
	teams, err := f.lists.FindTeams(ctx, s, 0, text, 100)
	f.check(err)
	for _, t := range teams {
		all = append(all, t.Organization.Name+":"+t.Name)
	}
	robots, err := f.lists.FindRobots(ctx, s, 0, text, 100)
	f.check(err)
	for _, r := range robots {
		all = append(all, r.Name)
	}
	return all
}

func (f *fixture) want(who, text string, want ...string) {
	f.t.Helper()
	s := overview.Seeker{}
	switch who {
	case "nobody":
	case "superuser":
		s = overview.Seeker{AccountID: f.id("mallory"), AllRepositories: true, AllNamespaces: true}
	default:
		s.AccountID = f.id(who)
	}
	if diff := cmp.Diff(want, f.found(s, text)); diff != "" {
		f.t.Errorf("%s looks for %q (-want +got):\n%s", who, text, diff)
	}
}

func TestNobodyFindsWhatTheyMayNotSee(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.team("secrets", identity.TeamMember)
		_, err := f.identity.CreateRobot(t.Context(), f.acme, "secretbot", "", "")
		f.check(err)
		f.repository("acme", "secret-app", false)
		open := f.repository("acme", "open-secret", true)
		byUser, byTeam := f.repository("acme", "user-secret", false), f.repository("acme", "team/secret", false)
		f.grant(byUser, access.Subject{AccountID: f.id("carol")}, access.Read)
		f.grant(byTeam, f.teamSubject("docs"), access.Read)
		for _, part := range []string{"secret", "ecre", "SECRET"} {
			f.want("nobody", part, "acme/open-secret")
			f.want("mallory", part, "acme/open-secret")
		}
		f.want("carol", "secret", "acme/open-secret", "acme/user-secret")
		f.want("bob", "secret", "acme/open-secret", "acme/team/secret", "acme:secrets", "acme+secretbot")
		everything := []string{"acme/secret-app", "acme/open-secret", "acme/team/secret", "acme/user-secret", "acme:secrets", "acme+secretbot"}
		f.want("alice", "secret", everything...)
		f.want("superuser", "secret", everything...)
		f.want("alice", "se", "acme/secret-app", "acme:secrets")
		f.want("mallory", "se")
		f.want("mallory", "acme/", "acme/open-secret")
		f.want("mallory", "acme/s")
		f.want("alice", "acme/s", "acme/secret-app")
		f.want("alice", "team/sec", "acme/team/secret")
		f.want("alice", `%`)
		f.want("alice", `_____`)
		f.want("alice", `"`)
		f.want("alice", `a" OR name:"b`)
		f.want("alice", "")

		f.check(f.registry.SetVisibility(t.Context(), open.ID, false))
		f.want("nobody", "secret")
		f.check(f.registry.SetVisibility(t.Context(), open.ID, true))
		f.want("nobody", "secret", "acme/open-secret")
		_, err = f.access.Revoke(t.Context(), byUser.ID, access.Subject{AccountID: f.id("carol")})
		f.check(err)
		f.want("carol", "secret", "acme/open-secret")
		f.check(f.registry.DeleteRepository(t.Context(), open.ID))
		f.want("nobody", "secret")
		f.check(f.identity.DeleteRobot(t.Context(), f.acme, "secretbot"))
		f.check(f.identity.SetEnabled(t.Context(), f.acme.ID, false))
		f.want("superuser", "secret")
	})
}

func TestPeopleAreFoundByAPartOrByTheWholeOfTheirName(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		find := func(text string, exact bool) (names []string) {
			people, err := f.lists.FindPeople(t.Context(), text, exact, 10)
			f.check(err)
			for _, p := range people {
				names = append(names, fmt.Sprint(p.Name, " ", p.Rank))
			}
			return names
		}
		for _, tt := range []struct {
			text  string
			exact bool
			want  []string
		}{
			{"al", false, []string{"alice 2"}}, {"all", false, []string{"mallory 1"}}, {"acme", false, []string{"acme 3"}},
			{"al", true, nil}, {"alice", true, []string{"alice 3"}}, {"acme+ci", false, nil}, {"acme+ci", true, nil},
		} {
			if diff := cmp.Diff(tt.want, find(tt.text, tt.exact)); diff != "" {
				t.Errorf("%s %v: %s", tt.text, tt.exact, diff)
			}
		}
		members, err := f.lists.MembersAmong(t.Context(), f.acme.ID, []int64{f.id("alice"), f.id("bob"), f.id("carol")})
		f.check(err)
		if diff := cmp.Diff(map[int64]bool{f.id("alice"): true, f.id("bob"): true}, members); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTheBestFitComesFirstAndPagesFollowOneAnother(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		for _, name := range []string{"my-tool", "tool", "toolbox", "atool", "tools"} {
			f.repository("acme", name, true)
		}
		var got []string
		for offset := 0; offset < 6; offset += 2 {
			list, err := f.lists.FindRepositories(t.Context(), overview.Seeker{}, "tool", offset, 2, f.now)
			f.check(err)
			for _, r := range list {
				got = append(got, r.Name)
			}
		}
		if diff := cmp.Diff([]string{"tool", "toolbox", "tools", "atool", "my-tool"}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestListsOfStarredAndPublicRepositories(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		a, b := f.repository("acme", "a", false), f.repository("acme", "b", true)
		f.repository("bob", "mine", false)
		f.grant(a, access.Subject{AccountID: f.id("bob")}, access.Read)
		bob := f.id("bob")
		f.check(f.registry.Star(t.Context(), a, bob))
		f.check(f.registry.Star(t.Context(), b, bob))
		names := func(filter overview.Filter) (all []string) {
			list, err := f.lists.Repositories(t.Context(), filter, overview.Position{}, 10, f.now)
			f.check(err)
			for _, r := range list {
				all = append(all, fmt.Sprint(r.Namespace, "/", r.Name, " ", r.Starred))
			}
			slices.Sort(all)
			return all
		}
		for name, tt := range map[string]struct {
			filter overview.Filter
			want   []string
		}{
			"starred":              {overview.Filter{StarredBy: bob, ViewerID: bob, Public: true, StarsOf: bob}, []string{"acme/a true", "acme/b true"}},
			"starred, as nobody":   {overview.Filter{StarredBy: bob, Public: true}, []string{"acme/b false"}},
			"public and mine":      {overview.Filter{ViewerID: bob, Public: true, StarsOf: bob}, []string{"acme/a true", "acme/b true", "bob/mine false"}},
			"mine":                 {overview.Filter{ViewerID: bob}, []string{"acme/a false", "bob/mine false"}},
			"public":               {overview.Filter{Public: true}, []string{"acme/b false"}},
			"all":                  {overview.Filter{All: true}, []string{"acme/a false", "acme/b false", "bob/mine false"}},
			"starred in namespace": {overview.Filter{StarredBy: bob, ViewerID: bob, NamespaceID: bob, Public: true}, nil},
			"nothing":              {overview.Filter{}, nil},
		} {
			if diff := cmp.Diff(tt.want, names(tt.filter)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		f.check(f.registry.Unstar(t.Context(), a, bob))
		if diff := cmp.Diff([]string{"acme/b true"}, names(overview.Filter{StarredBy: bob, ViewerID: bob, Public: true, StarsOf: bob})); diff != "" {
			t.Error(diff)
		}
	})
}

// TestTeamsOfDisabledOrganizationsAreNotFound looks as a member, as an administrator and as a superuser, everywhere and in
// the organization.
func TestTeamsOfDisabledOrganizationsAreNotFound(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.team("secrets", identity.TeamMember)
		look := func(want int) {
			t.Helper()
			for who, s := range map[string]overview.Seeker{
				"an administrator": {AccountID: f.id("alice")}, "a superuser": {AccountID: f.id("mallory"), AllRepositories: true, AllNamespaces: true},
			} {
				for _, organization := range []int64{0, f.acme.ID} {
					found, err := f.lists.FindTeams(t.Context(), s, organization, "secret", 10)
					if f.check(err); len(found) != want {
						t.Errorf("%s finds %d teams in %d, want %d", who, len(found), organization, want)
					}
				}
			}
		}
		look(1)
		_, err := d.Exec(t.Context(), `UPDATE account SET enabled = 0 WHERE id = $1`, f.acme.ID)
		f.check(err)
		look(0)
	})
}
