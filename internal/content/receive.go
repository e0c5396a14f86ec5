package content

import (
	"context"
	"errors"
	"io"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// brokenBody is the error of a request's body that ended before its end: the connection was cut. It is a client's
// fault, not the store's.
type brokenBody struct{ error }

func (e *brokenBody) Unwrap() error { return e.error }

func brokenProblem(h *held, broken error) error {
	if broken == nil {
		return nil
	}
	return problem.Wrap(broken, problem.Invalid, "the request's body broke off: %d bytes of upload %s are kept", h.session.Size, h.session.ID).WithCode("BLOB_UPLOAD_INVALID")
}

// accepts holds a chunk against what is kept. The specification wants 416 for any chunk that does not begin at the next
// byte, also for one that repeats what is there (distribution-spec v1.1.1, "Pushing a blob in chunks").
func (h *held) accepts(c Chunk) error {
	if c.From < 0 {
		return nil
	}
	if c.To < c.From-1 {
		return problem.New(problem.Invalid, "the range %d-%d ends before it begins", c.From, c.To).WithCode("INVALID_REQUEST")
	}
	if c.From != h.session.Size {
		return problem.New(problem.RangeInvalid, "the chunk begins at byte %d: upload %s goes on at byte %d", c.From, h.session.ID, h.session.Size).WithCode("BLOB_UPLOAD_INVALID")
	}
	return nil
}

// receive writes and hashes a chunk. The writer is nil when there was nothing to write. Its bytes are not saved yet
// when receive returns, but for the checkpoints on the way: those lie at multiples of checkpointBytes, where drivers
// with parts have no unfinished one, and, when bytes come slowly, every checkpointAge.
func (h *held) receive(ctx context.Context, c Chunk) (Writer, error) {
	lent := h.store.buffers.borrow()
	defer lent.release()
	body := io.Reader(eof{})
	if c.Body != nil {
		body = c.Body
	}
	if c.From >= 0 {
		body = io.LimitReader(body, c.To-c.From+1)
	}
	if err := h.store.fits(h.session.ID, max(h.session.Size, c.To+1)); err != nil {
		h.discard(ctx)
		return nil, err
	}
	var w Writer
	for size := h.session.Size; ; {
		buf := lent.bytes()
		buf = buf[:min(checkpointBytes-size%checkpointBytes, int64(len(buf)))]
		n, readErr := h.fill(body, buf)
		size += int64(n)
		if err := h.store.fits(h.session.ID, size); err != nil {
			h.discard(ctx)
			return w, err
		}
		if n > 0 {
			if w == nil {
				var err error // what has arrived is written though the client may have gone
				if w, err = h.resume(context.WithoutCancel(ctx)); err != nil {
					return nil, err
				}
			}
			h.sum.Write(buf[:n])
			if _, err := w.Write(buf[:n]); err != nil {
				return w, err
			}
		}
		switch {
		case readErr == io.EOF:
			return w, nil
		case readErr != nil:
			return w, &brokenBody{readErr}
		case ctx.Err() != nil:
			return w, &brokenBody{ctx.Err()}
		}
		if n > 0 && (size%checkpointBytes == 0 || h.aged()) {
			if err := h.save(ctx, w, onTheWay); err != nil {
				return w, err
			}
		}
		lent.fit(n == len(buf))
	}
}

// resume opens the upload to write. A request whose commit failed, or a process that died before it, has left the file
// under its final name: it is taken back, once it is sure that no row leads to it.
func (h *held) resume(ctx context.Context) (Writer, error) {
	w, err := h.place.driver.Resume(ctx, h.session)
	if files := h.place.files; files != nil && errors.Is(err, ErrLost) && h.session.Size > 0 {
		if err := h.place.recognised(ctx); err != nil {
			return nil, err
		}
		if err := h.fence(ctx); err != nil {
			return nil, err
		}
		if err := files.Reclaim(ctx, h.session, h.want); err != nil {
			return nil, err
		}
		w, err = h.place.driver.Resume(ctx, h.session)
	}
	return w, err
}

// fence makes sure, for good, that no commit at an earlier version of the row took place: not even one that failed here
// and that a power cut would bring back. errFenced when one did.
func (h *held) fence(ctx context.Context) error {
	err := h.store.db.Hard(ctx, "take upload back", func(ctx context.Context, tx db.Tx) error {
		return h.changeTx(ctx, tx, `received = received`)
	})
	if err == nil {
		h.version++
	}
	return err
}

// fill reads until the buffer is full, the body ends, or a checkpoint is due.
func (h *held) fill(body io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) {
		m, err := body.Read(buf[n:])
		n += m
		if err != nil {
			return n, err
		}
		if h.aged() {
			return n, nil
		}
	}
	return n, nil
}

// aged reports whether the last save is long ago.
func (h *held) aged() bool { return h.store.clock().Sub(h.savedAt) >= checkpointAge }

// fits holds an upload's size against the limit.
func (s *Store) fits(id string, size int64) error {
	if s.maxBlob <= 0 || size <= s.maxBlob {
		return nil
	}
	return problem.New(problem.TooLarge, "upload %s has more than %d bytes: that is the largest a blob may be (MAXIMUM_LAYER_SIZE); the upload is cancelled", id, s.maxBlob).
		WithCode("BLOB_UPLOAD_INVALID").WithDetail(map[string]int64{"max_allowed": s.maxBlob, "received": size})
}

// eof is an empty body.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }
