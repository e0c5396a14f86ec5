package content

import (
	"bytes"
	"context"
	"io"
	"slices"
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

// lookUp reads a visible blob's rows. A blob without a live object is unknown, unless a bad one has become right.
func (s *Store) lookUp(ctx context.Context, repositoryID int64, d digest.Digest) (found, error) {
	best, bad, err := s.objects(ctx, repositoryID, d)
	if err != nil || best.place != nil {
		return best, err
	}
	for _, f := range bad {
		if ok, err := s.revive(ctx, &f); ok || err != nil {
			return f, err
		}
	}
	return found{}, blobUnknown(d)
}

// objects gives a visible blob with its live object in the configured location that comes first, if it has one, and with
// each of its bad ones.
func (s *Store) objects(ctx context.Context, repositoryID int64, d digest.Digest) (best found, bad []found, err error) {
	rows, err := s.db.Query(ctx, `SELECT b.id, b.size, o.state, o.location_id, o.path, `+published+`,
			CASE WHEN EXISTS (SELECT 1 FROM blob_ref r WHERE r.repo_id = $1 AND r.blob_id = b.id AND r.manifest_id > 0 AND r.lease_ms = 0) THEN 1 ELSE 0 END,
			COALESCE((SELECT r.lease_ms FROM blob_ref r WHERE r.repo_id = $1 AND r.blob_id = b.id AND r.manifest_id = 0), 0)
		FROM blob b JOIN blob_object o ON o.blob_id = b.id
		WHERE b.digest = $2 AND o.state IN ($3, $4) AND `+visibleIn("$1")+` ORDER BY o.id`, repositoryID, d, objectLive, objectBad)
	if err != nil {
		return found{}, nil, err
	}
	defer rows.Close()
	for rank := len(s.places); rows.Next(); {
		f := found{Blob: Blob{Digest: d}}
		var state, location, used int64
		if err := rows.Scan(&f.ID, &f.Size, &state, &location, &f.Object.Path, &f.Object.Published, &used, &f.lease); err != nil {
			return found{}, nil, err
		}
		f.used = used != 0
		i := slices.IndexFunc(s.places, func(p *place) bool { return p.id == location })
		if i < 0 {
			continue
		}
		f.place, f.Object.Location = s.places[i], s.places[i].name
		switch {
		case state == objectBad:
			bad = append(bad, f)
		case i < rank:
			best, rank = f, i
		}
	}
	return best, bad, rows.Err()
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
