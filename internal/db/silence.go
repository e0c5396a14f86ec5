package db

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// silence is what is known of a PostgreSQL server that answers nothing any more, though its connections stand: a frozen
// machine, a network that swallows. Whoever finds out waits as long as one usually may; until something was answered
// again, all others wait for no longer than probe. So a request that asks several things, and all that come after it, get their
// error (503, with Retry-After) soon.
//
// A server that answers slowly is not silent: it ends statements itself (statement_timeout) before that.
type silence struct {
	probe time.Duration
	noted atomic.Bool
}

// limit is how long to wait for an answer that usually takes at most so long.
func (s *silence) limit(usual time.Duration) time.Duration {
	if s.noted.Load() {
		return min(usual, s.probe)
	}
	return usual
}

// note takes notice of how a wait ended. limited is the context of the wait, which ctx would have allowed to go on.
func (s *silence) note(ctx, limited context.Context, err error) {
	switch {
	case err == nil:
		if s.noted.Load() {
			s.noted.Store(false)
		}
	case ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded):
		s.noted.Store(true)
	}
}
