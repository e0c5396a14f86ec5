package config

import (
	"log/slog"
	"time"

	"github.com/longshore-registry/longshore/internal/secret"
)

// Config is the configuration in effect: what was set, and the defaults for what was not.
type Config struct {
	Server        Server
	TLS           TLS
	Database      Database
	Storage       Storage
	Keys          Keys
	Accounts      Accounts
	Login         Login
	Session       Session
	Registry      Registry
	Artifacts     Artifacts
	Push          Push
	Tags          Tags
	Mail          Mail
	ActionLog     ActionLog
	Observability Observability
	Bundle        Bundle
}

// Server is how clients reach the registry and in which state it is.
type Server struct {
	Hostname         string // host[:port]; empty: links and realm follow the request
	Scheme           string // "http", "https", or empty: links follow the request
	ExternalTLS      bool   // a proxy ends TLS, clients always see https
	Proxies          Proxies
	IPVersion        string // "IPv4", "IPv6" or "dual-stack"
	ReadOnly         bool   // no write at all
	PushesOff        bool   // no push; everything else is written
	RecoveryMode     bool   // /v2 answers 405
	HealthDebug      secret.String
	CORSOrigins      []string
	BrowserCallsXHR  bool // API calls of browsers need X-Requested-With
	InstanceKeyName  string
	InstanceKeyLife  time.Duration
	InstanceKeyRenew time.Duration

	UnapprovedKeyLife time.Duration // how long a service's key waits for approval
	ExpiredKeyLife    time.Duration // how long an expired one stays
	UserEvents        bool          // pages are told what the same person's tools do
}

// Network is the name of the network for net.Listen: "tcp4", "tcp6" or "tcp".
func (s Server) Network() string {
	switch s.IPVersion {
	case "IPv4":
		return "tcp4"
	case "IPv6":
		return "tcp6"
	}
	return "tcp"
}

// Proxies is how many proxies append to X-Forwarded-For. Not Set, forwarded headers count only from loopback and
// private peers; Set with Count 0, they never count.
type Proxies struct {
	Count int
	Set   bool
}

// TLS is in effect when KeyFile is not empty.
type TLS struct {
	CertFile, KeyFile string   // PEM files of the bundle
	Protocols         []string // of TLSv1.2 and TLSv1.3, at least one
	Ciphers           []string // OpenSSL's names as given, "!" ones included; empty: Go's choice
}

// Database says where the metadata lies.
type Database struct {
	URI            secret.String // Quay's DB_URI; unset: SQLite in the data folder
	SSLMode        string        // libpq's options; empty: not given
	RootCert       string        // path of a PEM file that exists
	Cert, Key      string        // paths of the client's certificate and key
	Options        string        // libpq's options string
	ConnectTimeout time.Duration
	MaxConnections int // 0: the program's own choice
}

// Postgres reports whether the URI names PostgreSQL.
func (d Database) Postgres() bool {
	switch scheme(d.URI.Reveal()) {
	case "postgresql", "postgres":
		return true
	}
	return false
}

// Storage says where blobs lie.
type Storage struct {
	Locations  []Location // in reading order; the first takes uploads; empty: one folder in the data folder
	Preference []string   // ids in the order that was asked for; Locations follows it already
}

// Location is a place for blobs.
type Location struct {
	ID     string // Quay's name of the location, also in its database
	Driver string // "LocalStorage"
	Path   string // its folder
}

// Keys are the secrets that must be kept as long as what they encrypt. Unset ones are generated once by the program.
type Keys struct {
	Secret         secret.String // SECRET_KEY, digit for digit as Quay sees it
	DatabaseSecret secret.String // DATABASE_SECRET_KEY, likewise
}

// Accounts is who may do what beyond their permissions.
type Accounts struct {
	SuperUsersOn          bool
	SuperUsers            []string // empty: the first user is one
	SuperUsersFullAccess  bool     // may touch all content
	SuperUsersOnlyMakeOrg bool     // nobody else creates organizations
	ReadOnlySuperUsers    []string
	RestrictedUsers       bool     // users create nothing in their own namespace
	RestrictedWhitelist   []string // except these
	RobotsOff             bool
	RobotsWhitelist       []string // work although robots are off
	FederationAudiences   []string // what else a token that speaks for a robot may be meant for
	AnonymousAccess       bool
	ConfigDump            bool // superusers read the configuration through the API
	Initialize            bool // POST /api/v1/user/initialize on an empty database
	Registration          bool // people create accounts for themselves
	InviteOnly            bool // and need an invitation for that
	BlockDomains          bool // addresses of BlockedDomains are refused to them
	BlockedDomains        []string
	Rename                bool // users change their names
	SharedEmail           bool // organizations may have another account's address
	Metadata              bool // users keep name, company and place
	PublicNamespaces      []string
	RequireTeamInvite     bool     // new members of a team are invited, where mail is sent
	AssignTokens          bool     // organization administrators offer OAuth tokens to users
	DirectApplications    []string // client ids that a program authorizes with a user's password
	MaxApplicationTokens  int      // of an OAuth application; 0: any number
	FindByPart            bool     // search finds users by a part of their name
	TrackLastAccess       bool
	LastAccessEvery       time.Duration
}

