package rest

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"reflect"
	"strconv"

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
	Agent        string              // the client's User-Agent
	Organization identity.Account    // routes on {orgname}
	Namespace    identity.Account    // routes on the namespace that the body names
	Repository   registry.Repository // routes on {repository}

	registryWide bool   // the permission is about the registry as a whole
	status       int    // of the answer, where it is not the row's; 0: the row's
	location     string // of what was made; empty: not told
	nextCSRF     string // told to the client when the session got a new CSRF token
	// stream writes the body as it comes, in place of an answer that was held back.
	stream  func(context.Context, http.ResponseWriter)
	drop    func()        // gives up what a stream holds that is never written; nil without one
	request *http.Request // for streams, which outlive the look at who calls
}

type callKey struct{}

// registrar adds a route's operation to the API.
type registrar func(a *API, api huma.API, r *route)

// none is the output of operations that answer without a body.
type none struct{}

// in is an input: parameters and a Body member, as huma reads them. out is an output: a Body member, or none.
type handler[in, out any] func(context.Context, *Call, *in) (*out, error)

// named is an input whose body names the namespace that the route's permission is about.
type named interface {
	namespace() string
}

// handle makes a typed handler the handler of a route.
func handle[in, out any](h handler[in, out]) registrar {
	return func(a *API, api huma.API, r *route) {
		op := r.operation()
		for field := range reflect.TypeFor[out]().Fields() {
			if field.Name != "Body" {
				r.flaw = errors.New("its output has more than a body: handleWithHeaders")
			}
		}
		body := describeOutput(api, &op, reflect.TypeFor[out]())
		huma.Register(api, op, func(ctx context.Context, input *in) (*outcome, error) {
			output, err := invoke(ctx, a, r, h, input)
			if err != nil || output == nil || body == nil {
				return nil, err
			}
			return &outcome{reflect.ValueOf(output).Elem().FieldByIndex(body).Interface()}, nil
		})
		if body == nil {
			r.op.Responses[strconv.Itoa(r.op.DefaultStatus)].Content = nil
		}
	}
}

// handleWithHeaders is handle for an output that has a status or headers too, or a body that is no JSON.
func handleWithHeaders[in, out any](h handler[in, out]) registrar {
	return func(a *API, api huma.API, r *route) {
		huma.Register(api, r.operation(), func(ctx context.Context, input *in) (*out, error) {
			return invoke(ctx, a, r, h, input)
		})
	}
}

// invoke calls a handler. Where the body goes first, the permission is decided here: after the schema, before the
// handler.
func invoke[in, out any](ctx context.Context, a *API, r *route, h handler[in, out], input *in) (*out, error) {
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
}

func namespaceOf(input any) string {
	if n, ok := input.(named); ok {
		return n.namespace()
	}
	return ""
}

// outcome is the output of every operation to huma, whose Register is compiled for each pair of types: thousands of
// lines each time, which are compiled once for each input now.
type outcome struct{ Body any }

// describeOutput writes into an operation what a handler's output is, and gives the place of its body; nil when it has
// none.
func describeOutput(api huma.API, op *huma.Operation, output reflect.Type) []int {
	field, ok := output.FieldByName("Body")
	if !ok {
		op.DefaultStatus = cmp.Or(op.DefaultStatus, http.StatusNoContent)
		return nil
	}
	op.DefaultStatus = cmp.Or(op.DefaultStatus, http.StatusOK)
	schema := huma.SchemaFromField(api.OpenAPI().Components.Schemas, field, op.OperationID+"Response")
	op.Responses[strconv.Itoa(op.DefaultStatus)] = &huma.Response{Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
	return field.Index
}
