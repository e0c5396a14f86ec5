package identity

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
)

const (
	usesBound    = 100_000 // credentials whose use waits to be written; later ones go unrecorded until the next flush
	usesBatch    = 200     // rows a transaction
	flushTimeout = 5 * time.Second
)

// useLog remembers when credentials were last used and hands them out once an interval, so that however often a
// credential is used, its row is written at most once in that time.
type useLog struct {
	every time.Duration
	clock func() time.Time

	mu   sync.Mutex
	last map[principalKey]time.Time
}

type use struct {
	principalKey
	at time.Time
}

func newUseLog(every time.Duration, clock func() time.Time) *useLog {
	return &useLog{every: every, clock: clock, last: make(map[principalKey]time.Time)}
}

// interval is how often to flush; when nothing is recorded it does not matter.
func (l *useLog) interval() time.Duration {
	if l.every <= 0 {
		return time.Hour
	}
	return l.every
}

func (l *useLog) record(p proof) {
	if l.every <= 0 || p.credential == AccessToken {
		return
	}
	key := principalKey{p.credential, p.reference}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.last[key]; known || len(l.last) < usesBound {
		l.last[key] = l.clock()
	}
}

// take empties the log, sorted so that replicas lock rows in the same order.
func (l *useLog) take() []use {
	l.mu.Lock()
	defer l.mu.Unlock()
	uses := make([]use, 0, len(l.last))
	for key, at := range l.last {
		uses = append(uses, use{key, at})
	}
	clear(l.last)
	slices.SortFunc(uses, func(a, b use) int {
		return cmp.Or(cmp.Compare(a.credential, b.credential), cmp.Compare(a.reference, b.reference))
	})
	return uses
}

// flushUses writes what was recorded. Losing a batch to an error loses only freshness.
func (s *Service) flushUses(ctx context.Context) error {
	for batch := range slices.Chunk(s.uses.take(), usesBatch) {
		err := s.db.Soft(db.Background(ctx), "record uses of credentials", func(ctx context.Context, tx db.Tx) error {
			for _, u := range batch {
				if _, err := tx.Exec(ctx, useStatement(u.credential), db.Millis(u.at), u.reference); err != nil {
					return fmt.Errorf("record the use of a credential: %w", err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func useStatement(c Credential) string {
	switch c {
	case RobotToken:
		return `UPDATE robot_token SET last_used_ms = $1
			WHERE account_id = (SELECT id FROM account WHERE name = $2 AND deleted_ms IS NULL)`
	case AppToken:
		return `UPDATE app_token SET last_used_ms = $1 WHERE uuid = $2`
	case OAuthToken:
		return `UPDATE oauth_token SET last_used_ms = $1 WHERE uuid = $2`
	default:
		return `UPDATE account SET last_accessed_ms = $1 WHERE uuid = $2`
	}
}