// Login is which credentials count.
type Login struct {
	Direct        bool // password on the web
	AppTokens     bool
	EncryptedOnly bool          // no plain password over basic authentication
	TokenMaxAge   time.Duration // longest life of a registry token that is accepted
	CodeLife      time.Duration // of the links in mails
	AppTokenLife  time.Duration // of new application tokens; 0: without end
}

// Session is the web session.
type Session struct {
	Timeout       time.Duration
	Permanent     bool // the cookie outlives the browser
	CookieName    string
	CookieSecure  bool // always true when the scheme is https
	FreshLoginFor time.Duration
}

// Registry is what /v2 answers.
type Registry struct {
	Advertised       bool   // false: /v2/ is 404
	BlockedDockers   string // range of Docker versions that get 404
	PageSize         int    // of a list without n
	MaxBlobSize      int64  // bytes
	NestedNames      bool
	Library          bool // names without a namespace
	LibraryNamespace string
	PublicCatalog    bool
	Referrers        bool
	SparseIndex      bool
	PushProtection   time.Duration // how long pushed content without a tag stays
	Mirror           bool          // states of repositories can be changed
	ReservedLabels   []string      // beginnings of label keys that the API refuses, besides the usual ones
}

// Artifacts is which manifests may be pushed.
type Artifacts struct {
	OCI           bool                // OCI manifests and indexes at all
	OCINamespaces []string            // where they are accepted although OCI is false
	Schema1Only   []string            // namespaces that refuse schema 2 and OCI
	Allowed       map[string][]string // config media type to layer media types; nil: not set, everything is accepted
	Helm          bool                // Helm's types are allowed although Allowed does not name them
	IgnoreUnknown bool                // the allow-list is switched off; Allowed is nil then
}

// Push is what a push may create.
type Push struct {
	PrivateRepositories bool // repositories made by a push are private
	CreateNamespaces    bool // a push to a missing namespace makes an organization
}

// Tags is how long tags and what they named are kept.
type Tags struct {
	Window          time.Duration   // time machine of new namespaces
	WindowChoices   []time.Duration // what namespaces may choose; empty: no choice
	ChangeWindow    bool            // namespaces choose
	LabelMinimum    time.Duration   // bounds of an expiration
	LabelMaximum    time.Duration
	Purge           bool // tags can be removed so that they cannot be restored
	Immutable       bool // tags can be protected
	ImmutableExpire bool // protected tags may expire
	CountPulls      bool // how often and when tags and manifests are pulled is kept
}

// Mail is in effect when FEATURE_MAILING is on and a server is named.
type Mail struct {
	Enabled  bool // accounts need an e-mail address
	Server   string
	Port     int
	StartTLS bool   // demanded of the server
	Username string // empty: no signing in
	Password secret.String
	Sender   string
}

// ActionLog is what is recorded of what happens, and for how long.
type ActionLog struct {
	PullsWithout  bool // a pull goes on although it cannot be recorded
	AllWithout    bool // so does a sign-in, and a pull
	Logins        bool // sign-ins and sign-outs are recorded
	LoginFailures bool // sign-ins that are refused are recorded
	// PullFailures, PushFailures and DeleteFailures record requests for manifests that fail.
	PullFailures, PushFailures, DeleteFailures bool
	Silent                                     []string      // namespaces of which nothing is recorded
	SilentPulls                                []string      // namespaces of which no pull is recorded
	MaxPages                                   int           // of a list; 0 for all
	Retention                                  time.Duration // how long entries are kept at least; 0 for ever
	Export                                     bool          // lists can be exported
	Counts                                     bool          // counts by day can be asked for
	InnerHosts                                 []string      // names, addresses and networks that are inside and may be called nevertheless
}

// Observability is what the program tells about itself.
type Observability struct {
	LogLevel      slog.Level
	MetricsPrefix string
}
