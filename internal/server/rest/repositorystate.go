package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
)

func (a *API) repositoryStateRoutes() []*route {
	const one = "/api/v1/repository/{repository}"
	admin := repository(access.Administer, identity.ScopeRepoAdmin)
	inspector := repository(access.InspectRepository, identity.ScopeRepoAdmin)
	reader := repository(access.Pull, identity.ScopeRepoRead)
	return []*route{{
		Method: http.MethodPut, Path: one + "/changestate", ID: "changeRepoState", Summary: "Make a repository read-only, a mirror, or normal again",
		Need: admin, Handler: handle(a.changeState), Off: offUnless(a.options.Mirror, http.StatusMethodNotAllowed),
	}, {
		Method: http.MethodPost, Path: one + "/changetrust", ID: "changeRepoTrust", Summary: "Content trust: this version signs nothing",
		Need: admin, Handler: handle(switchedOff), Off: http.StatusMethodNotAllowed,
	}, {
		Method: http.MethodGet, Path: one + "/signatures", ID: "getRepoSignatures", Summary: "Content trust: this version signs nothing",
		Need: reader, Handler: handle(switchedOff), Off: http.StatusNotFound,
	}, {
		Method: http.MethodGet, Path: one + "/authorizedemail/{email}", ID: "checkRepoEmailAuthorized", Summary: "Addresses for notifications: this version sends none",
		Need: inspector, Handler: handle(switchedOff), Off: http.StatusNotFound,
	}, {
		Method: http.MethodPost, Path: one + "/authorizedemail/{email}", ID: "sendAuthorizeRepoEmail", Summary: "Addresses for notifications: this version sends none",
		Need: admin, Handler: handle(switchedOff), Off: http.StatusMethodNotAllowed,
	}, {
		Method: http.MethodGet, Path: one + "/tokens/", ID: "listRepoTokens", Summary: "Repository tokens: gone",
		Need: inspector, Handler: handle(a.tokensGone),
	}, {
		Method: http.MethodPost, Path: one + "/tokens/", ID: "createToken", Summary: "Repository tokens: gone",
		Need: admin, Handler: handle(a.tokensGone),
	}, {
		Method: http.MethodGet, Path: one + "/tokens/{code}", ID: "getTokens", Summary: "Repository tokens: gone",
		Need: inspector, Handler: handle(a.tokensGone),
	}, {
		Method: http.MethodPut, Path: one + "/tokens/{code}", ID: "changeToken", Summary: "Repository tokens: gone",
		Need: admin, Handler: handle(a.tokensGone),
	}, {
		Method: http.MethodDelete, Path: one + "/tokens/{code}", ID: "deleteToken", Summary: "Repository tokens: gone",
		Need: admin, Handler: handle(a.tokensGone),
	}}
}

type changeStateInput struct {
	Body struct {
		State string `json:"state" enum:"NORMAL,READ_ONLY,MIRROR"`
	}
}

// changeState changes the state in any order. One that its organization mirrors is the organization's to change.
func (a *API) changeState(ctx context.Context, c *Call, in *changeStateInput) (*successOutput, error) {
	if c.Repository.State == access.OrganizationMirror {
		return nil, &failure{status: http.StatusBadRequest, member: "detail", text: "The repository is mirrored by its organization: its state cannot be changed"}
	}
	states := map[string]access.State{"NORMAL": access.Normal, "READ_ONLY": access.ReadOnlyState, "MIRROR": access.Mirror}
	if err := a.options.Registry.SetState(ctx, c.Repository.ID, states[in.Body.State]); err != nil {
		return nil, err
	}
	return succeeded(), nil
}

// tokensGone answers what Quay answers since it has robots.
func (a *API) tokensGone(context.Context, *Call, *struct{}) (*none, error) {
	return nil, message(http.StatusGone, "Handling of access tokens is no longer supported: use a robot account")
}
