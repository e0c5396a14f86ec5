package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/overview"
	"github.com/longshore-registry/longshore/internal/problem"
)

func (a *API) teamRoutes() []*route {
	const team = "/api/v1/organization/{orgname}/team/{teamname}"
	shown, managed := organization(access.InspectNamespace), organization(access.AdministerNamespace)
	return []*route{
		{Method: http.MethodPut, Path: team, ID: "updateOrganizationTeam", Summary: "Make a team or change it", Need: managed, Handler: handle(a.putTeam)},
		{Method: http.MethodDelete, Path: team, ID: "deleteOrganizationTeam", Summary: "Delete a team with its permissions", Need: managed, Handler: handle(a.deleteTeam)},
		{Method: http.MethodGet, Path: team + "/members", ID: "getOrganizationTeamMembers", Summary: "Who is in a team", Need: organization(access.ViewNamespace), Handler: handle(a.listTeamMembers)},
		{Method: http.MethodPut, Path: team + "/members/{membername}", ID: "updateOrganizationTeamMember", Summary: "Add a user or robot to a team, or invite a user", Need: managed, Handler: handle(a.putTeamMember)},
		{Method: http.MethodDelete, Path: team + "/members/{membername}", ID: "deleteOrganizationTeamMember", Summary: "Take a user or robot out of a team, or an invitation back", Need: managed, Handler: handle(a.deleteTeamMember)},
		{Method: http.MethodGet, Path: team + "/permissions", ID: "getOrganizationTeamPermissions", Summary: "On which repositories a team has permissions", Need: shown, Handler: handle(a.listTeamGrants)},
		{Method: http.MethodPost, Path: team + "/syncing", ID: "enableOrganizationTeamSync", Summary: "Let a team follow a directory's group", Need: managed, FreshLogin: true, Off: http.StatusMethodNotAllowed, Handler: handle(switchedOff)},
		{Method: http.MethodDelete, Path: team + "/syncing", ID: "disableOrganizationTeamSync", Summary: "Let a team no longer follow a directory's group", Need: managed, FreshLogin: true, Off: http.StatusMethodNotAllowed, Handler: handle(switchedOff)},
	}
}

type putTeamInput struct {
	Body struct {
		Role        string  `json:"role" enum:"member,creator,admin"`
		Description *string `json:"description,omitempty" maxLength:"4096"`
	}
}

type putTeamOutput struct {
	Body struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		CanView     bool   `json:"can_view"`
		Role        string `json:"role"`
		Avatar      avatar `json:"avatar"`
		NewTeam     bool   `json:"new_team"`
	}
}

func (a *API) putTeam(ctx context.Context, c *Call, in *putTeamInput) (*putTeamOutput, error) {
	t, created, err := a.options.Identity.SetTeamBy(ctx, c.Principal.Account.ID, c.Organization.ID, c.Path.Variable("teamname"),
		parseTeamRole(in.Body.Role), in.Body.Description)
	if err != nil {
		return nil, asMessage(err)
	}
	out := &putTeamOutput{}
	out.Body.Name, out.Body.Description, out.Body.CanView = t.Name, t.Description, true
	out.Body.Role, out.Body.Avatar, out.Body.NewTeam = t.Role.String(), newAvatar(t.Name, "", "team"), created
	return out, nil
}

// parseTeamRole reads a role that the schema has checked.
func parseTeamRole(name string) identity.TeamRole {
	switch name {
	case "admin":
		return identity.TeamAdmin
	case "creator":
		return identity.TeamCreator
	}
	return identity.TeamMember
}

func (a *API) deleteTeam(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	return nil, asMessage(a.options.Identity.DeleteTeamBy(ctx, c.Principal.Account.ID, c.Organization.ID, c.Path.Variable("teamname")))
}

// teamMemberView is a member of a team, or an invitation to it that waits.
type teamMemberView struct {
	Name    string `json:"name,omitempty"`
	Email   string `json:"email,omitempty" doc:"of invited addresses, which have no name"`
	Kind    string `json:"kind" enum:"user,invite"`
	IsRobot *bool  `json:"is_robot,omitempty"`
	Avatar  avatar `json:"avatar"`
	Invited bool   `json:"invited"`
}

func newTeamMember(who identity.Account, invited bool) teamMemberView {
	robot := who.Kind == identity.Robot
	return teamMemberView{Name: who.Name, Kind: "user", IsRobot: &robot, Avatar: accountAvatar(who), Invited: invited}
}

func newInvitedAddress(email string) teamMemberView {
	return teamMemberView{Email: email, Kind: "invite", Avatar: newAvatar(email, email, "user"), Invited: true}
}

type teamMembersInput struct {
	IncludePending bool `query:"includePending" doc:"with invitations, for administrators"`
}

type teamMembersOutput struct {
	Body struct {
		Name    string           `json:"name"`
		Members []teamMemberView `json:"members"`
		CanEdit bool             `json:"can_edit"`
	}
}

