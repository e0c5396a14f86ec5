package identity

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity/aged"
	"github.com/longshore-registry/longshore/internal/identity/quaycrypt"
)

// Ages of what is kept in memory. The sum of proofAge and resolveAge does not matter for revocation: a proof counts
// only as long as the account, asked at most resolveAge ago, still has the revision the proof was made under.
const (
	proofAge   = time.Minute      // a verified secret is trusted without computing its hash again
	resolveAge = 30 * time.Second // what an account or token is, and whether it is
	spareAge   = time.Hour        // the same while the database is away
	cacheSize  = 10_000
)

const (
	defaultBcryptCost   = 12
	defaultLastAccessed = time.Minute
	defaultTagWindow    = 14 * 24 * time.Hour
)

// Options configure a Service. DB, SecretKey and DatabaseSecretKey are required.
type Options struct {
	DB                *db.DB
	SecretKey         string        // Quay's SECRET_KEY: encrypted passwords
	DatabaseSecretKey string        // Quay's DATABASE_SECRET_KEY: robots' and applications' tokens
	DefaultTagWindow  time.Duration // DEFAULT_TAG_EXPIRATION, for new namespaces; 0 for two weeks

	AppTokens                 bool     // FEATURE_APP_SPECIFIC_TOKENS
	RequireEncryptedBasicAuth bool     // FEATURE_REQUIRE_ENCRYPTED_BASIC_AUTH
	RobotsDisallow            bool     // ROBOTS_DISALLOW: robots neither log in nor are created
	RobotsWhitelist           []string // ROBOTS_WHITELIST: full names of robots that RobotsDisallow spares

	// ReservedNames can only be taken by initialize, the command line or a super user (NewUser.Trusted): SUPER_USERS
	// and GLOBAL_READONLY_SUPER_USERS, since whoever has such a name has the right.
	ReservedNames []string

	SharedEmail bool // FEATURE_ORG_SHARED_EMAIL: an organization may have the address of another account

	CodeLife time.Duration // USER_RECOVERY_TOKEN_LIFETIME: of the codes in mails; 0 for half an hour

	Federation TokenVerifier // of tokens that speak for robots; nil: none does

	Audit       Recorder // of changes; nil records none
	AuditLogins bool     // ACTION_LOG_AUDIT_LOGINS: signing out is recorded too

	BcryptCost   int           // 0 for 12; tests lower it
	LastAccessed time.Duration // LAST_ACCESSED_UPDATE_THRESHOLD_S; 0 for a minute, negative to record no use
	Clock        func() time.Time
	Log          *slog.Logger // nil for none
}

// Service keeps accounts and checks credentials. Its methods may be called concurrently.
type Service struct {
	options       Options
	db            *db.DB
	read          db.Queryer // db, outside transactions
	fields        *quaycrypt.Fields
	passwords     *quaycrypt.Passwords
	hasher        *hasher
	gate          *gate
	uses          *useLog
	failureSecret []byte // the same on every replica
	proofKey      []byte // of this process; a copy of its memory aside, nobody can test guesses against the cache
	dummyHash     string // what an unknown user's password is compared with
	proofs        *aged.Cache[proofKey, proof]
	resolved      *aged.Cache[principalKey, resolved]

	mu       sync.Mutex
	watchers []func()
}

// NewService makes a service. Run must be running for uses of credentials to be recorded.
func NewService(o Options) (*Service, error) {
	o = o.withDefaults()
	fields, err := quaycrypt.NewFields(o.DatabaseSecretKey)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_SECRET_KEY: %w", err)
	}
	passwords, err := quaycrypt.NewPasswords(o.SecretKey)
	if err != nil {
		return nil, fmt.Errorf("SECRET_KEY: %w", err)
	}
	failureSecret, err := hkdf.Key(sha256.New, []byte(o.SecretKey), nil, "longshore failed logins", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("SECRET_KEY: %w", err)
	}
	o.SecretKey, o.DatabaseSecretKey = "", "" // nothing that may be printed keeps them
	h := newHasher(o.BcryptCost, max(1, runtime.GOMAXPROCS(0)/2))
	s := &Service{
		options: o, db: o.DB, read: o.DB, fields: fields, passwords: passwords,
		hasher: h, gate: newGate(o.Clock), uses: newUseLog(o.LastAccessed, o.Clock),
		failureSecret: failureSecret, proofKey: make([]byte, 32), dummyHash: h.dummy(),
		proofs:   aged.New[proofKey, proof](aged.Options{Size: cacheSize, Age: proofAge, Clock: o.Clock}),
		resolved: aged.New[principalKey, resolved](aged.Options{Size: cacheSize, Age: resolveAge, Spare: spareAge, Clock: o.Clock}),
	}
	rand.Read(s.proofKey)
	o.DB.OnForeignCommit(s.resolved.Drop)
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.BcryptCost == 0 {
		o.BcryptCost = defaultBcryptCost
	}
	if o.LastAccessed == 0 {
		o.LastAccessed = defaultLastAccessed
	}
	if o.DefaultTagWindow == 0 {
		o.DefaultTagWindow = defaultTagWindow
	}
	if o.CodeLife <= 0 {
		o.CodeLife = defaultCodeLife
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Audit == nil {
		o.Audit = NoRecord{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// OnChange registers what to do after this process has changed who is a member of which team, or deleted an account:
// dropping what was cached about permissions. It must be called before the service is used.
func (s *Service) OnChange(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers = append(s.watchers, fn)
}

// changed registers with a transaction that memory is to be dropped when it is committed. Changes of accounts and
// memberships are rare, and what is dropped costs one indexed query an account to get back.
func (s *Service) changed(tx db.Tx) {
	tx.AfterCommit(func() {
		s.resolved.Drop()
		s.mu.Lock()
		watchers := s.watchers
		s.mu.Unlock()
		for _, fn := range watchers {
			fn()
		}
	})
}

// Run records uses of credentials and removes expired sessions until ctx ends, then records what is left.
func (s *Service) Run(ctx context.Context) error {
	flush := time.NewTicker(s.uses.interval())
	sweep := time.NewTicker(sweepEvery)
	defer flush.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
			defer cancel()
			return s.flushUses(last)
		case <-flush.C:
			s.report("record uses of credentials", s.flushUses(ctx))
		case <-sweep.C:
			s.report("remove expired sessions", s.removeExpiredSessions(ctx))
			s.report("remove old failed logins", s.removeOldFailures(ctx))
		}
	}
}

// report logs a failure of background work, which is tried again at its next turn.
func (s *Service) report(what string, err error) {
	if err != nil {
		s.options.Log.Warn("background work failed", "work", what, "error", err)
	}
}

// logTx writes the log entry of a change that the log of a namespace shows.
func (s *Service) logTx(ctx context.Context, tx db.Tx, kind string, namespaceID int64, metadata map[string]any) error {
	return s.options.Audit.Change(ctx, tx, kind, namespaceID, 0, metadata)
}

func (s *Service) now() time.Time { return s.options.Clock() }

func (s *Service) nowMillis() int64 { return db.Millis(s.now()) }
