package access

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

func TestFactsAreTheBestOfEachKind(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		app, other := f.repository(f.acme, "app"), f.repository(f.acme, "other")
		zs, as := f.team("zs", TeamCreator, f.bob.ID), f.team("as", TeamMember, f.bob.ID)
		bs := f.team("bs", TeamCreator, f.bob.ID)
		f.grant(app, Subject{AccountID: f.bob.ID}, Read)
		f.grant(app, Subject{TeamID: zs}, Write)
		f.grant(app, Subject{TeamID: bs}, Write)
		f.grant(app, Subject{TeamID: as}, Read)
		f.grant(other, Subject{AccountID: f.bob.ID}, Admin)
		f.grant(other, Subject{TeamID: as}, Admin)
		for _, c := range []struct {
			o    Object
			want Facts
		}{
			{app, Facts{TeamRole: TeamCreator, Team: "bs", Direct: Read, ByTeam: Write, ByTeamName: "bs"}},
			{other, Facts{TeamRole: TeamCreator, Team: "bs", Direct: Admin, ByTeam: Admin, ByTeamName: "as"}},
			{Object{NamespaceID: f.acme.ID}, Facts{TeamRole: TeamCreator, Team: "bs"}},
		} {
			got, err := loadFacts(t.Context(), f.db, factsKey{f.bob.ID, c.o.NamespaceID, c.o.RepositoryID})
			if err != nil || !cmp.Equal(got, c.want) {
				t.Errorf("%v\n%s", err, cmp.Diff(c.want, got))
			}
		}
	})
}

func TestFactsWalkIndexesOnly(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite), Policy{})
	rows, err := f.db.Query(t.Context(), `EXPLAIN QUERY PLAN `+factsQuery, 1, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int64
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(step, "SCAN") {
			t.Errorf("a table is walked: %s", step)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestRightsFollowTheTables(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		app := f.repository(f.acme, "app")
		home := f.repository(f.bob, "home")
		for _, c := range []struct {
			who  identity.Account
			a    Action
			o    Object
			want bool
		}{
			{f.alice, Administer, app, true}, {f.bob, Pull, app, false}, {f.robot.Account, Pull, app, false},
			{f.bob, Administer, home, true}, {f.alice, Pull, home, false}, {f.alice, AdministerNamespace, app, true},
			{f.bob, ViewNamespace, app, false}, {f.bob, CreateRepository, home, true},
		} {
			if got := f.may(c.who, c.a, c.o); got != c.want {
				t.Errorf("%s may %s on %s/%s: %v", c.who.Name, c.a, c.o.Namespace, c.o.Name, got)
			}
		}
		if d, err := f.Check(t.Context(), identity.Principal{}, Pull, app); err != nil || d.Allowed {
			t.Errorf("nobody: %+v, %v", d, err)
		}
	})
}

// Each step of this process counts in the next question.
func TestChangesOfThisProcessCountAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		app := f.repository(f.acme, "app")
		devs := f.team("devs", TeamMember)
		for i, step := range []struct {
			do   func() error
			want bool
		}{
			{func() error { return nil }, false},
			{func() error { return f.Grant(t.Context(), app.RepositoryID, Subject{AccountID: f.bob.ID}, Write) }, true},
			{func() error { return f.Grant(t.Context(), app.RepositoryID, Subject{AccountID: f.bob.ID}, Read) }, false},
			{func() error { return f.Grant(t.Context(), app.RepositoryID, Subject{TeamID: devs}, Write) }, false},
			{func() error { return f.ids.AddTeamMember(t.Context(), f.acme.ID, "devs", f.bob.ID) }, true},
			{func() error { return f.ids.RemoveTeamMember(t.Context(), f.acme.ID, "devs", f.bob.ID) }, false},
			{func() error { return f.ids.AddTeamMember(t.Context(), f.acme.ID, "owners", f.bob.ID) }, true},
			{func() error {
				_, err := f.Revoke(t.Context(), app.RepositoryID, Subject{AccountID: f.bob.ID})
				return err
			}, true},
			{func() error { return f.ids.RemoveTeamMember(t.Context(), f.acme.ID, "owners", f.bob.ID) }, false},
		} {
			if err := step.do(); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			if got := f.may(f.bob, Push, app); got != step.want {
				t.Errorf("after step %d: %v", i, got)
			}
		}
	})
}

// On SQLite another process's change is noticed at once; PostgreSQL has only age.
func TestARemovedPermissionIsRefusedWithinHalfAMinute(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.PostgreSQL), Policy{})
	app := f.repository(f.acme, "app")
	f.grant(app, Subject{AccountID: f.bob.ID}, Write)
	if !f.may(f.bob, Push, app) {
		t.Fatal("bob may not push")
	}
	f.exec(`DELETE FROM repository_permission`)
	if !f.may(f.bob, Push, app) {
		t.Error("the fact was not cached")
	}
	if d, err := f.Fresh(t.Context(), as(f.bob), Push, app); err != nil || d.Allowed {
		t.Errorf("asked anew: %+v, %v", d, err)
	}
	if f.may(f.bob, Push, app) {
		t.Error("the new answer was not kept")
	}
	f.grant(app, Subject{AccountID: f.bob.ID}, Write)
	f.may(f.bob, Push, app)
	f.exec(`DELETE FROM repository_permission`)
	f.clock.Add(30 * time.Second)
	if f.may(f.bob, Push, app) {
		t.Error("the permission outlived its age")
	}
}

