package rest

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/oauth"
	"github.com/longshore-registry/longshore/internal/problem"
)

// tokensPerPage is Quay's page size of an application's tokens.
const tokensPerPage = 50

func (a *API) applicationTokenRoutes() []*route {
	const list = "/api/v1/organization/{orgname}/applications/{client_id}/tokens"
	shown, managed := organization(access.InspectNamespace), organization(access.AdministerNamespace)
	return []*route{
		{Method: http.MethodGet, Path: list, ID: "getOrganizationApplicationTokens", Summary: "An OAuth application's tokens", Need: shown, Handler: handle(a.listApplicationTokens)},
		{Method: http.MethodPost, Path: list, ID: "createOrganizationApplicationToken", Summary: "Make a token of an OAuth application with the caller's rights", Status: http.StatusOK, Need: managed, Handler: handle(a.createApplicationToken)},
		{Method: http.MethodDelete, Path: list + "/{token_uuid}", ID: "deleteOrganizationApplicationToken", Summary: "Revoke a token of an OAuth application", Need: managed, Handler: handle(a.deleteApplicationToken)},
	}
}

// applicationToken is a token of an application; its characters are shown once, where it was made.
type applicationToken struct {
	UUID         string  `json:"uuid"`
	Name         *string `json:"name" doc:"null for tokens that users granted"`
	Scope        string  `json:"scope"`
	ExpiresAt    string  `json:"expires_at" doc:"ISO 8601"`
	Created      *string `json:"created" doc:"ISO 8601"`
	CreatedBy    *string `json:"created_by"`
	LastAccessed *string `json:"last_accessed" doc:"ISO 8601; null until it is used"`
	Token        string  `json:"token,omitempty"`
}

type applicationTokenOutput struct{ Body applicationToken }

type applicationTokensInput struct {
	NextPage string `query:"next_page" maxLength:"1024"`
}

type applicationTokensOutput struct {
	Body struct {
		Tokens   []applicationToken `json:"tokens"`
		NextPage string             `json:"next_page,omitempty"`
	}
}

func (a *API) listApplicationTokens(ctx context.Context, c *Call, in *applicationTokensInput) (*applicationTokensOutput, error) {
	p, err := a.options.OAuth.Application(ctx, c.Organization.ID, c.Path.Variable("client_id"))
	if err != nil {
		return nil, err
	}
	var before int64
	if in.NextPage != "" {
		if err := a.pages.decode("getOrganizationApplicationTokens", in.NextPage, &before); err != nil {
			return nil, err
		}
	}
	list, err := a.options.OAuth.Tokens(ctx, p.ID, before, tokensPerPage+1)
	if err != nil {
		return nil, err
	}
	out := &applicationTokensOutput{}
	if len(list) > tokensPerPage {
		list = list[:tokensPerPage]
		if out.Body.NextPage, err = a.pages.encode("getOrganizationApplicationTokens", list[tokensPerPage-1].ID); err != nil {
			return nil, err
		}
	}
	out.Body.Tokens = make([]applicationToken, 0, len(list))
	for _, t := range list {
		out.Body.Tokens = append(out.Body.Tokens, newApplicationToken(t))
	}
	return out, nil
}

func newApplicationToken(t oauth.TokenInfo) applicationToken {
	return applicationToken{
		UUID: t.UUID, Name: textOrNull(t.Name), Scope: t.Scopes.String(), ExpiresAt: iso8601(t.Expires),
		Created: iso8601OrNull(t.Created), CreatedBy: textOrNull(t.CreatedBy), LastAccessed: iso8601OrNull(t.LastUsed),
	}
}

// textOrNull is nil for the empty text.
func textOrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

type createApplicationTokenInput struct {
	Body struct {
		Name       string `json:"name" maxLength:"1024"`
		Scope      string `json:"scope" maxLength:"1024" doc:"separated by blanks or commas"`
		Expiration *int64 `json:"expiration,omitempty" doc:"seconds; ten years when absent, which is also the longest"`
	}
}

func (a *API) createApplicationToken(ctx context.Context, c *Call, in *createApplicationTokenInput) (*applicationTokenOutput, error) {
	scopes, err := identity.ParseScopes(in.Body.Scope)
	if err != nil {
		return nil, asMessage(err)
	}
	life := oauth.TokenLife
	if e := in.Body.Expiration; e != nil {
		if *e < 1 {
			return nil, message(http.StatusBadRequest, "expiration is %d, it must be at least 1 second", *e)
		}
		life = time.Duration(min(*e, int64(oauth.TokenLife/time.Second))) * time.Second
	}
	clientID := c.Path.Variable("client_id")
	if _, err := a.options.OAuth.Application(ctx, c.Organization.ID, clientID); err != nil {
		return nil, err
	}
	if err := a.mayHandOut(ctx, c, scopes); err != nil {
		return nil, err
	}
	issued, err := a.options.OAuth.CreateToken(ctx, c.Organization.ID, clientID, oauth.NewToken{
		Name: in.Body.Name, Scopes: scopes, Lifetime: life, UserID: c.Principal.Account.ID,
	})
	if problem.Is(err, problem.Invalid) {
		return nil, asMessage(err)
	}
	if err != nil {
		return nil, err
	}
	view := newApplicationToken(oauth.TokenInfo{
		UUID: issued.UUID, Name: strings.TrimSpace(in.Body.Name), Scopes: scopes, Created: issued.Created, Expires: issued.Expires, CreatedBy: c.Principal.Account.Name,
	})
	view.Token = issued.Token
	return &applicationTokenOutput{view}, nil
}

// mayHandOut refuses scopes beyond the caller's own: a token hands out what it was given at most, and only a superuser
// hands out the superuser panel.
func (a *API) mayHandOut(ctx context.Context, c *Call, scopes identity.Scopes) error {
	if c.Principal.Credential == identity.OAuthToken && !c.Principal.Scopes.Has(scopes) {
		return unauthorized()
	}
	if scopes&identity.ScopeSuperUser == 0 {
		return nil
	}
	super, err := a.options.Access.IsSuperUser(ctx, c.Principal)
	if err == nil && !super {
		err = unauthorized()
	}
	return err
}

func (a *API) deleteApplicationToken(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	return nil, a.options.OAuth.DeleteToken(ctx, c.Organization.ID, c.Path.Variable("client_id"), c.Path.Variable("token_uuid"))
}
