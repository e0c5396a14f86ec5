package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// What is not what its row says goes out of service (bad), so that the next upload replaces it, and comes back when its
// bytes are right again. Three things keep good objects from being taken for bad: the location must bear its name and take
// a file (place.present); an error of the disk must come twice; and bad is no verdict for ever (revive).

// trust compares a blob's row with its file. One that is missing or has another size is recorded as bad, but only while
// the file system answers: one that is not mounted has no files at all.
func (s *Store) trust(ctx context.Context, p *place, b Blob) (bool, error) {
	size, err := p.driver.Stat(ctx, b.Object.Path)
	if err == nil && size == b.Size {
		return true, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !ofDisk(err) {
		return false, err
	}
	if err := p.present(ctx); err != nil {
		return false, err
	}
	_, err = s.markBad(ctx, p, b, sizeIs(size))
	return false, err
}

// sizeIs says what is wrong with an object whose size is not right; 0 when there is none.
func sizeIs(size int64) string { return fmt.Sprintf("it has %d bytes", size) }

const otherBytes = "its bytes have another digest"

// ofDisk reports whether an error is the disk's answer about one file.
func ofDisk(err error) bool { return errors.Is(err, syscall.EIO) || errors.Is(err, fs.ErrPermission) }

// readTime is how long reading so many bytes may take.
func readTime(size int64) time.Duration {
	return saveTimeout + time.Duration(size/readAtLeast)*time.Second
}

// unreadable takes an object out of service that the disk does not give, if it refuses a second time and works otherwise.
// Any other error is given as it is.
func (s *Store) unreadable(ctx context.Context, p *place, b Blob, err error) error {
	if p.files == nil || !ofDisk(err) || !ofDisk(s.matches(ctx, p, b)) {
		return err
	}
	return s.refuse(ctx, p, b, err.Error())
}

// refuse takes an object out of service and gives the error for whoever asked for it.
func (s *Store) refuse(ctx context.Context, p *place, b Blob, found string) error {
	if err := p.present(ctx); err != nil {
		return err
	}
	marked, err := s.markBad(ctx, p, b, found)
	if err != nil {
		return err
	}
	if !marked {
		return blobUnknown(b.Digest)
	}
	return problem.New(problem.Internal, "the content of blob %s is damaged: push it again", b.Digest)
}

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

// errOther is the error of an object that has other bytes than its blob.
var errOther = errors.New(otherBytes)

// matches reads an object as a whole, whatever is known of it, and compares the digest.
func (s *Store) matches(ctx context.Context, p *place, b Blob) error {
	o, err := p.driver.Open(ctx, b.Object.Path)
	if err != nil {
		return err
	}
	defer o.Close()
	sum := b.Digest.Algorithm().New()
	if err := s.drain(ctx, sum, io.LimitReader(struct{ io.Reader }{o}, b.Size+1)); err != nil {
		return err
	}
	if b.Digest.Algorithm().Sum(sum) != b.Digest {
		return errOther
	}
	s.verified.remember(p, b, o)
	return nil
}

// revive takes a bad object into service again if its bytes are right: the disk was repaired, the file was put back, or it
// was not damaged in the first place. One whose size is right is read, at most once in reviveAge, whether or not somebody
// waits for it.
func (s *Store) revive(ctx context.Context, f *found) (bool, error) {
	p, b := f.place, f.Blob
	tried := verifiedFile{location: p.id, path: b.Object.Path}
	if size, err := p.driver.Stat(ctx, b.Object.Path); err != nil || size != b.Size || s.verified.tried.Has(tried) {
		return false, nil // still missing or cut, as far as anybody can say
	}
	s.verified.tried.Keep(tried, struct{}{})
	ctx, cancel := detached(ctx, readTime(b.Size))
	defer cancel()
	since := s.nowMs() // before it is read: what changes it meanwhile is seen
	if err := s.matches(ctx, p, b); err != nil {
		s.log.Info("a damaged object is still damaged", "digest", b.Digest.String(), "location", p.name, "path", b.Object.Path, "error", err)
		return false, nil
	}
	err := s.db.Hard(ctx, "take object into service", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE blob_object SET state = $3, since_ms = $4 WHERE location_id = $1 AND path = $2 AND state = $5`,
			p.id, b.Object.Path, objectLive, since, objectBad)
		return err
	})
	if err != nil {
		return false, err
	}
	s.verified.tried.Forget(tried)
	if f.Object.Published != 0 {
		f.Object.Published = since
	}
	s.log.Info("an object that was damaged is right again and in service", "digest", b.Digest.String(), "location", p.name, "path", b.Object.Path)
	return true, nil
}

// distrust looks at the object that a blob already has at a location before the one that has just been uploaded is dropped
// in its favour. Who pushes a blob again may do so because it is damaged, and a disk may damage what nobody touched: so it
// is read as a whole, once in provenAge.
//
// The other way, to keep the new object and drop the old one, would cost no reading. But then a blob's path would change
// while it is in use: each process would have to be told, or fail; while the database is away it could not be; and what
// another registry wrote must not be dropped at all. Reading costs less than the upload did, and only who uploads what was
// there pays for it.
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
	ctx, cancel := detached(ctx, readTime(b.Size))
	defer cancel()
	err = s.inspect(ctx, b)
	if problem.Is(err, problem.Internal) || problem.HasCode(err, "BLOB_UNKNOWN") {
		return nil // it is out of service now
	}
	return err
}

// inspect reads an object if that was not done lately, and takes it out of service when it is not right.
func (s *Store) inspect(ctx context.Context, b Blob) error {
	p, o, err := s.open(ctx, b)
	if err != nil {
		return err
	}
	if b.Size <= smallBlob {
		_, err = s.small(ctx, p, b, o) // closes it
		return err
	}
	defer o.Close()
	return s.prove(ctx, p, b, o)
}
