package distribution

import (
	"context"
	"strings"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// authenticate verifies the request's bearer token, if it has one, and finds out for whom it speaks now. On /v2 no
// other credential counts: passwords go to the token endpoint only.
func (q *request) authenticate(ctx context.Context) error {
	q.rec.Actor = anonymousName
	values := q.r.Header.Values("Authorization")
	if len(values) == 0 {
		if !q.policy.AnonymousAccess {
			return plainError{problem.New(problem.Unauthenticated, "Anonymous access is not allowed")}
		}
		return nil
	}
	token, ok := bearerToken(values[0])
	if !ok || len(values) > 1 {
		return badToken("Invalid bearer token format")
	}
	claims, err := q.options.Tokens.Verify(ctx, token, q.options.Service)
	if err != nil {
		return tokenError(err)
	}
	if q.principal, err = q.options.Identity.Current(ctx, claims.Credential, claims.Reference, claims.AccessRev); err != nil {
		return tokenError(err)
	}
	q.claims = claims
	q.rec.Actor, q.rec.Credential = actorName(q.principal), credentialName(q.principal.Credential)
	return nil
}

// again asks once more who is asking and what they may do now. A body can be held back for as long as stalls are
// allowed; a right that was removed meanwhile must count. The token itself is not looked at: it was good when the
// request came, and a long upload may outlive it.
func (q *request) again(ctx context.Context) error {
	if q.hasToken() {
		var err error
		if q.principal, err = q.options.Identity.Current(ctx, q.claims.Credential, q.claims.Reference, q.claims.AccessRev); err != nil {
			return tokenError(err)
		}
	}
	return q.authorize(ctx)
}

// hasToken reports whether a verified token came with the request, if only an anonymous one.
func (q *request) hasToken() bool { return !q.claims.Expires.IsZero() }

func bearerToken(header string) (string, bool) {
	scheme, token, found := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	return token, found && strings.EqualFold(scheme, "Bearer") && token != ""
}

// tokenError keeps outages apart from tokens that are no good: for those the client is to ask for another.
func tokenError(err error) error {
	e := problem.From(err)
	if e.Kind == problem.Unauthenticated {
		return plainError{err}
	}
	return err
}

func badToken(message string) error {
	return plainError{problem.New(problem.Unauthenticated, "%s", message)}
}

const anonymousName = "(anonymous)"

// actorName is how a principal appears in the log and as a token's subject.
func actorName(p identity.Principal) string {
	switch {
	case p.IsAnonymous():
		return anonymousName
	case p.Account.ID != 0:
		return p.Account.Name
	}
	return p.Title
}

// credentialName is a credential's label in metrics, in Quay's words.
func credentialName(c identity.Credential) string {
	switch c {
	case identity.Password:
		return "user"
	case identity.RobotToken:
		return "robot"
	case identity.AppToken:
		return "app_specific_token"
	case identity.OAuthToken:
		return "oauth"
	case identity.AccessToken:
		return "token"
	}
	return "anonymous"
}
