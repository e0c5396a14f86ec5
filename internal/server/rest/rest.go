// Package rest answers /api/v1, /oauth and the few paths beside them that belong to the API: Quay's API and its pages
// for authorizing applications, by Quay's contract.
//
// Every operation is a row (route) that says method, path, permission and limits; router, OpenAPI document, metrics
// label and the permission test are derived from the rows. A request's path is parsed once, and its permission is
// decided once, by package access, on the object that the path names; the handler is given that object. Handlers
// return errors, which one renderer writes in the shape Quay's clients read.
//
// A member of a request that no schema names is ignored and reaches no handler; a wrong type, a missing member and a
// value above its limit are refused with the member's name and the rule. What a session's answer says is stored
// before it is sent.
package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/config"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/bearer"
	"github.com/longshore-registry/longshore/internal/oauth"
	"github.com/longshore-registry/longshore/internal/overview"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
	"github.com/longshore-registry/longshore/internal/secret"
	"github.com/longshore-registry/longshore/internal/server/live"
	"github.com/longshore-registry/longshore/internal/server/logexport"
)

// prefix is what every path of the API starts with.
const prefix = "/api/v1/"

// Options is what the API is made of. Services and Secret are required.
type Options struct {
	Identity *identity.Service
	Access   *access.Authority
	Registry *registry.Registry
	Lists    *overview.Reader
	OAuth    *oauth.Service
	Audit    *audit.Log
	Exports  *logexport.Exporter // required if LogExport is on

	AuditLogins        bool              // ACTION_LOG_AUDIT_LOGINS
	AuditLoginFailures bool              // ACTION_LOG_AUDIT_LOGIN_FAILURES
	LogExport          bool              // FEATURE_LOG_EXPORT
	LogCounts          bool              // FEATURE_AGGREGATED_LOG_COUNT_RETRIEVAL
	Keys               *bearer.Authority // service keys, and what signs robots' passes
	Service            string            // whom registry tokens are for
	Size               sizes             // the blob store, of which superusers ask the size

	Secret  []byte // next_page tokens are sealed with a key made of it; SECRET_KEY
	Version string // of the program, for the OpenAPI document
	Clock   func() time.Time

	Cookie       Cookie
	FreshLogin   time.Duration // FRESH_LOGIN_TIMEOUT
	XHROnly      bool          // BROWSER_API_CALLS_XHR_ONLY
	Origins      []string      // CORS_ORIGIN; "*" or empty: every origin may read, without credentials
	Initialize   bool          // FEATURE_USER_INITIALIZE
	DirectLogin  bool          // FEATURE_DIRECT_LOGIN
	DatabaseAuth bool          // AUTHENTICATION_TYPE is Database
	Mailing      bool          // FEATURE_MAILING with a MAIL_SERVER: addresses are required, logins need a confirmed one

	PublicNamespaces []string // PUBLIC_NAMESPACES

	ChangeTagWindow    bool            // FEATURE_CHANGE_TAG_EXPIRATION: namespaces choose how long deleted tags can be restored
	TagWindows         []time.Duration // TAG_EXPIRATION_OPTIONS: from these; none, and nothing can be chosen
	Inviter            Inviter         // sends invitations to teams; nil when no mail is sent, and then there are none
	DirectApplications []string        // DIRECT_OAUTH_CLIENTID_WHITELIST: a user's password by HTTP Basic authorizes them without a CSRF token
	AssignTokens       bool            // FEATURE_ASSIGN_OAUTH_TOKEN: administrators offer tokens to users
	RequireTeamInvite  bool            // FEATURE_REQUIRE_TEAM_INVITE: with an Inviter, new members are asked first

	Mirror       bool // FEATURE_REPO_MIRROR
	PurgeTags    bool // PERMANENTLY_DELETE_TAGS
	Immutable    bool // FEATURE_IMMUTABLE_TAGS
	PartialNames bool // FEATURE_PARTIAL_USER_AUTOCOMPLETE

	PullStatistics bool // FEATURE_IMAGE_PULL_STATS

	Registration Registration
	Rename       bool          // FEATURE_USER_RENAME
	Metadata     bool          // FEATURE_USER_METADATA
	AppTokens    bool          // FEATURE_APP_SPECIFIC_TOKENS
	AppTokenLife time.Duration // APP_SPECIFIC_TOKEN_EXPIRATION; 0: without end

	Mail  Mailer       // required with Mailing
	Links string       // the registry's address, scheme and host, in mails; never what a request says. Required with Mailing
	Log   *slog.Logger // of what goes wrong after the answer; nil for none

	Config       config.View   // what may be shown of the configuration
	ConfigDump   bool          // FEATURE_SUPERUSER_CONFIGDUMP
	UserEvents   bool          // FEATURE_USER_EVENTS
	RecoveryMode bool          // ACCOUNT_RECOVERY_MODE
	SparseIndex  bool          // FEATURE_SPARSE_INDEX
	HealthDebug  secret.String // ENABLE_HEALTH_DEBUG_SECRET
	Events       *live.Hub     // what tools do, for /realtime/user/subscribe; nil without UserEvents
	Beat         time.Duration // of a stream of events; 0 for 20 s
	Changes      string        // what changed from version to version, in Markdown
	Shutdown     func()        // begins to stop the program; required
}

