package bearer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	refreshEvery = 20 * time.Second
	// publishAhead is how long a new key is in the table before anything is signed with it: longer than the age at
	// which every replica has read the table again.
	publishAhead = keysAge + 5*time.Second
	keyLock      = 1 << 55 // LockNamespace id of the making of service keys; no account has it
	keyName      = "registry tokens"
)

// Run replaces the signing key in time until ctx ends. While the database is away it goes on with the old one.
func (a *Authority) Run(ctx context.Context) error {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-a.spent:
		}
		if err := a.refresh(ctx); err != nil && ctx.Err() == nil {
			a.options.Log.Warn("the service key could not be replaced", "error", err)
		}
	}
}

// refresh makes sure that there is a key to sign with: at first one that is there already and young enough, or a new
// one; later a successor, which takes over when every replica knows it. A key that is too old to sign, since the clock
// was stepped or the machine slept, is replaced at once: other replicas look up a key that they do not know.
func (a *Authority) refresh(ctx context.Context) error {
	now := a.options.Clock()
	a.mu.RLock()
	current, next := a.current, a.next
	a.mu.RUnlock()
	if current != nil && a.withdrawn(ctx, current.kid) {
		current = nil
	}
	switch {
	case current != nil && next != nil && (now.Sub(next.created) >= publishAhead || a.ends(current, now)):
		current, next = next, nil
	case current != nil && next == nil && !a.ends(current, now) && now.Sub(current.created) >= a.options.Refresh:
		key, err := a.obtain(ctx, now)
		if err != nil {
			return err
		}
		next = key
	case current == nil || a.ends(current, now):
		key, err := a.obtain(ctx, now)
		if err != nil {
			return err
		}
		current = key
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current, a.next = current, next
	return nil
}

// withdrawn reports whether somebody took the key out of the table, or made it end.
func (a *Authority) withdrawn(ctx context.Context, kid string) bool {
	_, err := a.key(ctx, kid)
	return problem.Is(err, problem.Unauthenticated)
}

// ends reports whether a token of now would outlive the key.
func (a *Authority) ends(key *signingKey, now time.Time) bool {
	return key.expires.Before(now.Add(min(tokenLifetime, a.options.MaxFresh)))
}

// obtain gives the youngest key that is not due for replacement, or a new one. Replicas that look at the same time
// share one.
func (a *Authority) obtain(ctx context.Context, now time.Time) (*signingKey, error) {
	var key *signingKey
	err := a.db.Hard(ctx, "obtain a service key", func(ctx context.Context, tx db.Tx) (err error) {
		if err := tx.Lock(ctx, db.LockNamespace, keyLock, db.Exclusive); err != nil {
			return err
		}
		if key, err = a.youngestTx(ctx, tx, now); err != nil || key != nil {
			return err
		}
		tx.AfterCommit(a.keys.Drop)
		if key, err = a.createTx(ctx, tx, now); err != nil {
			return err
		}
		return a.removeStaleTx(ctx, tx, now)
	})
	if err != nil {
		return nil, err
	}
	return key, nil
}

// youngestTx is nil when there is none, or none that this DATABASE_SECRET_KEY opens.
func (a *Authority) youngestTx(ctx context.Context, tx db.Tx, now time.Time) (*signingKey, error) {
	var kid, sealed string
	var created, expires int64
	err := tx.QueryRow(ctx, `SELECT kid, private_key, created_ms, expires_ms FROM service_key
		WHERE service = $1 AND private_key IS NOT NULL AND approved_ms IS NOT NULL AND expires_ms IS NOT NULL
		AND created_ms > $2 AND created_ms <= $3 ORDER BY created_ms DESC, id DESC LIMIT 1`,
		a.options.Service, db.Millis(now.Add(-a.options.Refresh)), db.Millis(now)).Scan(&kid, &sealed, &created, &expires)
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up the service key: %w", err)
	}
	private, err := a.unseal(sealed)
	if err != nil || db.Time(expires).Before(now.Add(a.options.Refresh)) {
		return nil, nil // made under another DATABASE_SECRET_KEY, or short-lived: it is left to expire
	}
	return newSigner(kid, private, db.Time(created), db.Time(expires))
}

func (a *Authority) createTx(ctx context.Context, tx db.Tx, now time.Time) (*signingKey, error) {
	kid, private, jwk, err := newKey()
	if err != nil {
		return nil, err
	}
	sealed, err := a.seal(private)
	if err != nil {
		return nil, err
	}
	expires := now.Add(a.options.KeyLifetime)
	_, err = tx.Exec(ctx, `INSERT INTO service_key
			(kid, service, name, jwk, private_key, created_ms, expires_ms, rotation_s, approval_type, approved_ms)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $6)`,
		kid, a.options.Service, keyName, string(jwk), sealed, db.Millis(now), db.Millis(expires),
		int64(a.options.KeyLifetime/time.Second), approvedBySystem)
	if err != nil {
		return nil, fmt.Errorf("store a service key: %w", err)
	}
	return newSigner(kid, private, now, expires)
}

// removeStaleTx removes keys that nobody approved in time, with the notes about them, and keys that expired long ago. In
// between, the key endpoints call them expired, as in Quay.
func (a *Authority) removeStaleTx(ctx context.Context, tx db.Tx, now time.Time) error {
	_, err := tx.Exec(ctx, `DELETE FROM service_key WHERE expires_ms < $1 OR approved_ms IS NULL AND created_ms <= $2`,
		db.Millis(now.Add(-a.options.Expired)), a.staleBefore())
	if err != nil {
		return fmt.Errorf("remove old service keys: %w", err)
	}
	_, err = tx.Exec(ctx, `DELETE FROM notification WHERE kind = $1 AND created_ms <= $2 AND lookup_path IS NOT NULL`, noteKind, a.staleBefore())
	if err != nil {
		return fmt.Errorf("remove old notes about service keys: %w", err)
	}
	return nil
}