func TestTheSteadyStateAsksNoDatabase(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		app := f.repository(f.acme, "app")
		home := f.repository(f.bob, "home")
		ask := func() {
			for _, who := range []identity.Account{f.alice, f.bob, f.robot.Account, {}} {
				for _, a := range actions() {
					for _, o := range []Object{app, home} {
						f.may(who, a, o)
					}
				}
			}
		}
		ask()
		first := f.asked.n.Load()
		if most := int64(6); first > most { // three accounts, two objects, less the owner, plus the first user
			t.Errorf("%d queries to begin with, want at most %d", first, most)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(ask)
		}
		wg.Wait()
		if n := f.asked.n.Load() - first; n != 0 {
			t.Errorf("%d queries in the steady state", n)
		}
	})
}

func TestCachedFactsServeWhileTheDatabaseIsAway(t *testing.T) {
	d, err := db.Open(t.Context(), dbtest.Options(dbtest.URI(t, dbtest.SQLite)))
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, d, Policy{SuperUsers: []string{"root"}})
	app := f.repository(f.acme, "app")
	f.may(f.alice, Push, app)
	f.read = away{}
	f.clock.Add(59 * time.Minute)
	if !f.may(f.alice, Push, app) {
		t.Error("alice may not push")
	}
	if _, err := f.Check(t.Context(), as(f.bob), Push, app); !problem.Is(err, problem.Unavailable) {
		t.Errorf("facts that were never known: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutSuperUsersTheFirstUserIsOne(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		is := func(a identity.Account) bool {
			t.Helper()
			got, err := f.IsSuperUser(t.Context(), as(a))
			if err != nil {
				t.Fatal(err)
			}
			if may := f.may(a, Superuse, Object{}); may != got {
				t.Errorf("%s is a super user: %v, may superuse: %v", a.Name, got, may)
			}
			return got
		}
		if !is(f.alice) || is(f.bob) || is(f.acme) || is(f.robot.Account) {
			t.Error("another than alice is the super user")
		}
		f.exec(`UPDATE account SET deleted_ms = 1 WHERE name = 'alice'`)
		f.drop()
		if is(f.bob) {
			t.Error("the right passed to the second user")
		}
	})
}

func TestTheFirstUsersRightEndsWithTheConversionIntoAnOrganization(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if got, err := f.SuperUsers(t.Context()); err != nil || !slices.Equal(got, []string{"alice"}) {
			t.Fatalf("super users are %q (%v), want alice", got, err)
		}
		carol, err := f.ids.CreateUser(t.Context(), identity.NewUser{Name: "carol", Password: "correct-horse", Verified: true})
		if err != nil {
			t.Fatal(err)
		}
		f.exec(`INSERT INTO team_member (team_id, account_id) SELECT id, CAST($1 AS BIGINT) FROM team WHERE organization_id = $2 AND role = 1`, carol.ID, f.acme.ID)
		if _, err := f.ids.ConvertUser(t.Context(), f.alice.ID, f.bob.ID); err != nil {
			t.Fatal(err)
		}
		if got, err := f.SuperUsers(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("super users are %q (%v), want none", got, err)
		}
		if f.may(f.bob, Superuse, Object{}) {
			t.Error("the right passed to the second user")
		}
	})
}

func TestConfiguredSuperUsersReplaceTheFirstUser(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite), Policy{SuperUsersEnabled: true, SuperUsers: []string{"bob"}})
	if f.may(f.alice, Superuse, Object{}) || !f.may(f.bob, Superuse, Object{}) {
		t.Error("not bob alone is a super user")
	}
	off := newFixture(t, dbtest.Open(t, dbtest.SQLite), Policy{})
	if got, err := off.IsSuperUser(t.Context(), as(off.alice)); err != nil || got {
		t.Errorf("with FEATURE_SUPER_USERS off: %v, %v", got, err)
	}
}

func TestTheFirstUserIsASuperUserAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		empty := NewAuthority(Options{DB: dbtest.Open(t, dbtest.SQLite), Policy: f.policy, Clock: f.clock.Now})
		root := identity.Account{ID: 1, Kind: identity.User, Name: "root"}
		if got, err := empty.IsSuperUser(t.Context(), as(root)); err != nil || got {
			t.Errorf("before there is a user: %v, %v", got, err)
		}
		_, err := empty.db.Exec(t.Context(), `INSERT INTO account (uuid, kind, name, tag_window_s) VALUES ('u', 1, 'root', 0)`)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := empty.IsSuperUser(t.Context(), as(root)); err != nil || !got {
			t.Errorf("after: %v, %v", got, err)
		}
	})
}
