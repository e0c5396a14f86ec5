package content

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// found is a blob that is visible in a repository, with what keeps it there.
type found struct {
	Blob
	place *place
	used  bool  // a manifest's row shows it; if that goes, the collector turns it into a lease
	lease int64 // end of the repository's lease, 0 for none
}

// Stat finds a blob of a repository. To a caller who may push the answer is a promise: for the next hour a manifest
// with this blob can be pushed there. On files the promise is made only after a look at the file, so that a client
// uploads again what was damaged. Without it the answer may be from memory, and on PostgreSQL 30 s old. BLOB_UNKNOWN.
func (s *Store) Stat(ctx context.Context, repositoryID int64, d digest.Digest, mayPush bool) (Blob, error) {
	if !mayPush {
		f, err := s.find(ctx, repositoryID, d, false)
		return f.Blob, err
	}
	f, err := s.sound(ctx, repositoryID, d)
	if err != nil {
		return Blob{}, err
	}
	if f.used || f.lease >= db.Millis(s.clock().Add(s.lease)) {
		return f.Blob, nil
	}
	if err := s.promise(ctx, repositoryID, f); err != nil {
		return Blob{}, err
	}
	return f.Blob, nil
}

// sound finds a blob whose bytes are there, as far as that can be asked cheaply.
func (s *Store) sound(ctx context.Context, repositoryID int64, d digest.Digest) (found, error) {
	for {
		f, err := s.find(ctx, repositoryID, d, true)
		if err != nil || f.place.files == nil {
			return f, err
		}
		ok, err := s.trust(ctx, f.place, f.Blob)
		if err != nil {
			return found{}, err
		}
		if ok {
			return f, nil
		} // else the object is out of service now: is there another copy?
	}
}

// promise takes or extends a lease, softly: after a power cut collection pauses for as long as a promise holds. A lease
// that was there is only ever changed, so that one which Unlink has just ended does not come back; where there was none,
// the repository's lock orders this with Unlink.
func (s *Store) promise(ctx context.Context, repositoryID int64, f found) error {
	err := s.db.Soft(ctx, "lease blob", func(ctx context.Context, tx db.Tx) error {
		s.memory.forget(tx, repositoryID, f.Digest)
		until := s.leaseEnd()
		n, err := tx.Exec(ctx, `UPDATE blob_ref SET lease_ms = CASE WHEN lease_ms < $3 THEN $3 ELSE lease_ms END
			WHERE repo_id = $1 AND blob_id = $2 AND manifest_id = 0`, repositoryID, f.ID, until)
		if err != nil || n == 1 {
			return err
		}
		if err := tx.Lock(ctx, db.LockRepository, repositoryID, db.Shared); err != nil {
			return err
		}
		var id int64
		if err := tx.QueryRow(ctx, `SELECT b.id FROM blob b WHERE b.id = $2 AND `+visibleIn("$1"), repositoryID, f.ID).Scan(&id); err != nil {
			return err
		}
		return leaseTx(ctx, tx, repositoryID, id, until)
	})
	if noRows(err) || db.IsForeignKey(err) { // it was collected or removed since it was found
		return blobUnknown(f.Digest)
	}
	return err
}

// published is the expression for Locator.Published.
const published = `CASE WHEN o.inherited = 0 THEN o.since_ms ELSE 0 END`

// lookUp reads a visible blob's rows, with the object in the configured location that comes first. A blob without a live
// object is unknown.
func (s *Store) lookUp(ctx context.Context, repositoryID int64, d digest.Digest) (found, error) {
	rows, err := s.db.Query(ctx, `SELECT b.id, b.size, o.location_id, o.path, `+published+`,
			CASE WHEN EXISTS (SELECT 1 FROM blob_ref r WHERE r.repo_id = $1 AND r.blob_id = b.id AND r.manifest_id > 0 AND r.lease_ms = 0) THEN 1 ELSE 0 END,
			COALESCE((SELECT r.lease_ms FROM blob_ref r WHERE r.repo_id = $1 AND r.blob_id = b.id AND r.manifest_id = 0), 0)
		FROM blob b JOIN blob_object o ON o.blob_id = b.id
		WHERE b.digest = $2 AND o.state = 1 AND `+visibleIn("$1")+` ORDER BY o.id`, repositoryID, d)
	if err != nil {
		return found{}, err
	}
	defer rows.Close()
	best, rank := found{}, len(s.places)
	for rows.Next() {
		f := found{Blob: Blob{Digest: d}}
		var location, used int64
		if err := rows.Scan(&f.ID, &f.Size, &location, &f.Object.Path, &f.Object.Published, &used, &f.lease); err != nil {
			return found{}, err
		}
		f.used = used != 0
		for i, p := range s.places[:rank] {
			if p.id == location {
				f.place, f.Object.Location = p, p.name
				best, rank = f, i
			}
		}
	}
	if err := rows.Err(); err != nil {
		return found{}, err
	}
	if best.place == nil {
		return found{}, blobUnknown(d)
	}
	return best, nil
}

