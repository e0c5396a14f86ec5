package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/oauth"
)

func (a *API) authorizationRoutes() []*route {
	const granted, assigned = "/api/v1/user/authorizations", "/api/v1/user/assignedauthorization"
	own := account(access.AdministerAccount, identity.ScopeUserAdmin)
	missing, refused := 0, 0
	if !a.options.AssignTokens {
		missing, refused = http.StatusNotFound, http.StatusMethodNotAllowed
	}
	return []*route{
		{Method: http.MethodGet, Path: granted, ID: "listUserAuthorizations", Summary: "Tokens that act for the user", Need: own, Handler: handle(a.listAuthorizations)},
		{Method: http.MethodGet, Path: granted + "/{access_token_uuid}", ID: "getUserAuthorization", Summary: "A token that acts for the user", Need: own, Handler: handle(a.getAuthorization)},
		{Method: http.MethodDelete, Path: granted + "/{access_token_uuid}", ID: "deleteUserAuthorization", Summary: "Revoke a token that acts for the user", Need: own, Handler: handle(a.deleteAuthorization)},
		{Method: http.MethodGet, Path: assigned, ID: "listAssignedAuthorizations", Summary: "Tokens that were assigned to the user", Need: own, Off: missing, Handler: handle(a.listAssigned)},
		{Method: http.MethodDelete, Path: assigned + "/{assigned_authorization_uuid}", ID: "deleteAssignedAuthorization", Summary: "Decline a token that was assigned to the user", Need: own, Off: refused, Handler: handle(a.deleteAssigned)},
	}
}

// authorizationView is a token that acts for the user, or is offered.
type authorizationView struct {
	Application  authorizedApplication `json:"application"`
	Scopes       []scopeInfo           `json:"scopes"`
	UUID         string                `json:"uuid"`
	RedirectURI  *string               `json:"redirectUri,omitempty"`
	ResponseType *string               `json:"responseType,omitempty"`
}

type authorizedApplication struct {
	Name         string                 `json:"name"`
	ClientID     string                 `json:"clientId,omitempty"`
	Description  string                 `json:"description"`
	URL          string                 `json:"url"`
	Avatar       avatar                 `json:"avatar"`
	Organization authorizedOrganization `json:"organization"`
}

type authorizedOrganization struct {
	Name   string `json:"name"`
	Avatar avatar `json:"avatar"`
}

type authorizationOutput struct{ Body authorizationView }

type authorizationsOutput struct {
	Body struct {
		Authorizations []authorizationView `json:"authorizations"`
	}
}

func newAuthorizationView(a oauth.Authorization) authorizationView {
	return authorizationView{UUID: a.UUID, Scopes: scopeInfos(a.Scopes), Application: newAuthorizedApplication(a.Application, a.Organization)}
}

func newAuthorizedApplication(p oauth.Application, organization string) authorizedApplication {
	return authorizedApplication{
		Name: p.Name, Description: p.Description, URL: p.Link(), Avatar: newAvatar(p.Name, p.AvatarEmail, "app"),
		Organization: authorizedOrganization{organization, newAvatar(organization, "", "org")},
	}
}

func (a *API) listAuthorizations(ctx context.Context, c *Call, _ *struct{}) (*authorizationsOutput, error) {
	list, err := a.options.OAuth.Authorizations(ctx, c.Principal.Account.ID)
	out := &authorizationsOutput{}
	out.Body.Authorizations = make([]authorizationView, 0, len(list))
	for _, x := range list {
		out.Body.Authorizations = append(out.Body.Authorizations, newAuthorizationView(x))
	}
	return out, err
}

func (a *API) getAuthorization(ctx context.Context, c *Call, _ *struct{}) (*authorizationOutput, error) {
	list, err := a.options.OAuth.Authorizations(ctx, c.Principal.Account.ID)
	if err != nil {
		return nil, err
	}
	for _, x := range list {
		if x.UUID == c.Path.Variable("access_token_uuid") {
			return &authorizationOutput{newAuthorizationView(x)}, nil
		}
	}
	return nil, notFound()
}

func (a *API) deleteAuthorization(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	return nil, a.options.OAuth.Revoke(ctx, c.Principal.Account.ID, c.Path.Variable("access_token_uuid"))
}

// listAssigned shows what was assigned; with that the notes that told of it have done their work.
func (a *API) listAssigned(ctx context.Context, c *Call, _ *struct{}) (*authorizationsOutput, error) {
	list, err := a.options.OAuth.Assigned(ctx, c.Principal.Account.ID)
	if err != nil {
		return nil, err
	}
	out := &authorizationsOutput{}
	out.Body.Authorizations = make([]authorizationView, 0, len(list))
	for _, x := range list {
		view := newAuthorizationView(x)
		view.Application.ClientID, view.RedirectURI, view.ResponseType = x.Application.ClientID, &x.Redirect, &x.ResponseType
		out.Body.Authorizations = append(out.Body.Authorizations, view)
	}
	if len(list) > 0 && !a.options.Access.Policy().RegistryReadOnly {
		err = a.options.OAuth.ForgetNotes(ctx, c.Principal.Account.ID)
	}
	return out, err
}

func (a *API) deleteAssigned(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	return nil, a.options.OAuth.Decline(ctx, c.Principal.Account.ID, c.Path.Variable("assigned_authorization_uuid"))
}
