package content

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// tooManyRetry is what a client with too many open uploads is told to wait.
const tooManyRetry = time.Minute

// putOffTime is after how long an upload that could not be removed is tried again.
const putOffTime = time.Hour

// Start begins an upload whose content is hashed with an algorithm while it arrives. TooMany when the account has too
// many open ones, Unavailable when the store is away or full.
func (s *Store) Start(ctx context.Context, o Owner, alg digest.Algorithm) (Upload, error) {
	if alg.Size() == 0 {
		return Upload{}, problem.New(problem.Invalid, "the digest algorithm is not supported: use sha256 or sha512").WithCode("DIGEST_INVALID")
	}
	p := s.places[0]
	if err := p.recognised(ctx); err != nil {
		return Upload{}, err
	}
	session, err := p.driver.Start(ctx, uuid.NewString())
	if err != nil {
		return Upload{}, err
	}
	err = s.db.Soft(ctx, "start upload", func(ctx context.Context, tx db.Tx) error {
		return s.startTx(ctx, tx, o, p, session, alg)
	})
	if err == nil && p.files != nil {
		err = s.makeFile(ctx, p, session)
	} else if err != nil && p.files == nil {
		h := &held{store: s, place: p}
		h.abandon(ctx, session)
	}
	if err != nil {
		return Upload{}, err
	}
	return Upload{ID: session.ID}, nil
}

// makeFile makes the empty file of a new upload, after its row: a process that dies in between leaves a row, which
// expires, and never a file that no row leads to. It is made here, not with the first byte, so that one which is missing
// later means that it was published or lost.
func (s *Store) makeFile(ctx context.Context, p *place, session Session) error {
	w, err := p.driver.Resume(ctx, session)
	if err == nil {
		return w.Close()
	}
	ctx, cancel := detached(ctx, saveTimeout)
	defer cancel()
	return errors.Join(err, s.db.Soft(ctx, "remove upload", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM upload WHERE uuid = $1 AND version = 0`, session.ID)
		return err
	}))
}

func (s *Store) startTx(ctx context.Context, tx db.Tx, o Owner, p *place, session Session, alg digest.Algorithm) error {
	// Credentials without account share account 0, so theirs are counted by actor. What expired or was discarded is no
	// more the account's to finish, though its bytes may still wait to be removed.
	now := s.clock()
	var open int64
	err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM upload
		WHERE account_id = $1 AND ($1 <> 0 OR actor = $2) AND expires_ms > $4 AND COALESCE(holder, '') <> $5 LIMIT $3) AS u`,
		o.AccountID, o.Actor, s.maxUploads, db.Millis(now), discarded).Scan(&open)
	if err != nil {
		return err
	}
	if open >= int64(s.maxUploads) {
		e := problem.New(problem.TooMany, "%d uploads are open: at most %d are allowed at a time; finish or cancel some", open, s.maxUploads).WithCode("TOOMANYREQUESTS")
		e.RetryAfter = tooManyRetry
		return e
	}
	_, err = tx.Exec(ctx, `INSERT INTO upload (uuid, repo_id, account_id, actor, location_id, path, algorithm, store_state, created_ms, expires_ms)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		session.ID, o.RepositoryID, o.AccountID, o.Actor, p.id, session.Path, int64(alg), session.State, db.Millis(now), db.Millis(now.Add(uploadLifetime)))
	return err
}

// Status says how far an upload is. BLOB_UPLOAD_UNKNOWN.
func (s *Store) Status(ctx context.Context, o Owner, id string) (Upload, error) {
	if !validID(id) {
		return Upload{}, uploadUnknown(id)
	}
	h, err := s.load(ctx, o, id)
	if err != nil {
		return Upload{}, err
	}
	return h.public(), nil
}

// Append takes a chunk. RangeInvalid, with the Upload that says what is kept, when the chunk does not begin there or
// another request is sending data to the same upload. TooLarge cancels the upload. When the body breaks off, what
// arrived is kept.
func (s *Store) Append(ctx context.Context, o Owner, id string, c Chunk) (Upload, error) {
	h, kept, err := s.claim(ctx, o, id, c)
	if err != nil {
		return kept, err
	}
	defer h.letGo(ctx)
	w, err := h.receive(ctx, c)
	if w != nil {
		defer w.Close()
	}
	if err == nil || errors.As(err, new(*brokenBody)) {
		err = h.keep(ctx, w, err)
	}
	return h.public(), h.settle(ctx, err)
}

// keep stores what arrived, also when the body broke off.
func (h *held) keep(ctx context.Context, w Writer, broken error) error {
	if w != nil {
		if err := h.save(ctx, w, atTheEnd); err != nil {
			return err
		}
	}
	return brokenProblem(h, broken)
}

// Cancel forgets an upload and its bytes. BLOB_UPLOAD_UNKNOWN. A request that is sending data to it fails.
func (s *Store) Cancel(ctx context.Context, o Owner, id string) error {
	const attempts = 5 // a chunk may be saved in between
	if !validID(id) {
		return uploadUnknown(id)
	}
	for range attempts {
		h, err := s.row(ctx, o, id)
		if err != nil {
			return err
		}
		removed, err := s.remove(ctx, h.session, h.place, h.version)
		if removed || err != nil {
			return err
		}
	}
	return uploadBusy(id)
}

// Reap removes uploads that have expired, at most limit of them, and gives their number. An upload expires 48 hours
// after its last byte. One that cannot be removed stops no other: it is tried again in an hour. Those in a location that
// is not configured wait until it is.
func (s *Store) Reap(ctx context.Context, limit int) (int, error) {
	n, failed := 0, 0
	var first error
	for n < limit && failed < limit {
		due, err := s.due(ctx, limit-n)
		if err != nil || len(due) == 0 {
			return n, errors.Join(err, first)
		}
		before := n
		for _, h := range due {
			removed, err := s.remove(ctx, h.session, h.place, h.version)
			if removed && err == nil {
				n++
			}
			if err == nil {
				continue
			}
			failed++
			if first == nil {
				first = fmt.Errorf("upload %s: %w", h.session.ID, err)
			}
			if err := s.putOff(ctx, h.session.ID); err != nil {
				return n, errors.Join(first, err)
			}
		}
		if n == before && first == nil {
			return n, nil // others work on all of them
		}
	}
	return n, first
}

// putOff has an upload that cannot be removed be tried again later.
func (s *Store) putOff(ctx context.Context, id string) error {
	return s.db.Soft(ctx, "put off upload", func(ctx context.Context, tx db.Tx) error {
		now := s.clock()
		_, err := tx.Exec(ctx, `UPDATE upload SET expires_ms = $2 WHERE uuid = $1 AND expires_ms <= $3`,
			id, db.Millis(now.Add(putOffTime)), db.Millis(now))
		return err
	})
}

// due lists uploads that have expired, in configured locations.
func (s *Store) due(ctx context.Context, limit int) ([]*held, error) {
	list, width := inList(3, len(s.places))
	args := []any{s.nowMs(), limit}
	for i := range width {
		args = append(args, s.places[min(i, len(s.places)-1)].id)
	}
	rows, err := s.db.Query(ctx, `SELECT uuid, `+uploadColumns+` FROM upload
		WHERE expires_ms <= $1 AND location_id IN `+list+` ORDER BY expires_ms LIMIT $2`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []*held
	for rows.Next() {
		h := &held{store: s}
		if err := h.scan(rows, &h.session.ID); err != nil {
			return nil, err
		}
		found = append(found, h)
	}
	return found, rows.Err()
}
