// Package bearer issues and verifies registry tokens: the JWTs that /v2/auth hands out and /v2 accepts.
//
// A token is signed with ES256 by a key of this registry. Each process signs with a key from the table of service keys
// and replaces it in time; the public halves are visible to all replicas and at the key endpoints. A token that is not
// exactly of the form that Issue makes is refused: another algorithm, a key that it brings itself, a key that is not
// this registry's own.
//
// The keys of services beside the registry stand in the same table: superusers make and approve them, services bring and
// rotate their own. Such a key signs nothing here.
//
// A token says what was granted when it was issued. Whether its owner still exists, and still has the right, is asked
// elsewhere: identity.Service.Current and access.Authority.Check.
package bearer

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/aged"
	"github.com/longshore-registry/longshore/internal/identity/quaycrypt"
)

// Claims are what a token says (registry-protocol §4.5).
type Claims struct {
	Subject    string // user or robot name, "(anonymous)"; empty for access tokens
	Audience   string // the service the client asked for
	Credential identity.Credential
	Reference  string // as identity.Service.Resolve takes it
	AccessRev  int64  // the account's revision when the token was issued
	Access     []Access
	Federated  bool      // a robot's pass: /v2/auth takes it in place of the robot's secret
	IssuedAt   time.Time // set by Issue
	Expires    time.Time // set by Issue
}

// Access is what a token grants on one resource. Its actions are in the order push, pull, *.
type Access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

// Bounds and ages.
const (
	tokenLifetime = time.Hour
	leeway        = 30 * time.Second
	maxToken      = 64 << 10 // bytes; what servers take in a header is less
	maxHeader     = 1 << 10  // bytes of the token's own header, encoded
	verifiedBytes = 2 << 20  // of verified tokens in memory
	keysAge       = 30 * time.Second
	keysSpare     = 24 * time.Hour
	reloadsASec   = 10 // look-ups of unknown keys, so that invented key ids cost the database little
)

// Options configure an Authority. DB and DatabaseSecretKey are required.
type Options struct {
	DB                *db.DB
	DatabaseSecretKey string
	Service           string        // INSTANCE_SERVICE_KEY_SERVICE, issuer and name of the keys' service; empty for "quay"
	KeyLifetime       time.Duration // INSTANCE_SERVICE_KEY_EXPIRATION; 0 for 120 min
	Refresh           time.Duration // INSTANCE_SERVICE_KEY_REFRESH; 0 for 55 min
	MaxFresh          time.Duration // REGISTRY_JWT_AUTH_MAX_FRESH_S, the longest life of a token; 0 for 3,660 s

	Unapproved time.Duration                           // UNAPPROVED_SERVICE_KEY_TTL_SEC: how long a key waits for approval; 0 for a day
	Expired    time.Duration                           // EXPIRED_SERVICE_KEY_TTL_SEC: how long an expired key stays in the table; 0 for a week
	SuperUsers func(context.Context) ([]string, error) // who is told of keys that wait; nil for nobody
	Audit      identity.Recorder                       // of changes; nil records none

	Clock func() time.Time
	Log   *slog.Logger // nil for none
}

// Authority issues and verifies tokens. Its methods may be called concurrently.
type Authority struct {
	options  Options
	db       *db.DB
	audit    identity.Recorder
	read     db.Queryer // db, outside transactions
	fields   *quaycrypt.Fields
	keys     *aged.Cache[struct{}, keySet]
	reloads  *rate.Limiter
	verified *otter.Cache[tokenHash, verifiedToken]
	spent    chan struct{} // tells Run that there is no key to sign with

	mu      sync.RWMutex
	current *signingKey
	next    *signingKey // published, not yet signed with
}

// New makes an authority with a key to sign with. Run must be running for the key to be replaced in time.
func New(ctx context.Context, o Options) (*Authority, error) {
	o = o.withDefaults()
	if least := o.Refresh + tokenLifetime + 5*time.Minute; o.KeyLifetime < least {
		o.Log.Warn("INSTANCE_SERVICE_KEY_EXPIRATION is shorter than INSTANCE_SERVICE_KEY_REFRESH and the life of a token; it is raised",
			"configured", o.KeyLifetime, "used", least)
		o.KeyLifetime = least
	}
	fields, err := quaycrypt.NewFields(o.DatabaseSecretKey)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_SECRET_KEY: %w", err)
	}
	o.DatabaseSecretKey = "" // nothing that may be printed keeps it
	a := newVerifier(o, o.DB)
	a.db, a.fields, a.audit = o.DB, fields, o.Audit
	o.DB.OnForeignCommit(a.keys.Drop)
	if err := a.refresh(ctx); err != nil {
		return nil, err
	}
	return a, nil
}

