package content

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
)

// prepare brings a claimed upload into a state that can be continued.
func (h *held) prepare(ctx context.Context) error {
	h.savedAt = h.store.clock()
	if h.left {
		if err := h.adopt(ctx); err != nil {
			return err
		}
	}
	return h.openHash(ctx)
}

// settle turns what ends an upload into what the client is told, after cleaning up.
func (h *held) settle(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, ErrLost):
		if err := h.place.recognised(ctx); err != nil {
			return err // nothing is lost that is only away
		}
		if !h.discard(ctx) {
			return h.fenced(ctx) // the bytes are elsewhere, with somebody else
		}
		h.store.log.Warn("an upload was given up since its bytes are not in the store", "upload", h.session.ID, "error", err)
		return uploadUnknown(h.session.ID)
	case errors.Is(err, errFenced):
		return h.fenced(ctx)
	}
	return err
}

// change updates the row at the version that this request knows, and raises it; errFenced when that is gone. set
// refers to its arguments from $4 on.
func (h *held) change(ctx context.Context, name, set string, args ...any) error {
	err := h.store.db.Soft(ctx, name, func(ctx context.Context, tx db.Tx) error {
		return h.changeTx(ctx, tx, set, args...)
	})
	if err == nil {
		h.version++
	}
	return err
}

func (h *held) changeTx(ctx context.Context, tx db.Tx, set string, args ...any) error {
	n, err := tx.Exec(ctx, `UPDATE upload SET version = version + 1, `+set+`
		WHERE uuid = $1 AND version = $2 AND COALESCE(holder, '') = $3`,
		append([]any{h.session.ID, h.version, h.holder}, args...)...)
	if err == nil && n != 1 {
		err = errFenced
	}
	return err
}

// adopt moves an upload away from the process that held it and has not answered.
func (h *held) adopt(ctx context.Context) error {
	before, generation := h.session, h.version
	after, err := h.place.driver.Adopt(ctx, before, generation)
	if err != nil {
		return err
	}
	h.store.log.Info("an upload is taken over from a process that did not release it", "upload", before.ID, "bytes", before.Size)
	if after.Path == before.Path {
		h.session = after
		return nil
	}
	if err := h.change(ctx, "adopt upload", `path = $4`, after.Path); err != nil {
		if errors.Is(err, errFenced) { // after any other error the row may have the new path
			h.abandon(ctx, after)
		}
		return err
	}
	h.session = after
	h.abandon(ctx, before)
	if files := h.place.files; files != nil {
		if err := files.Sweep(ctx, after, generation); err != nil {
			h.store.log.Warn("what an adoption left could not be removed", "upload", after.ID, "error", err)
		}
	}
	return nil
}

// openHash continues the hash where the row left it.
func (h *held) openHash(ctx context.Context) error {
	sum, err := restore(h.algorithm, h.hashState)
	if err != nil {
		return err
	}
	h.sum = sum
	files := h.place.files
	if files == nil || h.session.Size == 0 || h.boot == files.Epoch() {
		return nil
	}
	return h.verifyKept(ctx, files)
}

// verifyKept compares the bytes that are there with their hash: what was written before the last start of the system
// and never synced may be gone from within the file.
func (h *held) verifyKept(ctx context.Context, files Files) error {
	r, err := files.Reread(ctx, h.session)
	if err != nil {
		return err
	}
	defer r.Close()
	again := h.algorithm.New()
	if err := h.store.drain(ctx, again, r); err != nil {
		return err
	}
	if h.algorithm.Sum(again) != h.algorithm.Sum(h.sum) {
		return fmt.Errorf("%w: they changed when the system stopped", ErrLost)
	}
	h.boot = files.Epoch()
	return nil
}

// restore continues a hash from its stored state; nil is the beginning. ErrLost when this program cannot read it.
func restore(alg digest.Algorithm, state []byte) (hash.Hash, error) {
	h := alg.New()
	if state == nil {
		return h, nil
	}
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		return nil, fmt.Errorf("%w: the hash cannot be continued: %w", ErrLost, err)
	}
	return h, nil
}

// marshal gives the state of a hash. Both algorithms can.
func marshal(h hash.Hash) ([]byte, error) {
	return h.(encoding.BinaryMarshaler).MarshalBinary()
}

// drain reads everything into a hash.
func (s *Store) drain(ctx context.Context, to hash.Hash, from io.Reader) error {
	lent := s.buffers.borrow()
	defer lent.release()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		buf := lent.bytes()
		n, err := from.Read(buf)
		to.Write(buf[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		lent.fit(n == len(buf))
	}
}
