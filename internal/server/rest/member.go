package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/overview"
	"github.com/longshore-registry/longshore/internal/problem"
)

func (a *API) memberRoutes() []*route {
	const org = "/api/v1/organization/{orgname}"
	shown, managed := organization(access.InspectNamespace), organization(access.AdministerNamespace)
	return []*route{
		{Method: http.MethodGet, Path: org + "/members", ID: "getOrganizationMembers", Summary: "Who is in the teams of an organization", Need: shown, Handler: handle(a.listMembers)},
		{Method: http.MethodGet, Path: org + "/members/{membername}", ID: "getOrganizationMember", Summary: "A user or robot in the teams of an organization", Need: shown, Handler: handle(a.getMember)},
		{Method: http.MethodDelete, Path: org + "/members/{membername}", ID: "removeOrganizationMember", Summary: "Take somebody out of all teams, with all permissions on repositories", Need: managed, Handler: handle(a.deleteMember)},
		{Method: http.MethodGet, Path: org + "/collaborators", ID: "getOrganizationCollaborators", Summary: "Who has permissions on repositories and is in no team", Need: shown, Handler: handle(a.listCollaborators)},
	}
}

// memberView is a member of an organization; a collaborator has no teams.
type memberView struct {
	Name         string          `json:"name"`
	Kind         string          `json:"kind" enum:"user,robot"`
	Avatar       avatar          `json:"avatar"`
	Teams        []teamReference `json:"teams,omitzero"`
	Repositories []string        `json:"repositories"`
}

type memberOutput struct{ Body memberView }

type membersOutput struct {
	Body struct {
		Members []memberView `json:"members"`
	}
}

type collaboratorsOutput struct {
	Body struct {
		Collaborators []memberView `json:"collaborators"`
	}
}

func newMemberView(m overview.Member) memberView {
	v := memberView{Name: m.Account.Name, Kind: accountKind(m.Account), Avatar: accountAvatar(m.Account), Repositories: append([]string{}, m.Repositories...)}
	for _, team := range m.Teams {
		v.Teams = append(v.Teams, teamReference{team, newAvatar(team, "", "team")})
	}
	return v
}

func newMemberViews(list []overview.Member) []memberView {
	views := make([]memberView, 0, len(list))
	for _, m := range list {
		views = append(views, newMemberView(m))
	}
	return views
}

// accountKind is what an account is, where a list of members says it.
func accountKind(a identity.Account) string {
	if a.Kind == identity.Robot {
		return "robot"
	}
	return "user"
}

func (a *API) listMembers(ctx context.Context, c *Call, _ *struct{}) (*membersOutput, error) {
	list, err := a.options.Lists.Members(ctx, c.Organization.ID)
	out := &membersOutput{}
	out.Body.Members = newMemberViews(list)
	return out, err
}

func (a *API) listCollaborators(ctx context.Context, c *Call, _ *struct{}) (*collaboratorsOutput, error) {
	list, err := a.options.Lists.Collaborators(ctx, c.Organization.ID)
	out := &collaboratorsOutput{}
	out.Body.Collaborators = newMemberViews(list)
	return out, err
}

func (a *API) getMember(ctx context.Context, c *Call, _ *struct{}) (*memberOutput, error) {
	who, err := a.memberNamed(ctx, c)
	if err != nil {
		return nil, err
	}
	m, ok, err := a.options.Lists.Member(ctx, c.Organization.ID, who.ID)
	if err == nil && !ok {
		err = notFound()
	}
	if err != nil {
		return nil, err
	}
	return &memberOutput{newMemberView(m)}, nil
}

func (a *API) deleteMember(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	who, err := a.memberNamed(ctx, c)
	if err != nil {
		return nil, err
	}
	return nil, asMessage(a.options.Identity.RemoveOrganizationMember(ctx, c.Organization.ID, who.ID))
}

// memberNamed is the user, or robot of the organization, that a path names. Any other robot is answered like one that
// does not exist, so that nobody learns the names of foreign robots.
func (a *API) memberNamed(ctx context.Context, c *Call) (identity.Account, error) {
	who, err := a.options.Identity.Account(ctx, c.Path.Variable("membername"))
	foreign := who.Kind == identity.Robot && who.OwnerID != c.Organization.ID
	if problem.Is(err, problem.NotFound) || err == nil && (foreign || who.Kind == identity.Organization) {
		return identity.Account{}, notFound()
	}
	return who, err
}