// Registration is who may make an account for themselves.
type Registration struct {
	Open           bool     // FEATURE_USER_CREATION
	InviteOnly     bool     // FEATURE_INVITE_ONLY_USER_CREATION
	BlockedDomains []string // BLACKLISTED_EMAIL_DOMAINS, when FEATURE_BLACKLISTED_EMAILS is on
}

// Mailer sends the letters of the API. A method returns when the mail server has taken the letter; an error says what
// failed and is Invalid when the recipient is refused. Check only signs in at the server.
type Mailer interface {
	Check(ctx context.Context) error
	Confirm(ctx context.Context, to, name, link string, life time.Duration) error
	Recover(ctx context.Context, to, name, link string, life time.Duration) error
	RecoverOrganization(ctx context.Context, to, organization string, admins []string) error
	ChangeAddress(ctx context.Context, to, name, link string, life time.Duration) error
}

// API is the handler of everything below /api and /oauth, and of what Serves says.
type API struct {
	options  Options
	table    table
	rows     map[string]*route // by operation id
	huma     huma.API
	document func() ([]byte, error)   // the OpenAPI document
	swagger  func() (*swagger, error) // the same as Swagger 2
	sessions *sessions
	pages    *pageTokens
	setup    string // the set-up code of an empty registry

	registered chan struct{} // closed when the rows have their handlers, or when flaw says why one has not
	flaw       error
}

