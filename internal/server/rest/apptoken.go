package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

func (a *API) appTokenRoutes() []*route {
	own := account(access.AdministerAccount, identity.ScopeUserAdmin)
	others := need{onRegistry, access.InspectCredentials, identity.ScopeSuperUser}
	const path = "/api/v1/user/apptoken"
	all := []*route{
		{Method: http.MethodGet, Path: path, ID: "listAppTokens", Summary: "Own application tokens", Need: own, Handler: handle(a.listAppTokens)},
		{Method: http.MethodPost, Path: path, ID: "createAppToken", Summary: "Make an application token", Need: own, FreshLogin: true, Handler: handle(a.createAppToken)},
		{Method: http.MethodGet, Path: path + "/{token_uuid}", ID: "getAppToken", Summary: "An own application token with its code", Need: own, FreshLogin: true, Handler: handle(a.getAppToken)},
		{Method: http.MethodDelete, Path: path + "/{token_uuid}", ID: "revokeAppToken", Summary: "Revoke an application token", Need: own, FreshLogin: true, Handler: handle(a.deleteAppToken)},
		{Method: http.MethodGet, Path: "/api/v1/superuser/apptokens", ID: "listAllAppTokens", Summary: "Application tokens of all users", Need: others, FreshLogin: true, Handler: handle(a.listAllAppTokens)},
	}
	for _, r := range all {
		switch {
		case a.options.AppTokens:
		case r.changes():
			r.Off = http.StatusMethodNotAllowed
		default:
			r.Off = http.StatusNotFound
		}
	}
	return all
}

type appTokenView struct {
	UUID         string  `json:"uuid"`
	Title        string  `json:"title"`
	LastAccessed *string `json:"last_accessed"`
	Created      string  `json:"created"`
	Expiration   *string `json:"expiration"`
	Code         string  `json:"token_code,omitempty" doc:"120 characters; the password of $app"`
}

func newAppTokenView(t identity.AppTokenInfo) appTokenView {
	return appTokenView{
		UUID: t.UUID, Title: t.Title, LastAccessed: rfc822OrNull(t.LastUsed), Created: rfc822(t.Created),
		Expiration: rfc822OrNull(t.Expires), Code: t.Token,
	}
}

type listAppTokensInput struct {
	Expiring string `query:"expiring" maxLength:"16" doc:"only tokens that end soon"`
}

type listAppTokensOutput struct {
	Body struct {
		Tokens       []appTokenView `json:"tokens"`
		OnlyExpiring *bool          `json:"only_expiring" doc:"as asked for, null when nothing was"`
	}
}

func (a *API) listAppTokens(ctx context.Context, c *Call, in *listAppTokensInput) (*listAppTokensOutput, error) {
	tokens, err := a.options.Identity.AppTokens(ctx, c.Principal.Account.ID)
	return a.shownAppTokens(tokens, in, err)
}

func (a *API) listAllAppTokens(ctx context.Context, _ *Call, in *listAppTokensInput) (*listAppTokensOutput, error) {
	tokens, err := a.options.Identity.AllAppTokens(ctx)
	return a.shownAppTokens(tokens, in, err)
}

func (a *API) shownAppTokens(tokens []identity.AppTokenInfo, in *listAppTokensInput, err error) (*listAppTokensOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &listAppTokensOutput{}
	expiring := flag(in.Expiring) == "true"
	if in.Expiring != "" {
		out.Body.OnlyExpiring = &expiring
	}
	out.Body.Tokens = make([]appTokenView, 0, len(tokens))
	for _, t := range tokens {
		if !expiring || t.Expiring(a.options.Clock(), a.options.AppTokenLife) {
			out.Body.Tokens = append(out.Body.Tokens, newAppTokenView(t))
		}
	}
	return out, nil
}

type createAppTokenInput struct {
	Body struct {
		Title string `json:"title" maxLength:"255"`
	}
}

type appTokenOutput struct {
	Body struct {
		Token appTokenView `json:"token"`
	}
}

func (a *API) createAppToken(ctx context.Context, c *Call, in *createAppTokenInput) (*appTokenOutput, error) {
	uuid, _, err := a.options.Identity.CreateAppToken(ctx, c.Principal.Account.ID, in.Body.Title, a.options.AppTokenLife)
	if err != nil {
		return nil, asInvalid(err)
	}
	return a.appToken(ctx, c, uuid)
}

func (a *API) getAppToken(ctx context.Context, c *Call, _ *struct{}) (*appTokenOutput, error) {
	return a.appToken(ctx, c, c.Path.Variable("token_uuid"))
}

// appToken shows one of the caller's tokens.
func (a *API) appToken(ctx context.Context, c *Call, uuid string) (*appTokenOutput, error) {
	t, err := a.options.Identity.AppToken(ctx, c.Principal.Account.ID, uuid)
	if problem.Is(err, problem.NotFound) {
		return nil, notFound()
	}
	out := &appTokenOutput{}
	out.Body.Token = newAppTokenView(t)
	return out, err
}

func (a *API) deleteAppToken(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	err := a.options.Identity.DeleteAppToken(ctx, c.Principal.Account.ID, c.Path.Variable("token_uuid"))
	if problem.Is(err, problem.NotFound) {
		return nil, notFound()
	}
	return nil, err
}
