package content

import (
	"context"
	"hash"
	"io"
	"time"

	"github.com/longshore-registry/longshore/internal/identity/aged"
)

// Stamp tells two states of one file apart.
type Stamp struct {
	Changed time.Time // when content, name or owner were last changed: no program can set it back
	ID      uint64    // of the file in its file system
}

// Stamped is an Object that knows the state its file had when it was opened.
type Stamped interface {
	Object
	Stamp() Stamp
}

const (
	verifiedBytes = 2 << 20   // of memory for what was verified
	heldBack      = 256 << 10 // bytes of a touched file that leave only after all of it was verified

	provenAge   = time.Hour       // how long a second upload trusts that a file was read and found right
	reviveAge   = 5 * time.Minute // how often a damaged object is read to see whether it is right again
	readAtLeast = 16 << 20        // bytes a second that a disk must give
)

// verifier knows which files hold what their rows say.
//
// A file that this registry published is trusted while its change time is not later than its row: the row is written
// after the last thing that is done to the file. Both come from this machine's clock, or, on a shared folder, from two
// clocks; a file that seems touched since they differ is read once more and then known. What was changed later by
// whomever, restored from a backup or written by another registry is trusted in the state in which this process has
// hashed it. Objects without a stamp lie in stores that verify what they keep.
type verifier struct {
	known  *aged.Cache[verifiedFile, struct{}]
	proven *aged.Cache[verifiedFile, struct{}] // read as a whole within provenAge
	tried  *aged.Cache[verifiedFile, struct{}] // read in vain within reviveAge, in whatever state
}

type verifiedFile struct {
	location int64
	path     string
	stamp    Stamp
}

func newVerifier(clock func() time.Time) verifier {
	kept := func(age time.Duration) *aged.Cache[verifiedFile, struct{}] {
		return aged.NewWeighed(aged.Options{Age: age, Clock: clock}, verifiedBytes,
			func(f verifiedFile, _ struct{}) int { return 300 + len(f.path) })
	}
	return verifier{known: kept(aged.Forever), proven: kept(provenAge), tried: kept(reviveAge)}
}

// file names the state of an object's file. false when it has none.
func (v verifier) file(p *place, b Blob, o Object) (verifiedFile, bool) {
	stamped, ok := o.(Stamped)
	if !ok {
		return verifiedFile{}, false
	}
	return verifiedFile{location: p.id, path: b.Object.Path, stamp: stamped.Stamp()}, true
}

// trusts reports whether an open object need not be read before it is sent.
func (v verifier) trusts(p *place, b Blob, o Object) bool {
	file, ok := v.file(p, b, o)
	if !ok || b.Object.Published >= file.stamp.Changed.UnixMilli() {
		return true
	}
	return v.known.Has(file)
}

// remember notes that an open object was verified. One that is read each time anyway takes no room.
func (v verifier) remember(p *place, b Blob, o Object) {
	if file, ok := v.file(p, b, o); ok && b.Size > smallBlob {
		v.known.Keep(file, struct{}{})
		v.proven.Keep(file, struct{}{})
	}
}

// prove reads an object as a whole, untouched or not, unless that was done within provenAge; writing it counts. A disk
// may change what nobody touched.
func (s *Store) prove(ctx context.Context, p *place, b Blob, o Object) error {
	young := s.clock().Add(-provenAge).UnixMilli()
	if s.verified.trusts(p, b, o) && b.Object.Published > young {
		return nil
	}
	return s.verify(ctx, p, b, o, s.verified.proven)
}

// verify reads an object as a whole, unless the cache has it. Those who ask at the same time share one reading.
func (s *Store) verify(ctx context.Context, p *place, b Blob, o Object, known *aged.Cache[verifiedFile, struct{}]) error {
	file, _ := s.verified.file(p, b, o)
	_, err := known.Get(ctx, file, func(ctx context.Context) (struct{}, error) {
		whole := s.checking(ctx, p, b, o)
		if _, err := io.Copy(io.Discard, struct{ io.Reader }{whole}); err != nil {
			return struct{}{}, err
		}
		_, err := o.Seek(0, io.SeekStart)
		return struct{}{}, err
	})
	return err
}

// checking reads an object from its start and hashes it on the way.
func (s *Store) checking(ctx context.Context, p *place, b Blob, o Object) Object {
	return &checked{Object: o, ctx: ctx, store: s, place: p, blob: b, sum: b.Digest.Algorithm().New(), left: b.Size}
}

// checked is an object that is verified while it is read. Its last bytes are given out only when all of it was right, so
// that nobody gets the whole of something else.
type checked struct {
	Object
	ctx   context.Context
	store *Store
	place *place
	blob  Blob
	sum   hash.Hash
	left  int64  // bytes of the object that were not read yet
	held  []byte // the last bytes, verified; nil before
	err   error
}

// Read gives what is not held back, then reads and verifies the rest.
func (c *checked) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	if c.err != nil || len(p) == 0 {
		return 0, c.err
	}
	if free := c.left - heldBack; free > 0 {
		n, err := c.Object.Read(p[:min(int64(len(p)), free)])
		c.sum.Write(p[:n])
		c.left -= int64(n)
		switch {
		case err == io.EOF && c.left > 0:
			err = c.damaged()
		case err != nil:
			err = c.unreadable(err)
		}
		c.err = err
		return n, err
	}
	if c.held == nil {
		if c.held, c.err = c.finish(); c.err != nil {
			return 0, c.err
		}
	}
	if len(c.held) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.held)
	c.held = c.held[n:]
	return n, nil
}

// finish reads the last bytes and compares the digest.
func (c *checked) finish() ([]byte, error) {
	last := make([]byte, c.left)
	if _, err := io.ReadFull(c.Object, last); ended(err) {
		return nil, c.damaged()
	} else if err != nil {
		return nil, c.unreadable(err)
	}
	c.left = 0
	c.sum.Write(last)
	if c.blob.Digest.Algorithm().Sum(c.sum) != c.blob.Digest {
		return nil, c.damaged()
	}
	c.store.verified.remember(c.place, c.blob, c.Object)
	return last, nil
}

// damaged takes the object out of service, also when the client has gone.
func (c *checked) damaged() error {
	ctx, cancel := detached(c.ctx, saveTimeout)
	defer cancel()
	return c.store.refuse(ctx, c.place, c.blob, otherBytes)
}

// unreadable is for an error of the disk.
func (c *checked) unreadable(err error) error {
	ctx, cancel := detached(c.ctx, readTime(c.blob.Size))
	defer cancel()
	return c.store.unreadable(ctx, c.place, c.blob, err)
}

// Seek is not for an object that is verified on its way: see Store.OpenPart.
func (c *checked) Seek(offset int64, whence int) (int64, error) {
	if offset == 0 && whence == io.SeekCurrent {
		return c.blob.Size - c.left - int64(len(c.held)), nil
	}
	return 0, io.ErrNoProgress
}
