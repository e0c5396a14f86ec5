package identity

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

func newcomer(name string) Registration {
	return Registration{NewUser: NewUser{Name: name, Email: name + "@example.com", Password: rightPassword}}
}

func TestAStrangerIsNotTheFirstUser(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, err := f.Register(t.Context(), newcomer("mallory"))
		wantProblem(t, err, problem.Forbidden, "the set-up code")
		first := newcomer("alice")
		first.First, first.Confirm = true, true
		made, err := f.Register(t.Context(), first)
		if err != nil || !made.Verified || made.Code != "" {
			t.Fatalf("the first user: %+v %v", made, err)
		}
		_, err = f.Register(t.Context(), Registration{NewUser: newcomer("bob").NewUser, First: true})
		wantProblem(t, err, problem.Invalid, "The first user of this registry was made already")
		if _, err := f.Register(t.Context(), newcomer("bob")); err != nil {
			t.Errorf("a second user: %v", err)
		}
	})
}

func TestOfTwoFirstUsersAtOnceOneIsMade(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		var made atomic.Int64
		var both sync.WaitGroup
		for _, name := range []string{"alice", "mallory", "trudy"} {
			both.Go(func() {
				r := newcomer(name)
				r.First = true
				if _, err := f.Register(t.Context(), r); err == nil {
					made.Add(1)
				} else if !problem.Is(err, problem.Invalid) {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if made.Load() != 1 {
			t.Errorf("%d first users", made.Load())
		}
	})
}

func TestReservedNamesAreNotTaken(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := newcomer("root")
		r.First = true
		_, err := f.Register(t.Context(), r)
		wantProblem(t, err, problem.Invalid, "reserved")
		alice := f.user("alice")
		name := "root"
		_, err = f.UpdateUser(t.Context(), alice.ID, UserChanges{Name: &name})
		wantProblem(t, err, problem.Invalid, "reserved")
		acme := f.organization("acme", alice)
		_, err = f.RenameOrganization(t.Context(), acme.ID, name)
		wantProblem(t, err, problem.Invalid, "reserved")
	}, func(o *Options) { o.ReservedNames = []string{"root"} })
}

func TestOnlyTheInvitedMakeAnAccountWhereInvitationsAreNeeded(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		acme := f.organization("acme", alice)
		team, err := f.Team(t.Context(), acme.ID, ownersTeam)
		if err != nil {
			t.Fatal(err)
		}
		f.exec(`INSERT INTO team_invite (team_id, email, inviter_id, token) VALUES ($1, 'bob@example.com', $2, 'code')`, team.ID, alice.ID)
		for _, c := range []struct{ name, code string }{{"mallory", ""}, {"mallory", "code"}, {"bob", "other"}} {
			r := newcomer(c.name)
			r.InviteOnly, r.Invite = true, c.code
			_, err := f.Register(t.Context(), r)
			wantProblem(t, err, problem.Invalid, "Cannot create non-invited user")
		}
		r := newcomer("bob")
		r.InviteOnly, r.Confirm, r.Invite = true, true, "code"
		bob, err := f.Register(t.Context(), r)
		if err != nil || !bob.Verified {
			t.Fatalf("%+v %v", bob, err)
		}
		members, err := f.TeamMembers(t.Context(), team.ID)
		if err != nil || len(members) != 2 {
			t.Errorf("members: %v %v", members, err)
		}
		r.Name, r.Email = "bobby", "bob@example.com"
		_, err = f.Register(t.Context(), r)
		wantProblem(t, err, problem.Invalid, "Cannot create non-invited user")
	})
}

