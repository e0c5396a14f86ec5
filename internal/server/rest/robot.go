package rest

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
)

func (a *API) robotRoutes() []*route {
	own := account(access.AdministerAccount, identity.ScopeUserAdmin)
	shown, managed := organization(access.InspectNamespace), organization(access.AdministerNamespace)
	const user, org = "/api/v1/user/robots", "/api/v1/organization/{orgname}/robots"
	return []*route{
		{Method: http.MethodGet, Path: user, ID: "getUserRobots", Summary: "Own robots", Need: own, Handler: handle(a.listRobots)},
		{Method: http.MethodGet, Path: user + "/{robot_shortname}", ID: "getUserRobot", Summary: "An own robot with its token", Need: own, Handler: handle(a.getRobot)},
		{Method: http.MethodPut, Path: user + "/{robot_shortname}", ID: "createUserRobot", Summary: "Create an own robot", Status: http.StatusCreated, Need: account(access.CreateOwnRobot, identity.ScopeUserAdmin), Handler: handle(a.createRobot)},
		{Method: http.MethodDelete, Path: user + "/{robot_shortname}", ID: "deleteUserRobot", Summary: "Delete an own robot", Need: own, Handler: handle(a.deleteRobot)},
		{Method: http.MethodPost, Path: user + "/{robot_shortname}/regenerate", ID: "regenerateUserRobotToken", Summary: "Give an own robot a new token", Need: own, Handler: handle(a.regenerateRobot)},
		{Method: http.MethodGet, Path: org, ID: "getOrgRobots", Summary: "An organization's robots", Need: organization(access.ViewNamespace), Handler: handle(a.listRobots)},
		{Method: http.MethodGet, Path: org + "/{robot_shortname}", ID: "getOrgRobot", Summary: "An organization's robot with its token", Need: shown, Handler: handle(a.getRobot)},
		{Method: http.MethodPut, Path: org + "/{robot_shortname}", ID: "createOrgRobot", Summary: "Create a robot of an organization", Status: http.StatusCreated, Need: managed, Handler: handle(a.createRobot)},
		{Method: http.MethodDelete, Path: org + "/{robot_shortname}", ID: "deleteOrgRobot", Summary: "Delete a robot of an organization", Need: managed, Handler: handle(a.deleteRobot)},
		{Method: http.MethodPost, Path: org + "/{robot_shortname}/regenerate", ID: "regenerateOrgRobotToken", Summary: "Give an organization's robot a new token", Need: managed, Handler: handle(a.regenerateRobot)},
	}
}

// robotOwner is the namespace whose robots a call is about: the organization of the path, else the caller.
func robotOwner(c *Call) identity.Account {
	if c.Organization.ID != 0 {
		return c.Organization
	}
	return c.Principal.Account
}

// robotView is a robot. The token is there only where the caller administers the namespace.
type robotView struct {
	Name         string          `json:"name"`
	Created      *string         `json:"created" doc:"RFC 822 date"`
	LastAccessed *string         `json:"last_accessed" doc:"RFC 822 date"`
	Description  string          `json:"description"`
	Token        string          `json:"token,omitempty"`
	Metadata     json.RawMessage `json:"unstructured_metadata,omitzero"`
	Teams        []teamReference `json:"teams,omitzero"`
	Repositories []string        `json:"repositories,omitzero"`
}

type teamReference struct {
	Name   string `json:"name"`
	Avatar avatar `json:"avatar"`
}

type robotOutput struct{ Body robotView }

func newRobotView(r identity.RobotInfo) robotView {
	used := r.LastUsed
	if used.IsZero() {
		used = r.LastAccessed
	}
	return robotView{
		Name: r.Name, Created: rfc822OrNull(r.CreatedAt), LastAccessed: rfc822OrNull(used), Description: r.Description, Token: r.Token,
	}
}

// newRobotOutput is a robot by itself, which shows its metadata too.
func newRobotOutput(r identity.RobotInfo) *robotOutput {
	out := &robotOutput{newRobotView(r)}
	out.Body.Metadata = json.RawMessage(r.Metadata)
	return out
}

