package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

func (a *API) permissionRoutes() []*route {
	const users, teams = "/api/v1/repository/{repository}/permissions/user/", "/api/v1/repository/{repository}/permissions/team/"
	admin := repository(access.Administer, identity.ScopeRepoAdmin)
	shown := repository(access.InspectRepository, identity.ScopeRepoAdmin)
	return []*route{
		{Method: http.MethodGet, Path: users, ID: "listRepoUserPermissions", Summary: "Permissions of users and robots on a repository", Need: shown, Handler: handle(a.listUserPermissions)},
		{Method: http.MethodGet, Path: users + "{username}", ID: "getUserPermissions", Summary: "The permission of a user or robot on a repository", Need: shown, Handler: handle(a.getUserPermission)},
		{Method: http.MethodPut, Path: users + "{username}", ID: "changeUserPermissions", Summary: "Give a user or robot a role on a repository", Need: admin, Handler: handle(a.putUserPermission)},
		{Method: http.MethodDelete, Path: users + "{username}", ID: "deleteUserPermissions", Summary: "Take a user's or robot's permission on a repository", Need: admin, Handler: handle(a.deleteUserPermission)},
		{Method: http.MethodGet, Path: users + "{username}/transitive", ID: "getUserTransitivePermission", Summary: "All roles a user has on a repository, also by teams", Need: shown, Handler: handle(a.getTransitivePermission)},
		{Method: http.MethodGet, Path: teams, ID: "listRepoTeamPermissions", Summary: "Permissions of teams on a repository", Need: shown, Handler: handle(a.listTeamPermissions)},
		{Method: http.MethodGet, Path: teams + "{teamname}", ID: "getTeamPermissions", Summary: "The permission of a team on a repository", Need: shown, Handler: handle(a.getTeamPermission)},
		{Method: http.MethodPut, Path: teams + "{teamname}", ID: "changeTeamPermissions", Summary: "Give a team a role on a repository", Need: admin, Handler: handle(a.putTeamPermission)},
		{Method: http.MethodDelete, Path: teams + "{teamname}", ID: "deleteTeamPermissions", Summary: "Take a team's permission on a repository", Need: admin, Handler: handle(a.deleteTeamPermission)},
	}
}

// userPermission is the role of a user or robot on a repository. is_org_member is there in organizations only.
type userPermission struct {
	Role        string `json:"role" enum:"read,write,admin"`
	Name        string `json:"name"`
	IsRobot     bool   `json:"is_robot"`
	Avatar      avatar `json:"avatar"`
	IsOrgMember *bool  `json:"is_org_member,omitempty"`
}

type teamPermission struct {
	Role   string `json:"role" enum:"read,write,admin"`
	Name   string `json:"name"`
	Avatar avatar `json:"avatar"`
}

type roleOnly struct {
	Role string `json:"role" enum:"read,write,admin"`
}

type roleInput struct {
	Body roleOnly
}

type userPermissionsOutput struct {
	Body struct {
		Permissions map[string]userPermission `json:"permissions"`
	}
}

type teamPermissionsOutput struct {
	Body struct {
		Permissions map[string]teamPermission `json:"permissions"`
	}
}

type transitiveOutput struct {
	Body struct {
		Permissions []roleOnly `json:"permissions"`
	}
}

type userPermissionOutput struct{ Body userPermission }

type teamPermissionOutput struct{ Body teamPermission }

type roleOutput struct{ Body roleOnly }

func (a *API) listUserPermissions(ctx context.Context, c *Call, _ *struct{}) (*userPermissionsOutput, error) {
	list, err := a.options.Access.Permissions(ctx, c.Repository.ID, false)
	if err != nil {
		return nil, err
	}
	out := &userPermissionsOutput{}
	out.Body.Permissions = make(map[string]userPermission, len(list))
	for _, p := range list {
		out.Body.Permissions[p.Name] = newUserPermission(c, p)
	}
	return out, nil
}

func (a *API) getUserPermission(ctx context.Context, c *Call, _ *struct{}) (*userPermissionOutput, error) {
	p, err := a.permissionNamed(ctx, c, c.Path.Variable("username"), false)
	if err != nil {
		return nil, err
	}
	return &userPermissionOutput{newUserPermission(c, p)}, nil
}

