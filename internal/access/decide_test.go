package access

import (
	"fmt"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/identity"
)

// The cast: alice is a user, acme an organization, app a private repository of acme.
const (
	aliceID = 1
	acmeID  = 2
	robotID = 3
	appID   = 4
)

func user(name string) identity.Principal {
	return identity.Principal{Credential: identity.Password, Account: identity.Account{ID: aliceID, Kind: identity.User, Name: name}}
}

func robot() identity.Principal {
	return identity.Principal{
		Credential: identity.RobotToken,
		Account:    identity.Account{ID: robotID, Kind: identity.Robot, Name: "acme+ci", OwnerID: acmeID},
	}
}

func oauth(s identity.Scopes) identity.Principal {
	p := user("alice")
	p.Credential, p.Scopes = identity.OAuthToken, s
	return p
}

func repositoryToken(repo int64, role Role) identity.Principal {
	return identity.Principal{Credential: identity.AccessToken, Reference: "LOOKUP", RepositoryID: repo, RepositoryRole: uint8(role)}
}

func app() Object {
	return Object{NamespaceID: acmeID, Namespace: "acme", NamespaceKind: identity.Organization, NamespaceEnabled: true, RepositoryID: appID, Name: "app"}
}

func basePolicy() Policy {
	return Policy{
		AnonymousAccess: true, SuperUsersEnabled: true, SuperUsers: []string{"root"}, ReadOnlySuperUsers: []string{"auditor"},
	}
}

func actions() []Action {
	return []Action{Pull, Push, Administer, ChangeSettings, CreateRepository, ViewNamespace, AdministerNamespace, ReadAccount,
		AdministerAccount, CreateOrganization, Superuse, AdministerContent, InspectRepository, InspectNamespace, InspectRegistry, CreateOwnRobot, InspectCredentials}
}

// letters names each action in the tables below, in the order of actions.
const letters = "puacCvnrRoSxiIGbK"

// allowed gives the letters of what is allowed.
func allowed(t *testing.T, p identity.Principal, o Object, f Facts, policy Policy) string {
	t.Helper()
	var got strings.Builder
	for i, a := range actions() {
		d := Decide(p, a, o, f, policy)
		if d.Allowed != (d.Denial == Granted) || len(d.Reasons) == 0 {
			t.Errorf("%s: %+v", a, d)
		}
		if d.Allowed {
			got.WriteByte(letters[i])
		}
	}
	return got.String()
}

// A letter in want is an action that is allowed: p pull, u push, a administer, c change settings, C create repository,
// v view and n administer the namespace, r read and R administer the own account, o create organization, S superuse,
// x administer content, i inspect the repository, I the namespace, G the registry, b create an own robot, K inspect
// others' credentials.
func TestRoles(t *testing.T) {
	public := app()
	public.Public = true
	own := app()
	own.NamespaceID, own.Namespace, own.NamespaceKind = aliceID, "alice", identity.User
	full := basePolicy()
	full.SuperUsersFullAccess = true
	for _, c := range []struct {
		name   string
		p      identity.Principal
		o      Object
		f      Facts
		policy Policy
		want   string
	}{
		{"nobody", identity.Principal{}, app(), Facts{}, basePolicy(), ""},
		{"nobody, public", identity.Principal{}, public, Facts{}, basePolicy(), "p"},
		{"a stranger", user("alice"), app(), Facts{}, basePolicy(), "rRob"},
		{"a stranger, public", user("alice"), public, Facts{}, basePolicy(), "prRob"},
		{"the namespace's owner", user("alice"), own, Facts{Owner: true}, basePolicy(), "puacCvnrRoxiIb"},
		{"team admin", user("alice"), app(), Facts{TeamRole: TeamAdmin, Team: "owners"}, basePolicy(), "puacCvnrRoxiIb"},
		{"team creator", user("alice"), app(), Facts{TeamRole: TeamCreator, Team: "makers"}, basePolicy(), "CvrRob"},
		{"team member", user("alice"), app(), Facts{TeamRole: TeamMember, Team: "staff"}, basePolicy(), "vrRob"},
		{"direct read", user("alice"), app(), Facts{Direct: Read}, basePolicy(), "prRob"},
		{"direct write", user("alice"), app(), Facts{Direct: Write}, basePolicy(), "pucrRob"},
		{"direct admin", user("alice"), app(), Facts{Direct: Admin}, basePolicy(), "puacrRoxib"},
		{"read by team", user("alice"), app(), Facts{ByTeam: Read, ByTeamName: "staff"}, basePolicy(), "prRob"},
		{"write by team, direct read", user("alice"), app(), Facts{ByTeam: Write, Direct: Read}, basePolicy(), "pucrRob"},
		{"admin by team and member", user("alice"), app(), Facts{ByTeam: Admin, TeamRole: TeamMember}, basePolicy(), "puacvrRoxib"},
		{"robot without permission", robot(), app(), Facts{}, basePolicy(), ""},
		{"robot without permission, public", robot(), public, Facts{}, basePolicy(), "p"},
		{"robot with write", robot(), app(), Facts{Direct: Write}, basePolicy(), "puc"},
		{"robot in a team that creates", robot(), app(), Facts{TeamRole: TeamCreator}, basePolicy(), "Cv"},
		{"robot in the owners", robot(), app(), Facts{TeamRole: TeamAdmin}, basePolicy(), "puacCvnxiI"},
		{"super user", user("root"), app(), Facts{}, basePolicy(), "rRoSGb"},
		{"super user with full access", user("root"), app(), Facts{}, full, "puacCvnrRoSxiIGbK"},
		{"read-only super user", user("auditor"), app(), Facts{}, basePolicy(), "pvrRoiIGbK"},
		{"read-only super user, full access for others", user("auditor"), app(), Facts{}, full, "pvrRoiIGbK"},
		{"a robot with a super user's name", identity.Principal{Credential: identity.RobotToken,
			Account: identity.Account{ID: robotID, Kind: identity.Robot, Name: "root"}}, app(), Facts{}, full, ""},
		{"repository token, read", repositoryToken(appID, Read), app(), Facts{}, basePolicy(), "p"},
		{"repository token, write", repositoryToken(appID, Write), app(), Facts{}, basePolicy(), "puc"},
		{"repository token, admin", repositoryToken(appID, Admin), app(), Facts{}, basePolicy(), "puacxi"},
		{"repository token of another", repositoryToken(appID+1, Admin), app(), Facts{}, basePolicy(), ""},
		{"repository token of another, public", repositoryToken(appID+1, Admin), public, Facts{}, basePolicy(), "p"},
		{"repository token of none", repositoryToken(0, Admin), Object{NamespaceID: acmeID, NamespaceEnabled: true, Name: "new"}, Facts{}, basePolicy(), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := allowed(t, c.p, c.o, c.f, c.policy); got != c.want {
				t.Errorf("allowed %q, want %q", got, c.want)
			}
		})
	}
}

