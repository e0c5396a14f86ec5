package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// away is a database that does not answer.
type away struct{}

func (away) gone() error { return problem.New(problem.Unavailable, "the database is away") }

func (a away) Exec(context.Context, string, ...any) (int64, error)    { return 0, a.gone() }
func (a away) Query(context.Context, string, ...any) (db.Rows, error) { return nil, a.gone() }
func (a away) QueryRow(context.Context, string, ...any) db.Row        { return a }
func (a away) Scan(...any) error                                      { return a.gone() }

func TestPermissionsAreGivenListedAndTaken(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		app := f.repository(f.acme, "app")
		devs := f.team("devs", TeamMember, f.bob.ID)
		carol := f.user("carol")
		f.grant(app, Subject{AccountID: carol.ID}, Read)
		f.grant(app, Subject{AccountID: f.bob.ID}, Write)
		f.grant(app, Subject{AccountID: f.bob.ID}, Admin)
		f.grant(app, Subject{AccountID: f.robot.ID}, Write)
		f.grant(app, Subject{TeamID: devs}, Read)
		users, err := f.Permissions(t.Context(), app.RepositoryID, false)
		want := []Permission{
			{Subject{AccountID: f.robot.ID}, "acme+ci", "", true, Write, false},
			{Subject{AccountID: f.bob.ID}, "bob", f.bob.Email, false, Admin, true},
			{Subject{AccountID: carol.ID}, "carol", carol.Email, false, Read, false},
		}
		if err != nil || !cmp.Equal(users, want) {
			t.Errorf("%v\n%s", err, cmp.Diff(want, users))
		}
		teams, err := f.Permissions(t.Context(), app.RepositoryID, true)
		if err != nil || !cmp.Equal(teams, []Permission{{Subject: Subject{TeamID: devs}, Name: "devs", Role: Read}}) {
			t.Errorf("teams %+v, %v", teams, err)
		}
		if r, err := f.Permission(t.Context(), app.RepositoryID, Subject{AccountID: f.bob.ID}); err != nil || r != Admin {
			t.Errorf("bob has %s, %v", r, err)
		}
		for _, s := range []Subject{{AccountID: f.bob.ID}, {TeamID: devs}} {
			for _, had := range []bool{true, false} {
				if got, err := f.Revoke(t.Context(), app.RepositoryID, s); err != nil || got != had {
					t.Errorf("%+v had one: %v, %v", s, got, err)
				}
			}
		}
		_, err = f.Permission(t.Context(), app.RepositoryID, Subject{AccountID: f.bob.ID})
		wantProblem(t, err, problem.Invalid, "User does not have permission for repo.")
		_, err = f.Permission(t.Context(), app.RepositoryID, Subject{TeamID: devs})
		wantProblem(t, err, problem.Invalid, "Team does not have permission for repo.")
	})
}

func TestWhoCannotHoldAPermission(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		app, home := f.repository(f.acme, "app"), f.repository(f.bob, "home")
		foreign, err := f.ids.CreateRobot(t.Context(), f.bob, "ci", "", "")
		if err != nil {
			t.Fatal(err)
		}
		devs := f.team("devs", TeamMember)
		for _, c := range []struct {
			repo int64
			s    Subject
			r    Role
			kind problem.Kind
			text string
		}{
			{app.RepositoryID, Subject{AccountID: foreign.ID}, Read, problem.Invalid, "Robot bob+ci belongs to another namespace than acme"},
			{app.RepositoryID, Subject{AccountID: f.acme.ID}, Read, problem.Invalid, "is an organization"},
			{app.RepositoryID, Subject{AccountID: 999}, Read, problem.Invalid, "Unknown user"},
			{app.RepositoryID, Subject{TeamID: 999}, Read, problem.Invalid, "Unknown team"},
			{app.RepositoryID, Subject{}, Read, problem.Invalid, "Unknown user"},
			{app.RepositoryID, Subject{AccountID: f.bob.ID}, NoRole, problem.Invalid, "Unknown role"},
			{app.RepositoryID, Subject{AccountID: f.bob.ID}, 4, problem.Invalid, "Unknown role"},
			{home.RepositoryID, Subject{AccountID: f.bob.ID}, Read, problem.Invalid, "Namespace owner must always be admin."},
			{home.RepositoryID, Subject{TeamID: devs}, Read, problem.Invalid, "Unknown team"},
			{999, Subject{AccountID: f.bob.ID}, Read, problem.NotFound, "does not exist"},
		} {
			wantProblem(t, f.Grant(t.Context(), c.repo, c.s, c.r), c.kind, c.text)
		}
	})
}

func TestOnePermissionIsGivenByManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		app := f.repository(f.acme, "app")
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() { errs[i] = f.Grant(t.Context(), app.RepositoryID, Subject{AccountID: f.bob.ID}, Role(1+i%3)) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
		if all, err := f.Permissions(t.Context(), app.RepositoryID, false); err != nil || len(all) != 1 {
			t.Errorf("%d permissions: %v", len(all), err)
		}
	})
}

