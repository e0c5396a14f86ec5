package intake

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/longshore-registry/longshore/internal/problem"
)

// retryAfter is when a client for which there was no room may come back.
const retryAfter = 5 * time.Second

// payer is whom bytes are charged to.
type payer struct {
	name      string
	anonymous bool
}

// Hold is what one request has of a budget. It belongs to the request's goroutine, but for Release, which the
// outermost handler calls when the request has ended, however it did. A nil Hold counts nothing, for handlers that are
// served without a listener.
type Hold struct {
	budget   *Budget
	peer     netip.Prefix
	within   func(time.Duration) // bounds the rest of the body
	small    part
	large    part
	sends    *parcel // what Send gave
	patience time.Duration
	refused  bool
}

// Request begins a request of a client. within is to make reading the body fail once the time given is over.
func (b *Budget) Request(client netip.Addr, within func(time.Duration)) *Hold {
	bits := 32
	if client.Is6() {
		bits = 64 // what one client has at least
	}
	prefix, _ := client.Prefix(bits) // the zero address has none; all of those share one
	return &Hold{budget: b, peer: prefix, within: within, patience: Patience}
}

// BodyRefused reports whether the body was refused and is therefore not read to its end.
func (h *Hold) BodyRefused() bool { return h != nil && h.refused }

// Release returns everything.
func (h *Hold) Release() {
	if h == nil || h.budget == nil {
		return
	}
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leave(h, &h.small)
	b.leave(h, &h.large)
	b.sent(h)
	b.wake()
}

// Build takes MaxBody bytes for an answer whose size is not known before it is built, until Built. An answer that is
// being built waits for nobody's client, so that it is charged to none. TooMany when there is no room.
func (h *Hold) Build(ctx context.Context) error {
	if h == nil || h.budget == nil {
		return nil
	}
	return h.take(ctx, &h.large, h.budget.large, payer{}, MaxBody)
}

// Built says that the answer has so many bytes, which account holds until the request ends; an empty one stands for
// the client's address. It does not wait: TooMany when there is no room.
func (h *Hold) Built(account string, bytes int64) error {
	if h == nil || h.budget == nil {
		return nil
	}
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leave(h, &h.large)
	defer b.wake()
	p, a := &h.large, b.large
	if bytes <= SmallBody {
		p, a = &h.small, b.small
	}
	b.enter(h, p, a, h.payer(account))
	if !p.fits(h, bytes) {
		b.refused[Full]++
		b.leave(h, p)
		return full()
	}
	p.add(bytes)
	return nil
}

// payer is who pays for an account's request, or for one without an account.
func (h *Hold) payer(account string) payer {
	if account != "" {
		return payer{name: account}
	}
	return payer{name: h.peer.String(), anonymous: true}
}

// take takes bytes of an area, and waits for them as long as patience lasts.
func (h *Hold) take(ctx context.Context, p *part, a *area, who payer, bytes int64) error {
	b := h.budget
	b.mu.Lock()
	b.enter(h, p, a, who)
	if p.fits(h, bytes) {
		p.add(bytes)
		b.mu.Unlock()
		return nil
	}
	w := &waiter{hold: h, part: p, bytes: bytes, granted: make(chan struct{})}
	b.waiting = append(b.waiting, w)
	b.mu.Unlock()
	return h.wait(ctx, w)
}

func (h *Hold) wait(ctx context.Context, w *waiter) error {
	began := time.Now()
	defer func() { h.patience = max(0, h.patience-time.Since(began)) }()
	timer := time.NewTimer(h.patience)
	defer timer.Stop()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	case <-timer.C:
	}
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, w)
	if i < 0 { // granted a moment ago
		return nil
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	if err := ctx.Err(); err != nil {
		return err
	}
	b.refused[Full]++
	return full()
}

func full() error {
	e := problem.New(problem.TooMany, "the registry is receiving so much at once, from you or from all, that there is no room for more: try again in %d seconds", int(retryAfter.Seconds())).
		WithCode("TOOMANYREQUESTS")
	e.RetryAfter = retryAfter
	return e
}
