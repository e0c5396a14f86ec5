package overview_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/overview"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

// fixture is an organization acme of alice's with the teams owners, devs (bob), docs (bob, the robot acme+ci), and
// users who stand in different relations to it.
type fixture struct {
	t        *testing.T
	identity *identity.Service
	access   *access.Authority
	registry *registry.Registry
	lists    *overview.Reader
	acme     identity.Account
	now      time.Time
}

type noBlobs struct{}

func (noBlobs) Bytes(context.Context, int64, digest.Digest, int64) ([]byte, error) {
	return nil, problem.New(problem.NotFound, "no blob")
}

func newFixture(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	f := &fixture{t: t, now: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC), lists: overview.New(d)}
	clock := func() time.Time { return f.now }
	var err error
	f.identity, err = identity.NewService(identity.Options{DB: d, SecretKey: "a", DatabaseSecretKey: "b", BcryptCost: 4, Clock: clock})
	f.check(err)
	f.access = access.NewAuthority(access.Options{DB: d, Accounts: f.identity, Clock: clock})
	f.registry, err = registry.New(registry.Options{DB: d, Content: noBlobs{}, Names: registry.NameOptions{Extended: true}, Clock: clock})
	f.check(err)
	for _, name := range []string{"alice", "bob", "carol", "mallory"} {
		_, err := f.identity.CreateUser(t.Context(), identity.NewUser{Name: name, Email: name + "@example.com"})
		f.check(err)
	}
	f.acme, err = f.identity.CreateOrganization(t.Context(), "acme", "", f.id("alice"))
	f.check(err)
	_, err = f.identity.CreateRobot(t.Context(), f.acme, "ci", "", "")
	f.check(err)
	f.team("devs", identity.TeamCreator, "bob")
	f.team("docs", identity.TeamMember, "bob", "acme+ci")
	return f
}

func (f *fixture) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) id(name string) int64 {
	f.t.Helper()
	a, err := f.identity.Account(f.t.Context(), name)
	f.check(err)
	return a.ID
}

func (f *fixture) team(name string, role identity.TeamRole, members ...string) {
	f.t.Helper()
	_, _, err := f.identity.SetTeam(f.t.Context(), f.acme.ID, name, role, nil)
	f.check(err)
	for _, m := range members {
		f.check(f.identity.AddTeamMember(f.t.Context(), f.acme.ID, name, f.id(m)))
	}
}

func (f *fixture) repository(namespace, name string, public bool) registry.Repository {
	f.t.Helper()
	r, err := f.registry.CreateRepository(f.t.Context(), registry.NewRepository{NamespaceID: f.id(namespace), Name: name, Public: public})
	f.check(err)
	return r
}

func (f *fixture) grant(r registry.Repository, s access.Subject, role access.Role) {
	f.t.Helper()
	f.check(f.access.Grant(f.t.Context(), r.ID, s, role))
}

func (f *fixture) teamSubject(name string) access.Subject {
	f.t.Helper()
	team, err := f.identity.Team(f.t.Context(), f.acme.ID, name)
	f.check(err)
	return access.Subject{TeamID: team.ID}
}