func TestARenamedUserTakesTheRobotsAlong(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		ci := f.robot(alice, "ci")
		f.loggedIn("alice+ci", ci.Token)
		name := "alison"
		if _, err := f.UpdateUser(t.Context(), alice.ID, UserChanges{Name: &name}); err != nil {
			t.Fatal(err)
		}
		f.refusedLogin("alice+ci", ci.Token, "Could not find robot")
		if p := f.loggedIn("alison+ci", ci.Token); p.Account.ID != ci.ID {
			t.Errorf("another robot: %+v", p)
		}
		f.loggedIn("alison", rightPassword)
		_, err := f.CreateRobot(t.Context(), alice, "late", "", "") // with the account as it was read before
		wantProblem(t, err, problem.NotFound, "alice")
		other, err := f.CreateUser(t.Context(), NewUser{Name: "alice", Password: rightPassword})
		if err != nil {
			t.Fatal(err)
		}
		f.robot(other, "ci")
	})
}

func TestChangesAreMadeTogetherOrNotAtAll(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		f.user("bob")
		company, taken, window, password := "Acme", "bob@example.com", time.Hour, "another-horse"
		_, err := f.UpdateUser(t.Context(), alice.ID, UserChanges{
			Company: Text{Set: true, Value: &company}, Email: &taken, TagWindow: &window, Password: &password,
		})
		wantProblem(t, err, problem.Invalid, "E-mail address already used")
		now, err := f.AccountByID(t.Context(), alice.ID)
		if err != nil || now.TagWindow == window || now.AccessRev != alice.AccessRev {
			t.Errorf("something was changed: %+v %v", now, err)
		}
		f.loggedIn("alice", rightPassword)
	})
}

func TestTwoUsersDoNotTakeOneAddress(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ids := []int64{f.user("alice").ID, f.user("bob").ID}
		email := "shared@example.com"
		var made atomic.Int64
		var both sync.WaitGroup
		for _, id := range ids {
			both.Go(func() {
				if _, err := f.UpdateUser(t.Context(), id, UserChanges{Email: &email}); err == nil {
					made.Add(1)
				} else if !problem.Is(err, problem.Invalid) {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if made.Load() != 1 {
			t.Errorf("%d users have the address", made.Load())
		}
	})
}

func TestADeletedUserLosesEverythingAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.user("alice"), f.user("bob")
		acme := f.organization("acme", bob)
		if err := f.AddTeamMember(t.Context(), acme.ID, ownersTeam, alice.ID); err != nil {
			t.Fatal(err)
		}
		ci := f.robot(alice, "ci")
		repository := f.repository(alice, "app")
		_, app, err := f.CreateAppToken(t.Context(), alice.ID, "laptop", 0)
		if err != nil {
			t.Fatal(err)
		}
		f.loggedIn("alice", rightPassword)
		f.loggedIn("alice+ci", ci.Token)
		f.loggedIn("$app", app)
		if err := f.DeleteUser(t.Context(), alice.ID, false); err != nil {
			t.Fatal(err)
		}
		f.refusedLogin("alice", rightPassword, wrongPasswordText)
		f.refusedLogin("alice+ci", ci.Token, "Could not find robot")
		f.refusedLogin("$app", app, wrongAppTokenText)
		_, err = f.Current(t.Context(), Session, alice.UUID, alice.AccessRev)
		wantProblem(t, err, problem.Unauthenticated, "")
		var deleted int64
		if err := f.db.QueryRow(t.Context(), `SELECT COALESCE(deleted_ms, 0) FROM repository WHERE id = $1`, repository).Scan(&deleted); err != nil || deleted == 0 {
			t.Errorf("the repository is there: %v", err)
		}
		f.robot(f.user("alice"), "ci") // name and address are free
	})
}

func TestTheOnlyAdministratorStays(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.user("alice"), f.user("bob")
		f.organization("acme", alice)
		wantProblem(t, f.DeleteUser(t.Context(), alice.ID, false), problem.Invalid, "only administrator of: acme")
		_, err := f.ConvertUser(t.Context(), alice.ID, bob.ID)
		wantProblem(t, err, problem.Invalid, "only administrator of: acme")
		f.loggedIn("alice", rightPassword)
		if err := f.DeleteUser(t.Context(), alice.ID, true); err != nil {
			t.Errorf("by force: %v", err)
		}
	})
}