type listRobotsInput struct {
	Token       bool `query:"token" default:"true" doc:"with tokens, for administrators"`
	Permissions bool `query:"permissions" doc:"with teams and repositories, for administrators"`
	Limit       int  `query:"limit" doc:"at most so many; 0 for all"`
}

type listRobotsOutput struct {
	Body struct {
		Robots []robotView `json:"robots"`
	}
}

func (a *API) listRobots(ctx context.Context, c *Call, in *listRobotsInput) (*listRobotsOutput, error) {
	owner := robotOwner(c)
	admin, err := a.administersRobots(ctx, c)
	if err != nil {
		return nil, err
	}
	robots, err := a.options.Identity.Robots(ctx, owner, in.Token && admin, max(in.Limit, 0))
	if err != nil {
		return nil, err
	}
	out := &listRobotsOutput{}
	out.Body.Robots = make([]robotView, 0, len(robots))
	for _, r := range robots {
		out.Body.Robots = append(out.Body.Robots, newRobotView(r))
	}
	if in.Permissions && admin {
		err = a.addGrants(ctx, owner, robots, out.Body.Robots)
	}
	return out, err
}

// addGrants puts teams and repositories into the views of robots.
func (a *API) addGrants(ctx context.Context, owner identity.Account, robots []identity.RobotInfo, views []robotView) error {
	all, err := a.options.Lists.RobotGrants(ctx, owner.ID)
	if err != nil {
		return err
	}
	for i, r := range robots {
		views[i].Teams, views[i].Repositories = []teamReference{}, []string{}
		grants, ok := all[r.ID]
		if !ok {
			continue
		}
		views[i].Repositories = append(views[i].Repositories, grants.Repositories...)
		for _, team := range grants.Teams {
			views[i].Teams = append(views[i].Teams, teamReference{team, newAvatar(team, "", "team")})
		}
	}
	return nil
}

// administersRobots reports whether the caller may see tokens: members of an organization and read-only superusers
// may not.
func (a *API) administersRobots(ctx context.Context, c *Call) (bool, error) {
	if c.Organization.ID == 0 {
		return true, nil // the own account, which the route's permission is about
	}
	return a.may(ctx, c.Principal, access.AdministerNamespace, accountObject(c.Organization))
}

func (a *API) getRobot(ctx context.Context, c *Call, _ *struct{}) (*robotOutput, error) {
	r, err := a.options.Identity.Robot(ctx, robotOwner(c), c.Path.Variable("robot_shortname"))
	if err != nil {
		return nil, asMessage(err)
	}
	admin, err := a.administersRobots(ctx, c)
	if err != nil {
		return nil, err
	}
	if !admin {
		r.Token = ""
	}
	return newRobotOutput(r), nil
}

type createRobotInput struct {
	Body *struct {
		Description string         `json:"description,omitempty" maxLength:"255"`
		Metadata    map[string]any `json:"unstructured_metadata,omitempty"`
	}
}

// createRobot answers a refusal in both of Quay's forms at once: a problem object that also has a message.
func (a *API) createRobot(ctx context.Context, c *Call, in *createRobotInput) (*robotOutput, error) {
	description, metadata := "", []byte("{}")
	if in.Body != nil {
		description = in.Body.Description
		if in.Body.Metadata != nil {
			var err error
			if metadata, err = json.Marshal(in.Body.Metadata); err != nil {
				return nil, err
			}
		}
	}
	r, err := a.options.Identity.CreateRobot(ctx, robotOwner(c), c.Path.Variable("robot_shortname"), description, string(metadata))
	if err != nil {
		return nil, refused(err, func(text string) *failure { return invalidRequest("%s", text).with("message", text) })
	}
	return newRobotOutput(r), nil
}

func (a *API) deleteRobot(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	return nil, asMessage(a.options.Identity.DeleteRobot(ctx, robotOwner(c), c.Path.Variable("robot_shortname")))
}

func (a *API) regenerateRobot(ctx context.Context, c *Call, _ *struct{}) (*robotOutput, error) {
	r, err := a.options.Identity.RegenerateRobot(ctx, robotOwner(c), c.Path.Variable("robot_shortname"))
	if err != nil {
		return nil, asMessage(err)
	}
	return newRobotOutput(r), nil
}
