package distribution

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/bearer"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

// tokenAnswer is the body of a token endpoint's answer. Clients read token or access_token; they are the same.
type tokenAnswer struct {
	Token       string `json:"token"`
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	IssuedAt    string `json:"issued_at"`
}

// issueToken answers GET /v2/auth: it checks the credentials, reduces each requested scope to what their holder may do
// now, and signs that. Refused actions are left out without an error, as Quay does: the route answers 401 then.
func (q *request) issueToken() error {
	q.w.Header().Set("Cache-Control", "no-cache, no-store, must-revalidate")
	ctx, query := q.r.Context(), q.r.URL.Query()
	if err := q.logIn(ctx); err != nil {
		return err
	}
	scopes, err := parseScopes(query["scope"], q.rec.Host)
	if err != nil {
		return err
	}
	if q.principal.IsAnonymous() && (len(scopes) == 0 || !q.policy.AnonymousAccess) {
		return problem.New(problem.Unauthenticated, "authentication required: log in with a user name, a robot or a token").WithCode("UNAUTHORIZED")
	}
	claims := bearer.Claims{
		Subject:    actorName(q.principal),
		Audience:   query.Get("service"),
		Credential: q.principal.Credential,
		Reference:  reference(q.principal),
		AccessRev:  q.principal.Account.AccessRev,
		Access:     []bearer.Access{},
	}
	if claims.Audience == "" {
		claims.Audience = q.options.Service
	}
	for _, s := range scopes {
		actions, err := q.reduce(ctx, s)
		if err != nil {
			return err
		}
		claims.Access = append(claims.Access, bearer.Access{Type: s.resource, Name: s.name, Actions: actions})
	}
	token, lifetime, err := q.options.Tokens.Issue(claims)
	if err != nil {
		return err
	}
	if len(scopes) == 0 {
		if err := q.loggedIn(); err != nil {
			return err
		}
	}
	q.tellLogin(scopes)
	q.json(http.StatusOK, tokenAnswer{
		Token: token, AccessToken: token, ExpiresIn: int64(lifetime.Seconds()), IssuedAt: q.options.Clock().UTC().Format(time.RFC3339),
	})
	return nil
}

// logIn checks the Basic credentials of a token request. Without a header the request is anonymous; a header that
// identifies nobody is refused.
func (q *request) logIn(ctx context.Context) error {
	q.rec.Actor = anonymousName
	if q.r.Header.Get("Authorization") == "" {
		return nil
	}
	username, secret, ok := q.r.BasicAuth()
	if !ok {
		return problem.New(problem.Unauthenticated, "Invalid basic auth credentials").WithCode("UNAUTHORIZED")
	}
	q.rec.Actor, q.rec.Credential = "", credentialKind(username)
	principal, err := q.identify(ctx, username, secret)
	if err != nil {
		q.notLoggedIn(ctx, username, err)
		q.tellFailure(username, err)
		return err
	}
	q.principal, q.rec.Actor = principal, actorName(principal)
	return nil
}

// credentialKind is the label of a credential that was presented, whether it is good or not.
func credentialKind(username string) string {
	switch {
	case username == "$app":
		return "app_specific_token"
	case username == "$oauthtoken":
		return "oauth"
	case username == "$token":
		return "token"
	case strings.Contains(username, "+"):
		return "robot"
	}
	return "user"
}

// reference is what identity.Service.Resolve finds a principal by when the token comes back.
func reference(p identity.Principal) string {
	switch p.Credential {
	case identity.Anonymous:
		return ""
	case identity.Password:
		return p.Account.UUID
	case identity.RobotToken:
		return p.Account.Name
	}
	return p.Reference
}

// reduce gives the actions of a scope that its asker may do, in Quay's order. Nothing is made here: "push" on a
// missing repository is granted where the push itself would be allowed to make it.
func (q *request) reduce(ctx context.Context, s scope) ([]string, error) {
	if s.resource != "repository" { // the catalog shows everybody what they may see
		return []string{"*"}, nil
	}
	namespace, name, err := registry.ParseName(s.path, q.options.Names)
	if err != nil {
		return nil, err
	}
	place, err := q.Handler.locate(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	object := place.object()
	switch {
	case object.NamespaceID != 0 && !object.NamespaceEnabled:
		return nil, problem.New(problem.Unsupported, "Namespace %s has been disabled. Please contact a system administrator.", namespace).WithCode("DENIED")
	case object.Application:
		return nil, noImages(place)
	}
	return rights{handler: q.Handler, principal: q.principal, place: place, granted: grantAll, fresh: true}.actions(ctx, s)
}

// actions lists those of the requested actions that are allowed. Who makes a repository administers it, so that a
// granted push on a missing one brings "*" along. What the registry as a whole takes no part in at the moment is
// granted: the route itself refuses then, and says why.
func (r rights) actions(ctx context.Context, s scope) ([]string, error) {
	actions := []string{}
	made := false
	for _, ask := range []struct {
		action    string
		requested bool
		allowed   func(context.Context) (access.Denial, error)
	}{{"push", s.push, r.push}, {"pull", s.pull, r.pull}, {"*", s.admin, r.administer}} {
		if !ask.requested {
			continue
		}
		denial, err := ask.allowed(ctx)
		if err != nil {
			return nil, err
		}
		if made || grantable(denial) {
			actions = append(actions, ask.action)
			made = made || ask.action == "push" && !r.place.exists()
		}
	}
	return actions, nil
}

func grantable(d access.Denial) bool {
	return d == access.Granted || d == access.ReadOnlyRegistry || d == access.PushesOff
}
