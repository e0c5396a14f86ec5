package access

import (
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/identity"
)

// What a repository's administrator is told of others is what the repository's own list says, and no more.
func TestAnOutlineNamesNothingOutsideOfTheRepository(t *testing.T) {
	full, restricted := basePolicy(), basePolicy()
	full.SuperUsersFullAccess = true
	restricted.RestrictedUsers = true
	own := Object{NamespaceID: aliceID, Namespace: "alice", NamespaceKind: identity.User, NamespaceEnabled: true, RepositoryID: appID, Name: "app"}
	const elsewhere = " has a role that is not from the repository's own list: "
	for _, c := range []struct {
		name   string
		p      identity.Principal
		o      Object
		f      Facts
		policy Policy
		want   string
	}{
		{"an organization's administrator", user("alice"), app(), Facts{TeamRole: TeamAdmin, Team: "owners"}, basePolicy(), "alice" + elsewhere + "admin"},
		{"a super user", user("root"), app(), Facts{}, full, "root" + elsewhere + "admin"},
		{"a read-only super user", user("auditor"), app(), Facts{}, basePolicy(), "auditor has no role on acme/app; to push needs write"},
		{"a member of a team with a permission", user("alice"), app(), Facts{ByTeam: Write, ByTeamName: "devs"}, basePolicy(), "alice has a permission on the repository by a team: write"},
		{"somebody with a permission", user("alice"), app(), Facts{Direct: Write}, basePolicy(), "alice has a permission on the repository: write"},
		{"a stranger", user("alice"), app(), Facts{}, basePolicy(), "alice has no role on acme/app; to push needs write"},
		{"a restricted user", user("alice"), own, Facts{Owner: true}, restricted, "alice owns the namespace: admin; alice may not push into the own namespace"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := outline(c.p, Push, c.o, c.f, c.policy)
			if text := strings.Join(got.Reasons, "; "); text != c.want {
				t.Errorf("reasons %q, want %q", text, c.want)
			}
			if all := Decide(c.p, Push, c.o, c.f, c.policy); all.Denial != got.Denial || all.Allowed != got.Allowed {
				t.Errorf("the decision is %v, want %v", got, all)
			}
		})
	}
}

func TestAnOutlineDoesNotNameReadOnlySuperUsers(t *testing.T) {
	d := outline(user("auditor"), Pull, app(), Facts{}, basePolicy())
	if want := "auditor has a role that is not from the repository's own list: read"; !d.Allowed || strings.Join(d.Reasons, "; ") != want {
		t.Errorf("%+v, want %q", d, want)
	}
}

func TestAnOutlineSaysNothingOfDisabledAccountsAndDefaultPermissions(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if _, err := f.AddPrototype(t.Context(), f.acme.ID, 0, Subject{AccountID: f.bob.ID}, Read); err != nil {
			t.Fatal(err)
		}
		app := f.create(f.acme, "app", f.alice.ID)
		ask := func() Decision {
			t.Helper()
			bob, err := f.ids.Account(t.Context(), "bob")
			if err != nil {
				t.Fatal(err)
			}
			d, err := f.Outline(t.Context(), as(bob), Pull, app)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		before := ask()
		if err := f.ids.SetEnabled(t.Context(), f.bob.ID, false); err != nil {
			t.Fatal(err)
		}
		after := ask()
		const want = "bob has a permission on the repository: read"
		if a, b := strings.Join(before.Reasons, "; "), strings.Join(after.Reasons, "; "); a != want || b != want || before.Allowed != after.Allowed {
			t.Errorf("before %+v, after %+v; want %q both times", before, after, want)
		}
	})
}

func TestAMissingNamespaceIsToldToWhoMayLookIntoAll(t *testing.T) {
	full := basePolicy()
	full.SuperUsersFullAccess = true
	token := func(name string, s identity.Scopes) identity.Principal {
		p := oauth(s)
		p.Account.Name = name
		return p
	}
	for _, c := range []struct {
		name   string
		p      identity.Principal
		policy Policy
		a      Action
		want   Denial
	}{
		{"a super user with full access changes", user("root"), full, AdministerNamespace, Missing},
		{"and looks", user("root"), full, InspectNamespace, Missing},
		{"a super user without", user("root"), basePolicy(), InspectNamespace, NoRight},
		{"a read-only super user looks", user("auditor"), basePolicy(), InspectNamespace, Missing},
		{"and views", user("auditor"), basePolicy(), ViewNamespace, Missing},
		{"and changes", user("auditor"), basePolicy(), AdministerNamespace, NoRight},
		{"a user", user("alice"), full, InspectNamespace, NoRight},
		{"nobody", identity.Principal{}, full, InspectNamespace, NoRight},
		{"a super user's token", token("root", identity.ScopeSuperUser|identity.ScopeOrgAdmin), full, InspectNamespace, Missing},
		{"one without the scope of the action", token("root", identity.ScopeSuperUser), full, InspectNamespace, NoRight},
		{"one without super:user", token("root", identity.ScopeOrgAdmin), full, InspectNamespace, NoRight},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := Decide(c.p, c.a, Object{}, Facts{}, c.policy); d.Denial != c.want {
				t.Errorf("%+v, want denial %d", d, c.want)
			}
		})
	}
}
