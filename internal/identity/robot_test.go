package identity

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func TestRobotsAreMadeFoundAndListed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		acme := f.organization("acme", alice)
		made, err := f.CreateRobot(t.Context(), acme, "ci", "builds", `{"a": 1}`)
		if err != nil {
			t.Fatal(err)
		}
		if made.Name != "acme+ci" || made.Kind != Robot || made.OwnerID != acme.ID || len(made.Token) != 64 || !made.Enabled {
			t.Errorf("made %+v", made)
		}
		found, err := f.Robot(t.Context(), acme, "ci")
		if err != nil || !cmp.Equal(found, made) {
			t.Errorf("found: %v\n%s", err, cmp.Diff(made, found))
		}
		_, err = f.Robot(t.Context(), alice, "ci")
		wantProblem(t, err, problem.Invalid, "alice+ci")
		f.robot(acme, "aa")
		f.robot(alice, "zz")
		list, err := f.Robots(t.Context(), acme, false, 0)
		if err != nil || len(list) != 2 || list[0].Name != "acme+aa" || list[1].Token != "" || list[1].Description != "builds" {
			t.Errorf("list %+v, %v", list, err)
		}
		list, err = f.Robots(t.Context(), acme, true, 1)
		if err != nil || len(list) != 1 || len(list[0].Token) != 64 {
			t.Errorf("list of one %+v, %v", list, err)
		}
		_, err = f.CreateRobot(t.Context(), acme, "ci", "", "")
		wantProblem(t, err, problem.Invalid, "Existing robot with name: acme+ci")
	})
}

func TestRobotsAreCheckedBeforeTheyAreMade(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite))
	alice := f.user("alice")
	robot := f.robot(alice, "ci")
	for _, c := range []struct {
		owner                        Account
		short, description, metadata string
		text                         string
	}{
		{alice, "C", "", "", "Invalid robot name"},
		{alice, "a+b", "", "", "Invalid robot name"},
		{alice, "ok", strings.Repeat("ä", 256), "", "256 characters"},
		{alice, "ok", "", "[1]", "JSON object"},
		{alice, "ok", "", "null", "JSON object"},
		{alice, "ok", "", `{"a": "` + strings.Repeat("x", maxRobotMetadata) + `"}`, "JSON object"},
		{robot.Account, "ok", "", "", "can have no robots"},
	} {
		_, err := f.CreateRobot(t.Context(), c.owner, c.short, c.description, c.metadata)
		wantProblem(t, err, problem.Invalid, c.text)
	}
	_, err := f.CreateRobot(t.Context(), Account{ID: 999, Kind: User, Name: "gone"}, "ok", "", "")
	wantProblem(t, err, problem.NotFound, "999")
	if _, err := f.CreateRobot(t.Context(), alice, "ok", strings.Repeat("ä", 255), "{}"); err != nil {
		t.Error(err)
	}
}

func TestADeletedRobotLosesEverything(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		acme := f.organization("acme", alice)
		r := f.robot(acme, "ci")
		repo := f.repository(acme, "app")
		f.exec(`INSERT INTO repository_permission (repo_id, account_id, role) VALUES ($1, $2, 1)`, repo, r.ID)
		f.exec(`INSERT INTO permission_prototype (uuid, organization_id, activating_id, delegate_account_id, role) VALUES ('u', $1, $2, $2, 1)`, acme.ID, r.ID)
		if err := f.AddTeamMember(t.Context(), acme.ID, "owners", r.ID); err != nil {
			t.Fatal(err)
		}
		f.loggedIn(r.Name, r.Token)
		wantProblem(t, f.DeleteRobot(t.Context(), alice, "ci"), problem.Invalid, "alice+ci")
		if err := f.DeleteRobot(t.Context(), acme, "ci"); err != nil {
			t.Fatal(err)
		}
		f.refusedLogin(r.Name, r.Token, "Could not find robot")
		_, err := f.Resolve(t.Context(), RobotToken, r.Name)
		wantProblem(t, err, problem.Unauthenticated, "")
		var left int
		err = f.db.QueryRow(t.Context(), `SELECT (SELECT COUNT(*) FROM repository_permission) + (SELECT COUNT(*) FROM permission_prototype)
			+ (SELECT COUNT(*) FROM robot_token) + (SELECT COUNT(*) FROM team_member WHERE account_id = $1)`, r.ID).Scan(&left)
		if err != nil || left != 0 {
			t.Errorf("%d rows are left: %v", left, err)
		}
		wantProblem(t, f.DeleteRobot(t.Context(), acme, "ci"), problem.Invalid, "acme+ci")
		again := f.robot(acme, "ci")
		f.refusedLogin(again.Name, r.Token, "Could not find robot")
		f.loggedIn(again.Name, again.Token)
	})
}

func TestRobotsOfOneOrganizationAreMadeAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		acme := f.organization("acme", f.user("alice"))
		var wg sync.WaitGroup
		for _, short := range []string{"pusher", "puller", "builder"} {
			wg.Go(func() {
				if _, err := f.CreateRobot(t.Context(), acme, short, "", ""); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if list, err := f.Robots(t.Context(), acme, true, 0); err != nil || len(list) != 3 {
			t.Errorf("%d robots: %v", len(list), err)
		}
	})
}

func TestAForeignDatabaseKeyIsAnErrorAndNoRefusal(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	f := newFixture(t, d)
	r := f.robot(f.user("alice"), "ci")
	other := newFixture(t, d, func(o *Options) { o.DatabaseSecretKey = "another" })
	_, err := other.Login(t.Context(), r.Name, r.Token)
	if problem.From(err).Kind != problem.Internal || !strings.Contains(err.Error(), "DATABASE_SECRET_KEY") || strings.Contains(err.Error(), r.Token) {
		t.Errorf("got %v", err)
	}
}
