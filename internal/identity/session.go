package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/longshore-registry/longshore/internal/db"
)

// What the store reads of a session's data: the id, an int64, of the account that signed in, and the account's
// SessionRevision at that time, an int64 too.
const (
	SessionAccount  = "account_id"
	SessionRevision = "session_rev"
)

const (
	sweepEvery = 10 * time.Minute
	sweepBatch = 1000
)

// SessionStore keeps the console's sessions in the database: an scs.Store. A cookie's token is stored hashed, so that
// nobody who reads the table can use it. The account in the data goes into a column of its own, so that all sessions
// of an account can be ended.
//
// A session cannot be stored after its account's sessions were ended: a request that began before the user signed out
// and saves its session after does not bring it back.
type SessionStore struct {
	db    *db.DB
	clock func() time.Time
	codec scs.Codec
}

var _ scs.CtxStore = (*SessionStore)(nil)

// Sessions gives the store for an scs.SessionManager that uses scs.GobCodec, its default.
func (s *Service) Sessions() *SessionStore {
	return &SessionStore{db: s.db, clock: s.options.Clock, codec: scs.GobCodec{}}
}

// errNoContext is what the methods without a context give; scs does not call them on an scs.CtxStore.
var errNoContext = errors.New("the session store needs a context")

// Find is not used: see FindCtx.
func (s *SessionStore) Find(string) ([]byte, bool, error) { return nil, false, errNoContext }

// Commit is not used: see CommitCtx.
func (s *SessionStore) Commit(string, []byte, time.Time) error { return errNoContext }

// Delete is not used: see DeleteCtx.
func (s *SessionStore) Delete(string) error { return errNoContext }

// FindCtx gives the data of a session that has not expired.
func (s *SessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	var data []byte
	err := s.db.QueryRow(ctx, `SELECT data FROM session WHERE id = $1 AND expires_ms > $2`,
		sessionID(token), db.Millis(s.clock())).Scan(&data)
	if errors.Is(err, db.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("look up a session: %w", err)
	}
	return data, true, nil
}

// CommitCtx stores a session. A power cut may undo it: the user signs in again. It is Unauthenticated when the account's
// sessions have been ended since the session was made.
func (s *SessionStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	_, values, err := s.codec.Decode(data)
	if err != nil {
		return fmt.Errorf("read a session's data: %w", err)
	}
	account, _ := values[SessionAccount].(int64)
	revision, _ := values[SessionRevision].(int64)
	return s.db.Soft(ctx, "store session", func(ctx context.Context, tx db.Tx) error {
		if account != 0 {
			if err := sessionStandsTx(ctx, tx, account, revision); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `INSERT INTO session (id, account_id, data, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET account_id = excluded.account_id, data = excluded.data, expires_ms = excluded.expires_ms`,
			sessionID(token), nullID(account), data, db.Millis(s.clock()), db.Millis(expiry))
		if err != nil {
			return fmt.Errorf("store a session: %w", err)
		}
		return nil
	})
}

// DeleteCtx ends a session. When it returns nil, not even a power cut brings it back.
func (s *SessionStore) DeleteCtx(ctx context.Context, token string) error {
	return s.db.Hard(ctx, "delete session", func(ctx context.Context, tx db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM session WHERE id = $1`, sessionID(token)); err != nil {
			return fmt.Errorf("delete a session: %w", err)
		}
		return nil
	})
}

// sessionStandsTx refuses a session that was made before its account's sessions were ended. The account's row is locked,
// so that either this session is stored before they are ended, and deleted with the others, or not at all.
func sessionStandsTx(ctx context.Context, tx db.Tx, account, revision int64) error {
	var now int64
	err := tx.QueryRow(ctx, `SELECT session_rev FROM account WHERE id = $1 AND kind = 1 AND deleted_ms IS NULL`+tx.ForUpdate(), account).Scan(&now)
	if err != nil && !errors.Is(err, db.ErrNoRows) {
		return fmt.Errorf("look up the sessions of account %d: %w", account, err)
	}
	if err != nil || max(revision, firstRevision) != now {
		return unauthenticated("The session was ended")
	}
	return nil
}

// firstRevision is the session_rev of a new account, and of sessions that older versions stored.
const firstRevision = 1

// SessionRevision gives what a new session of a user has to hold under the key SessionRevision.
func (s *Service) SessionRevision(ctx context.Context, accountID int64) (int64, error) {
	var revision int64
	err := s.read.QueryRow(ctx, `SELECT session_rev FROM account WHERE id = $1 AND deleted_ms IS NULL`, accountID).Scan(&revision)
	if errors.Is(err, db.ErrNoRows) {
		return 0, unauthenticated("The account no longer exists")
	}
	if err != nil {
		return 0, fmt.Errorf("look up the sessions of account %d: %w", accountID, err)
	}
	return revision, nil
}

func sessionID(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// EndSessions ends all of an account's sessions: signing out.
func (s *Service) EndSessions(ctx context.Context, accountID int64) error {
	return s.db.Hard(ctx, "end sessions", func(ctx context.Context, tx db.Tx) error {
		if err := endSessionsTx(ctx, tx, accountID); err != nil || !s.options.AuditLogins {
			return err
		}
		return s.logTx(ctx, tx, "logout_success", accountID, nil)
	})
}

func endSessionsTx(ctx context.Context, tx db.Tx, accountID int64) error {
	if _, err := tx.Exec(ctx, `UPDATE account SET session_rev = session_rev + 1 WHERE id = $1`, accountID); err != nil {
		return fmt.Errorf("end the sessions of account %d: %w", accountID, err)
	}
	if _, err := tx.Exec(ctx, `DELETE FROM session WHERE account_id = $1`, accountID); err != nil {
		return fmt.Errorf("end the sessions of account %d: %w", accountID, err)
	}
	return nil
}

// removeExpiredSessions removes all of them: anybody can make sessions as fast as requests.
func (s *Service) removeExpiredSessions(ctx context.Context) error {
	return s.removeInBatches(ctx, "remove expired sessions", `DELETE FROM session WHERE id IN (
		SELECT id FROM session WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2)`, s.nowMillis())
}

// removeInBatches runs a statement with a time and a limit until it finds no more.
func (s *Service) removeInBatches(ctx context.Context, what, statement string, until int64) error {
	for {
		var removed int64
		err := s.db.Soft(db.Background(ctx), what, func(ctx context.Context, tx db.Tx) (err error) {
			removed, err = tx.Exec(ctx, statement, until, sweepBatch)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if removed < sweepBatch {
			return nil
		}
	}
}
