package content

import (
	"context"

	"github.com/longshore-registry/longshore/internal/db"
)

// saving says why an upload is saved.
type saving uint8

const (
	onTheWay saving = iota // more bytes follow
	atTheEnd               // of the request: other processes may go on
	complete               // the content is verified and is going to be published
)

// save makes all that was written so far continuable and stores it, softly: after a power cut the client may find less.
// It is done though the client may have gone.
func (h *held) save(ctx context.Context, w Writer, why saving) error {
	ctx, cancel := detached(ctx, saveTimeout)
	defer cancel()
	session, err := w.Save(ctx, why == complete)
	if err != nil {
		return err
	}
	if why == complete && session.State == nil {
		h.session = session // Publish needs no more than the row has
		return nil
	}
	return h.put(ctx, session, why == atTheEnd)
}

// put writes a session and the hash's state into the row, and lets go of it.
func (h *held) put(ctx context.Context, session Session, release bool) error {
	state, err := marshal(h.sum)
	if err != nil {
		return err
	}
	boot := ""
	if h.place.files != nil {
		boot = h.place.files.Epoch()
	}
	holder := any(nil)
	if h.taken && !release {
		holder = h.holder
	}
	fresh := session.Parts[len(h.session.Parts):]
	err = h.store.db.Soft(ctx, "save upload", func(ctx context.Context, tx db.Tx) error {
		err := h.changeTx(ctx, tx, `path = $4, algorithm = $5, received = $6, hash_state = $7, store_state = $8, boot = $9, expires_ms = $10, holder = $11`,
			session.Path, int64(h.algorithm), session.Size, state, session.State, boot, db.Millis(h.store.clock().Add(uploadLifetime)), holder)
		if err != nil {
			return err
		}
		return insertParts(ctx, tx, session.ID, fresh)
	})
	if err != nil {
		return err
	}
	h.version++
	h.taken = holder != nil
	h.session, h.hashState, h.boot, h.savedAt = session, state, boot, h.store.clock()
	return nil
}

func insertParts(ctx context.Context, tx db.Tx, id string, fresh []Part) error {
	for _, p := range fresh {
		_, err := tx.Exec(ctx, `INSERT INTO upload_part (upload_uuid, number, size, etag) VALUES ($1, $2, $3, $4)
			ON CONFLICT (upload_uuid, number) DO UPDATE SET size = excluded.size, etag = excluded.etag`, id, p.Number, p.Size, p.ETag)
		if err != nil {
			return err
		}
	}
	return nil
}

// fenced is what a request does that finds its upload changed by another: it stores nothing more and removes what only
// it knows of, without touching what the present holder works with. While the row has the same path, the bytes are the
// holder's to keep or to abandon. When it has another path, is marked as discarded, or is gone without having become an
// object of that path, no row leads to the bytes and none ever will.
func (h *held) fenced(ctx context.Context) error {
	ctx, cancel := detached(ctx, saveTimeout)
	defer cancel()
	h.taken = false
	var path string
	var holder *string
	err := h.store.db.QueryRow(ctx, `SELECT path, holder FROM upload WHERE uuid = $1`, h.session.ID).Scan(&path, &holder)
	switch {
	case noRows(err):
		published, err := h.published(ctx)
		if err != nil {
			return err
		}
		if !published {
			h.abandon(ctx, h.session)
		}
		return uploadUnknown(h.session.ID)
	case err != nil:
		return err
	case holder != nil && *holder == discarded:
		h.abandon(ctx, h.session)
		return uploadUnknown(h.session.ID)
	case path != h.session.Path:
		h.abandon(ctx, h.session)
	}
	return uploadBusy(h.session.ID)
}

// published reports whether an object has a path of this upload. It is asked after the row was seen to be gone, and
// the commit that removes the row adds the object.
func (h *held) published(ctx context.Context) (bool, error) {
	var one int64
	err := h.store.db.QueryRow(ctx, `SELECT 1 FROM blob_object WHERE location_id = $1 AND path IN ($2, $3)`,
		h.place.id, h.session.Path, h.session.Object).Scan(&one)
	if noRows(err) {
		return false, nil
	}
	return err == nil, err
}

// discard removes an upload that this request holds, whatever its state; false when it does not hold it any more. What
// fails is left to Reap.
func (h *held) discard(ctx context.Context) bool {
	ctx, cancel := detached(ctx, saveTimeout)
	defer cancel()
	h.taken = false
	removed, err := h.store.remove(ctx, h.session, h.place, h.version)
	if err != nil {
		h.store.log.Warn("an upload could not be removed; it expires", "upload", h.session.ID, "error", err)
	}
	return removed || err != nil
}

// remove forgets an upload in three steps, so that no crash leaves bytes without a row: mark the row, after which every
// other request on it is fenced and leaves no bytes behind; abandon the bytes; delete the row. False when the row has
// another version. Without a place the row stays marked.
func (s *Store) remove(ctx context.Context, session Session, p *place, version int64) (bool, error) {
	if p != nil {
		if err := p.recognised(ctx); err != nil { // else bytes that are away would count as removed
			return false, err
		}
	}
	const mark = `UPDATE upload SET version = version + 1, holder = $3, expires_ms = $4 WHERE uuid = $1 AND version = $2`
	var marked int64
	err := s.db.Soft(ctx, "mark upload as discarded", func(ctx context.Context, tx db.Tx) (err error) {
		marked, err = tx.Exec(ctx, mark, session.ID, version, discarded, s.nowMs())
		return err
	})
	if err != nil || marked == 0 {
		return false, err
	}
	if p == nil { // nothing is known of its bytes until the location is configured again
		return true, nil
	}
	if p.files != nil && s.holder != "" { // others may have adopted it
		if err := p.files.Sweep(ctx, session, version); err != nil {
			return false, err
		}
	}
	if err := p.driver.Abandon(ctx, session); err != nil {
		return false, err
	}
	return true, s.db.Soft(ctx, "remove upload", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM upload WHERE uuid = $1 AND version = $2`, session.ID, version+1)
		return err
	})
}

// abandon removes bytes that no row leads to. What fails is a leak that a check of the store lists, never a loss.
func (h *held) abandon(ctx context.Context, session Session) {
	if err := h.place.driver.Abandon(ctx, session); err != nil {
		h.store.log.Warn("bytes of an upload could not be removed", "upload", session.ID, "path", session.Path, "error", err)
	}
}
