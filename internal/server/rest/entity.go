package rest

import (
	"context"
	"net/http"
	"slices"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/overview"
)

// entityLimit is how many users and robots, and how many teams, are offered.
const entityLimit = 10

func (a *API) entityRoutes() []*route {
	return []*route{{
		Method: http.MethodGet, Path: "/api/v1/entities/{prefix}", ID: "getMatchingEntities", Summary: "Whom a permission could be given to, by a part of the name",
		Need: everybody(), Handler: handle(a.entities),
	}, {
		Method: http.MethodPost, Path: "/api/v1/entities/link/{username}", ID: "linkExternalUser", Summary: "Link a user of another system: accounts are kept here",
		Need: everybody(), Handler: handle(a.linkEntity),
	}}
}

type entitiesInput struct {
	Namespace string `query:"namespace" maxLength:"255" doc:"whose teams and robots are offered too"`
	Teams     bool   `query:"includeTeams"`
	Orgs      bool   `query:"includeOrgs"`
}

type entityView struct {
	Name        string `json:"name"`
	Kind        string `json:"kind" enum:"user,team,org,external,invite"`
	IsRobot     *bool  `json:"is_robot,omitempty"`
	Avatar      avatar `json:"avatar"`
	IsOrgMember *bool  `json:"is_org_member,omitempty"`
}

type entitiesOutput struct {
	Body struct {
		Results []entityView `json:"results" doc:"teams, users and robots, organization"`
	}
}

// entities offers teams and robots of a namespace only to who may see them, and nothing to nobody.
func (a *API) entities(ctx context.Context, c *Call, in *entitiesInput) (*entitiesOutput, error) {
	out := &entitiesOutput{}
	out.Body.Results = []entityView{}
	if c.Principal.IsAnonymous() {
		return out, nil
	}
	namespace, err := a.visibleNamespace(ctx, c, in.Namespace)
	if err != nil {
		return nil, err
	}
	text := c.Path.Variable("prefix")
	// What follows is inside a namespace that the caller was found to see.
	inside := overview.Seeker{AccountID: c.Principal.Account.ID, AllNamespaces: true}
	if namespace.Kind == identity.Organization && in.Teams {
		teams, err := a.options.Lists.FindTeams(ctx, inside, namespace.ID, text, entityLimit)
		if err != nil {
			return nil, err
		}
		for _, t := range teams {
			out.Body.Results = append(out.Body.Results, entityView{Name: t.Name, Kind: "team", Avatar: newAvatar(t.Name, "", "team")})
		}
	}
	people, err := a.options.Lists.FindPeople(ctx, text, !a.options.PartialNames, 2*entityLimit)
	if err != nil {
		return nil, err
	}
	users := slices.DeleteFunc(slices.Clone(people), func(f overview.FoundAccount) bool { return f.Kind != identity.User })
	if namespace.ID != 0 {
		robots, err := a.options.Lists.FindRobots(ctx, inside, namespace.ID, text, entityLimit)
		if err != nil {
			return nil, err
		}
		users = mix(users, robots)
	}
	views, err := a.userEntities(ctx, namespace, users[:min(len(users), entityLimit)])
	if err != nil {
		return nil, err
	}
	out.Body.Results = append(out.Body.Results, views...)
	for _, f := range people {
		if in.Orgs && f.Kind == identity.Organization && f.Name == text {
			out.Body.Results = append(out.Body.Results, entityView{Name: f.Name, Kind: "org", Avatar: newFoundAccount(f).Avatar})
		}
	}
	return out, nil
}

// mix takes from both lists in turn, so that neither pushes the other off the page.
func mix(a, b []overview.FoundAccount) []overview.FoundAccount {
	var all []overview.FoundAccount
	for i := range max(len(a), len(b)) {
		if i < len(a) {
			all = append(all, a[i])
		}
		if i < len(b) {
			all = append(all, b[i])
		}
	}
	return all
}

// visibleNamespace is the namespace of a name if the caller may see its teams and robots, else none.
func (a *API) visibleNamespace(ctx context.Context, c *Call, name string) (identity.Account, error) {
	if name == "" {
		return identity.Account{}, nil
	}
	found, err := a.namespace(ctx, name)
	if err != nil || found.ID == 0 {
		return identity.Account{}, err
	}
	action := access.ViewNamespace
	if found.ID == c.Principal.Account.ID {
		action = access.AdministerAccount
	}
	may, err := a.may(ctx, c.Principal, action, accountObject(found))
	if err != nil || !may {
		return identity.Account{}, err
	}
	return found, nil
}

// userEntities shows users and robots; in an organization with whether they belong to it.
func (a *API) userEntities(ctx context.Context, namespace identity.Account, users []overview.FoundAccount) ([]entityView, error) {
	var members map[int64]bool
	if namespace.Kind == identity.Organization && len(users) > 0 {
		ids := make([]int64, len(users))
		for i, f := range users {
			ids[i] = f.ID
		}
		var err error
		if members, err = a.options.Lists.MembersAmong(ctx, namespace.ID, ids); err != nil {
			return nil, err
		}
	}
	views := make([]entityView, len(users))
	for i, f := range users {
		robot := f.Kind == identity.Robot
		views[i] = entityView{Name: f.Name, Kind: "user", IsRobot: &robot, Avatar: newFoundAccount(f).Avatar}
		if members != nil {
			member := robot || members[f.ID]
			views[i].IsOrgMember = &member
		}
	}
	return views, nil
}

// linkEntity has nothing to link while accounts are kept in our own database.
func (a *API) linkEntity(_ context.Context, c *Call, _ *struct{}) (*none, error) {
	if c.Principal.IsAnonymous() {
		return nil, unauthenticated()
	}
	return nil, notFound()
}
