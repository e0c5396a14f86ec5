package content

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
)

// smallBlob is up to which size a blob is read and verified before any of it is given out, whatever is known of its file:
// configs and most artifacts, whose hash costs less than the request.
const smallBlob = 64 << 10

// Open opens a blob to be read once from its start to its end. One whose size or bytes are not what its row says is taken
// out of service and never read to a clean end: it is refused here, or its last bytes are held back and a Read fails. An
// error of kind Internal then; Unavailable when the location is away. BLOB_UNKNOWN when the object was removed since the
// blob was found: Stat says whether there is another one.
//
// A file that nobody touched since it was published is trusted (File gives it); see verifier for any other.
func (s *Store) Open(ctx context.Context, b Blob) (Object, error) {
	p, o, err := s.open(ctx, b)
	if err != nil {
		return nil, err
	}
	switch trusted := s.verified.trusts(p, b, o); {
	case b.Size <= smallBlob, b.Size <= heldBack && !trusted:
		return s.small(ctx, p, b, o)
	case trusted:
		return o, nil
	}
	return s.checking(ctx, p, b, o), nil
}

// OpenPart is Open for reading any part. A file that was touched is read as a whole first, once for all who ask.
func (s *Store) OpenPart(ctx context.Context, b Blob) (Object, error) {
	p, o, err := s.open(ctx, b)
	switch {
	case err != nil:
		return nil, err
	case b.Size <= smallBlob:
		return s.small(ctx, p, b, o)
	case s.verified.trusts(p, b, o):
		return o, nil
	}
	if err := s.verify(ctx, p, b, o, s.verified.known); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// open opens the object and compares its size.
func (s *Store) open(ctx context.Context, b Blob) (*place, Object, error) {
	p, err := s.place(b.Object.Location)
	if err != nil {
		return nil, nil, err
	}
	o, err := p.driver.Open(ctx, b.Object.Path)
	if err == nil && o.Size() == b.Size {
		return p, o, nil
	}
	var size int64
	if err == nil {
		size = o.Size()
		o.Close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, s.unreadable(ctx, p, b, err)
	}
	return nil, nil, s.refuse(ctx, p, b, sizeIs(size))
}

// small reads a blob as a whole and verifies it.
func (s *Store) small(ctx context.Context, p *place, b Blob, o Object) (Object, error) {
	defer o.Close()
	content := make([]byte, b.Size)
	if _, err := io.ReadFull(o, content); err != nil && !ended(err) {
		return nil, s.unreadable(ctx, p, b, err)
	} else if err != nil || b.Digest.Algorithm().Of(content) != b.Digest {
		return nil, s.refuse(ctx, p, b, otherBytes)
	}
	s.verified.remember(p, b, o)
	return inMemory{bytes.NewReader(content)}, nil
}

// ended reports whether a file ended before its size did.
func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// inMemory is a blob that was read as a whole.
type inMemory struct{ *bytes.Reader }

// Close does nothing.
func (inMemory) Close() error { return nil }
