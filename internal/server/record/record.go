// Package record carries what is known about a request from the listener's middleware to the handlers and back.
//
// The outermost middleware makes a Record, works out where the client came from and how it addressed us, and puts the
// Record into the request's context. Handlers write what they learn: route, principal, repository, error. When the
// handler has returned, the middleware writes one log line and the metrics from it.
package record

import (
	"context"
	"net/netip"
	"time"

	"github.com/longshore-registry/longshore/internal/server/intake"
)

// Record is one request's facts. It belongs to the request's goroutine.
type Record struct {
	ID       string     // X-Request-Id, or made here
	Start    time.Time  // when the header had been read
	ClientIP netip.Addr // behind trusted proxies, the forwarded one
	Scheme   string     // "http" or "https", as the client sees us
	Host     string     // host[:port], as the client sees us: SERVER_HOSTNAME when configured, else the request's Host
	Trusted  bool       // the direct peer is loopback, private, or a configured proxy
	Peer     netip.Addr // the other end of the connection, whatever headers say
	Proxied  bool       // a header, or the configuration, says that a proxy may stand in between

	Intake *intake.Hold // what is read into memory before it is acted on goes through it; nil outside of a listener

	Path       string // what the log shows for the request's path, where that holds a secret; empty for the path itself
	Route      string // the route's name, a label of bounded cardinality
	Actor      string // account name, "(anonymous)" or empty
	Credential string // kind of credential
	Repository string // namespace/name
	Err        error  // what the answer's error came from
}

// URL is the client's address of a path of ours; path starts with a slash.
func (r *Record) URL(path string) string { return r.Scheme + "://" + r.Host + path }

// OnMachine reports whether the request was made on this machine itself. ClientIP does not tell that: a peer that may
// forward names any address it likes. Behind a proxy nobody is local, even when the proxy runs on this machine.
func (r *Record) OnMachine() bool { return r.Peer.IsLoopback() && !r.Proxied }

type key struct{}

// With puts a record into a context.
func With(ctx context.Context, r *Record) context.Context { return context.WithValue(ctx, key{}, r) }

// From gives the context's record. Outside a request it is a new one, so that handlers need not ask.
func From(ctx context.Context) *Record {
	if r, ok := ctx.Value(key{}).(*Record); ok {
		return r
	}
	return &Record{Scheme: "http", Host: "localhost"}
}