// A session, a password and an application token are worth the same.
func TestCredentialsOfAUserAreWorthTheSame(t *testing.T) {
	for _, c := range []identity.Credential{identity.Password, identity.Session, identity.AppToken} {
		p := user("alice")
		p.Credential = c
		if got := allowed(t, p, app(), Facts{TeamRole: TeamAdmin}, basePolicy()); got != "puacCvnrRoxiIb" {
			t.Errorf("credential %d: %q", c, got)
		}
	}
}

func TestScopesCutDownWhatAnOAuthTokenMay(t *testing.T) {
	public := app()
	public.Public = true
	everything := basePolicy()
	everything.SuperUsers, everything.SuperUsersFullAccess = []string{"alice"}, true
	for _, c := range []struct {
		scopes identity.Scopes
		want   string
	}{
		{0, ""},
		{identity.ScopeRepoRead, "p"},
		{identity.ScopeRepoWrite, "puc"},
		{identity.ScopeRepoAdmin, "puacxi"},
		{identity.ScopeRepoCreate, "C"},
		{identity.ScopeUserRead, "r"},
		{identity.ScopeUserAdmin, "rRob"},
		{identity.ScopeOrgAdmin, "vnI"},
		{identity.ScopeSuperUser, "SGK"},
		{identity.AllScopes, "puacCvnrRoSxiIGbK"},
	} {
		t.Run(c.scopes.String(), func(t *testing.T) {
			if got := allowed(t, oauth(c.scopes), app(), Facts{TeamRole: TeamAdmin}, everything); got != c.want {
				t.Errorf("an administrator's token: %q, want %q", got, c.want)
			}
			if got := allowed(t, oauth(c.scopes), public, Facts{}, basePolicy()); !strings.Contains(got, "p") || strings.ContainsAny(got, "uacxi") {
				t.Errorf("a stranger's token on a public repository: %q", got)
			}
		})
	}
}

func TestFullAccessThroughATokenNeedsItsScope(t *testing.T) {
	full := basePolicy()
	full.SuperUsers, full.SuperUsersFullAccess = []string{"alice"}, true
	if got := allowed(t, oauth(identity.ScopeRepoAdmin), app(), Facts{}, full); got != "" {
		t.Errorf("without super:user: %q", got)
	}
	if got := allowed(t, oauth(identity.ScopeRepoAdmin|identity.ScopeSuperUser), app(), Facts{}, full); got != "puacSxiGK" {
		t.Errorf("with it: %q", got)
	}
}

func TestADisabledNamespaceIsClosed(t *testing.T) {
	o := app()
	o.NamespaceEnabled, o.Public = false, true
	full := basePolicy()
	full.SuperUsersFullAccess = true
	if got := allowed(t, user("root"), o, Facts{Direct: Admin}, full); got != "rRoSGbK" {
		t.Errorf("a super user may %q", got)
	}
	if d := Decide(identity.Principal{}, Pull, o, Facts{}, basePolicy()); d.Denial != NamespaceDisabled {
		t.Errorf("%+v", d)
	}
}

func TestAnonymousAccessCanBeSwitchedOff(t *testing.T) {
	o := app()
	o.Public = true
	closed := basePolicy()
	closed.AnonymousAccess = false
	if d := Decide(identity.Principal{}, Pull, o, Facts{}, closed); d.Denial != NoRight {
		t.Errorf("%+v", d)
	}
	if d := Decide(user("alice"), Pull, o, Facts{}, closed); !d.Allowed {
		t.Errorf("who is signed in: %+v", d)
	}
}

