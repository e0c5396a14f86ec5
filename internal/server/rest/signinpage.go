package rest

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	// signInPath is the page on which people sign in, where the console has its own.
	signInPath = "/signin"
	// authorizePath is the page on which they authorize an application.
	authorizePath = "/oauth/authorize"
)

func (a *API) signInPageRoutes() []*route {
	missing, refused := 0, 0
	if !a.options.DirectLogin {
		missing, refused = http.StatusNotFound, http.StatusMethodNotAllowed
	}
	return []*route{
		{Method: http.MethodGet, Path: signInPath, ID: "signinPage", Summary: "Ask for name and password", Off: missing, Need: everybody(), Anonymous: true, Browser: true, Handler: page(a.showSignIn)},
		{Method: http.MethodPost, Path: signInPath, ID: "signinByForm", Summary: "Sign in and go on to a page of the registry", Off: refused, Need: everybody(), Anonymous: true, ReadOnlyOK: true, Form: true, Handler: page(a.signInByForm)},
	}
}

// signInAddress leads to the page, and from there back to a path of ours.
func signInAddress(next string) string {
	return signInPath + "?" + url.Values{"next": {next}}.Encode()
}

// nextPath is where a sign-in leads: a path of this registry and nothing that a browser reads as another place; else
// the front page. A browser takes // and /\ for the beginning of a host name, and drops tabs and line breaks first.
func nextPath(asked string) string {
	const front = "/"
	if !strings.HasPrefix(asked, "/") || strings.HasPrefix(asked, "//") || strings.Contains(asked, `\`) ||
		strings.ContainsFunc(asked, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return front
	}
	u, err := url.Parse(asked)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil {
		return front
	}
	return asked
}

// signInView is what the page shows.
type signInView struct{ Title, Error, Next, CSRF, Username string }

func (a *API) showSignIn(ctx context.Context, c *Call, x *exchange) error {
	next := nextPath(x.value("next"))
	if c.Principal.Credential == identity.Session {
		x.redirect(next)
		return nil
	}
	return x.html(http.StatusOK, signInPage, signInView{Title: "Sign in", Next: next, CSRF: a.sessions.csrfToken(ctx)}, "")
}

// signInByForm is signin for a page without a script.
func (a *API) signInByForm(ctx context.Context, c *Call, x *exchange) error {
	next, name := nextPath(x.form.Get("next")), x.form.Get("username")
	again := func(status int, text string) error {
		return x.html(status, signInPage, signInView{Title: "Sign in", Error: text, Next: next, CSRF: a.sessions.csrfToken(ctx), Username: name}, "")
	}
	if name == "" {
		return again(http.StatusBadRequest, "Enter a user name or an e-mail address.")
	}
	user, err := a.checkPassword(ctx, name, x.form.Get("password"))
	var refusal *failure
	switch {
	case errors.As(err, &refusal):
		a.notSignedIn(c, name, err)
		return again(http.StatusForbidden, refusal.text)
	case problem.Is(err, problem.TooMany):
		return again(http.StatusTooManyRequests, problem.From(err).Message)
	case err != nil:
		return err
	case a.options.Mailing && !user.Verified:
		return again(http.StatusForbidden, "Confirm your e-mail address first: a letter with a link was sent to it.")
	}
	if err := a.signIn(ctx, c, user); err != nil {
		return err
	}
	if err := a.signedIn(c, user); err != nil {
		return err
	}
	if strings.HasPrefix(next, authorizePath) {
		// From there it may go on to an application. A browser takes that for the form's own target, which the page's
		// policy forbids; from a page of its own it is a new way.
		x.w.Header().Set("Refresh", "0; url="+next)
		return x.html(http.StatusOK, signedInPage, struct{ Title, Link string }{"Signed in", next}, "")
	}
	x.redirect(next)
	return nil
}
