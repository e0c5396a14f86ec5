package identity

import (
	"sync"
	"testing"

	"github.com/longshore-registry/longshore/internal/problem"
)

func TestNobodyTakesTheirOwnAdministration(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob, root := f.user("alice"), f.user("bob"), f.user("root")
		acme := f.organization("acme", alice)
		ctx := t.Context()
		if _, _, err := f.SetTeamBy(ctx, alice.ID, acme.ID, "chiefs", TeamAdmin, nil); err != nil {
			t.Fatal(err)
		}
		if err := f.AddTeamMember(ctx, acme.ID, "chiefs", bob.ID); err != nil {
			t.Fatal(err)
		}
		const text = "your own administration"
		_, _, err := f.SetTeamBy(ctx, alice.ID, acme.ID, "owners", TeamMember, nil)
		wantProblem(t, err, problem.Invalid, text)
		wantProblem(t, f.DeleteTeamBy(ctx, alice.ID, acme.ID, "owners"), problem.Invalid, text)
		wantProblem(t, f.RemoveTeamMemberBy(ctx, alice.ID, acme.ID, "owners", alice.ID), problem.Invalid, text)
		if err := f.RemoveTeamMemberBy(ctx, alice.ID, acme.ID, "chiefs", bob.ID); err != nil {
			t.Errorf("somebody else's: %v", err)
		}
		wantProblem(t, f.RemoveTeamMemberBy(ctx, root.ID, acme.ID, "owners", alice.ID), problem.Invalid, "without an administrator")
		if err := f.AddTeamMember(ctx, acme.ID, "chiefs", alice.ID); err != nil {
			t.Fatal(err)
		}
		if err := f.DeleteTeamBy(ctx, alice.ID, acme.ID, "owners"); err != nil {
			t.Errorf("who keeps it by another team: %v", err)
		}
	})
}

// Two owners who remove one another at the same time: one of them stays, whichever way they do it.
func TestTwoOwnersCannotRemoveOneAnotherAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.user("alice"), f.user("bob")
		acme := f.organization("acme", alice)
		for range 10 {
			_ = f.AddTeamMember(t.Context(), acme.ID, "owners", alice.ID)
			_ = f.AddTeamMember(t.Context(), acme.ID, "owners", bob.ID)
			var both sync.WaitGroup
			var first, second error
			both.Go(func() { first = f.RemoveOrganizationMember(t.Context(), acme.ID, alice.ID) })
			both.Go(func() { second = f.RemoveTeamMemberBy(t.Context(), alice.ID, acme.ID, "owners", bob.ID) })
			both.Wait()
			owners, err := f.Team(t.Context(), acme.ID, "owners")
			if err != nil {
				t.Fatal(err)
			}
			members, err := f.TeamMembers(t.Context(), owners.ID)
			if err != nil || len(members) != 1 || (first == nil) == (second == nil) {
				t.Fatalf("%d owners are left: %v; the removals: %v, %v", len(members), err, first, second)
			}
		}
	})
}

func TestARemovedMemberLosesPermissions(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.user("alice"), f.user("bob")
		acme, other := f.organization("acme", alice), f.organization("other", alice)
		for _, repo := range []int64{f.repository(acme, "app"), f.repository(other, "app")} {
			if _, err := f.db.Exec(t.Context(), `INSERT INTO repository_permission (repo_id, account_id, role) VALUES ($1, $2, 1)`, repo, bob.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.RemoveOrganizationMember(t.Context(), acme.ID, bob.ID); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := f.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM repository_permission WHERE account_id = $1`, bob.ID).Scan(&left); err != nil || left != 1 {
			t.Errorf("%d permissions are left, want the one of the other organization: %v", left, err)
		}
		wantProblem(t, f.RemoveOrganizationMember(t.Context(), acme.ID, alice.ID), problem.Invalid, "only administrator")
	})
}

func TestInvitationsAreForWhomTheyAreMeant(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob, carol := f.user("alice"), f.user("bob"), f.user("carol")
		acme := f.organization("acme", alice)
		ctx := t.Context()
		toBob, err := f.InviteToTeam(ctx, acme.ID, "owners", bob.ID, "", alice.ID)
		if err != nil {
			t.Fatal(err)
		}
		toAddress, err := f.InviteToTeam(ctx, acme.ID, "owners", 0, carol.Email, alice.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.AcceptInvite(ctx, toBob.Code, carol.ID)
		wantProblem(t, err, problem.Invalid, "another user")
		_, err = f.AcceptInvite(ctx, toAddress.Code, bob.ID)
		wantProblem(t, err, problem.Invalid, "another e-mail address")
		_, err = f.AcceptInvite(ctx, "WRONG", bob.ID)
		wantProblem(t, err, problem.Invalid, "unknown")
		_, err = f.AcceptInvite(ctx, storedCode(toBob.Code), bob.ID)
		wantProblem(t, err, problem.Invalid, "unknown") // who reads the table cannot use what is in it
		end, err := f.AcceptInvite(ctx, toBob.Code, bob.ID)
		if err != nil || end != (AcceptedInvite{"acme", "owners"}) {
			t.Errorf("accepted: %+v, %v", end, err)
		}
		_, err = f.AcceptInvite(ctx, toBob.Code, bob.ID)
		wantProblem(t, err, problem.Invalid, "unknown")
		_, err = f.InviteToTeam(ctx, acme.ID, "owners", bob.ID, "", alice.ID)
		wantProblem(t, err, problem.Invalid, "already a member")
		if err := f.DeclineInvite(ctx, toAddress.Code, carol.ID); err != nil {
			t.Error(err)
		}
		wantProblem(t, f.WithdrawInvite(ctx, acme.ID, "owners", 0, carol.Email), problem.NotFound, "no such invitation")
		owners, err := f.Team(ctx, acme.ID, "owners")
		if err != nil {
			t.Fatal(err)
		}
		if list, err := f.TeamInvites(ctx, owners.ID); err != nil || len(list) != 0 {
			t.Errorf("left: %+v, %v", list, err)
		}
	})
}