func TestTeams(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		app, gone := f.repository("acme", "app", false), f.repository("acme", "gone", false)
		f.grant(app, f.teamSubject("docs"), access.Read)
		f.grant(gone, f.teamSubject("docs"), access.Read)
		f.check(f.registry.DeleteRepository(t.Context(), gone.ID))
		got, err := f.lists.Teams(t.Context(), f.acme.ID, f.id("bob"))
		f.check(err)
		want := []overview.Team{
			{Name: "owners", Role: identity.TeamAdmin, Members: 1},
			{Name: "devs", Role: identity.TeamCreator, Members: 1, Mine: true},
			{Name: "docs", Role: identity.TeamMember, Members: 2, Repositories: 1, Mine: true},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRobotGrantsAndRoles(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		app, tools := f.repository("acme", "app", false), f.repository("acme", "tools", false)
		robot := f.id("acme+ci")
		f.grant(tools, access.Subject{AccountID: robot}, access.Write)
		f.grant(app, access.Subject{AccountID: robot}, access.Read)
		f.grant(app, f.teamSubject("docs"), access.Admin)
		grants, err := f.lists.RobotGrants(t.Context(), f.acme.ID)
		f.check(err)
		want := map[int64]*overview.Grants{robot: {Teams: []string{"docs"}, Repositories: []string{"app", "tools"}}}
		if diff := cmp.Diff(want, grants); diff != "" {
			t.Error(diff)
		}
		for name, want := range map[string][]access.Role{
			"acme+ci": {access.Admin, access.Read},
			"bob":     {access.Admin},
			"alice":   nil,
		} {
			got, err := f.lists.Roles(t.Context(), app.ID, f.id(name))
			f.check(err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	})
}

// TestRepositories expects lists in the order of the namespaces' ids: bob was made before acme.
func TestRepositories(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		direct, byTeam := f.repository("acme", "direct", false), f.repository("acme", "by-team", false)
		f.repository("acme", "hidden", false)
		f.repository("acme", "open", true)
		f.repository("bob", "own", false)
		f.repository("bob", "shown", true)
		f.grant(direct, access.Subject{AccountID: f.id("carol")}, access.Read)
		f.grant(byTeam, f.teamSubject("docs"), access.Read)
		gone := f.repository("acme", "gone", true)
		f.check(f.registry.DeleteRepository(t.Context(), gone.ID))
		for _, test := range []struct {
			name   string
			filter overview.Filter
			want   string
		}{
			{"an administrator sees all of the organization", overview.Filter{ViewerID: f.id("alice"), NamespaceID: f.acme.ID}, "[acme/by-team acme/direct acme/hidden acme/open]"},
			{"a member sees what a team was given", overview.Filter{ViewerID: f.id("bob"), NamespaceID: f.acme.ID}, "[acme/by-team]"},
			{"and the public ones when asked for", overview.Filter{ViewerID: f.id("bob"), NamespaceID: f.acme.ID, Public: true}, "[acme/by-team acme/open]"},
			{"everything of a user is what it owns and was given", overview.Filter{ViewerID: f.id("bob")}, "[bob/own bob/shown acme/by-team]"},
			{"somebody sees what was given", overview.Filter{ViewerID: f.id("carol")}, "[acme/direct]"},
			{"a stranger sees nothing", overview.Filter{ViewerID: f.id("mallory")}, "[]"},
			{"nobody sees nothing", overview.Filter{}, "[]"},
			{"nobody sees what is public", overview.Filter{Public: true}, "[bob/shown acme/open]"},
			{"applications are another list", overview.Filter{ViewerID: f.id("alice"), Application: true}, "[]"},
			{"all is all", overview.Filter{All: true, NamespaceID: f.acme.ID}, "[acme/by-team acme/direct acme/hidden acme/open]"},
		} {
			t.Run(test.name, func(t *testing.T) {
				list, err := f.lists.Repositories(t.Context(), test.filter, overview.Position{}, 100, f.now)
				f.check(err)
				if got := fmt.Sprint(f.paths(list)); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		}
		t.Run("page by page", func(t *testing.T) {
			var all []string
			after := overview.Position{}
			for {
				list, err := f.lists.Repositories(t.Context(), overview.Filter{ViewerID: f.id("bob"), Public: true}, after, 2, f.now)
				f.check(err)
				if len(list) == 0 {
					break
				}
				all, after = append(all, f.paths(list)...), list[len(list)-1].Position
			}
			if got := fmt.Sprint(all); got != "[bob/own bob/shown acme/by-team acme/open]" {
				t.Errorf("got %s", got)
			}
		})
	})
}

func (f *fixture) paths(list []overview.Repository) []string {
	var all []string
	for _, r := range list {
		all = append(all, r.Namespace+"/"+r.Name)
	}
	return all
}

func TestLastModified(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		app := f.repository("acme", "app", false)
		push := func(tag string) {
			body := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"tag":"` + tag + `"}}`
			_, err := f.registry.Push(t.Context(), app, registry.Push{Tags: []string{tag}, ContentType: "application/vnd.oci.image.index.v1+json", Bytes: []byte(body)})
			f.check(err)
		}
		modified := func() time.Time {
			list, err := f.lists.Repositories(t.Context(), overview.Filter{ViewerID: f.id("alice"), Modified: true}, overview.Position{}, 10, f.now)
			f.check(err)
			return list[0].LastModified
		}
		if got := modified(); !got.IsZero() {
			t.Errorf("without a tag it is %s", got)
		}
		first := f.now
		push("v1")
		f.now = f.now.Add(time.Hour)
		push("v2")
		if got := modified(); !got.Equal(f.now) {
			t.Errorf("it is %s, want the second push's %s", got, f.now)
		}
		f.check(f.registry.DeleteTag(t.Context(), app, "v2"))
		if got := modified(); !got.Equal(first) {
			t.Errorf("it is %s, want the first push's %s: the newest live tag", got, first)
		}
	})
}
