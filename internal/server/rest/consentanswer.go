package rest

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/oauth"
	"github.com/longshore-registry/longshore/internal/problem"
)

// answerGrant makes the code or the token and sends the browser with it to the redirect address.
func (a *API) answerGrant(ctx context.Context, c *Call, x *exchange, q asked) error {
	if q.Type == "code" {
		code, err := a.options.OAuth.Code(ctx, q.Grant)
		if err != nil {
			return err
		}
		x.redirect(oauth.Answer(q.Redirect, map[string]string{"code": code, "state": q.State}))
		return nil
	}
	issued, err := a.options.OAuth.Token(ctx, q.Grant)
	if problem.Is(err, problem.NotFound) {
		return abort(http.StatusForbidden, "The assignment was taken up or withdrawn meanwhile")
	}
	if err != nil {
		return err
	}
	query := map[string]string{"scope": q.Scopes.String(), "state": q.State}
	if isLocal(c, q.Redirect) {
		if query["ticket"], err = a.ticket(q.UserID, issued.Token); err != nil {
			return err
		}
	}
	fragment := "#access_token=" + issued.Token + "&token_type=Bearer&expires_in=" + lifeInSeconds()
	if q.State != "" {
		fragment += "&state=" + url.QueryEscape(q.State)
	}
	x.redirect(oauth.Answer(q.Redirect, query) + fragment)
	return nil
}

func lifeInSeconds() string { return strconv.FormatInt(int64(oauth.TokenLife/time.Second), 10) }

// ticketLife is how long the page that shows a token can be loaded.
const ticketLife = time.Minute

// ticket carries a token to the page that shows it, sealed and for its user alone: what stands behind the # of an
// address never reaches a server, and the page has no script that could read it.
type ticket struct {
	User    int64  `json:"u"`
	Token   string `json:"t"`
	Expires int64  `json:"x"` // Unix seconds
}

func (a *API) ticket(userID int64, token string) (string, error) {
	return a.pages.encode("oauthLocalApp", ticket{userID, token, a.options.Clock().Add(ticketLife).Unix()})
}

func (a *API) localApp(_ context.Context, c *Call, x *exchange) error {
	if c.Principal.Credential != identity.Session {
		return a.refuse(x, abort(http.StatusUnauthorized, "Sign in to the registry first"))
	}
	if x.query.Get("scope") == "" {
		return x.html(http.StatusOK, notePage, note{"Authorization canceled", "No access was given."}, "")
	}
	var t ticket
	err := a.pages.decode("oauthLocalApp", x.query.Get("ticket"), &t)
	shown := err == nil && t.User == c.Principal.Account.ID && a.options.Clock().Unix() <= t.Expires
	switch {
	case shown && x.wantsJSON():
		return x.json(http.StatusOK, map[string]string{"access_token": t.Token})
	case shown:
		return x.html(http.StatusOK, tokenPage, struct{ Title, Token string }{"Access token", t.Token}, "")
	case x.wantsJSON():
		return abort(http.StatusBadRequest, "The token can no longer be shown; authorize the application once more")
	}
	return x.html(http.StatusOK, notePage, note{"Access token", "The token stands in the address of this page, between access_token= and the next &."}, "")
}

// tokenAnswer is RFC 6749 §5.1. There are no refresh tokens: the member is null, which clients read as none.
type tokenAnswer struct {
	AccessToken  string  `json:"access_token"`
	TokenType    string  `json:"token_type"`
	ExpiresIn    int64   `json:"expires_in"`
	RefreshToken *string `json:"refresh_token"`
}

// exchangeCode gives an application the token for a code. The application shows its secret by HTTP Basic or in the
// form.
func (a *API) exchangeCode(ctx context.Context, _ *Call, x *exchange) error {
	id, secret, ok := x.r.BasicAuth()
	if !ok || !storable(id) {
		id, secret = x.form.Get("client_id"), x.form.Get("client_secret")
	}
	x.w.Header().Set("Pragma", "no-cache")
	if name := x.repeated(); name != "" {
		return x.json(http.StatusBadRequest, oauthError("invalid_request", strconv.Quote(name)+" is given more than once"))
	}
	if x.form.Get("grant_type") != "authorization_code" {
		return x.json(http.StatusBadRequest, oauthError("unsupported_grant_type", "grant_type must be authorization_code"))
	}
	issued, err := a.options.OAuth.Exchange(ctx, oauth.Exchange{
		ClientID: id, Secret: secret, Redirect: x.form.Get("redirect_uri"), Code: x.form.Get("code"), Scope: x.form.Get("scope"),
	})
	if problem.Is(err, problem.Invalid) {
		e := problem.From(err)
		return x.json(http.StatusBadRequest, oauthError(e.Code, e.Message))
	}
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, tokenAnswer{AccessToken: issued.Token, TokenType: "Bearer", ExpiresIn: int64(oauth.TokenLife / time.Second)})
}

func oauthError(code, text string) map[string]string {
	return map[string]string{"error": code, "error_description": text}
}

// assignUser offers a token of an application to a user, who takes it up by authorizing the application.
func (a *API) assignUser(ctx context.Context, c *Call, x *exchange) error {
	q, err := a.readAsked(ctx, c, x)
	if err != nil {
		return a.refuse(x, err)
	}
	q.Assignment = ""
	if q.Type != "code" && q.Type != "token" {
		return a.refuse(x, abort(http.StatusBadRequest, "The response_type is neither code nor token"))
	}
	may, err := a.mayAuthorize(ctx, c, q)
	if err != nil {
		return err
	}
	if !may {
		return a.refuse(x, abort(http.StatusForbidden, "Only administrators of the application's organization assign its tokens"))
	}
	scopes, err := identity.ParseScopes(x.value("scope"))
	if err != nil || scopes == 0 {
		return a.refuse(x, abort(http.StatusNotFound, "The scope is missing or unknown; known are %s", identity.AllScopes))
	}
	user, err := a.options.Identity.Account(ctx, x.value("username"))
	if problem.Is(err, problem.NotFound) || err == nil && (user.Kind != identity.User || !user.Enabled) {
		return a.refuse(x, abort(http.StatusNotFound, "There is no user with this username, or the user is disabled"))
	}
	if err != nil {
		return err
	}
	err = a.options.OAuth.Assign(ctx, q.Application, oauth.Assignment{
		UserID: user.ID, Username: user.Name, Redirect: q.Redirect, Scopes: scopes, ResponseType: "token",
	})
	if err != nil {
		return err
	}
	const done = "Token assigned successfully"
	if x.wantsJSON() {
		return x.json(http.StatusOK, map[string]string{"message": done})
	}
	return x.html(http.StatusOK, notePage, note{done, user.Name + " finds it among the authorizations in the console."}, "")
}

// acceptsHTML reports whether a browser shows the answer.
func acceptsHTML(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }
