package rest

import (
	"errors"
	"net/http"

	"github.com/longshore-registry/longshore/internal/problem"
)

const readOnlyText = "The registry is read only: pulls succeed, changes are refused until the operator ends this state"

// describe gives any error the shape and status it is answered with. This is the one place where kinds of errors
// become statuses of /api/v1.
func describe(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	e := problem.From(err)
	f = shapeOf(e)
	f.cause = err
	return f
}

func shapeOf(e *problem.Error) *failure {
	switch e.Kind {
	case problem.Invalid:
		return invalidRequest("%s", e.Message)
	case problem.Unauthenticated:
		return unauthenticated()
	case problem.Forbidden:
		return unauthorized()
	case problem.NotFound:
		return notFound()
	case problem.Unsupported:
		return abort(http.StatusMethodNotAllowed, "%s", e.Message)
	case problem.Conflict:
		if e.Code == "TAG_IMMUTABLE" {
			return tagImmutable(e.Message)
		}
		return message(http.StatusConflict, "%s", e.Message)
	case problem.TooLarge:
		return abort(http.StatusRequestEntityTooLarge, "%s", e.Message)
	case problem.UnsupportedMedia:
		return abort(http.StatusUnsupportedMediaType, "%s", e.Message)
	case problem.TooMany:
		return &failure{status: http.StatusTooManyRequests, text: e.Message}
	case problem.ReadOnly:
		return message(http.StatusServiceUnavailable, "%s", readOnlyText).with("is_readonly", true)
	case problem.Unavailable:
		return abort(http.StatusServiceUnavailable, "%s", e.Message)
	default:
		return abort(http.StatusInternalServerError, "Internal Server Error")
	}
}