func TestAConvertedUserIsAnOrganization(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.user("alice"), f.user("bob")
		ci := f.robot(alice, "ci")
		f.loggedIn("alice", rightPassword)
		made, err := f.ConvertUser(t.Context(), alice.ID, bob.ID)
		if err != nil || made.Kind != Organization || made.HasPassword {
			t.Fatalf("%+v %v", made, err)
		}
		f.refusedLogin("alice", rightPassword, wrongPasswordText)
		f.loggedIn("alice+ci", ci.Token)
		owned, err := f.Organizations(t.Context(), bob.ID)
		if err != nil || len(owned) != 1 || !owned[0].Admin || owned[0].Name != "alice" {
			t.Errorf("%+v %v", owned, err)
		}
	})
}

func TestTakingOwnership(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		root, alice, bob := f.user("root"), f.user("alice"), f.user("bob")
		acme := f.organization("acme", alice)
		if err := f.DeleteUser(t.Context(), alice.ID, true); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			of   Account
			user bool
		}{{acme, false}, {acme, false}, {bob, true}} {
			was, err := f.TakeOwnership(t.Context(), c.of.ID, root)
			if err != nil || was != c.user {
				t.Errorf("%s: %t %v", c.of.Name, was, err)
			}
		}
		owned, err := f.Organizations(t.Context(), root.ID)
		if err != nil || len(owned) != 2 || !owned[0].Admin || !owned[1].Admin {
			t.Errorf("%+v %v", owned, err)
		}
	})
}

func TestCodesWorkOnceAndInTheirTime(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		recover := func() string {
			t.Helper()
			f.clock.Add(codeInterval)
			code, err := f.RecoveryCode(t.Context(), alice.ID)
			if err != nil {
				t.Fatal(err)
			}
			return code
		}
		old := recover()
		code := recover()
		_, err := f.RecoveryAccount(t.Context(), old)
		wantProblem(t, err, problem.NotFound, "This link")
		_, err = f.Recover(t.Context(), code, "short")
		wantProblem(t, err, problem.Invalid, "at least 8 characters")
		_, err = f.Confirm(t.Context(), code)
		wantProblem(t, err, problem.NotFound, "This link")
		if _, err := f.Recover(t.Context(), code, "another-horse"); err != nil {
			t.Fatal(err)
		}
		f.loggedIn("alice", "another-horse")
		_, err = f.Recover(t.Context(), code, "third-horse")
		wantProblem(t, err, problem.NotFound, "This link")
		code = recover()
		f.clock.Add(defaultCodeLife)
		_, err = f.Recover(t.Context(), code, "third-horse")
		wantProblem(t, err, problem.NotFound, "This link")
		code = recover()
		password := "fourth-horse"
		if _, err := f.UpdateUser(t.Context(), alice.ID, UserChanges{Password: &password}); err != nil {
			t.Fatal(err)
		}
		_, err = f.Recover(t.Context(), code, "third-horse")
		wantProblem(t, err, problem.NotFound, "This link")
		_, err = f.RecoveryCode(t.Context(), alice.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.RecoveryCode(t.Context(), alice.ID)
		wantProblem(t, err, problem.TooMany, "less than a minute")
		var stored string
		if err := f.db.QueryRow(t.Context(), `SELECT code FROM email_confirmation LIMIT 1`).Scan(&stored); err != nil || strings.Contains(stored, code) || len(stored) != 64 {
			t.Errorf("stored as %q: %v", stored, err)
		}
	})
}

