package content

import (
	"context"
	"errors"

	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Finish takes the last chunk, which may be empty, and makes a blob of the upload. A wrong digest is DIGEST_INVALID
// and cancels the upload; other errors are those of Append. When the upload is unknown and the blob is already in the
// repository, the answer is that blob: a repeated Finish succeeds.
//
// The order is what keeps the promise of a 201: the content is verified, then durable under its final path, then the
// row is committed, then the caller is told. Whatever dies in between leaves bytes that the upload's row leads to, and
// nothing that a blob's row leads to and is not there.
func (s *Store) Finish(ctx context.Context, o Owner, id string, c Chunk, want digest.Digest) (Blob, error) {
	if want.IsZero() {
		return Blob{}, problem.New(problem.Invalid, "upload %s cannot be finished without a digest", clip(id)).WithCode("DIGEST_INVALID")
	}
	h, _, err := s.claim(ctx, o, id, c)
	if err != nil {
		return s.repeated(ctx, o, want, err)
	}
	defer h.letGo(ctx)
	h.want = want
	if h.session.Size == 0 && h.algorithm != want.Algorithm() {
		h.algorithm = want.Algorithm()
		h.sum = h.algorithm.New()
	}
	b, err := h.finish(ctx, c, want)
	if err != nil {
		return s.repeated(ctx, o, want, h.settle(ctx, err))
	}
	return b, nil
}

// repeated answers a Finish of an upload that is not there: the request before may have made the blob of it, and only
// its answer was lost.
func (s *Store) repeated(ctx context.Context, o Owner, want digest.Digest, unknown error) (Blob, error) {
	if !problem.HasCode(unknown, "BLOB_UPLOAD_UNKNOWN") {
		return Blob{}, unknown
	}
	b, err := s.Stat(ctx, o.RepositoryID, want, true)
	if problem.HasCode(err, "BLOB_UNKNOWN") {
		return Blob{}, unknown
	}
	return b, err
}

// finish reads the last chunk and makes the blob. From the moment that all bytes are there, a client that goes away
// stops nothing: it would only have to begin again.
func (h *held) finish(ctx context.Context, c Chunk, want digest.Digest) (Blob, error) {
	w, err := h.receive(ctx, c)
	if w != nil {
		defer w.Close()
	}
	if errors.As(err, new(*brokenBody)) {
		return Blob{}, h.keep(ctx, w, err)
	}
	if err != nil {
		return Blob{}, err
	}
	ctx, cancel := detached(ctx, publishTimeout)
	defer cancel()
	if c.Complete != nil {
		if err := c.Complete(ctx); err != nil {
			return Blob{}, errors.Join(err, h.keep(ctx, w, nil))
		}
	}
	if h.algorithm == want.Algorithm() {
		if err := h.matches(ctx, h.algorithm.Sum(h.sum), want); err != nil {
			return Blob{}, err
		}
	}
	if w != nil {
		if err := h.save(ctx, w, complete); err != nil {
			return Blob{}, err
		}
	}
	if err := h.publish(ctx, want); err != nil {
		return Blob{}, err
	}
	return h.commit(ctx, want)
}

// matches cancels the upload when its content has another digest than the client said.
func (h *held) matches(ctx context.Context, got, want digest.Digest) error {
	if got == want {
		return nil
	}
	h.discard(ctx)
	return problem.New(problem.Invalid, "the content of upload %s, %d bytes, has the digest %s: the request names %s; the upload is cancelled",
		h.session.ID, h.session.Size, got, want).WithCode("DIGEST_INVALID")
}

// publish makes the content a durable object. What was hashed with another algorithm than the digest's is read once
// more; until then nothing refers to it.
func (h *held) publish(ctx context.Context, want digest.Digest) error {
	path, err := h.place.driver.Publish(ctx, h.session, want)
	if err != nil {
		if !passing(err) && !errors.Is(err, ErrLost) {
			h.store.log.Error("an upload is given up since its content could not be made durable", "upload", h.session.ID, "error", err)
			h.discard(ctx)
		}
		return err
	}
	h.session.Object = path
	if h.algorithm == want.Algorithm() {
		return nil
	}
	object, err := h.place.driver.Open(ctx, path)
	if err != nil {
		return err
	}
	defer object.Close()
	sum := want.Algorithm().New()
	if err := h.store.drain(ctx, sum, object); err != nil {
		return err
	}
	return h.matches(ctx, want.Algorithm().Sum(sum), want)
}

// passing reports whether a driver's error leaves the upload as it was.
func passing(err error) bool {
	return problem.Is(err, problem.Unavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
