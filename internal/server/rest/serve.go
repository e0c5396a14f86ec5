package rest

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/intake"
	"github.com/longshore-registry/longshore/internal/server/record"
)

// ServeHTTP answers a request: it finds the row, then passes the gates every request has to pass, then the row's
// handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	rec.Route = "api"
	a.allowOrigin(w, r)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	entry, path, missingSlash := a.table.find(r.URL.EscapedPath())
	route := entry.route(r.Method)
	switch {
	case route == nil:
		render(w, rec, unregistered(w, r))
		return
	case route.Off != 0:
		render(w, rec, absent(w, route.Off))
		return
	case missingSlash && !route.changes():
		redirectToSlash(w, r)
		return
	}
	rec.Route = route.ID
	if err := a.Ready(r.Context()); err != nil {
		render(w, rec, err)
		return
	}
	x := &exchange{route: route, op: route.op, r: r, w: w, call: &Call{Path: path, Record: rec, Agent: r.UserAgent(), request: r}}
	if path.Name != "" {
		rec.Repository = path.Namespace + "/" + path.Name
	}
	err := a.run(r.Context(), x)
	if err == nil {
		err = x.failed
	}
	if err == nil {
		err = x.built()
	}
	x.finish(rec, err)
}

// Serves reports whether a path, as it was sent, belongs to the API although it is not below /api.
func (a *API) Serves(escaped string) bool {
	e, _, _ := a.table.find(escaped)
	return e != nil
}

// run takes an exchange through the gates and the handler. What it returns, or the exchange's failure, is rendered.
func (a *API) run(ctx context.Context, x *exchange) error {
	if err := x.readQuery(); err != nil {
		return err
	}
	if err := a.checkBrowser(x); err != nil {
		return err
	}
	if err := x.readForm(ctx); err != nil {
		return err
	}
	ctx, err := a.authenticate(ctx, x)
	if err != nil {
		return err
	}
	if err := a.admit(ctx, x); err != nil {
		return err
	}
	if !x.route.Need.bodyFirst() {
		if err := a.permit(ctx, x.route, x.call, ""); err != nil {
			return err
		}
	}
	if err := x.readBody(ctx, a.huma.OpenAPI().Components.Schemas); err != nil {
		return err
	}
	if x.route.Long {
		if err := x.call.Record.Intake.Build(ctx); err != nil {
			return err
		}
	}
	x.ctx = context.WithValue(ctx, callKey{}, x.call)
	x.route.serve(x)
	return a.keepSession(ctx, x)
}

// admit holds the gates that need no object: anonymous access, CSRF, the read-only registry, fresh login.
func (a *API) admit(ctx context.Context, x *exchange) error {
	p := x.call.Principal
	if p.IsAnonymous() && !x.route.Anonymous && !a.options.Access.Policy().AnonymousAccess {
		return abort(http.StatusUnauthorized, "Anonymous access is not allowed")
	}
	if err := a.checkCSRF(ctx, x); err != nil {
		return err
	}
	if x.route.changes() && !x.route.ReadOnlyOK && a.options.Access.Policy().RegistryReadOnly {
		return problem.New(problem.ReadOnly, readOnlyText)
	}
	if x.route.FreshLogin {
		return a.checkFresh(p)
	}
	return nil
}

// built counts a long answer until it is sent: for how long, its client decides. An answer to a change is not refused
// any more, and none that is longer than any room there is would ever pass.
func (x *exchange) built() error {
	size := int64(x.answer.Cap())
	if x.route.changes() || size <= intake.SmallBody && !x.route.Long {
		return nil
	}
	if x.r.Method == http.MethodHead {
		size = 0
	}
	return x.call.Record.Intake.Built(payer(x.call.Principal), min(size, intake.MaxBody))
}

// finish sends what was held back, or the error instead.
func (x *exchange) finish(rec *record.Record, err error) {
	stream := x.call.stream
	if stream != nil && (err != nil || x.r.Method == http.MethodHead) {
		x.call.drop()
	}
	if err != nil {
		if f := describe(err); x.route.Messages && f.kind == "invalid_request" {
			err = &failure{status: f.status, member: "message", text: f.text, cause: f.cause}
		}
		x.w.Header().Del("Content-Type")
		render(x.w, rec, err)
		return
	}
	if x.call.status != 0 {
		x.status = x.call.status
	}
	if x.call.location != "" {
		x.w.Header().Set("Location", x.call.location)
	}
	if x.status == 0 {
		x.status = http.StatusOK
	}
	if stream != nil && x.r.Method != http.MethodHead {
		x.w.WriteHeader(x.status)
		stream(x.r.Context(), x.w)
		return
	}
	if x.status != http.StatusNoContent {
		x.w.Header().Set("Content-Length", strconv.Itoa(x.answer.Len()))
	}
	x.w.WriteHeader(x.status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(x.answer.Bytes())
	}
}

// route is the row for a method; HEAD is answered as GET. A nil entry has none.
func (e *entry) route(method string) *route {
	if e == nil {
		return nil
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return e.routes[method]
}

// unregistered is the answer to a path or method that has no row: as on a Quay, whose pages answer GET on every path.
func unregistered(w http.ResponseWriter, r *http.Request) *failure {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return absent(w, http.StatusNotFound)
	}
	return absent(w, http.StatusMethodNotAllowed)
}

func absent(w http.ResponseWriter, status int) *failure {
	if status == http.StatusNotFound {
		return abort(status, "There is nothing at this path of the API")
	}
	w.Header().Set("Allow", "GET, HEAD, OPTIONS")
	return abort(status, "The API has no such operation at this path")
}

// redirectToSlash sends a GET to the path that ends with a slash. The target is a path of the same host: it starts
// with the route's own prefix.
func redirectToSlash(w http.ResponseWriter, r *http.Request) {
	target := r.URL.EscapedPath() + "/"
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusPermanentRedirect)
}

// Handle makes huma's handler the handler of its row. It is called while the API is built.
func (a *API) Handle(op *huma.Operation, serve func(huma.Context)) {
	r := a.rows[op.OperationID]
	r.op = op
	r.serve = func(x *exchange) { serve(x) }
}

// schema is the row's body schema, nil when it takes no body.
func (r *route) schema() *huma.Schema {
	if r.op.RequestBody == nil {
		return nil
	}
	media := r.op.RequestBody.Content["application/json"]
	if media == nil {
		return nil
	}
	return media.Schema
}