func TestAnAddressIsChangedByItsReader(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		f.user("bob")
		_, err := f.AddressCode(t.Context(), alice.ID, "bob@example.com")
		wantProblem(t, err, problem.Invalid, "E-mail address already used")
		code, err := f.AddressCode(t.Context(), alice.ID, "new@example.com")
		if err != nil {
			t.Fatal(err)
		}
		done, err := f.Confirm(t.Context(), code)
		if err != nil || done.Email != "new@example.com" || done.Former != "alice@example.com" {
			t.Errorf("%+v %v", done, err)
		}
		_, err = f.Confirm(t.Context(), code)
		wantProblem(t, err, problem.NotFound, "This link")
		code, err = f.AddressCode(t.Context(), alice.ID, "late@example.com")
		if err != nil {
			t.Fatal(err)
		}
		f.exec(`UPDATE account SET email = 'late@example.com' WHERE name = 'bob'`)
		_, err = f.Confirm(t.Context(), code)
		wantProblem(t, err, problem.Invalid, "E-mail address already used")
	})
}

func TestNotificationsAreSeenByWhomTheyConcern(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice, bob := f.user("alice"), f.user("bob")
		acme := f.organization("acme", alice)
		for _, id := range []int64{alice.ID, acme.ID} {
			err := f.db.Hard(t.Context(), "test", func(ctx context.Context, tx db.Tx) error {
				return f.NotifyTx(ctx, tx, NewNotification{AccountID: id, Kind: "maintenance", Metadata: map[string]any{"n": id}, Lookup: "x"})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		list, err := f.Notifications(t.Context(), alice.ID, 0, 5)
		if err != nil || len(list) != 2 || list[0].Organization != "acme" || list[1].Organization != "" {
			t.Fatalf("%+v %v", list, err)
		}
		if seen, err := f.Notifications(t.Context(), bob.ID, 0, 5); err != nil || len(seen) != 0 {
			t.Errorf("a stranger sees %+v %v", seen, err)
		}
		_, err = f.DismissNotification(t.Context(), bob.ID, list[0].UUID, true)
		wantProblem(t, err, problem.NotFound, "")
		if n, err := f.DismissNotification(t.Context(), alice.ID, list[0].UUID, true); err != nil || !n.Dismissed {
			t.Errorf("%+v %v", n, err)
		}
		if left, err := f.Notifications(t.Context(), alice.ID, 0, 5); err != nil || len(left) != 1 || left[0].UUID != list[1].UUID {
			t.Errorf("%+v %v", left, err)
		}
		if n, err := f.Notification(t.Context(), alice.ID, list[0].UUID); err != nil || !n.Dismissed {
			t.Errorf("%+v %v", n, err)
		}
	})
}

func TestAPageOfUsersIsOneQueryThatWalksTheIndex(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		for _, name := range []string{"bob", "carol"} {
			f.user(name)
			f.organization(name+"-org", alice)
		}
		f.robot(alice, "ci")
		if err := f.SetEnabled(t.Context(), alice.ID, false); err != nil {
			t.Fatal(err)
		}
		before := f.asked.n.Load()
		names := func(list []Account, err error) []string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, a := range list {
				all = append(all, a.Name)
			}
			return all
		}
		if got := names(f.UserPage(t.Context(), Page{After: "alice", Limit: 1})); !slices.Equal(got, []string{"bob"}) {
			t.Errorf("%v", got)
		}
		if got := names(f.UserPage(t.Context(), Page{Enabled: true})); !slices.Equal(got, []string{"bob", "carol"}) {
			t.Errorf("%v", got)
		}
		if got := names(f.OrganizationPage(t.Context(), Page{})); !slices.Equal(got, []string{"bob-org", "carol-org"}) {
			t.Errorf("%v", got)
		}
		if asked := f.asked.n.Load() - before; asked != 3 {
			t.Errorf("three pages took %d queries", asked)
		}
		if f.db.Dialect() != db.SQLite {
			return
		}
		query, args := pageQuery(`a.kind = 1`, Page{After: "alice", Limit: 100})
		var id, parent, unused int64
		var plan string
		if err := f.db.QueryRow(t.Context(), `EXPLAIN QUERY PLAN `+query, args...).Scan(&id, &parent, &unused, &plan); err != nil || !strings.Contains(plan, "account_kind (kind=? AND name>?)") {
			t.Errorf("%s %v", plan, err)
		}
	})
}
