package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/record"
)

// authenticate finds out who calls and puts the session into the context: the cookie's, or a new empty one that is
// only stored when something is put into it. A bearer token that is given counts alone: an unknown one makes the caller
// anonymous even beside a session's cookie. HTTP Basic is looked at where the row says so, and then counts instead of
// who is signed in by the session, whose CSRF token is still asked for.
func (a *API) authenticate(ctx context.Context, x *exchange) (context.Context, error) {
	token, isBearer := bearerToken(x.r)
	cookie := ""
	if !isBearer {
		cookie = a.sessions.cookieOf(x.r)
	}
	ctx, err := a.sessions.manager.Load(ctx, cookie)
	if err != nil {
		return ctx, err
	}
	name, password, isBasic := x.r.BasicAuth()
	switch {
	case isBearer:
		x.call.Principal, err = a.bearer(ctx, token)
	case isBasic && x.route != nil && x.route.Basic:
		x.call.Principal, err = a.basic(ctx, name, password)
	default:
		x.call.Principal, err = a.sessions.principal(ctx, a.options.Identity, a.options.FreshLogin)
	}
	noteActor(x.call.Record, x.call.Principal)
	return audit.WithActor(ctx, audit.ActorFor(x.call.Principal, x.call.Record.ClientIP, "")), err
}

// bearer is whom a bearer token speaks for; nobody when it is unknown, expired or revoked.
func (a *API) bearer(ctx context.Context, token string) (identity.Principal, error) {
	if !storable(token) {
		return identity.Principal{}, nil
	}
	p, err := a.options.Identity.OAuth(ctx, token)
	if problem.Is(err, problem.Unauthenticated) {
		return identity.Principal{}, nil
	}
	return p, err
}

// basic is the user of a name and a password, which must be encrypted where the configuration says so; nobody when they
// are wrong, and nobody for what else tools log in with.
func (a *API) basic(ctx context.Context, name, password string) (identity.Principal, error) {
	if !storable(name + password) {
		return identity.Principal{}, nil
	}
	p, err := a.options.Identity.Login(ctx, name, password)
	if problem.Is(err, problem.Unauthenticated) || err == nil && p.Credential != identity.Password {
		return identity.Principal{}, nil
	}
	return p, err
}

// bearerToken is the token of an Authorization header of that scheme (RFC 6750 §2.1).
func bearerToken(r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), strings.EqualFold(scheme, "Bearer")
}

// noteActor writes who calls into the request's record.
func noteActor(rec *record.Record, p identity.Principal) {
	rec.Actor, rec.Credential = "(anonymous)", "none"
	if p.Account.ID != 0 {
		rec.Actor = p.Account.Name
	}
	switch p.Credential {
	case identity.OAuthToken:
		rec.Credential = "oauth"
	case identity.Session:
		rec.Credential = "session"
	case identity.Password:
		rec.Credential = "password"
	case identity.RobotToken:
		rec.Credential = "robot"
	}
}

// checkCSRF refuses a change that a foreign page may have made the browser send. A token of the session is needed on
// everything but GET, in a header or a query value, unless the caller shows an OAuth token, which no browser sends by
// itself.
func (a *API) checkCSRF(ctx context.Context, x *exchange) error {
	if !x.route.changes() || x.route.NoCSRF || x.call.Principal.Credential == identity.OAuthToken {
		return nil
	}
	if a.isDirect(x) && !foreign(x) {
		return nil
	}
	sent := x.r.Header.Get("X-CSRF-Token")
	if sent == "" {
		sent = x.value("_csrf_token")
	}
	if !a.sessions.matches(ctx, sent) || foreign(x) {
		return abort(http.StatusForbidden, "CSRF token was invalid or missing.")
	}
	return nil
}

// isDirect reports whether a program shows a user's password for an application that may be authorized so. No session
// speaks then, whose cookie a foreign page could have made the browser send.
func (a *API) isDirect(x *exchange) bool {
	return x.route.Direct && x.call.Principal.Credential == identity.Password &&
		slices.Contains(a.options.DirectApplications, x.form.Get("client_id"))
}

// foreign reports whether the browser itself says that another site's page sends the request.
func foreign(x *exchange) bool {
	seen := *x.r
	seen.Host = x.call.Record.Host
	return http.NewCrossOriginProtection().Check(&seen) != nil
}

// checkFresh demands that a session entered its password lately. Whoever has no password cannot, and a token is not
// asked to.
func (a *API) checkFresh(p identity.Principal) error {
	switch {
	case p.IsAnonymous():
		return unauthenticated()
	case p.Credential != identity.Session || !p.Account.HasPassword || a.options.Clock().Before(p.FreshUntil):
		return nil
	}
	return freshLoginRequired()
}