// listTeamMembers shows a team to its members and to who administers the organization: as can_view of the
// organization's view says.
func (a *API) listTeamMembers(ctx context.Context, c *Call, in *teamMembersInput) (*teamMembersOutput, error) {
	t, err := a.options.Identity.Team(ctx, c.Organization.ID, c.Path.Variable("teamname"))
	if err != nil {
		return nil, err
	}
	list, err := a.options.Identity.TeamMembers(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	viewable, err := a.viewsTeam(ctx, c, list)
	if err != nil {
		return nil, err
	}
	if !viewable {
		return nil, unauthorized()
	}
	out := &teamMembersOutput{}
	if out.Body.CanEdit, err = a.may(ctx, c.Principal, access.AdministerNamespace, accountObject(c.Organization)); err != nil {
		return nil, err
	}
	out.Body.Name, out.Body.Members = t.Name, make([]teamMemberView, 0, len(list))
	for _, m := range list {
		out.Body.Members = append(out.Body.Members, newTeamMember(m, false))
	}
	if in.IncludePending && out.Body.CanEdit {
		out.Body.Members, err = a.addInvites(ctx, t, out.Body.Members)
	}
	return out, err
}

func (a *API) viewsTeam(ctx context.Context, c *Call, members []identity.Account) (bool, error) {
	for _, m := range members {
		if m.ID == c.Principal.Account.ID {
			return true, nil
		}
	}
	return a.may(ctx, c.Principal, access.InspectNamespace, accountObject(c.Organization))
}

func (a *API) addInvites(ctx context.Context, t identity.Team, members []teamMemberView) ([]teamMemberView, error) {
	invites, err := a.options.Identity.TeamInvites(ctx, t.ID)
	for _, i := range invites {
		if i.Account.ID != 0 {
			members = append(members, newTeamMember(i.Account, true))
		} else {
			members = append(members, newInvitedAddress(i.Email))
		}
	}
	return members, err
}

type teamMemberOutput struct{ Body teamMemberView }

func (a *API) putTeamMember(ctx context.Context, c *Call, _ *struct{}) (*teamMemberOutput, error) {
	who, err := a.holder(ctx, c, c.Path.Variable("membername"), "Unknown user")
	if err != nil {
		return nil, err
	}
	team := c.Path.Variable("teamname")
	invited, err := a.mustInvite(ctx, c, who)
	switch {
	case err != nil:
		return nil, err
	case invited:
		err = a.invite(ctx, c, team, who, "")
	default:
		err = a.options.Identity.AddTeamMember(ctx, c.Organization.ID, team, who.ID)
	}
	if err != nil {
		return nil, invalidOnly(err)
	}
	return &teamMemberOutput{newTeamMember(who, invited)}, nil
}

// invalidOnly makes an invalid_request of what is against a rule; what is missing stays a 404.
func invalidOnly(err error) error {
	if problem.Is(err, problem.NotFound) {
		return err
	}
	return asInvalid(err)
}

func (a *API) deleteTeamMember(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	who, err := a.memberNamed(ctx, c)
	if err != nil {
		return nil, err
	}
	team := c.Path.Variable("teamname")
	err = a.options.Identity.WithdrawInvite(ctx, c.Organization.ID, team, who.ID, "")
	if problem.Is(err, problem.NotFound) {
		err = a.options.Identity.RemoveTeamMemberBy(ctx, c.Principal.Account.ID, c.Organization.ID, team, who.ID)
	}
	return nil, invalidOnly(err)
}

// grantView is a permission seen from who has it.
type grantView struct {
	Repository struct {
		Name     string `json:"name"`
		IsPublic bool   `json:"is_public"`
	} `json:"repository"`
	Role string `json:"role" enum:"read,write,admin"`
}

type grantsOutput struct {
	Body struct {
		Permissions []grantView `json:"permissions"`
	}
}

func (a *API) listTeamGrants(ctx context.Context, c *Call, _ *struct{}) (*grantsOutput, error) {
	t, err := a.options.Identity.Team(ctx, c.Organization.ID, c.Path.Variable("teamname"))
	if err != nil {
		return nil, err
	}
	return a.grants(ctx, c.Organization.ID, access.Subject{TeamID: t.ID})
}

func (a *API) grants(ctx context.Context, namespaceID int64, s access.Subject) (*grantsOutput, error) {
	list, err := a.options.Lists.Grants(ctx, namespaceID, s)
	out := &grantsOutput{}
	out.Body.Permissions = make([]grantView, 0, len(list))
	for _, g := range list {
		out.Body.Permissions = append(out.Body.Permissions, newGrantView(g))
	}
	return out, err
}

func newGrantView(g overview.Grant) grantView {
	v := grantView{Role: roleName(g.Role)}
	v.Repository.Name, v.Repository.IsPublic = g.Repository, g.Public
	return v
}
