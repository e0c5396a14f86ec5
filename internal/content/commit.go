package content

import (
	"context"
	"fmt"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// The states of a blob_object.
const (
	objectLive  = 1
	objectDying = 3
	objectBad   = 4
)

// commit makes a blob of a published upload, in one hard transaction: the upload's row goes, the blob's and its
// object's come, the repository gets a lease.
//
// Deleting the row at the version this request holds is the fence: of all requests that ever worked on the upload at
// most one commits. The blob's upsert locks its row, so that the collector, which removes a blob only after it has
// locked the row and asked once more for references, either comes before and this inserts a new row with the object
// just written, or comes after and finds the lease. When the database does not say whether the commit happened, the
// object stays: with the row gone it did, else the upload expires.
func (h *held) commit(ctx context.Context, want digest.Digest) (Blob, error) {
	if err := h.store.distrust(ctx, h.place, want); err != nil {
		return Blob{}, err
	}
	ctx, cancel := detached(ctx, saveTimeout) // that may have taken a while
	defer cancel()
	b := Blob{Digest: want, Size: h.session.Size}
	err := h.store.db.Hard(ctx, "finish upload", func(ctx context.Context, tx db.Tx) (err error) {
		h.store.memory.forget(tx, h.owner.RepositoryID, want)
		b.ID, b.Object, err = h.commitTx(ctx, tx, want)
		return err
	})
	if err != nil {
		return Blob{}, err
	}
	h.taken = false
	if b.Object.Path != h.session.Object {
		h.store.dropDying(ctx, h.place, h.session.Object)
	}
	return b, nil
}

// commitTx gives the blob and its object at this location: the one just written, unless the blob had one.
func (h *held) commitTx(ctx context.Context, tx db.Tx, want digest.Digest) (id int64, at Locator, err error) {
	n, err := tx.Exec(ctx, `DELETE FROM upload WHERE uuid = $1 AND repo_id = $2 AND version = $3 AND COALESCE(holder, '') = $4`,
		h.session.ID, h.owner.RepositoryID, h.version, h.holder)
	if err != nil {
		return 0, at, err
	}
	if n != 1 {
		return h.committedTx(ctx, tx, want)
	}
	if id, err = upsertBlobTx(ctx, tx, want, h.session.Size, h.store.nowMs()); err != nil {
		return 0, at, err
	}
	if at, err = h.objectTx(ctx, tx, id); err != nil {
		return 0, at, err
	}
	return id, at, leaseTx(ctx, tx, h.owner.RepositoryID, id, h.store.leaseEnd())
}

// committedTx is for a transaction that is run again although it had been committed: the row is gone because this
// very object became the blob's.
func (h *held) committedTx(ctx context.Context, tx db.Tx, want digest.Digest) (id int64, at Locator, err error) {
	at = Locator{Location: h.place.name, Path: h.session.Object}
	err = tx.QueryRow(ctx, `SELECT b.id, `+published+` FROM blob_object o JOIN blob b ON b.id = o.blob_id
		WHERE o.location_id = $1 AND o.path = $2 AND b.digest = $3`, h.place.id, h.session.Object, want).Scan(&id, &at.Published)
	if noRows(err) {
		return 0, at, errFenced
	}
	return id, at, err
}

// upsertBlobTx finds or inserts a blob's row and locks it.
func upsertBlobTx(ctx context.Context, tx db.Tx, d digest.Digest, size, now int64) (id int64, err error) {
	var stored int64
	err = tx.QueryRow(ctx, `INSERT INTO blob (digest, size, created_ms) VALUES ($1, $2, $3)
		ON CONFLICT (digest) DO UPDATE SET size = blob.size RETURNING id, size`, d, size, now).Scan(&id, &stored)
	if err == nil && stored != size {
		err = problem.New(problem.Internal, "blob %s is recorded with %d bytes: %d were uploaded", d, stored, size)
	}
	return id, err
}

// objectTx records the upload's object as the blob's, or as dying when the blob has a live one here.
func (h *held) objectTx(ctx context.Context, tx db.Tx, blobID int64) (at Locator, err error) {
	now := h.store.nowMs()
	at.Location = h.place.name
	err = tx.QueryRow(ctx, `SELECT o.path, `+published+` FROM blob_object o
		WHERE o.blob_id = $1 AND o.location_id = $2 AND o.state = $3 ORDER BY o.id LIMIT 1`,
		blobID, h.place.id, objectLive).Scan(&at.Path, &at.Published)
	owner, state := any(nil), objectDying
	if noRows(err) {
		at.Path, at.Published, owner, state, err = h.session.Object, now, blobID, objectLive, nil
	}
	if err != nil {
		return at, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO blob_object (blob_id, location_id, path, state, since_ms) VALUES ($1, $2, $3, $4, $5)`,
		owner, h.place.id, h.session.Object, state, now)
	return at, err
}

// leaseTx gives a repository a lease on a blob, or extends the one it has.
func leaseTx(ctx context.Context, tx db.Tx, repositoryID, blobID, until int64) error {
	_, err := tx.Exec(ctx, `INSERT INTO blob_ref (repo_id, blob_id, manifest_id, lease_ms) VALUES ($1, $2, 0, $3)
		ON CONFLICT (repo_id, blob_id, manifest_id) DO UPDATE SET lease_ms = excluded.lease_ms
		WHERE blob_ref.lease_ms < excluded.lease_ms`, repositoryID, blobID, until)
	return err
}

// dropDying removes an object that never was a blob's. No one has seen it, so it needs no grace; what fails here is
// left to the collector, which the dying row leads to it.
func (s *Store) dropDying(ctx context.Context, p *place, path string) {
	err := p.driver.Delete(ctx, path)
	if err == nil {
		err = s.db.Soft(ctx, "forget object", func(ctx context.Context, tx db.Tx) error {
			_, err := tx.Exec(ctx, `DELETE FROM blob_object WHERE location_id = $1 AND path = $2 AND state = 3`, p.id, path)
			return err
		})
	}
	if err != nil {
		s.log.Warn("a duplicate object is left to the collector", "path", fmt.Sprintf("%s:%s", p.name, path), "error", err)
	}
}
