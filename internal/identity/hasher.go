package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/semaphore"

	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	bcryptBytes   = 72 // what bcrypt looks at
	queuePerSlot  = 16 // at cost 12 a queue of about four seconds
	hashingRetry  = 2 * time.Second
	dummyAlphabet = "Ue" // any 53 characters of bcrypt's alphabet make a hash that nothing is known to match
)

// hasher computes password hashes on a bounded number of cores with a short queue, so that a flood of logins leaves
// the processor to the registry.
type hasher struct {
	cost    int
	slots   *semaphore.Weighted
	waiting atomic.Int64
	begun   atomic.Int64 // computations begun since the start
	queue   int64
}

func newHasher(cost, slots int) *hasher {
	return &hasher{cost: cost, slots: semaphore.NewWeighted(int64(slots)), queue: int64(slots * queuePerSlot)}
}

// dummy is a hash that costs as much to compare with as a real one.
func (h *hasher) dummy() string {
	return fmt.Sprintf("$2a$%02d$%s.", h.cost, strings.Repeat(dummyAlphabet, 26))
}

// hash makes the stored form of a password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.slots.Release(1)
	h.begun.Add(1)
	stored, err := bcrypt.GenerateFromPassword(counted(password), h.cost)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return string(stored), nil
}

// matches reports whether stored was made of secret. A stored form that is no bcrypt hash matches nothing.
func (h *hasher) matches(ctx context.Context, stored, secret string) (bool, error) {
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.slots.Release(1)
	h.begun.Add(1)
	return bcrypt.CompareHashAndPassword([]byte(stored), counted(secret)) == nil, nil
}

// enter waits for a core. TooMany means that too many wait already.
func (h *hasher) enter(ctx context.Context) error {
	if h.slots.TryAcquire(1) {
		return nil
	}
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > h.queue {
		return tooMany(hashingRetry, "Too many logins are being checked at once; try again in %d seconds", int(hashingRetry.Seconds()))
	}
	if err := h.slots.Acquire(ctx, 1); err != nil {
		return errors.Join(errors.New("wait for the password check"), err)
	}
	return nil
}

// PasswordHashes is how many computations of password hashes were begun since the start, to store or to compare. Each
// takes about a quarter of a second of a processor.
func (s *Service) PasswordHashes() int64 { return s.hasher.begun.Load() }

// counted is the part of a password that bcrypt looks at.
func counted(password string) []byte {
	b := []byte(password)
	return b[:min(len(b), bcryptBytes)]
}

func tooMany(after time.Duration, format string, args ...any) error {
	e := problem.New(problem.TooMany, format, args...)
	e.RetryAfter = after
	return e
}
