// Package oauth is the registry as an OAuth 2 authorization server: applications of organizations, the codes and tokens
// that users grant them, and tokens that administrators assign to users (rest-api §3.3, §4.1, §5.3).
//
// Tokens themselves are credentials: package identity stores and checks them, only their SHA-256 is kept. What is here
// decides which token is made for whom. A code works once, for ten minutes, for the application, the redirect address
// and the user it was made for; used a second time, the token it was exchanged for is revoked. A redirect leads to the
// registered address or below it, see Allows. Who may administer an application is package access's business.
package oauth

import (
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// TokenLife is how long granted tokens live: Quay's ten years.
const TokenLife = 315_576_000 * time.Second

// Options configure a Service. DB, Identity and Clock are required.
type Options struct {
	DB        *db.DB
	Identity  *identity.Service
	Audit     identity.Recorder // of changes; nil records none
	MaxTokens int               // OAUTH_APPLICATION_MAXIMUM_TOKEN_COUNT: unexpired tokens an application may have; 0 for any number
	Clock     func() time.Time
}

// Service keeps applications and grants. Its methods may be called concurrently.
type Service struct {
	db        *db.DB
	identity  *identity.Service
	audit     identity.Recorder
	maxTokens int
	clock     func() time.Time
}

// New makes a service.
func New(o Options) *Service {
	if o.Audit == nil {
		o.Audit = identity.NoRecord{}
	}
	return &Service{db: o.DB, identity: o.Identity, audit: o.Audit, maxTokens: o.MaxTokens, clock: o.Clock}
}

func (s *Service) now() int64 { return db.Millis(s.clock()) }

func invalid(format string, args ...any) error { return problem.New(problem.Invalid, format, args...) }
