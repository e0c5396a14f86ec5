package identity

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/problem"
)

func TestAnOrganizationStartsWithItsOwners(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.user("alice"), f.user("bob")
		acme := f.organization("acme", alice)
		f.organization("aaa", alice)
		got, err := f.Organizations(t.Context(), alice.ID)
		if err != nil || len(got) != 2 || got[1].Name != "acme" || !got[1].Admin || !got[1].CanCreate {
			t.Errorf("alice's organizations: %+v, %v", got, err)
		}
		if got, err := f.Organizations(t.Context(), bob.ID); err != nil || len(got) != 0 {
			t.Errorf("bob's organizations: %+v, %v", got, err)
		}
		teams, err := f.Teams(t.Context(), acme.ID)
		if err != nil || len(teams) != 1 || teams[0].Name != "owners" || teams[0].Role != TeamAdmin {
			t.Errorf("teams %+v, %v", teams, err)
		}
		for _, name := range []string{"acme", "alice"} {
			_, err := f.CreateOrganization(t.Context(), name, "", bob.ID)
			wantProblem(t, err, problem.Invalid, "A user or organization with this name already exists")
		}
		_, err = f.CreateOrganization(t.Context(), "robots", "", f.robot(alice, "ci").ID)
		wantProblem(t, err, problem.Invalid, "is not a user")
	})
}

func TestAnAddressIsOneAccounts(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.user("alice"), f.user("bob")
		acme, err := f.CreateOrganization(t.Context(), "acme", "acme@example.com", alice.ID)
		if err != nil {
			t.Fatal(err)
		}
		address := "acme@example.com"
		for claim, do := range map[string]func() error{
			"a user's address for a new organization": func() error {
				_, err := f.CreateOrganization(t.Context(), "other", "alice@example.com", alice.ID)
				return err
			},
			"an organization's address for a new one": func() error {
				_, err := f.CreateOrganization(t.Context(), "other", address, bob.ID)
				return err
			},
			"an organization's address for a user": func() error {
				_, err := f.UpdateUser(t.Context(), bob.ID, UserChanges{Email: &address})
				return err
			},
			"a code for an organization's address": func() error {
				_, err := f.AddressCode(t.Context(), bob.ID, address)
				return err
			},
		} {
			t.Run(claim, func(t *testing.T) { wantProblem(t, do(), problem.Invalid, "E-mail address already used") })
		}
		if _, err := f.CreateOrganizationOnPush(t.Context(), "pushed", "alice@example.com", alice.ID); err != nil {
			t.Errorf("a push cannot make an organization: %v", err)
		}
		own := "alice@example.com"
		if _, err := f.UpdateUser(t.Context(), bob.ID, UserChanges{Email: new(string)}); err != nil {
			t.Errorf("an address cannot be removed: %v", err)
		}
		if err := f.ChangeOrganization(t.Context(), acme.ID, OrganizationChange{Email: &own}); err == nil {
			t.Error("an organization took a user's address")
		}
	})
}

func TestSharedAddressesCanBeAllowed(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.user("alice"), f.user("bob")
		own, address := "alice@example.com", "acme@example.com"
		acme, err := f.CreateOrganization(t.Context(), "acme", own, alice.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.ChangeOrganization(t.Context(), acme.ID, OrganizationChange{Email: &address}); err != nil {
			t.Error(err)
		}
		if _, err := f.UpdateUser(t.Context(), bob.ID, UserChanges{Email: &address}); err != nil {
			t.Errorf("a user with an organization's address: %v", err)
		}
		_, err = f.UpdateUser(t.Context(), bob.ID, UserChanges{Email: &own})
		wantProblem(t, err, problem.Invalid, "E-mail address already used")
	}, func(o *Options) { o.SharedEmail = true })
}

func TestADeletedOrganizationIsGoneAndItsNameFree(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		acme := f.organization("acme", alice)
		robot := f.robot(acme, "ci")
		repo := f.repository(acme, "app")
		f.repository(alice, "app")
		f.loggedIn(robot.Name, robot.Token)
		if err := f.DeleteOrganization(t.Context(), acme.ID); err != nil {
			t.Fatal(err)
		}
		f.refusedLogin(robot.Name, robot.Token, "Could not find robot")
		_, err := f.Account(t.Context(), "acme")
		wantProblem(t, err, problem.NotFound, "acme")
		if got, err := f.Organizations(t.Context(), alice.ID); err != nil || len(got) != 0 {
			t.Errorf("alice's organizations: %+v, %v", got, err)
		}
		var living, reviewed int64
		err = f.db.QueryRow(t.Context(), `SELECT (SELECT COUNT(*) FROM repository WHERE deleted_ms IS NULL),
			(SELECT repo_id FROM review WHERE kind = 4)`).Scan(&living, &reviewed)
		if err != nil || living != 1 || reviewed != repo {
			t.Errorf("%d repositories live, %d is to be reviewed: %v", living, reviewed, err)
		}
		wantProblem(t, f.DeleteOrganization(t.Context(), acme.ID), problem.NotFound, "")
		wantProblem(t, f.DeleteOrganization(t.Context(), alice.ID), problem.Invalid, "is not an organization")
		again := f.organization("acme", alice)
		if again.ID == acme.ID {
			t.Error("the id was used again")
		}
		f.robot(again, "ci")
	})
}

