package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

func (a *API) prototypeRoutes() []*route {
	const list = "/api/v1/organization/{orgname}/prototypes"
	shown, managed := organization(access.InspectNamespace), organization(access.AdministerNamespace)
	return []*route{
		{Method: http.MethodGet, Path: list, ID: "getOrganizationPrototypePermissions", Summary: "Default permissions of new repositories", Need: shown, Handler: handle(a.listPrototypes)},
		{Method: http.MethodPost, Path: list, ID: "createOrganizationPrototypePermission", Summary: "Make a default permission", Status: http.StatusOK, Need: managed, Handler: handle(a.createPrototype)},
		{Method: http.MethodPut, Path: list + "/{prototypeid}", ID: "updateOrganizationPrototypePermission", Summary: "Change the role of a default permission", Need: managed, Handler: handle(a.putPrototype)},
		{Method: http.MethodDelete, Path: list + "/{prototypeid}", ID: "deleteOrganizationPrototypePermission", Summary: "Delete a default permission", Need: managed, Handler: handle(a.deletePrototype)},
	}
}

// delegateView is a user, robot or team of a default permission; a team has a name, a kind and an avatar only.
type delegateView struct {
	Name        string `json:"name"`
	Kind        string `json:"kind" enum:"user,team"`
	IsRobot     *bool  `json:"is_robot,omitempty"`
	IsOrgMember *bool  `json:"is_org_member,omitempty"`
	Avatar      avatar `json:"avatar"`
}

type prototypeView struct {
	ActivatingUser *delegateView `json:"activating_user"`
	Delegate       delegateView  `json:"delegate"`
	Role           string        `json:"role" enum:"read,write,admin"`
	ID             string        `json:"id"`
}

type prototypeOutput struct{ Body prototypeView }

type prototypesOutput struct {
	Body struct {
		Prototypes []prototypeView `json:"prototypes"`
	}
}

func newPrototypeView(p access.Prototype) prototypeView {
	v := prototypeView{Role: roleName(p.Delegate.Role), ID: p.UUID}
	if p.Delegate.TeamID != 0 {
		v.Delegate = delegateView{Name: p.Delegate.Name, Kind: "team", Avatar: newAvatar(p.Delegate.Name, "", "team")}
	} else {
		v.Delegate = newDelegateUser(p.Delegate.Name, p.Delegate.Email, p.Delegate.IsRobot, p.Delegate.OrgMember)
	}
	if p.Activating.AccountID != 0 {
		user := newDelegateUser(p.Activating.Name, p.Activating.Email, p.Activating.IsRobot, p.Activating.OrgMember)
		v.ActivatingUser = &user
	}
	return v
}

func newDelegateUser(name, email string, robot, member bool) delegateView {
	member = member || robot // its robots belong to the organization
	return delegateView{Name: name, Kind: "user", IsRobot: &robot, IsOrgMember: &member, Avatar: holderAvatar(name, email, robot)}
}

func (a *API) listPrototypes(ctx context.Context, c *Call, _ *struct{}) (*prototypesOutput, error) {
	list, err := a.options.Access.Prototypes(ctx, c.Organization.ID)
	out := &prototypesOutput{}
	out.Body.Prototypes = make([]prototypeView, 0, len(list))
	for _, p := range list {
		out.Body.Prototypes = append(out.Body.Prototypes, newPrototypeView(p))
	}
	return out, err
}

type createPrototypeInput struct {
	Body struct {
		Role     string `json:"role" enum:"read,write,admin"`
		Delegate struct {
			Name string `json:"name" maxLength:"255"`
			Kind string `json:"kind" enum:"user,team"`
		} `json:"delegate"`
		ActivatingUser *activatingUser `json:"activating_user,omitempty"`
	}
}

// activatingUser says whose repositories a default permission is for; null is everybody's.
type activatingUser struct {
	_    struct{} `nullable:"true"`
	Name string   `json:"name" maxLength:"255"`
}

func (a *API) createPrototype(ctx context.Context, c *Call, in *createPrototypeInput) (*prototypeOutput, error) {
	var activating int64
	if in.Body.ActivatingUser != nil {
		who, err := a.holder(ctx, c, in.Body.ActivatingUser.Name, "Unknown activating user")
		if err != nil {
			return nil, err
		}
		activating = who.ID
	}
	delegate, err := a.delegate(ctx, c, in.Body.Delegate.Kind, in.Body.Delegate.Name)
	if err != nil {
		return nil, err
	}
	made, err := a.options.Access.AddPrototype(ctx, c.Organization.ID, activating, delegate, parseRole(in.Body.Role))
	if err != nil {
		return nil, asInvalid(err)
	}
	return &prototypeOutput{newPrototypeView(made)}, nil
}

func (a *API) delegate(ctx context.Context, c *Call, kind, name string) (access.Subject, error) {
	if kind == "team" {
		t, err := a.options.Identity.Team(ctx, c.Organization.ID, name)
		return access.Subject{TeamID: t.ID}, asMessage(err)
	}
	who, err := a.holder(ctx, c, name, "Missing delegate user or team")
	return access.Subject{AccountID: who.ID}, err
}

// holder is a user, or robot of the organization, of a name. Whoever cannot hold a permission there is unknown, with
// the given text.
func (a *API) holder(ctx context.Context, c *Call, name, unknown string) (identity.Account, error) {
	who, err := a.options.Identity.Account(ctx, name)
	foreign := who.Kind == identity.Robot && who.OwnerID != c.Organization.ID
	if problem.Is(err, problem.NotFound) || err == nil && (foreign || who.Kind == identity.Organization) {
		return identity.Account{}, invalidRequest("%s", unknown)
	}
	return who, err
}

func (a *API) putPrototype(ctx context.Context, c *Call, in *roleInput) (*prototypeOutput, error) {
	changed, err := a.options.Access.SetPrototypeRole(ctx, c.Organization.ID, c.Path.Variable("prototypeid"), parseRole(in.Body.Role))
	if err != nil {
		return nil, err
	}
	return &prototypeOutput{newPrototypeView(changed)}, nil
}

func (a *API) deletePrototype(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	return nil, a.options.Access.DeletePrototype(ctx, c.Organization.ID, c.Path.Variable("prototypeid"))
}
