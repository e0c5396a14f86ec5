package rest

import (
	"fmt"
	"maps"
	"net/http"

	"github.com/longshore-registry/longshore/internal/problem"
)

// failure is an error in one of the shapes that Quay's API has. Handlers return one where the contract names the
// shape; any other error is given its shape by describe.
type failure struct {
	status int
	kind   string         // error_type of a problem object; empty: a plain body with the text in member
	member string         // "message", "error" or "detail" of a plain body
	text   string         // for people
	extra  map[string]any // further members
	cause  error          // for the log
}

// Error gives text and cause, for logs.
func (f *failure) Error() string {
	if f.cause != nil {
		return f.text + ": " + f.cause.Error()
	}
	return f.text
}

// Unwrap gives the cause.
func (f *failure) Unwrap() error { return f.cause }

// GetStatus makes huma hand the error on instead of wrapping it.
func (f *failure) GetStatus() int { return f.status }

// with adds a member to the body.
func (f *failure) with(name string, value any) *failure {
	c := *f
	c.extra = maps.Clone(f.extra)
	if c.extra == nil {
		c.extra = map[string]any{}
	}
	c.extra[name] = value
	return &c
}

// The problem objects. error_type, status and text are Quay's.

func invalidRequest(format string, args ...any) *failure {
	return &failure{status: http.StatusBadRequest, kind: "invalid_request", text: fmt.Sprintf(format, args...)}
}

func unauthenticated() *failure {
	return &failure{status: http.StatusUnauthorized, kind: "invalid_token", text: "Requires authentication"}
}

func freshLoginRequired() *failure {
	return &failure{status: http.StatusUnauthorized, kind: "fresh_login_required", text: "Requires fresh login"}
}

func unauthorized() *failure {
	return &failure{status: http.StatusForbidden, kind: "insufficient_scope", text: "Unauthorized"}
}

func notFound() *failure {
	return &failure{status: http.StatusNotFound, kind: "not_found", text: "Not Found"}
}

func tagImmutable(text string) *failure {
	return &failure{status: http.StatusConflict, kind: "tag_immutable", text: text}
}

// The plain bodies.

// message is {"message": text}: what Quay answers where its data layer refused.
func message(status int, format string, args ...any) *failure {
	return &failure{status: status, member: "message", text: fmt.Sprintf(format, args...)}
}

// abort is {"error": text}.
func abort(status int, format string, args ...any) *failure {
	return &failure{status: status, member: "error", text: fmt.Sprintf(format, args...)}
}

// asMessage turns a refusal by a domain package into {"message": text} with status 400, and leaves the rest alone.
func asMessage(err error) error {
	return refused(err, func(text string) *failure { return message(http.StatusBadRequest, "%s", text) })
}

// asInvalid turns a refusal by a domain package into an invalid_request problem, and leaves the rest alone.
func asInvalid(err error) error {
	return refused(err, func(text string) *failure { return invalidRequest("%s", text) })
}

func refused(err error, shape func(text string) *failure) error {
	for _, kind := range []problem.Kind{problem.Invalid, problem.Conflict, problem.NotFound} {
		if problem.Is(err, kind) {
			f := shape(problem.From(err).Message)
			f.cause = err
			return f
		}
	}
	return err
}
