// Package intake bounds what requests make the registry hold in memory: bodies that are read whole before they are
// acted on (manifests, JSON), and answers that are in memory until their client has read them.
//
// It promises that all of them together hold no more than the Budget's bytes, however many clients stall; that nobody
// takes so much that others cannot go on; that a body of up to SmallBody bytes competes with small ones only; and that
// a body is there within BodyTime or refused. Bytes are taken as they arrive: a stalled body holds what it sent, up to
// twice, and not what it announced. What was taken is given back when the request ends.
//
// # Areas and scopes
//
// The Budget has two areas. From the small one, a quarter, each body takes up to SmallBody bytes at once. From the
// large one it takes more when it outgrows that, and returns the small part. Within an area a request counts in up to
// three scopes, each with a limit of its own: whoever it is charged to, which is an account or the address of an
// anonymous client (a quarter), all anonymous clients together (half), and the area.
//
// # Why waiting ends
//
// A request that finds no room waits, at most Patience in all, and is then refused. That alone excludes that requests
// wait for each other for ever; it would still let many half-sent bodies hold everything until each of them is
// refused, and so once more when they come back. Two rules exclude that as well:
//
//  1. The small part is taken first and in one piece. Who waits for the small area holds nothing.
//  2. In each scope of the large area the elder, which of all requests there came first, may fill the scope to its
//     limit. All others leave MaxBody bytes of it free.
//
// The elder always finds room in its scope. Let it have taken e bytes since it became the elder. What the scope holds
// besides those is at most its limit less MaxBody: this was checked when somebody else was last granted bytes, and an
// elder that leaves takes away at least what it had taken since it became that. One request takes at most MaxBody, so
// e and its next bytes fit. The elder of the whole area came before everybody: it is the elder of each of its scopes
// and waits in none. So at any time the request that came first lacks nothing but its client's bytes, for which there
// is BodyTime; then the next one is first. Honest bodies therefore pass one after the other even when each scope is
// full, and those that hold a small part while they wait for a large one return it in turn.
package intake

import (
	"slices"
	"sync"
	"time"

	"github.com/longshore-registry/longshore/internal/digest"
)

const (
	// SmallBody is the most that a body takes of the small area, in bytes.
	SmallBody = 16 << 10
	// MaxBody is the most that one request takes of the large area, in bytes: a manifest of 4 MiB together with the
	// buffer of half its size that it outgrows, or a page of referrers while it is built.
	MaxBody = 8 << 20
	// BodyTime is how long a whole body may take.
	BodyTime = 30 * time.Second
	// Patience is how long a request waits for room before it is refused.
	Patience = 3 * time.Second
)

// Refusal is why a body or an answer was refused.
type Refusal uint8

// The refusals.
const (
	Full     Refusal = iota // there was no room in time
	Slow                    // the body was not there within BodyTime
	Large                   // the body is longer than its kind may be
	refusals                // how many there are
)

// String is the refusal's label in metrics.
func (r Refusal) String() string { return [refusals]string{"full", "slow", "large"}[r] }

// Budget is what all requests of a process share. Its methods may be called from any goroutine.
type Budget struct {
	mu      sync.Mutex
	small   *area
	large   *area
	waiting []*waiter // in the order in which they began to wait
	sending map[digest.Digest]*parcel
	refused [refusals]uint64
}

// area is a part of the budget with its scopes.
type area struct {
	all       *scope
	anonymous *scope
	payers    map[payer]*scope // those that hold or wait for something
	share     int64            // limit of each in payers
	reserve   int64            // what all but a scope's elder leave free
}

// scope is one limit in bytes, and who is under it.
type scope struct {
	limit int64
	used  int64
	in    []*Hold // by age: the first is the elder
}

// New makes a budget of so many bytes, at least MinBudget.
func New(bytes int64) *Budget {
	bytes = max(bytes, MinBudget)
	small := bytes / 4
	return &Budget{small: newArea(small, 0), large: newArea(bytes-small, MaxBody), sending: map[digest.Digest]*parcel{}}
}

func newArea(bytes, reserve int64) *area {
	return &area{
		all: &scope{limit: bytes}, anonymous: &scope{limit: max(bytes/2, reserve)},
		payers: map[payer]*scope{}, share: max(bytes/4, reserve), reserve: reserve,
	}
}

// Held is how many bytes are taken now.
func (b *Budget) Held() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.small.all.used + b.large.all.used
}

// Refused counts what was refused for a reason.
func (b *Budget) Refused(why Refusal) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused[why]
}

func (b *Budget) count(why Refusal) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused[why]++
}

// scopes are those that a payer's requests count in; nobody's count in the area alone.
func (a *area) scopes(p payer) []*scope {
	if p == (payer{}) {
		return []*scope{a.all}
	}
	own := a.payers[p]
	if own == nil {
		own = &scope{limit: a.share}
		a.payers[p] = own
	}
	if p.anonymous {
		return []*scope{own, a.anonymous, a.all}
	}
	return []*scope{own, a.all}
}

// part is what a request has of an area.
type part struct {
	area   *area
	payer  payer
	scopes []*scope // empty: the request is not in the area
	bytes  int64
}

// enter makes the request the youngest of its scopes, in all of them at once: who is older in one is so in each.
func (b *Budget) enter(h *Hold, p *part, a *area, who payer) {
	if p.scopes != nil {
		return
	}
	p.area, p.payer, p.scopes = a, who, a.scopes(who)
	for _, s := range p.scopes {
		s.in = append(s.in, h)
	}
}

// fits reports whether the request may have more bytes.
func (p *part) fits(h *Hold, bytes int64) bool {
	return !slices.ContainsFunc(p.scopes, func(s *scope) bool { return !p.fitsIn(s, h, bytes, p.area.reserve) })
}

// fitsWhole is fits for bytes that are in memory already: they may fill the payer's own share, and leave the reserve to
// others' elders alone.
func (p *part) fitsWhole(h *Hold, bytes int64) bool {
	return !slices.ContainsFunc(p.scopes, func(s *scope) bool {
		reserve := p.area.reserve
		if s == p.area.payers[p.payer] {
			reserve = 0
		}
		return !p.fitsIn(s, h, bytes, reserve)
	})
}

func (p *part) fitsIn(s *scope, h *Hold, bytes, reserve int64) bool {
	if s.in[0] == h {
		reserve = 0
	}
	return s.used+bytes <= s.limit-reserve
}

// add changes how much the request has.
func (p *part) add(bytes int64) {
	p.bytes += bytes
	for _, s := range p.scopes {
		s.used += bytes
	}
}

// leave returns everything that the request has of an area.
func (b *Budget) leave(h *Hold, p *part) {
	if p.scopes == nil {
		return
	}
	p.add(-p.bytes)
	for _, s := range p.scopes {
		i := slices.Index(s.in, h)
		s.in = slices.Delete(s.in, i, i+1)
	}
	if own := p.scopes[0]; len(own.in) == 0 && own != p.area.all {
		delete(p.area.payers, p.payer)
	}
	*p = part{}
}

// waiter is a request that waits for room.
type waiter struct {
	hold    *Hold
	part    *part
	bytes   int64
	granted chan struct{}
}

// wake grants what fits now. It is called whenever bytes were returned or an elder left.
func (b *Budget) wake() {
	b.waiting = slices.DeleteFunc(b.waiting, func(w *waiter) bool {
		if !w.part.fits(w.hold, w.bytes) {
			return false
		}
		w.part.add(w.bytes)
		close(w.granted)
		return true
	})
}