// New builds the API from its rows. It fails when a row is incomplete: one without a permission would be a hole. The
// handlers are made beside what the program does next, see Ready.
func New(o Options) (*API, error) {
	if o.Identity == nil || o.Access == nil || o.Registry == nil || o.Lists == nil || o.OAuth == nil || o.Audit == nil ||
		o.LogExport && o.Exports == nil || o.Keys == nil || o.Size == nil || len(o.Secret) == 0 || o.Clock == nil || o.Shutdown == nil {
		return nil, problem.New(problem.Internal, "the API needs its services, a secret and a clock")
	}
	if o.Mailing && (o.Mail == nil || o.Links == "") {
		return nil, problem.New(problem.Internal, "an API that sends mail needs a mailer and the registry's address")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Beat <= 0 {
		o.Beat = beatEvery
	}
	setup, err := SetupCode(o.Secret)
	if err != nil {
		return nil, fmt.Errorf("set-up code: %w", err)
	}
	pages, err := newPageTokens(o.Secret, o.Clock)
	if err != nil {
		return nil, fmt.Errorf("page tokens: %w", err)
	}
	a := &API{options: o, rows: map[string]*route{}, sessions: newSessions(o), pages: pages, setup: setup, registered: make(chan struct{})}
	routes := a.routes()
	for _, r := range routes {
		if err := r.check(); err != nil {
			return nil, err
		}
		if a.rows[r.ID] != nil {
			return nil, fmt.Errorf("two routes are called %s", r.ID)
		}
		a.rows[r.ID] = r
	}
	a.table = newTable(routes)
	a.huma = huma.NewAPI(humaConfig(o), a)
	a.swagger = sync.OnceValues(a.buildSwagger)
	a.document = sync.OnceValues(func() ([]byte, error) { return json.Marshal(a.huma.OpenAPI()) })
	go func() {
		defer close(a.registered)
		a.flaw = a.register(routes)
	}()
	return a, nil
}

// register makes the schemas and handlers of all rows. It takes longer than all else that a start does, so that New
// does not wait for it.
func (a *API) register(routes []*route) error {
	for _, r := range routes {
		if r.Handler(a, a.huma, r); r.flaw != nil {
			return fmt.Errorf("route %s: %w", r.ID, r.flaw)
		}
	}
	hideDefaultErrors(a.huma.OpenAPI())
	return nil
}

// Ready waits until every row has its handler, and tells what is wrong with one that cannot have it. Requests that come
// before wait likewise.
func (a *API) Ready(ctx context.Context) error {
	select {
	case <-a.registered:
		return a.flaw
	case <-ctx.Done():
		return ctx.Err()
	}
}

// routes is the whole table, resource by resource.
func (a *API) routes() []*route {
	var all []*route
	for _, resource := range [][]*route{
		a.documentRoutes(), a.sessionRoutes(), a.userRoutes(), a.organizationRoutes(), a.robotRoutes(),
		a.repositoryRoutes(), a.permissionRoutes(), a.tagRoutes(),
		a.memberRoutes(), a.teamRoutes(), a.inviteRoutes(), a.prototypeRoutes(), a.robotGrantRoutes(),
		a.applicationRoutes(), a.applicationTokenRoutes(), a.authorizationRoutes(), a.consentRoutes(), a.federationRoutes(), a.signInPageRoutes(), a.invitationPageRoutes(), a.shortcutRoutes(),
		a.laterRoutes(),
		a.registrationRoutes(), a.accountRoutes(), a.notificationRoutes(), a.appTokenRoutes(), a.messageRoutes(),
		a.superUserRoutes(), a.superOrganizationRoutes(),
		a.logRoutes(), a.explainRoutes(),
		a.instanceRoutes(), a.serviceKeyRoutes(), a.siteRoutes(), a.wellKnownRoutes(), a.eventRoutes(),
		a.tagChangeRoutes(), a.pullStatisticsRoutes(), a.manifestRoutes(), a.labelRoutes(), a.repositoryStateRoutes(), a.starRoutes(), a.searchRoutes(), a.entityRoutes(),
	} {
		all = append(all, resource...)
	}
	return all
}

// The ways to authenticate, as the OpenAPI document names them.
const (
	schemeBearer  = "bearer"
	schemeSession = "session"
)

func humaConfig(o Options) huma.Config {
	cookie := o.Cookie.Name
	if cookie == "" {
		cookie = defaultCookieName
	}
	format := huma.Format{Marshal: marshal, Unmarshal: json.Unmarshal}
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "Longshore", Version: o.Version, Description: "The registry's API, compatible with Quay's."},
			Components: &huma.Components{
				Schemas:   huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				Responses: map[string]*huma.Response{problemName: problemResponse()},
				SecuritySchemes: map[string]*huma.SecurityScheme{
					schemeBearer:  {Type: "http", Scheme: "bearer", Description: "An OAuth access token."},
					schemeSession: {Type: "apiKey", In: "cookie", Name: cookie, Description: "With X-CSRF-Token on everything but GET."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{holdFailure},
	}
	config.AllowAdditionalPropertiesByDefault = true
	return config
}

func marshal(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// holdFailure catches every error on its way to huma's writer: the exchange renders it instead.
func holdFailure(ctx huma.Context, _ string, v any) (any, error) {
	x, ok := ctx.(*exchange)
	if !ok {
		return v, nil
	}
	switch e := v.(type) {
	case *failure:
		x.failed = e
	case *huma.ErrorModel:
		x.failed = schemaFailure(e)
	}
	return v, nil
}
