package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
)

func (a *API) robotGrantRoutes() []*route {
	own := account(access.AdministerAccount, identity.ScopeUserAdmin)
	shown, managed := organization(access.InspectNamespace), organization(access.AdministerNamespace)
	const user, org = "/api/v1/user/robots/{robot_shortname}", "/api/v1/organization/{orgname}/robots/{robot_shortname}"
	return []*route{
		{Method: http.MethodGet, Path: user + "/permissions", ID: "getUserRobotPermissions", Summary: "On which repositories an own robot has permissions", Need: own, Handler: handle(a.listRobotGrants)},
		{Method: http.MethodGet, Path: user + "/federation", ID: "getUserRobotFederation", Summary: "Whose tokens speak for an own robot", Need: own, Handler: handle(a.getFederation)},
		{Method: http.MethodPost, Path: user + "/federation", ID: "createUserRobotFederation", Summary: "Say whose tokens speak for an own robot", Status: http.StatusOK, Need: own, Handler: handle(a.putFederation)},
		{Method: http.MethodDelete, Path: user + "/federation", ID: "deleteUserRobotFederation", Summary: "Let no token speak for an own robot", Need: own, Handler: handle(a.deleteFederation)},
		{Method: http.MethodGet, Path: org + "/permissions", ID: "getOrgRobotPermissions", Summary: "On which repositories an organization's robot has permissions", Need: shown, Handler: handle(a.listRobotGrants)},
		{Method: http.MethodGet, Path: org + "/federation", ID: "getOrgRobotFederation", Summary: "Whose tokens speak for an organization's robot", Need: shown, Handler: handle(a.getFederation)},
		{Method: http.MethodPost, Path: org + "/federation", ID: "createOrgRobotFederation", Summary: "Say whose tokens speak for an organization's robot", Status: http.StatusOK, Need: managed, Handler: handle(a.putFederation)},
		{Method: http.MethodDelete, Path: org + "/federation", ID: "deleteOrgRobotFederation", Summary: "Let no token speak for an organization's robot", Need: managed, Handler: handle(a.deleteFederation)},
	}
}

func (a *API) listRobotGrants(ctx context.Context, c *Call, _ *struct{}) (*grantsOutput, error) {
	owner := robotOwner(c)
	r, err := a.options.Identity.Robot(ctx, owner, c.Path.Variable("robot_shortname"))
	if err != nil {
		return nil, asMessage(err)
	}
	return a.grants(ctx, owner.ID, access.Subject{AccountID: r.ID})
}

// sentTrustRule is an entry of a federation. Its members are checked by hand: a missing one has an answer of its own.
type sentTrustRule struct {
	Issuer  string `json:"issuer,omitempty" maxLength:"2048"`
	Subject string `json:"subject,omitempty" maxLength:"2048"`
}

type federationInput struct {
	Body []sentTrustRule `nullable:"false"`
}

type federationOutput struct{ Body []identity.TrustRule }

func (a *API) getFederation(ctx context.Context, c *Call, _ *struct{}) (*federationOutput, error) {
	rules, err := a.options.Identity.RobotFederation(ctx, robotOwner(c), c.Path.Variable("robot_shortname"))
	if err != nil {
		return nil, asMessage(err)
	}
	return &federationOutput{rules}, nil
}

func (a *API) putFederation(ctx context.Context, c *Call, in *federationInput) (*federationOutput, error) {
	owner, short := robotOwner(c), c.Path.Variable("robot_shortname")
	if _, err := a.options.Identity.RobotFederation(ctx, owner, short); err != nil {
		return nil, asMessage(err)
	}
	rules := make([]identity.TrustRule, 0, len(in.Body))
	for _, r := range in.Body {
		rules = append(rules, identity.TrustRule{Issuer: r.Issuer, Subject: r.Subject})
	}
	if err := a.options.Identity.SetRobotFederation(ctx, owner, short, rules); err != nil {
		return nil, asInvalid(err)
	}
	return &federationOutput{rules}, nil
}

func (a *API) deleteFederation(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	return nil, asMessage(a.options.Identity.SetRobotFederation(ctx, robotOwner(c), c.Path.Variable("robot_shortname"), nil))
}
