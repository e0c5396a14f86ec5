package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/longshore-registry/longshore/internal/problem"
)

// ErrSlow is in the chain of the error about a body that was not there within BodyTime. HTTP has a status for it (408,
// RFC 9110 §15.5.9).
var ErrSlow = errors.New("the body came too slowly")

// Body says what is read, and for whom.
type Body struct {
	Name      string // what errors call it, such as "manifest"
	Account   string // who is charged; empty for an anonymous client, which its address stands for
	Announced int64  // Content-Length, -1 when there was none
	Limit     int64  // bytes that a body of this kind may have; at most 5 MiB, see MaxBody
}

// Read reads a whole body. The slice is the caller's until the request ends. The errors are problems: TooLarge above
// the limit, before anything is read if the length says so; TooMany when there is no room for it; Invalid, with ErrSlow
// as a cause, when it takes too long; Invalid when it breaks off.
func (h *Hold) Read(ctx context.Context, from io.Reader, b Body) ([]byte, error) {
	if h == nil {
		h = &Hold{}
	}
	buf, err := h.read(ctx, from, b)
	if err != nil {
		h.refused = true
		h.Release() // the answer may take its time
		return nil, err
	}
	return buf, nil
}

func (h *Hold) read(ctx context.Context, from io.Reader, b Body) ([]byte, error) {
	if b.Announced > b.Limit {
		return nil, h.tooLarge(b)
	}
	if h.within != nil {
		h.within(BodyTime)
	}
	var buf []byte
	for {
		if len(buf) == cap(buf) {
			var end bool
			var err error
			if buf, end, err = h.more(ctx, from, buf, b); end || err != nil {
				return buf, err
			}
		}
		n, err := from.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, h.broken(b, err)
		}
	}
}

// more makes room in a full buffer. When the length that was announced or is allowed has been read, it looks whether
// that was all first.
func (h *Hold) more(ctx context.Context, from io.Reader, buf []byte, b Body) (_ []byte, end bool, err error) {
	most := int(b.Limit)
	if b.Announced > 0 {
		most = int(b.Announced)
	}
	if len(buf) < most {
		size := min(max(SmallBody, 2*cap(buf)), most)
		bigger, err := h.grow(ctx, buf, size, b.Account)
		return bigger, false, err
	}
	var next [1]byte
	for {
		n, err := from.Read(next[:])
		switch {
		case n > 0:
			return nil, false, h.tooLarge(b)
		case err == io.EOF:
			return buf, true, nil
		case err != nil:
			return nil, false, h.broken(b, err)
		}
	}
}

// grow moves the bytes into a buffer of another size. While they are copied both are there, and both are counted.
func (h *Hold) grow(ctx context.Context, buf []byte, size int, account string) ([]byte, error) {
	if h.budget == nil {
		return append(make([]byte, 0, size), buf...), nil
	}
	p, a := &h.large, h.budget.large
	if size <= SmallBody {
		p, a = &h.small, h.budget.small
	}
	if err := h.take(ctx, p, a, h.payer(account), int64(size)); err != nil {
		return nil, err
	}
	bigger := append(make([]byte, 0, size), buf...)
	h.giveBack(int64(cap(buf)))
	return bigger, nil
}

// giveBack returns the bytes of a buffer that was outgrown.
func (h *Hold) giveBack(bytes int64) {
	if bytes == 0 {
		return
	}
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.small.bytes > 0 {
		b.leave(h, &h.small)
	} else {
		h.large.add(-bytes)
	}
	b.wake()
}

func (h *Hold) tooLarge(b Body) error {
	h.budget.count(Large)
	return problem.New(problem.TooLarge, "the %s is larger than %d bytes, the most that is allowed", b.Name, b.Limit)
}

func (h *Hold) broken(b Body, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		h.budget.count(Slow)
		return problem.Wrap(fmt.Errorf("%w: %w", ErrSlow, err), problem.Invalid, "the %s was not there within %d seconds", b.Name, int(BodyTime.Seconds()))
	}
	return problem.Wrap(err, problem.Invalid, "the %s could not be read to its end", b.Name)
}
