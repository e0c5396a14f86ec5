package intake

import "github.com/longshore-registry/longshore/internal/digest"

// parcel is bytes that requests are sending, in memory once for all of them. It has a Hold of its own, since whoever
// brought it may have sent it before the others have.
type parcel struct {
	digest  digest.Digest
	bytes   []byte
	senders int
	hold    Hold
}

// Send counts bytes that stay in memory until a client has read them, and gives what is to be sent in their place: the
// bytes of the request that sends the same digest already, so that one copy serves however many there are. Whoever is
// first is charged with it, account or, where that is empty, address. It does not wait, since the bytes are there
// already: TooMany when there is no room. A request sends once.
func (h *Hold) Send(account string, d digest.Digest, bytes []byte) ([]byte, error) {
	if h == nil || h.budget == nil {
		return bytes, nil
	}
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.sending[d]
	if p == nil {
		p = &parcel{digest: d, bytes: bytes}
		b.enter(&p.hold, &p.hold.large, b.large, h.payer(account))
		if !p.hold.large.fitsWhole(&p.hold, int64(len(bytes))) {
			b.leave(&p.hold, &p.hold.large)
			b.refused[Full]++
			return nil, full()
		}
		p.hold.large.add(int64(len(bytes)))
		b.sending[d] = p
	}
	p.senders++
	h.sends = p
	return p.bytes, nil
}

// sent ends a request's part in what it sends; the last one's ends the parcel.
func (b *Budget) sent(h *Hold) {
	p := h.sends
	if p == nil {
		return
	}
	h.sends = nil
	if p.senders--; p.senders == 0 {
		b.leave(&p.hold, &p.hold.large)
		delete(b.sending, p.digest)
	}
}
