package registry

import (
	"context"
	"log/slog"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

// Limits bounds what a push may hold; a zero field takes the default named beside it.
type Limits struct {
	Manifest    manifest.Limits // of the document itself, see there
	TagsPerPush int             // tags one push may set: 10 is what the distribution specification asks for, 100
	ConfigBytes int64           // image configs above it are not read for labels: 4 MiB
}

// Expiry clamps what the label quay.expires-after may ask for (LABELED_EXPIRATION_MINIMUM, LABELED_EXPIRATION_MAXIMUM).
type Expiry struct {
	Min time.Duration // 0: one hour
	Max time.Duration // 0: 104 weeks
}

// Immutability says whether tags can be kept from changing.
type Immutability struct {
	On        bool // FEATURE_IMMUTABLE_TAGS; off, a tag's flag has no effect
	CanExpire bool // FEATURE_IMMUTABLE_TAGS_CAN_EXPIRE
}

// BlobReader reads small blobs of a repository; *content.Store is one. An unknown blob is BLOB_UNKNOWN, one above the
// limit is problem.TooLarge.
type BlobReader interface {
	Bytes(ctx context.Context, repositoryID int64, d digest.Digest, limit int64) ([]byte, error)
}

// Options says what a Registry works with. DB and Content are required.
type Options struct {
	DB          *db.DB
	Content     BlobReader
	Lease       time.Duration // PUSH_TEMP_TAG_EXPIRATION_SEC; 0: one hour
	Limits      Limits
	Artifacts   manifest.Policy
	SparseIndex bool // FEATURE_SPARSE_INDEX: an index may name manifests that are not here
	Expiry      Expiry
	Immutable   Immutability
	Reserved    []string // LABEL_KEY_RESERVED_PREFIXES: further beginnings of label keys that nobody sets by the API
	Names       NameOptions
	Memory      int64             // bytes for what was read, see DefaultMemory; 0: nothing is remembered
	Accounts    *identity.Service // tells of changes of namespaces in this process; nil when it makes none
	Audit       identity.Recorder // of changes; nil records none
	Clock       func() time.Time  // nil: time.Now
	Log         *slog.Logger      // nil: none
}

// Registry keeps repositories and what is in them. Its methods may be called concurrently, by any number of processes
// that share the database.
type Registry struct {
	db        *db.DB
	content   BlobReader
	lease     time.Duration
	limits    Limits
	policy    manifest.Policy
	sparse    bool
	expiry    Expiry
	immutable Immutability
	reserved  []string
	names     NameOptions
	memory    memory
	audit     identity.Recorder
	clock     func() time.Time
	log       *slog.Logger
}

// New checks the options.
func New(o Options) (*Registry, error) {
	if o.DB == nil || o.Content == nil {
		return nil, problem.New(problem.Internal, "the registry needs a database and a blob store")
	}
	r := &Registry{
		db: o.DB, content: o.Content, lease: o.Lease, limits: o.Limits, policy: o.Artifacts, sparse: o.SparseIndex,
		expiry: o.Expiry, immutable: o.Immutable, reserved: o.Reserved, names: o.Names, audit: o.Audit, clock: o.Clock, log: o.Log,
	}
	r.setDefaults()
	if r.expiry.Min > r.expiry.Max {
		return nil, problem.New(problem.Invalid, "LABELED_EXPIRATION_MINIMUM (%s) is above LABELED_EXPIRATION_MAXIMUM (%s)",
			r.expiry.Min, r.expiry.Max)
	}
	r.memory = newMemory(o.DB, o.Memory, r.clock)
	if o.Accounts != nil {
		o.Accounts.OnChange(r.memory.repositories.Drop)
	}
	return r, nil
}

const (
	defaultLease     = time.Hour
	defaultExpiryMin = time.Hour
	defaultExpiryMax = 104 * 7 * 24 * time.Hour
)

func (r *Registry) setDefaults() {
	if r.lease <= 0 {
		r.lease = defaultLease
	}
	r.limits.Manifest = r.limits.Manifest.WithDefaults()
	if r.limits.TagsPerPush <= 0 {
		r.limits.TagsPerPush = 100
	}
	if r.limits.ConfigBytes <= 0 {
		r.limits.ConfigBytes = 4 << 20
	}
	if r.expiry.Min <= 0 {
		r.expiry.Min = defaultExpiryMin
	}
	if r.expiry.Max <= 0 {
		r.expiry.Max = defaultExpiryMax
	}
	if r.audit == nil {
		r.audit = identity.NoRecord{}
	}
	if r.clock == nil {
		r.clock = time.Now
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
}

// now is the present as Unix milliseconds, the form of every _ms column.
func (r *Registry) now() int64 { return db.Millis(r.clock()) }
