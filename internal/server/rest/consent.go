package rest

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/oauth"
	"github.com/longshore-registry/longshore/internal/problem"
)

// localHandler is the page of ours that an application may name as its redirect address: it shows the token.
const localHandler = "/oauth/localapp"

func (a *API) consentRoutes() []*route {
	missing := 0
	if !a.options.AssignTokens {
		missing = http.StatusNotFound
	}
	return []*route{
		{Method: http.MethodGet, Path: authorizePath, ID: "oauthAuthorize", Summary: "Ask the user to authorize an application", Need: everybody(), Anonymous: true, Browser: true, Basic: true, Handler: page(a.authorizePage)},
		{Method: http.MethodPost, Path: "/oauth/authorizeapp", ID: "oauthAuthorizeApp", Summary: "Authorize an application", Need: everybody(), Anonymous: true, Basic: true, Direct: true, Form: true, Handler: page(a.authorizeApp)},
		{Method: http.MethodPost, Path: "/oauth/denyapp", ID: "oauthDenyApp", Summary: "Deny an application", Need: everybody(), Anonymous: true, ReadOnlyOK: true, Basic: true, Form: true, Handler: page(a.denyApp)},
		{Method: http.MethodGet, Path: localHandler, ID: "oauthLocalApp", Summary: "Show a token that was just made", Need: everybody(), Anonymous: true, Browser: true, Handler: page(a.localApp)},
		{Method: http.MethodPost, Path: "/oauth/access_token", ID: "oauthAccessToken", Summary: "Exchange a code for a token", Need: everybody(), Anonymous: true, NoCSRF: true, Form: true, Handler: page(a.exchangeCode)},
		{Method: http.MethodPost, Path: "/oauth/authorize/assignuser", ID: "oauthAssignUser", Summary: "Assign a token to a user", Need: everybody(), Anonymous: true, Form: true, Off: missing, Handler: page(a.assignUser)},
	}
}

// asked is a request for authorization, checked as far as the step that answers it needs.
type asked struct {
	oauth.Grant
	Type  string // "code" or "token"
	State string
}

// readAsked checks who is asked and by whom: a signed-in user, by an application with a redirect address that is
// allowed. Until that is known nobody is redirected anywhere but to what the application has registered. A token of
// OAuth never authorizes another one.
func (a *API) readAsked(ctx context.Context, c *Call, x *exchange) (asked, error) {
	p := c.Principal
	if p.Account.Kind != identity.User || p.Credential != identity.Session && p.Credential != identity.Password {
		return asked{}, abort(http.StatusUnauthorized, "Sign in to the registry first, then follow the application's link again")
	}
	if name := x.repeated(); name != "" {
		return asked{}, abort(http.StatusBadRequest, "%q is given more than once", name)
	}
	client, err := a.options.OAuth.Client(ctx, x.value("client_id"))
	if problem.Is(err, problem.NotFound) {
		return asked{}, abort(http.StatusNotFound, "There is no application with this client_id")
	}
	if err != nil {
		return asked{}, err
	}
	q := asked{Type: x.value("response_type"), State: x.value("state")}
	q.Application, q.UserID, q.Redirect, q.Assignment = client, p.Account.ID, x.value("redirect_uri"), x.value("assignment_uuid")
	if q.Type == "" {
		q.Type = "code"
	}
	if !a.redirectAllowed(c, client, q.Redirect) {
		return q, errRedirect(client)
	}
	return q, nil
}

// redirectAllowed reports whether an answer may be sent to an address: the application's, or our own page.
func (a *API) redirectAllowed(c *Call, client oauth.Application, redirect string) bool {
	return isLocal(c, redirect) || oauth.Allows(client.RedirectURI, redirect)
}

func isLocal(c *Call, redirect string) bool {
	return oauth.Allows(c.Record.URL(localHandler), redirect)
}

// mismatch says that a redirect address is not allowed; the registered one is told.
type mismatch struct{ target string }

func (mismatch) Error() string { return "the redirect_uri is not within the registered one" }

// errRedirect sends the browser to the registered address with the error, or nowhere when none that is usable is
// registered.
func errRedirect(client oauth.Application) error {
	if target := oauth.Answer(client.RedirectURI, map[string]string{"error": "redirect_uri_mismatch"}); target != "" {
		return mismatch{target}
	}
	return abort(http.StatusBadRequest, "The redirect_uri is not within the one that is registered for the application")
}

