// Package distribution answers /v2, the token endpoint /v2/auth and the public keys under /keys.
//
// The contract is the OCI distribution specification, then what Quay does where it says nothing. A path is parsed
// once (parsePath), its route is a row (routes), and the row alone says which permission the request needs: the
// handlers behind it ask no more questions. What a request may do is what its token grants and what the token's
// bearer may do now, both; the second half is at most access.Options.Age old, so that a removed permission, a
// disabled account and a regenerated robot are refused within a minute although tokens live for an hour.
//
// A pull is recorded in the action log before its first byte is sent, and refused if it cannot be.
//
// A repository that a push makes comes into being with the first upload or manifest. Asking for a token makes nothing.
package distribution

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/bearer"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
	"github.com/longshore-registry/longshore/internal/server/live"
	"github.com/longshore-registry/longshore/internal/server/record"
)

// Options are the services behind the protocol and what the configuration says about it. The services are required.
// What is a question of permission (read-only mode, switched-off pushes, anonymous access, creation of namespaces) is
// asked of Access.
type Options struct {
	Registry *registry.Registry
	Content  *content.Store
	Access   *access.Authority
	Identity *identity.Service
	Tokens   *bearer.Authority
	Audit    *audit.Log // nil: pulls and sign-ins are not recorded
	Events   *live.Hub  // is told what people's tools do; nil for nobody

	Service       string               // the tokens' audience: SERVER_HOSTNAME, or a constant without it; not empty
	Names         registry.NameOptions // the same that Registry has
	ManifestBytes int64                // longest manifest that is read; 0 for 4 MiB

	AuditLogins        bool // ACTION_LOG_AUDIT_LOGINS
	AuditLoginFailures bool // ACTION_LOG_AUDIT_LOGIN_FAILURES
	AuditFailures      Failures

	RecoveryMode  bool   // ACCOUNT_RECOVERY_MODE: nothing works here
	AdvertiseV2   bool   // FEATURE_ADVERTISE_V2
	BlacklistV2   string // BLACKLIST_V2_SPEC, such as "<1.6.0"
	PublicCatalog bool   // FEATURE_PUBLIC_CATALOG
	ReferrersAPI  bool   // FEATURE_REFERRERS_API
	SparseIndex   bool   // FEATURE_SPARSE_INDEX, told to clients
	CreatePublic  bool   // CREATE_PRIVATE_REPO_ON_PUSH: false
	PageSize      int    // V2_PAGINATION_SIZE: entries of a page when the client names no number; 0 for 50

	ProxyStorage     bool          // FEATURE_PROXY_STORAGE: blobs always pass through the registry
	RedirectLifetime time.Duration // how long a redirect to storage works; 0 for ten minutes

	Clock func() time.Time // nil for time.Now
	Log   *slog.Logger     // nil for none
}

// Failures are the requests for manifests that are recorded when they fail: ACTION_LOG_AUDIT_PULL_FAILURES,
// ACTION_LOG_AUDIT_PUSH_FAILURES, ACTION_LOG_AUDIT_DELETE_FAILURES.
type Failures struct{ Pulls, Pushes, Deletes bool }

const (
	defaultManifestBytes    = 4 << 20
	defaultPageSize         = 50
	defaultRedirectLifetime = 10 * time.Minute
)

// Handler serves the protocol. It must get paths as the client wrote them: behind an http.ServeMux, which cleans
// paths and redirects, it would see other repositories than the client named.
type Handler struct {
	options   Options
	policy    access.Policy
	rows      []row
	blacklist versionSpec
	buffers   sync.Pool // of *[]byte, for bodies that do not leave by sendfile
	requests  sync.Pool // of *request: one is a kilobyte, and nothing keeps it after its answer
}

// New checks the options.
func New(o Options) (*Handler, error) {
	if o.Registry == nil || o.Content == nil || o.Access == nil || o.Identity == nil || o.Tokens == nil {
		return nil, problem.New(problem.Internal, "the distribution API lacks one of its services")
	}
	if o.Service == "" {
		return nil, problem.New(problem.Internal, "the distribution API has no name for its tokens' audience")
	}
	blacklist, err := parseVersionSpec(o.BlacklistV2)
	if err != nil {
		return nil, err
	}
	h := &Handler{options: o.withDefaults(), policy: o.Access.Policy(), blacklist: blacklist}
	h.buffers.New = func() any { b := make([]byte, bufferSize); return &b }
	h.requests.New = func() any { return new(request) }
	for _, r := range routes() {
		if r.kind == kindReferrers && !o.ReferrersAPI {
			continue
		}
		h.rows = append(h.rows, r)
	}
	return h, nil
}

func (o Options) withDefaults() Options {
	if o.ManifestBytes <= 0 {
		o.ManifestBytes = defaultManifestBytes
	}
	if o.PageSize <= 0 {
		o.PageSize = defaultPageSize
	}
	if o.RedirectLifetime <= 0 {
		o.RedirectLifetime = defaultRedirectLifetime
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := h.requests.Get().(*request)
	*q = request{Handler: h, w: w, r: r, rec: record.From(r.Context())}
	defer func() {
		*q = request{}
		h.requests.Put(q)
	}()
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0") // as net/http spells it: another spelling is translated for each answer
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if err := q.handle(); err != nil {
		q.fail(err)
	}
}

// handle takes a request through path, route, switches, token and permission to its handler. The order is that of
// what the answer may tell: nothing is said about a repository before the permission is known.
func (q *request) handle() error {
	var err error
	if q.target, err = parsePath(q.r.URL.EscapedPath()); err != nil {
		return err
	}
	if q.options.RecoveryMode && q.target.kind != kindKeys && q.target.kind != kindKey {
		return plainError{problem.New(problem.Unsupported, "The registry is in account recovery mode: nothing can be pulled or pushed")}
	}
	var methods []string
	if q.row, methods = q.route(q.r.Method, q.target.kind); q.row == nil {
		return q.noMethod(methods)
	}
	q.rec.Route = q.row.label
	if err := q.target.read(q.options.Names); err != nil {
		return err
	}
	if err = q.admit(q.r.Context()); err == nil {
		err = q.serve()
	}
	if err != nil {
		q.failed(q.r.Context(), err)
	}
	return err
}

func (q *request) noMethod(allowed []string) error {
	if len(allowed) == 0 {
		return noRoute()
	}
	q.w.Header().Set("Allow", strings.Join(allowed, ", "))
	return problem.New(problem.Unsupported, "method %s is not supported here: use %s", clip(q.r.Method), strings.Join(allowed, " or "))
}
