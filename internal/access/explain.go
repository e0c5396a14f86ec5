package access

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// actionNames are the words by which people ask for an explanation.
var actionNames = map[string]Action{
	"pull": Pull, "push": Push, "settings": ChangeSettings, "admin": Administer, "inspect": InspectRepository,
	"create": CreateRepository, "view-namespace": ViewNamespace, "admin-namespace": AdministerNamespace, "inspect-namespace": InspectNamespace,
}

// ParseAction reads the word for an action on a repository or a namespace.
func ParseAction(name string) (Action, error) {
	if a, ok := actionNames[name]; ok {
		return a, nil
	}
	return 0, problem.New(problem.Invalid, "Unknown action %q; known are %s", name, strings.Join(slices.Sorted(maps.Keys(actionNames)), ", "))
}

// OnRepository reports whether the action is about a repository that exists, and not about a namespace.
func (a Action) OnRepository() bool {
	switch a {
	case Pull, Push, ChangeSettings, Administer, InspectRepository, AdministerContent:
		return true
	}
	return false
}

// Suppose gives the principal that an account is with its own credential or, if scopes are named, with an OAuth token of
// them. It is for explanations only: nobody has proved anything.
func Suppose(a identity.Account, scopes string) (p identity.Principal, err error) {
	p = identity.Principal{Credential: identity.Password, Account: a}
	switch {
	case a.Kind == identity.Organization:
		return p, problem.New(problem.Invalid, "%s is an organization: users and robots act", a.Name)
	case scopes != "":
		p.Credential = identity.OAuthToken
		p.Scopes, err = identity.ParseScopes(scopes)
	case a.Kind == identity.Robot:
		p.Credential = identity.RobotToken
	}
	return p, err
}

// Explain is Fresh for people: its reasons also say that the account is disabled, which ends every credential before
// permissions are asked, and which default permissions of the organization name a subject that has a permission here.
func (x *Authority) Explain(ctx context.Context, p identity.Principal, a Action, o Object) (Decision, error) {
	d, err := x.Fresh(ctx, p, a, o)
	if err != nil {
		return Decision{}, err
	}
	if a.OnRepository() && o.RepositoryID != 0 && p.Account.ID != 0 {
		more, err := x.fromPrototypes(ctx, p, o)
		if err != nil {
			return Decision{}, err
		}
		d.Reasons = append(d.Reasons, more...)
	}
	if p.Account.ID != 0 && !p.Account.Enabled {
		d.Allowed, d.Denial = false, NoRight
		d.Reasons = append([]string{"the account " + p.Account.Name + " is disabled: none of its credentials works"}, d.Reasons...)
	}
	return d, nil
}

// Outline is Fresh for people who administer the repository and see neither into its namespace nor into the registry's
// accounts. Its reasons name no team, super user or default permission, and it says nothing of disabled accounts.
func (x *Authority) Outline(ctx context.Context, p identity.Principal, a Action, o Object) (Decision, error) {
	return x.decide(ctx, outline, p, a, o, x.facts.Fresh)
}

// fromPrototypes names the default permissions that give the account, or one of its teams, the very role that it has on
// the repository. A permission does not keep where it came from, so that they are what it may have come from.
func (x *Authority) fromPrototypes(ctx context.Context, p identity.Principal, o Object) ([]string, error) {
	facts, err := loadFacts(ctx, x.read, factsKey{p.Account.ID, o.NamespaceID, o.RepositoryID})
	if err != nil || o.NamespaceKind != identity.Organization || facts.Direct == NoRole && facts.ByTeam == NoRole {
		return nil, err
	}
	all, err := x.Prototypes(ctx, o.NamespaceID)
	if err != nil {
		return nil, err
	}
	var reasons []string
	for _, prototype := range all {
		d := prototype.Delegate
		direct := d.TeamID == 0 && d.AccountID == p.Account.ID && d.Role == facts.Direct
		team := d.TeamID != 0 && d.Name == facts.ByTeamName && d.Role == facts.ByTeam
		if !direct && !team {
			continue
		}
		whose := "anyone"
		if prototype.Activating.AccountID != 0 {
			whose = prototype.Activating.Name
		}
		reasons = append(reasons, "the permission of "+d.Name+" may come from the default permission "+prototype.UUID+
			": "+d.Role.String()+" on repositories that "+whose+" creates in "+o.Namespace)
	}
	return reasons, nil
}