func TestAReadOnlyRegistryChangesNothing(t *testing.T) {
	policy := basePolicy()
	policy.RegistryReadOnly, policy.SuperUsersFullAccess = true, true
	if got := allowed(t, user("root"), app(), Facts{}, policy); got != "pvriIGK" {
		t.Errorf("a super user may %q", got)
	}
	if d := Decide(user("root"), Push, app(), Facts{}, policy); d.Denial != ReadOnlyRegistry {
		t.Errorf("%+v", d)
	}
	if d := Decide(user("alice"), Push, app(), Facts{}, policy); d.Denial != NoRight {
		t.Errorf("a stranger: %+v", d)
	}
}

func TestPushesCanBeDisabled(t *testing.T) {
	policy := basePolicy()
	policy.PushesDisabled = true
	if got := allowed(t, user("alice"), app(), Facts{TeamRole: TeamAdmin}, policy); got != "pacCvnrRoxiIb" {
		t.Errorf("an administrator may %q", got)
	}
	if d := Decide(user("alice"), Push, app(), Facts{Direct: Write}, policy); d.Denial != PushesOff {
		t.Errorf("%+v", d)
	}
}

func TestSuperUsersCanBeSwitchedOff(t *testing.T) {
	policy := basePolicy()
	policy.SuperUsersEnabled, policy.SuperUsersFullAccess = false, true
	if got := allowed(t, user("root"), app(), Facts{}, policy); got != "rRob" {
		t.Errorf("root may %q", got)
	}
}

func TestAnUnknownActionIsRefused(t *testing.T) {
	if d := Decide(user("root"), 200, app(), Facts{Owner: true}, basePolicy()); d.Allowed {
		t.Errorf("%+v", d)
	}
}

func TestReasonsAreWords(t *testing.T) {
	for _, c := range []struct {
		p    identity.Principal
		a    Action
		f    Facts
		want []string
	}{
		{user("alice"), Push, Facts{ByTeam: Write, ByTeamName: "devs", Direct: Read}, []string{
			"alice has a permission on the repository: read", "team devs has a permission on the repository: write"}},
		{user("alice"), Push, Facts{}, []string{"alice has no role on acme/app", "to push needs write"}},
		{oauth(identity.ScopeRepoRead), Push, Facts{TeamRole: TeamAdmin, Team: "owners"}, []string{
			"team owners administers acme: admin", "the OAuth token lacks the scope repo:write"}},
		{identity.Principal{}, Pull, Facts{}, []string{"nobody is signed in"}},
	} {
		if d := Decide(c.p, c.a, app(), c.f, basePolicy()); fmt.Sprint(d.Reasons) != fmt.Sprint(c.want) {
			t.Errorf("reasons %q, want %q", d.Reasons, c.want)
		}
	}
}

// Over all combinations: more rights, or more scopes, never allow less; and a repository's token never leaves its
// repository.
func TestMoreRightsNeverAllowLess(t *testing.T) {
	states := []State{Normal, ReadOnlyState, Mirror, MarkedForDeletion, OrganizationMirror}
	roles := []Role{NoRole, Read, Write, Admin}
	teams := []TeamRole{0, TeamMember, TeamCreator, TeamAdmin}
	for _, state := range states {
		for _, public := range []bool{false, true} {
			o := app()
			o.State, o.Public = state, public
			for _, a := range actions() {
				for bits := identity.Scopes(0); bits <= identity.AllScopes; bits++ {
					less := allowedBy(oauth(bits), a, o, roles, teams)
					more := allowedBy(user("alice"), a, o, roles, teams)
					for i := range less {
						if less[i] && !more[i] {
							t.Fatalf("%s in state %d: a token with %s may what its owner may not", a, state, bits)
						}
					}
				}
			}
		}
	}
}

// allowedBy decides for all pairs of roles and checks that they are monotone.
func allowedBy(p identity.Principal, a Action, o Object, roles []Role, teams []TeamRole) []bool {
	var all []bool
	for i, team := range teams {
		for j, role := range roles {
			got := Decide(p, a, o, Facts{TeamRole: team, Direct: role}, basePolicy()).Allowed
			if j > 0 && all[len(all)-1] && !got {
				panic(fmt.Sprintf("%s: role %s allows less than the one below", a, role))
			}
			if i > 0 && all[len(all)-len(roles)] && !got {
				panic(fmt.Sprintf("%s: team role %d allows less than the one below", a, team))
			}
			all = append(all, got)
		}
	}
	return all
}

func TestRolesHaveNames(t *testing.T) {
	for _, r := range []Role{Admin, Write, Read} {
		if got, err := ParseRole(r.String()); err != nil || got != r {
			t.Errorf("%s was read as %s, %v", r, got, err)
		}
	}
	for _, name := range []string{"", "none", "Admin", "owner"} {
		if _, err := ParseRole(name); err == nil {
			t.Errorf("%q is a role", name)
		}
	}
}
