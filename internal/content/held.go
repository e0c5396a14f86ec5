package content

import (
	"context"
	"errors"
	"hash"
	"time"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// held is an upload that one request works on, as its row was when last read or saved.
//
// Two things keep requests apart. Within the process a claim in memory lets one at a time through. Between processes
// the row does: a claim raises its version and names the holder, and every later change of the row, up to the commit that
// makes the blob, is made at that version and holder or not at all. A process that stopped without letting go is
// replaced after a while; what it may still write is detached first (Driver.Adopt), and its next change finds another
// version and gives up (fenced).
type held struct {
	store     *Store
	key       string // of the claim in memory
	owner     Owner
	place     *place
	session   Session
	algorithm digest.Algorithm
	hashState []byte
	version   int64
	holder    string
	boot      string
	taken     bool // the row names this store as the holder
	left      bool // it named a process that did not let go

	want    digest.Digest // that the client named; zero before
	sum     hash.Hash     // ahead of hashState while a body is read
	savedAt time.Time
}

// discarded is the holder of a row whose upload is being removed. Such an upload is unknown; its row is left until its
// bytes are gone.
const discarded = "-"

// errFenced means that another process has changed the upload's row since it was read.
var errFenced = errors.New("the upload was taken over or removed by another request")

func uploadUnknown(id string) error {
	return problem.New(problem.NotFound, "upload %s is not known here: it was never started, finished, cancelled or has expired", clip(id)).WithCode("BLOB_UPLOAD_UNKNOWN")
}

func uploadBusy(id string) error {
	return problem.New(problem.RangeInvalid, "another request is sending data to upload %s: ask for its status, then continue from there", id).WithCode("BLOB_UPLOAD_INVALID")
}

// claim finds an upload of the owner and makes it this request's to write, if the chunk belongs at its end: no other
// request can change it unnoticed, what a stopped process may still write is detached, and the bytes that are there are
// those that were hashed. On success the caller lets go of it. With an error the Upload says what is kept, if anything
// is known.
func (s *Store) claim(ctx context.Context, o Owner, id string, c Chunk) (*held, Upload, error) {
	if !validID(id) {
		return nil, Upload{}, uploadUnknown(id)
	}
	// Two owners never compete for a claim, so that nobody can keep a foreign upload busy.
	key := id + " " + o.Actor
	if !s.claims.acquire(ctx, key, s.patience) {
		h, err := s.load(ctx, o, id)
		if err != nil {
			return nil, Upload{}, err
		}
		return nil, h.public(), uploadBusy(id)
	}
	h, err := s.claimRow(ctx, o, id, c)
	if h != nil {
		h.key = key
	}
	if err == nil {
		err = h.settle(ctx, h.prepare(ctx))
	}
	switch {
	case err == nil:
		return h, h.public(), nil
	case h != nil:
		h.letGo(ctx)
	default:
		s.claims.release(key)
	}
	return nil, h.public(), err
}

// claimRow loads an upload and names this store as its holder. Where no other process can be, loading is all.
func (s *Store) claimRow(ctx context.Context, o Owner, id string, c Chunk) (*held, error) {
	const attempts = 10 // another process may change the row in between
	for range attempts {
		h, err := s.await(ctx, o, id)
		if err != nil {
			return nil, err
		}
		if err := h.accepts(c); err != nil {
			return h, err
		}
		h.left = h.foreign()
		if s.holder != "" {
			err = h.change(ctx, "claim upload", `holder = $4`, s.holder)
		}
		if err == nil {
			h.holder, h.taken = s.holder, s.holder != ""
			return h, nil
		}
		if !errors.Is(err, errFenced) {
			return h, err
		}
	}
	return nil, uploadBusy(id)
}

// await loads an upload, giving another process some time to let go of it.
func (s *Store) await(ctx context.Context, o Owner, id string) (*held, error) {
	const step = 50 * time.Millisecond
	for waited := time.Duration(0); ; waited += step {
		h, err := s.load(ctx, o, id)
		if err != nil || !h.foreign() || waited >= s.patience {
			return h, err
		}
		select {
		case <-time.After(step):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// foreign reports whether another process holds the upload.
func (h *held) foreign() bool { return h.holder != "" && h.holder != h.store.holder }

const uploadColumns = `location_id, path, algorithm, received, hash_state, store_state, version, holder, boot`

// load reads an upload of the owner to go on with it. BLOB_UPLOAD_UNKNOWN.
func (s *Store) load(ctx context.Context, o Owner, id string) (*held, error) {
	h, err := s.row(ctx, o, id)
	if err == nil && h.place == nil {
		err = problem.New(problem.Internal, "upload %s lies in a storage location that is not configured", id)
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// row reads an upload of the owner, wherever its bytes are. BLOB_UPLOAD_UNKNOWN.
func (s *Store) row(ctx context.Context, o Owner, id string) (*held, error) {
	h := &held{store: s, owner: o, session: Session{ID: id}}
	err := h.scan(s.db.QueryRow(ctx, `SELECT `+uploadColumns+` FROM upload
		WHERE uuid = $1 AND repo_id = $2 AND account_id = $3 AND actor = $4`, id, o.RepositoryID, o.AccountID, o.Actor))
	if noRows(err) || err == nil && h.holder == discarded {
		return nil, uploadUnknown(id)
	}
	if err == nil && h.session.State != nil {
		h.session.Parts, err = parts(ctx, s.db, id)
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// scan reads uploadColumns, after other columns that the query may have.
func (h *held) scan(row db.Row, before ...any) error {
	var location int64
	var holder *string
	err := row.Scan(append(before, &location, &h.session.Path, &h.algorithm, &h.session.Size, &h.hashState, &h.session.State, &h.version, &holder, &h.boot)...)
	if err != nil {
		return err
	}
	if holder != nil {
		h.holder = *holder
	}
	h.place = h.store.byID[location] // nil when it is not configured
	return nil
}

func parts(ctx context.Context, q db.Queryer, id string) ([]Part, error) {
	rows, err := q.Query(ctx, `SELECT number, size, etag FROM upload_part WHERE upload_uuid = $1 ORDER BY number`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Part
	for rows.Next() {
		var p Part
		if err := rows.Scan(&p.Number, &p.Size, &p.ETag); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// letGo ends the claims.
func (h *held) letGo(ctx context.Context) {
	s := h.store
	defer s.claims.release(h.key)
	if !h.taken {
		return
	}
	ctx, cancel := detached(ctx, saveTimeout)
	defer cancel()
	err := s.db.Soft(ctx, "release upload", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE upload SET holder = NULL WHERE uuid = $1 AND version = $2 AND holder = $3`, h.session.ID, h.version, s.holder)
		return err
	})
	if err != nil {
		s.log.Warn("an upload could not be released; others wait for it", "upload", h.session.ID, "error", err)
	}
}

// public is the upload as the client may know it; nothing of one that is unknown.
func (h *held) public() Upload {
	if h == nil {
		return Upload{}
	}
	return Upload{ID: h.session.ID, Received: h.session.Size}
}

// validID reports whether an upload's identifier has the form that Start gives.
func validID(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && parsed.String() == id
}

// clip keeps hostile input out of messages.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

func noRows(err error) bool { return errors.Is(err, db.ErrNoRows) }