// trust compares a blob's row with its file. One that is missing or has another size is recorded as bad, so that the
// next upload replaces it, but only while the file system answers: one that is not mounted has no files at all.
func (s *Store) trust(ctx context.Context, p *place, b Blob) (bool, error) {
	size, err := p.driver.Stat(ctx, b.Object.Path)
	if err == nil && size == b.Size {
		return true, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := p.driver.Check(ctx); err != nil {
		return false, err
	}
	_, err = s.markBad(ctx, p, b, sizeIs(size))
	return false, err
}

// sizeIs says what is wrong with an object whose size is not right; 0 when there is none.
func sizeIs(size int64) string { return fmt.Sprintf("it has %d bytes", size) }

// markBad takes an object out of service, unless it is no more in service anyway. found says what is wrong with it. Every
// repository's memory of the blob goes, since any may hold the object.
func (s *Store) markBad(ctx context.Context, p *place, b Blob, found string) (marked bool, err error) {
	err = s.db.Hard(ctx, "mark object as bad", func(ctx context.Context, tx db.Tx) error {
		tx.AfterCommit(s.memory.blobs.Drop)
		n, err := tx.Exec(ctx, `UPDATE blob_object SET state = $3, since_ms = $4 WHERE location_id = $1 AND path = $2 AND state = 1`,
			p.id, b.Object.Path, objectBad, s.nowMs())
		marked = n > 0
		return err
	})
	if err != nil || marked {
		s.log.Error("an object is damaged and taken out of service: push the blob again", "digest", b.Digest.String(),
			"location", p.name, "path", b.Object.Path, "bytes", b.Size, "found", found, "error", err)
	}
	return marked, err
}

// distrust looks at the object that a blob already has at a location before another one is dropped in its favour. A file
// that was touched is read: who pushes a blob again may do so because it is damaged.
func (s *Store) distrust(ctx context.Context, p *place, d digest.Digest) error {
	if p.files == nil {
		return nil
	}
	b := Blob{Digest: d}
	err := s.db.QueryRow(ctx, `SELECT b.id, b.size, o.path, `+published+` FROM blob b JOIN blob_object o ON o.blob_id = b.id
		WHERE b.digest = $1 AND o.location_id = $2 AND o.state = 1 ORDER BY o.id LIMIT 1`, d, p.id).Scan(&b.ID, &b.Size, &b.Object.Path, &b.Object.Published)
	if noRows(err) {
		return nil
	}
	if err != nil {
		return err
	}
	b.Object.Location = p.name
	o, err := s.OpenPart(ctx, b)
	if err == nil {
		return o.Close()
	}
	if problem.Is(err, problem.Internal) || problem.HasCode(err, "BLOB_UNKNOWN") {
		return nil // it is out of service now
	}
	return err
}

// RedirectURL gives a URL that serves the blob for a limited time, empty when its location cannot make one.
func (s *Store) RedirectURL(ctx context.Context, b Blob, lifetime time.Duration) (string, error) {
	p, err := s.place(b.Object.Location)
	if err != nil {
		return "", err
	}
	if r, ok := p.driver.(Redirector); ok {
		return r.URL(ctx, b.Object.Path, lifetime)
	}
	return "", nil
}

// Bytes reads a blob of at most limit bytes and verifies it. BLOB_UNKNOWN, TooLarge; Internal when it is damaged.
func (s *Store) Bytes(ctx context.Context, repositoryID int64, d digest.Digest, limit int64) ([]byte, error) {
	b, err := s.Stat(ctx, repositoryID, d, false)
	if err != nil {
		return nil, err
	}
	if b.Size > limit {
		return nil, problem.New(problem.TooLarge, "blob %s has %d bytes: at most %d are read", d, b.Size, limit)
	}
	o, err := s.Open(ctx, b)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	var content bytes.Buffer
	content.Grow(int(b.Size))
	if _, err := io.Copy(&content, io.LimitReader(o, b.Size)); err != nil {
		return nil, err
	}
	if d.Algorithm().Of(content.Bytes()) == d {
		return content.Bytes(), nil
	}
	p, err := s.place(b.Object.Location)
	if err != nil {
		return nil, err
	}
	return nil, s.refuse(ctx, p, b, otherBytes)
}
