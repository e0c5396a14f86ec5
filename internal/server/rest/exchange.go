package rest

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longshore-registry/longshore/internal/problem"
)

// exchange is one request with its answer, as huma sees them. The answer is held back until the handler has
// returned: the session is stored before the client can see what it says, and an error replaces what was written.
type exchange struct {
	route  *route
	op     *huma.Operation
	r      *http.Request
	w      http.ResponseWriter
	ctx    context.Context
	call   *Call
	query  url.Values
	form   url.Values // of rows that take one
	body   io.Reader
	status int
	answer bytes.Buffer
	failed error // what render answers instead of answer
}

var _ huma.Context = (*exchange)(nil)

// Operation is the OpenAPI operation that matched.
func (x *exchange) Operation() *huma.Operation { return x.op }

// Context is the request's, with session and call.
func (x *exchange) Context() context.Context { return x.ctx }

// TLS is nil on plain connections.
func (x *exchange) TLS() *tls.ConnectionState { return x.r.TLS }

// Version is the protocol's.
func (x *exchange) Version() huma.ProtoVersion {
	return huma.ProtoVersion{Proto: x.r.Proto, ProtoMajor: x.r.ProtoMajor, ProtoMinor: x.r.ProtoMinor}
}

// Method is the row's: HEAD is answered as GET.
func (x *exchange) Method() string { return x.route.Method }

// Host is the Host header.
func (x *exchange) Host() string { return x.r.Host }

// RemoteAddr is the direct peer.
func (x *exchange) RemoteAddr() string { return x.r.RemoteAddr }

// URL is the request's.
func (x *exchange) URL() url.URL { return *x.r.URL }

// Param is a variable of the path, which was parsed once.
func (x *exchange) Param(name string) string { return x.call.Path.Variable(name) }

// Query is a query value. Booleans are brought from Quay's notation into Go's.
func (x *exchange) Query(name string) string {
	values, ok := x.query[name]
	if !ok {
		return ""
	}
	if x.isFlag(name) {
		return flag(values[0])
	}
	return values[0]
}

// readQuery parses the query once and refuses what no database can look for.
func (x *exchange) readQuery() error {
	query, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return invalidRequest("the query is malformed: %s", err)
	}
	for name, values := range query {
		if !storable(name + strings.Join(values, "")) {
			return invalidRequest("the query has bytes that are no text in %q", name)
		}
	}
	x.query = query
	return nil
}

func (x *exchange) isFlag(name string) bool {
	for _, p := range x.op.Parameters {
		if p.In == "query" && p.Name == name {
			return p.Schema.Type == huma.TypeBoolean
		}
	}
	return false
}

// Header is a request header. Content-Type was judged when the body was read.
func (x *exchange) Header(name string) string {
	if name == "Content-Type" {
		return "application/json"
	}
	return x.r.Header.Get(name)
}

// EachHeader visits the request's headers.
func (x *exchange) EachHeader(visit func(name, value string)) {
	for name, values := range x.r.Header {
		for _, value := range values {
			visit(name, value)
		}
	}
}

// BodyReader is the body as readBody left it.
func (x *exchange) BodyReader() io.Reader { return x.body }

// GetMultipartForm refuses: no operation takes a form.
func (x *exchange) GetMultipartForm() (*multipart.Form, error) {
	return nil, problem.New(problem.UnsupportedMedia, "forms are not accepted here, send application/json")
}

// SetReadDeadline does nothing: the listener bounds stalls.
func (x *exchange) SetReadDeadline(time.Time) error { return nil }

// SetStatus notes the status.
func (x *exchange) SetStatus(code int) { x.status = code }

// Status is what was noted.
func (x *exchange) Status() int { return x.status }

// SetHeader sets a header of the answer.
func (x *exchange) SetHeader(name, value string) { x.w.Header().Set(name, value) }

// AppendHeader adds to a header of the answer.
func (x *exchange) AppendHeader(name, value string) { x.w.Header().Add(name, value) }

// BodyWriter takes the answer's body.
func (x *exchange) BodyWriter() io.Writer { return &x.answer }
