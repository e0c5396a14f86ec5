package access

import (
	"testing"

	"github.com/longshore-registry/longshore/internal/identity"
)

func TestCreatingTheNamespaceWithTheRepository(t *testing.T) {
	missing := Object{Namespace: "new", Name: "app"}
	on := basePolicy()
	on.CreateNamespaceOnPush = true
	superOnly, restricted := on, on
	superOnly.SuperUsersCreateOrgs = true
	restricted.RestrictedUsers, restricted.RestrictedWhitelist = true, []string{"bob"}
	for _, c := range []struct {
		name   string
		p      identity.Principal
		policy Policy
		want   bool
	}{
		{"switched off", user("alice"), basePolicy(), false},
		{"a user", user("alice"), on, true},
		{"a robot", robot(), on, false},
		{"nobody", identity.Principal{}, on, false},
		{"a repository's token", repositoryToken(appID, Admin), on, false},
		{"OAuth with repo:create", oauth(identity.ScopeRepoCreate), on, true},
		{"OAuth without", oauth(identity.AllScopes &^ identity.ScopeRepoCreate), on, false},
		{"only super users create organizations", user("alice"), superOnly, false},
		{"a super user", user("root"), superOnly, true},
		{"a restricted user", user("alice"), restricted, false},
		{"one who is not", user("bob"), restricted, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := Decide(c.p, CreateRepository, missing, Facts{}, c.policy); d.Allowed != c.want {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestCreatingOrganizations(t *testing.T) {
	superOnly, restricted := basePolicy(), basePolicy()
	superOnly.SuperUsersCreateOrgs = true
	restricted.RestrictedUsers = true
	full := restricted
	full.SuperUsersFullAccess = true
	for _, c := range []struct {
		name   string
		p      identity.Principal
		policy Policy
		want   bool
	}{
		{"a user", user("alice"), basePolicy(), true},
		{"super users only, a user", user("alice"), superOnly, false},
		{"super users only, a super user", user("root"), superOnly, true},
		{"restricted, a user", user("alice"), restricted, false},
		{"restricted, a super user", user("root"), restricted, false},
		{"restricted, a super user with full access", user("root"), full, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := Decide(c.p, CreateOrganization, Object{}, Facts{}, c.policy); d.Allowed != c.want {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestRestrictedUsersMakeNothingInTheirOwnNamespace(t *testing.T) {
	policy := basePolicy()
	policy.RestrictedUsers, policy.RestrictedWhitelist = true, []string{"bob"}
	own := Object{NamespaceID: aliceID, Namespace: "alice", NamespaceKind: identity.User, NamespaceEnabled: true, RepositoryID: appID, Name: "app"}
	ownRobot := identity.Principal{Credential: identity.RobotToken, Account: identity.Account{ID: robotID, Kind: identity.Robot, Name: "alice+ci", OwnerID: aliceID}}
	for _, c := range []struct {
		name string
		p    identity.Principal
		o    Object
		f    Facts
		a    Action
		want bool
	}{
		{"push", user("alice"), own, Facts{Owner: true}, Push, false},
		{"create", user("alice"), own, Facts{Owner: true}, CreateRepository, false},
		{"pull", user("alice"), own, Facts{Owner: true}, Pull, true},
		{"delete", user("alice"), own, Facts{Owner: true}, Administer, true},
		{"push by the own robot", ownRobot, own, Facts{Direct: Write}, Push, false},
		{"push by another user", identity.Principal{Credential: identity.Password, Account: identity.Account{ID: 9, Kind: identity.User, Name: "carol"}}, own, Facts{Direct: Write}, Push, true},
		{"push of a user on the list", user("bob"), own, Facts{Owner: true}, Push, true},
		{"push into an organization", user("alice"), app(), Facts{TeamRole: TeamAdmin}, Push, true},
		{"create in an organization", user("alice"), app(), Facts{TeamRole: TeamCreator}, CreateRepository, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := Decide(c.p, c.a, c.o, c.f, policy); d.Allowed != c.want {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestRestrictedUsersMakeNoOwnRobots(t *testing.T) {
	restricted := basePolicy()
	restricted.RestrictedUsers, restricted.RestrictedWhitelist = true, []string{"bob"}
	full, readOnly := restricted, basePolicy()
	full.SuperUsersFullAccess, readOnly.RegistryReadOnly = true, true
	for _, c := range []struct {
		name   string
		p      identity.Principal
		policy Policy
		want   Denial
	}{
		{"a user", user("alice"), basePolicy(), Granted},
		{"a restricted user", user("alice"), restricted, NoRight},
		{"one who is spared", user("bob"), restricted, Granted},
		{"a restricted read-only super user", user("auditor"), restricted, NoRight},
		{"a super user with full access", user("root"), full, Granted},
		{"a token without user:admin", oauth(identity.ScopeUserRead), basePolicy(), NoRight},
		{"a token with it", oauth(identity.ScopeUserAdmin), basePolicy(), Granted},
		{"nobody", identity.Principal{}, basePolicy(), NoRight},
		{"a robot", robot(), basePolicy(), NoRight},
		{"while the registry is read-only", user("alice"), readOnly, ReadOnlyRegistry},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := Decide(c.p, CreateOwnRobot, Object{}, Facts{}, c.policy); d.Denial != c.want {
				t.Errorf("%+v", d)
			}
		})
	}
}