func TestTeamsAreMadeChangedAndDeleted(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		acme := f.organization("acme", f.user("alice"))
		text := "who builds"
		team, created, err := f.SetTeam(t.Context(), acme.ID, "builders", TeamCreator, &text)
		if err != nil || !created {
			t.Fatalf("created %v: %v", created, err)
		}
		changed, created, err := f.SetTeam(t.Context(), acme.ID, "builders", TeamMember, nil)
		want := Team{ID: team.ID, OrganizationID: acme.ID, Name: "builders", Role: TeamMember, Description: text}
		if err != nil || created || !cmp.Equal(changed, want) {
			t.Errorf("changed to %+v, %v", changed, err)
		}
		got, err := f.Team(t.Context(), acme.ID, "builders")
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("found %+v, %v", got, err)
		}
		_, err = f.Team(t.Context(), acme.ID+1, "builders")
		wantProblem(t, err, problem.NotFound, "does not exist")
		if err := f.DeleteTeam(t.Context(), acme.ID, "builders"); err != nil {
			t.Fatal(err)
		}
		wantProblem(t, f.DeleteTeam(t.Context(), acme.ID, "builders"), problem.NotFound, "does not exist")
		_, _, err = f.SetTeam(t.Context(), acme.ID, "Builders", TeamMember, nil)
		wantProblem(t, err, problem.Invalid, "Invalid team name")
		_, _, err = f.SetTeam(t.Context(), acme.ID, "builders", 0, nil)
		wantProblem(t, err, problem.Invalid, "Unknown team role")
		_, _, err = f.SetTeam(t.Context(), 999, "builders", TeamMember, nil)
		wantProblem(t, err, problem.NotFound, "no organization")
	})
}

func TestMembersAreUsersAndTheOrganizationsRobots(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.user("alice"), f.user("bob")
		acme := f.organization("acme", alice)
		own, foreign := f.robot(acme, "ci"), f.robot(alice, "ci")
		if _, _, err := f.SetTeam(t.Context(), acme.ID, "builders", TeamCreator, nil); err != nil {
			t.Fatal(err)
		}
		add := func(id int64) error { return f.AddTeamMember(t.Context(), acme.ID, "builders", id) }
		for _, id := range []int64{bob.ID, own.ID} {
			if err := add(id); err != nil {
				t.Error(err)
			}
		}
		wantProblem(t, add(bob.ID), problem.Invalid, "already a member")
		wantProblem(t, add(foreign.ID), problem.Invalid, "belongs to another namespace")
		wantProblem(t, add(acme.ID), problem.Invalid, "is an organization")
		wantProblem(t, add(999), problem.NotFound, "999")
		team, err := f.Team(t.Context(), acme.ID, "builders")
		if err != nil {
			t.Fatal(err)
		}
		members, err := f.TeamMembers(t.Context(), team.ID)
		if err != nil || len(members) != 2 || members[0].Name != "acme+ci" || members[1].Name != "bob" {
			t.Errorf("members %+v, %v", members, err)
		}
		if got, err := f.Organizations(t.Context(), bob.ID); err != nil || len(got) != 1 || got[0].Admin || !got[0].CanCreate {
			t.Errorf("bob's organizations: %+v, %v", got, err)
		}
		if err := f.RemoveTeamMember(t.Context(), acme.ID, "builders", bob.ID); err != nil {
			t.Error(err)
		}
		wantProblem(t, f.RemoveTeamMember(t.Context(), acme.ID, "builders", bob.ID), problem.Invalid, "not a member")
	})
}

func TestAnOrganizationKeepsAnAdministrator(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.user("alice"), f.user("bob")
		acme := f.organization("acme", alice)
		const text = "without an administrator"
		_, _, err := f.SetTeam(t.Context(), acme.ID, "owners", TeamMember, nil)
		wantProblem(t, err, problem.Invalid, text)
		wantProblem(t, f.DeleteTeam(t.Context(), acme.ID, "owners"), problem.Invalid, text)
		wantProblem(t, f.RemoveTeamMember(t.Context(), acme.ID, "owners", alice.ID), problem.Invalid, text)
		if err := f.AddTeamMember(t.Context(), acme.ID, "owners", f.robot(acme, "ci").ID); err != nil {
			t.Fatal(err)
		}
		wantProblem(t, f.RemoveTeamMember(t.Context(), acme.ID, "owners", alice.ID), problem.Invalid, text)
		if err := f.AddTeamMember(t.Context(), acme.ID, "owners", bob.ID); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i, id := range []int64{alice.ID, bob.ID} {
			wg.Go(func() { errs[i] = f.RemoveTeamMember(t.Context(), acme.ID, "owners", id) })
		}
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("both owners leaving at once: %v, %v", errs[0], errs[1])
		}
	})
}

func TestChangesOfMembershipAreAnnounced(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		var calls int
		f.OnChange(func() { calls++ })
		alice, bob := f.user("alice"), f.user("bob")
		acme := f.organization("acme", alice)
		steps := []func() error{
			func() error { return f.AddTeamMember(t.Context(), acme.ID, "owners", bob.ID) },
			func() error { return f.RemoveTeamMember(t.Context(), acme.ID, "owners", bob.ID) },
			func() error { _, _, err := f.SetTeam(t.Context(), acme.ID, "x1", TeamAdmin, nil); return err },
			func() error { return f.DeleteTeam(t.Context(), acme.ID, "x1") },
			func() error { return f.SetEnabled(t.Context(), bob.ID, false) },
			func() error { return f.DeleteOrganization(t.Context(), acme.ID) },
		}
		for i, step := range steps {
			before := calls
			if err := step(); err != nil {
				t.Fatal(err)
			}
			if calls == before {
				t.Errorf("step %d was not announced", i)
			}
		}
	})
}
