package content

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Location is a place that keeps objects, by the name that rows know it under.
type Location struct {
	Name   string // a key of DISTRIBUTED_STORAGE_CONFIG
	Driver Driver
}

// Options says how a Store works. DB and Locations are required.
type Options struct {
	DB         *db.DB
	Locations  []Location       // the first receives uploads; reads prefer the earlier
	Lease      time.Duration    // L, PUSH_TEMP_TAG_EXPIRATION_SEC: how long a promise holds; 0 for an hour
	MaxBlob    int64            // bytes a blob may have, MAXIMUM_LAYER_SIZE; 0 for no limit
	MaxUploads int              // open uploads an account; 0 for 1,000
	Memory     int64            // bytes for what was read, see DefaultMemory; 0: nothing is remembered
	Clock      func() time.Time // nil for time.Now
	Log        *slog.Logger     // nil for none
}

const (
	defaultLease      = time.Hour
	defaultMaxUploads = 1000

	checkpointBytes = 64 << 20         // an upload is saved at each multiple,
	checkpointAge   = 10 * time.Second // and after this time if bytes came
	uploadLifetime  = 48 * time.Hour   // after the last byte
	claimPatience   = 5 * time.Second  // how long a request waits for another one on the same upload
	saveTimeout     = 30 * time.Second // for keeping what arrived when the client has gone
	publishTimeout  = 5 * time.Minute  // for making an object of what arrived, also when the client has gone
)

// Store keeps blobs and uploads. Its methods may be called concurrently, and several processes may work on one
// database and one set of locations.
type Store struct {
	db         *db.DB
	places     []*place // in order of preference
	byID       map[int64]*place
	lease      time.Duration
	maxBlob    int64
	maxUploads int
	clock      func() time.Time
	log        *slog.Logger
	patience   time.Duration
	memory     memory
	verified   verifier

	// holder is this store's name in the upload rows it works on; empty when no other process can, which is so on
	// SQLite: then claims live in memory alone.
	holder  string
	claims  claims
	buffers *buffers
	asked   chan struct{} // tells RunMeasure that there is something to do
}

// NewStore registers the locations in the database. Unavailable when one is a folder that does not hold the objects which
// the database knows there, as when nothing is mounted on it: nothing is taken for lost before somebody has looked.
func NewStore(ctx context.Context, o Options) (*Store, error) {
	if o.DB == nil || len(o.Locations) == 0 {
		return nil, problem.New(problem.Internal, "a blob store needs a database and at least one location")
	}
	s := &Store{
		db: o.DB, byID: map[int64]*place{}, lease: o.Lease, maxBlob: o.MaxBlob, maxUploads: o.MaxUploads,
		clock: o.Clock, log: o.Log, patience: claimPatience,
	}
	s.buffers = newBuffers()
	s.claims.held = map[string]chan struct{}{}
	s.asked = make(chan struct{}, 1)
	if s.lease <= 0 {
		s.lease = defaultLease
	}
	if s.maxUploads <= 0 {
		s.maxUploads = defaultMaxUploads
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.memory = newMemory(o.DB, o.Memory, s.clock)
	s.verified = newVerifier(s.clock)
	if o.DB.Dialect() != db.SQLite {
		s.holder = uuid.NewString()
	}
	for _, l := range o.Locations {
		if err := s.add(ctx, l); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// nowMs is the present in the form of the _ms columns.
func (s *Store) nowMs() int64 { return db.Millis(s.clock()) }

// leaseEnd is the end of a lease that starts now: twice L, so that who asks again within L costs no write.
func (s *Store) leaseEnd() int64 { return db.Millis(s.clock().Add(2 * s.lease)) }

// detached gives the values of ctx a life of their own, for what must be finished though the client has gone.
func detached(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}
