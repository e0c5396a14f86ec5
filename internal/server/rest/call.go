package rest

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
	"github.com/longshore-registry/longshore/internal/server/record"
)

// Call is what a handler gets besides its input: who calls, and the object of the route's permission, which has been
// loaded and decided upon. Nothing that an identifier of the request names is looked up anywhere but below it.
type Call struct {
	Principal    identity.Principal
	Path         Path
	Record       *record.Record
	Organization identity.Account    // routes on {orgname}
	Namespace    identity.Account    // routes on the namespace that the body names
	Repository   registry.Repository // routes on {repository}

	nextCSRF string // told to the client when the session got a new CSRF token
}

type callKey struct{}

// registrar adds a route's operation to the API.
type registrar func(a *API, api huma.API, r *route)

// none is the output of operations that answer without a body.
type none struct{}

// in is an input: parameters and a Body member, as huma reads them. out is an output: a Body member, headers.
type handler[in, out any] func(context.Context, *Call, *in) (*out, error)

// named is an input whose body names the namespace that the route's permission is about.
type named interface {
	namespace() string
}

// handle makes a typed handler the handler of a route. Where the body goes first, the permission is decided here:
// after the schema, before the handler.
func handle[in, out any](h handler[in, out]) registrar {
	return func(a *API, api huma.API, r *route) {
		huma.Register(api, r.operation(), func(ctx context.Context, input *in) (*out, error) {
			call, ok := ctx.Value(callKey{}).(*Call)
			if !ok {
				return nil, describe(problem.New(problem.Internal, "a handler was called outside of a request"))
			}
			if r.Need.bodyFirst() {
				if err := a.permit(ctx, r, call, namespaceOf(input)); err != nil {
					return nil, describe(err)
				}
			}
			output, err := h(ctx, call, input)
			if err != nil {
				return nil, describe(err)
			}
			return output, nil
		})
	}
}

func namespaceOf(input any) string {
	if n, ok := input.(named); ok {
		return n.namespace()
	}
	return ""
}