// readGrant checks the rest: that the scopes and the type are known, and that the user may authorize the application,
// as an administrator of its organization or because exactly this was assigned to the user.
func (a *API) readGrant(ctx context.Context, c *Call, x *exchange) (asked, error) {
	q, err := a.readAsked(ctx, c, x)
	if err != nil {
		return q, err
	}
	if q.Scopes, err = identity.ParseScopes(x.value("scope")); err != nil || q.Scopes == 0 {
		return q, abort(http.StatusNotFound, "The scope is missing or unknown; known are %s", identity.AllScopes)
	}
	switch {
	case q.Type != "code" && q.Type != "token":
		return q, mismatch{oauth.Answer(q.Redirect, map[string]string{"error": "unsupported_response_type", "state": q.State})}
	case q.Assignment != "" && q.Type != "token":
		return q, abort(http.StatusBadRequest, "assignment_uuid needs response_type=token")
	}
	may, err := a.mayAuthorize(ctx, c, q)
	if err == nil && !may {
		err = abort(http.StatusForbidden, "Only administrators of the application's organization authorize it, and users to whom a token was assigned")
	}
	return q, err
}

func (a *API) mayAuthorize(ctx context.Context, c *Call, q asked) (bool, error) {
	if q.Assignment != "" && a.options.AssignTokens {
		return a.options.OAuth.IsAssigned(ctx, q.Grant)
	}
	owner, err := a.options.Identity.AccountByID(ctx, q.Application.OrganizationID)
	if err != nil {
		return false, err
	}
	return a.may(ctx, c.Principal, access.AdministerNamespace, accountObject(owner))
}

// consent is what the page shows, and what a program gets in its place.
type consent struct {
	Title        string                `json:"-"`
	User         string                `json:"-"`
	Target       string                `json:"-"`
	Scopes       []scopeInfo           `json:"scopes"`
	Dangerous    bool                  `json:"has_dangerous_scopes"`
	Application  authorizedApplication `json:"application"`
	ResponseType string                `json:"response_type"`
	ClientID     string                `json:"client_id"`
	Redirect     string                `json:"redirect_uri"`
	Scope        string                `json:"scope"`
	CSRF         string                `json:"csrf_token_val"`
	State        string                `json:"state"`
	Assignment   string                `json:"assignment_uuid"`
}

// authorizePage asks the user, or answers at once when the user has granted all of it before.
func (a *API) authorizePage(ctx context.Context, c *Call, x *exchange) error {
	q, err := a.readGrant(ctx, c, x)
	if err != nil {
		return a.refuse(x, err)
	}
	granted, err := a.options.OAuth.Granted(ctx, q.Application.ID, q.UserID)
	if err != nil {
		return err
	}
	if q.Assignment == "" && granted.Has(q.Scopes) && !a.options.Access.Policy().RegistryReadOnly {
		return a.answerGrant(ctx, c, x, q)
	}
	owner, err := a.options.Identity.AccountByID(ctx, q.Application.OrganizationID)
	if err != nil {
		return err
	}
	v := consent{
		Title: "Authorize " + q.Application.Name, User: c.Principal.Account.Name, Scopes: scopeInfos(q.Scopes),
		Application: newAuthorizedApplication(q.Application, owner.Name), ResponseType: q.Type, ClientID: q.Application.ClientID,
		Redirect: q.Redirect, Scope: q.Scopes.String(), CSRF: a.sessions.csrfToken(ctx), State: q.State, Assignment: q.Assignment,
	}
	for _, s := range v.Scopes {
		v.Dangerous = v.Dangerous || s.Dangerous
	}
	if x.wantsJSON() {
		return x.json(http.StatusOK, v)
	}
	v.Target = originOf(q.Redirect)
	return x.html(http.StatusOK, consentPage, v, v.Target)
}

// originOf is scheme, host and port of an address that was found to be allowed.
func originOf(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func (a *API) authorizeApp(ctx context.Context, c *Call, x *exchange) error {
	q, err := a.readGrant(ctx, c, x)
	if err != nil {
		return a.refuse(x, err)
	}
	return a.answerGrant(ctx, c, x, q)
}

func (a *API) denyApp(ctx context.Context, c *Call, x *exchange) error {
	q, err := a.readAsked(ctx, c, x)
	if err != nil {
		return a.refuse(x, err)
	}
	x.redirect(oauth.Answer(q.Redirect, map[string]string{"error": "authorization_denied", "state": q.State}))
	return nil
}

// refuse answers a request that does not come to consent: with a redirect where one is safe, in words else.
func (a *API) refuse(x *exchange, err error) error {
	var m mismatch
	if errors.As(err, &m) {
		x.redirect(m.target)
		return nil
	}
	var f *failure
	if !errors.As(err, &f) || x.wantsJSON() || !acceptsHTML(x.r) {
		return err
	}
	if f.status == http.StatusUnauthorized {
		x.w.Header().Set("WWW-Authenticate", challenge(""))
		if !x.route.changes() && a.options.DirectLogin {
			return x.html(f.status, signInFirstPage, struct{ Title, Text, Link string }{"Sign in", f.text, signInAddress(x.r.URL.RequestURI())}, "")
		}
	}
	return x.html(f.status, notePage, note{"The application cannot be authorized", f.text}, "")
}