func TestDefaultPermissionsAreKept(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		devs := f.team("devs", TeamMember)
		team, err := f.AddPrototype(t.Context(), f.acme.ID, 0, Subject{TeamID: devs}, Read)
		if err != nil {
			t.Fatal(err)
		}
		own, err := f.AddPrototype(t.Context(), f.acme.ID, f.alice.ID, Subject{AccountID: f.robot.ID}, Write)
		if err != nil {
			t.Fatal(err)
		}
		want := []Prototype{
			{UUID: team.UUID, Delegate: Permission{Subject: Subject{TeamID: devs}, Name: "devs", Role: Read}},
			{UUID: own.UUID, Delegate: Permission{Subject: Subject{AccountID: f.robot.ID}, Name: "acme+ci", IsRobot: true, Role: Write},
				Activating: Member{AccountID: f.alice.ID, Name: "alice", Email: f.alice.Email, OrgMember: true}},
		}
		got, err := f.Prototypes(t.Context(), f.acme.ID)
		if err != nil || !cmp.Equal(got, want) || !cmp.Equal(want, []Prototype{team, own}) {
			t.Errorf("%v\n%s", err, cmp.Diff(want, got))
		}
		changed, err := f.SetPrototypeRole(t.Context(), f.acme.ID, own.UUID, Admin)
		if err != nil || changed.Delegate.Role != Admin {
			t.Errorf("%+v, %v", changed, err)
		}
		for _, uuid := range []string{"", "unknown"} {
			_, err = f.SetPrototypeRole(t.Context(), f.acme.ID, uuid, Admin)
			wantProblem(t, err, problem.NotFound, "")
		}
		_, err = f.SetPrototypeRole(t.Context(), f.acme.ID+1, own.UUID, Admin)
		wantProblem(t, err, problem.NotFound, own.UUID)
		wantProblem(t, f.DeletePrototype(t.Context(), f.acme.ID+1, own.UUID), problem.NotFound, own.UUID)
		if err := f.DeletePrototype(t.Context(), f.acme.ID, own.UUID); err != nil {
			t.Error(err)
		}
		wantProblem(t, f.DeletePrototype(t.Context(), f.acme.ID, own.UUID), problem.NotFound, own.UUID)
		foreign, err := f.ids.CreateRobot(t.Context(), f.bob, "ci", "", "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.AddPrototype(t.Context(), f.acme.ID, 0, Subject{AccountID: foreign.ID}, Read)
		wantProblem(t, err, problem.Invalid, "belongs to another namespace")
		_, err = f.AddPrototype(t.Context(), f.acme.ID, 999, Subject{TeamID: devs}, Read)
		wantProblem(t, err, problem.Invalid, "Unknown user")
		_, err = f.AddPrototype(t.Context(), f.acme.ID, 0, Subject{TeamID: devs}, NoRole)
		wantProblem(t, err, problem.Invalid, "Unknown role")
		_, err = f.AddPrototype(t.Context(), f.bob.ID, 0, Subject{AccountID: f.alice.ID}, Read)
		wantProblem(t, err, problem.NotFound, "no organization")
	})
}

// grants lists all permissions of a repository in words.
func (f *fixture) grants(o Object) string {
	f.t.Helper()
	var all []string
	for _, teams := range []bool{false, true} {
		list, err := f.Permissions(f.t.Context(), o.RepositoryID, teams)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, p := range list {
			all = append(all, fmt.Sprintf("%s:%s", p.Name, p.Role))
		}
	}
	return strings.Join(all, " ")
}

// The grants after an implicit creation are exactly these.
func TestANewRepositoryStartsWithItsCreatorAndTheDefaults(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if got := f.grants(f.create(f.acme, "first", f.robot.ID)); got != "acme+ci:admin" {
			t.Errorf("a robot's repository: %s", got)
		}
		if got := f.grants(f.create(f.bob, "home", f.bob.ID)); got != "" {
			t.Errorf("in a user's namespace: %s", got)
		}
		if got := f.grants(f.create(f.acme, "orphan", 0)); got != "" {
			t.Errorf("nobody's: %s", got)
		}
		devs := f.team("devs", TeamMember)
		add := func(activating int64, s Subject, r Role) {
			t.Helper()
			if _, err := f.AddPrototype(t.Context(), f.acme.ID, activating, s, r); err != nil {
				t.Fatal(err)
			}
		}
		add(0, Subject{TeamID: devs}, Read)
		add(0, Subject{AccountID: f.robot.ID}, Read)
		add(f.alice.ID, Subject{AccountID: f.robot.ID}, Write)
		add(0, Subject{AccountID: f.alice.ID}, Read)
		for _, c := range []struct {
			name    string
			creator int64
			want    string
		}{
			{"alice", f.alice.ID, "acme+ci:write alice:admin devs:read"},
			{"bob", f.bob.ID, "acme+ci:read alice:read bob:admin devs:read"},
			{"the robot", f.robot.ID, "acme+ci:admin alice:read devs:read"},
		} {
			if got := f.grants(f.create(f.acme, "by-"+strings.ReplaceAll(c.name, " ", "-"), c.creator)); got != c.want {
				t.Errorf("created by %s: %s, want %s", c.name, got, c.want)
			}
		}
		f.exec(`UPDATE account SET deleted_ms = 1 WHERE name = 'acme+ci'`)
		if got := f.grants(f.create(f.acme, "later", f.bob.ID)); got != "alice:read bob:admin devs:read" {
			t.Errorf("with a deleted delegate: %s", got)
		}
	})
}