func (a *API) putUserPermission(ctx context.Context, c *Call, in *roleInput) (*userPermissionOutput, error) {
	who, err := a.grantee(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := a.options.Access.Grant(ctx, c.Repository.ID, access.Subject{AccountID: who.ID}, parseRole(in.Body.Role)); err != nil {
		return nil, asInvalid(err)
	}
	return a.getUserPermission(ctx, c, nil)
}

func (a *API) deleteUserPermission(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	who, err := a.grantee(ctx, c)
	if err != nil {
		return nil, err
	}
	had, err := a.options.Access.Revoke(ctx, c.Repository.ID, access.Subject{AccountID: who.ID})
	if err == nil && !had {
		err = invalidRequest("User does not have permission for repo.")
	}
	return nil, err
}

// grantee is the user or robot of the path. A robot of another namespace can hold no permission here and is answered
// like one that does not exist, so that nobody learns the names of foreign robots.
func (a *API) grantee(ctx context.Context, c *Call) (identity.Account, error) {
	name := c.Path.Variable("username")
	who, err := a.options.Identity.Account(ctx, name)
	foreign := who.Kind == identity.Robot && who.OwnerID != c.Repository.NamespaceID
	if problem.Is(err, problem.NotFound) || err == nil && (foreign || who.Kind == identity.Organization) {
		return who, invalidRequest("Invalid username: %s", name)
	}
	return who, err
}

// permissionNamed finds a subject's permission; without one the answer is Quay's 400.
func (a *API) permissionNamed(ctx context.Context, c *Call, name string, team bool) (access.Permission, error) {
	list, err := a.options.Access.Permissions(ctx, c.Repository.ID, team)
	if err != nil {
		return access.Permission{}, err
	}
	for _, p := range list {
		if p.Name == name {
			return p, nil
		}
	}
	if team {
		return access.Permission{}, message(http.StatusBadRequest, "Team does not have permission for repo.")
	}
	return access.Permission{}, message(http.StatusBadRequest, "User does not have permission for repo.")
}

func newUserPermission(c *Call, p access.Permission) userPermission {
	v := userPermission{Role: roleName(p.Role), Name: p.Name, IsRobot: p.IsRobot, Avatar: holderAvatar(p.Name, p.Email, p.IsRobot)}
	if c.Repository.NamespaceKind == identity.Organization {
		member := p.IsRobot || p.OrgMember // its robots belong to the organization
		v.IsOrgMember = &member
	}
	return v
}

func roleName(r access.Role) string {
	switch r {
	case access.Admin:
		return "admin"
	case access.Write:
		return "write"
	}
	return "read"
}

// parseRole reads a role that the schema has checked.
func parseRole(name string) access.Role {
	switch name {
	case "admin":
		return access.Admin
	case "write":
		return access.Write
	}
	return access.Read
}

func (a *API) listTeamPermissions(ctx context.Context, c *Call, _ *struct{}) (*teamPermissionsOutput, error) {
	list, err := a.options.Access.Permissions(ctx, c.Repository.ID, true)
	if err != nil {
		return nil, err
	}
	out := &teamPermissionsOutput{}
	out.Body.Permissions = make(map[string]teamPermission, len(list))
	for _, p := range list {
		out.Body.Permissions[p.Name] = newTeamPermission(p)
	}
	return out, nil
}

func (a *API) getTeamPermission(ctx context.Context, c *Call, _ *struct{}) (*roleOutput, error) {
	p, err := a.permissionNamed(ctx, c, c.Path.Variable("teamname"), true)
	if err != nil {
		return nil, err
	}
	return &roleOutput{roleOnly{roleName(p.Role)}}, nil
}

func (a *API) putTeamPermission(ctx context.Context, c *Call, in *roleInput) (*teamPermissionOutput, error) {
	team, err := a.options.Identity.Team(ctx, c.Repository.NamespaceID, c.Path.Variable("teamname"))
	if err != nil {
		return nil, asInvalid(err)
	}
	role := parseRole(in.Body.Role)
	if err := a.options.Access.Grant(ctx, c.Repository.ID, access.Subject{TeamID: team.ID}, role); err != nil {
		return nil, asInvalid(err)
	}
	return &teamPermissionOutput{newTeamPermission(access.Permission{Name: team.Name, Role: role})}, nil
}

func (a *API) deleteTeamPermission(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	team, err := a.options.Identity.Team(ctx, c.Repository.NamespaceID, c.Path.Variable("teamname"))
	if err != nil {
		return nil, asInvalid(err)
	}
	had, err := a.options.Access.Revoke(ctx, c.Repository.ID, access.Subject{TeamID: team.ID})
	if err == nil && !had {
		err = invalidRequest("Team does not have permission for repo.")
	}
	return nil, err
}

func newTeamPermission(p access.Permission) teamPermission {
	return teamPermission{Role: roleName(p.Role), Name: p.Name, Avatar: newAvatar(p.Name, "", "team")}
}

// getTransitivePermission lists what a user or robot was given, itself and by teams.
func (a *API) getTransitivePermission(ctx context.Context, c *Call, _ *struct{}) (*transitiveOutput, error) {
	who, err := a.options.Identity.Account(ctx, c.Path.Variable("username"))
	if err != nil {
		return nil, err
	}
	roles, err := a.options.Lists.Roles(ctx, c.Repository.ID, who.ID)
	if err != nil {
		return nil, err
	}
	if len(roles) == 0 {
		return nil, notFound()
	}
	out := &transitiveOutput{}
	for _, role := range roles {
		out.Body.Permissions = append(out.Body.Permissions, roleOnly{roleName(role)})
	}
	return out, nil
}