// newVerifier makes the part of an authority that reads keys and verifies.
func newVerifier(o Options, read db.Queryer) *Authority {
	return &Authority{
		options: o, read: read, spent: make(chan struct{}, 1),
		keys:    aged.New[struct{}, keySet](aged.Options{Size: 1, Age: keysAge, Spare: keysSpare, Clock: o.Clock}),
		reloads: rate.NewLimiter(reloadsASec, reloadsASec),
		verified: otter.Must(&otter.Options[tokenHash, verifiedToken]{ // the options are constant
			MaximumWeight: verifiedBytes,
			Weigher:       func(_ tokenHash, t verifiedToken) uint32 { return t.weight },
		}),
	}
}

func (o Options) withDefaults() Options {
	if o.Service == "" {
		o.Service = "quay"
	}
	if o.KeyLifetime == 0 {
		o.KeyLifetime = 120 * time.Minute
	}
	if o.Refresh == 0 {
		o.Refresh = 55 * time.Minute
	}
	if o.MaxFresh == 0 {
		o.MaxFresh = 3660 * time.Second
	}
	if o.Unapproved == 0 {
		o.Unapproved = 24 * time.Hour
	}
	if o.Expired == 0 {
		o.Expired = 7 * 24 * time.Hour
	}
	if o.SuperUsers == nil {
		o.SuperUsers = func(context.Context) ([]string, error) { return nil, nil }
	}
	if o.Audit == nil {
		o.Audit = identity.NoRecord{}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// wire is the payload of a token.
type wire struct {
	Issuer    string      `json:"iss"`
	Audience  string      `json:"aud"`
	Subject   *string     `json:"sub"`
	NotBefore int64       `json:"nbf"`
	IssuedAt  int64       `json:"iat"`
	Expires   int64       `json:"exp"`
	ID        string      `json:"jti"`
	Access    []Access    `json:"access"`
	Context   wireContext `json:"context"`
}

// wireContext is Quay's description of the identity, version 2, with the revision added and whether it is a pass.
type wireContext struct {
	Version   int               `json:"version"`
	Entity    string            `json:"entity_kind"`
	Reference string            `json:"entity_reference,omitempty"`
	Kind      string            `json:"kind"`
	User      string            `json:"user,omitempty"`
	Root      string            `json:"com.apostille.root"`
	Roots     map[string]string `json:"com.apostille.roots"`
	AccessRev int64             `json:"access_rev,omitempty"`
	Federated bool              `json:"federated,omitempty"`
}

// trustDisabled is what Quay says of content trust where there is none.
const trustDisabled = "$disabled"

// entity is how the context names a credential; old is its name in version 1.
type entity struct {
	credential identity.Credential
	name, old  string
}

func entities() []entity {
	return []entity{
		{identity.Anonymous, "anonymous", "anonymous"},
		{identity.Password, "user", "user"},
		{identity.RobotToken, "robot", "user"},
		{identity.AppToken, "appspecifictoken", "user"},
		{identity.OAuthToken, "oauthtoken", "oauth"},
		{identity.AccessToken, "token", "token"},
	}
}

func (c Claims) context() (wireContext, error) {
	for _, e := range entities() {
		if e.credential != c.Credential {
			continue
		}
		w := wireContext{
			Version: 2, Entity: e.name, Kind: e.old, Reference: c.Reference, AccessRev: c.AccessRev, Federated: c.Federated,
			Root: trustDisabled, Roots: make(map[string]string, len(c.Access)),
		}
		if c.Credential != identity.Anonymous {
			w.User = c.Subject
		}
		for _, a := range c.Access {
			w.Roots[a.Name] = trustDisabled
		}
		return w, nil
	}
	return wireContext{}, fmt.Errorf("credential %d gets no registry token", c.Credential)
}

// marshal makes the payload.
func (c Claims) marshal(issuer, id string) ([]byte, error) {
	described, err := c.context()
	if err != nil {
		return nil, err
	}
	w := wire{
		Issuer: issuer, Audience: c.Audience, ID: id, Access: c.Access, Context: described,
		NotBefore: c.IssuedAt.Unix(), IssuedAt: c.IssuedAt.Unix(), Expires: c.Expires.Unix(),
	}
	if c.Subject != "" {
		w.Subject = &c.Subject
	}
	if w.Access == nil {
		w.Access = []Access{}
	}
	return json.Marshal(w)
}
