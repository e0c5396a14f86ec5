package identity

import (
	"context"
	"crypto/sha256"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
)

// Back-off after failed logins: the first ones cost nothing, since people mistype; then the wait doubles with each.
const (
	freeFailures   = 3
	firstWait      = time.Second
	longestWait    = 5 * time.Minute
	forgetFailures = time.Hour
	gateMemory     = 50_000 // names whose failures are remembered in this process
	gateQueue      = 16     // attempts that may wait for one name
)

// gate slows guessing down: attempts at one name go one after the other, and failures make the next one wait.
//
// It knows names, not accounts, so that a name that nobody has is treated like any other. What other replicas have
// seen comes from the table: see failures.go.
type gate struct {
	clock    func() time.Time
	failures *otter.Cache[nameKey, failures]

	mu    sync.Mutex
	doors map[nameKey]*door
}

// nameKey stands for a name, which a client may make as long as a header.
type nameKey [sha256.Size]byte

// nameHash takes letters of either case for the same.
func nameHash(name string) nameKey { return sha256.Sum256([]byte(strings.ToLower(name))) }

// door is a name that is being tried: turn holds one place, visitors counts those at it and before it.
type door struct {
	turn     chan struct{}
	visitors int
}

// failures since the last success.
type failures struct {
	count int
	last  time.Time
}

func newGate(clock func() time.Time) *gate {
	return &gate{
		clock:    clock,
		failures: otter.Must(&otter.Options[nameKey, failures]{MaximumSize: gateMemory}), // the options are constant
		doors:    make(map[nameKey]*door),
	}
}

// enter waits for the turn of an attempt at name; leave ends it.
func (g *gate) enter(ctx context.Context, name string) (leave func(), err error) {
	key := nameHash(name)
	d, ok := g.queue(key)
	if !ok {
		return nil, tooMany(firstWait, "Too many logins at once as %s; try again in a second", quoted(name))
	}
	select {
	case d.turn <- struct{}{}:
		return func() { <-d.turn; g.depart(key, d) }, nil
	case <-ctx.Done():
		g.depart(key, d)
		return nil, ctx.Err()
	}
}

func (g *gate) queue(key nameKey) (*door, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.doors[key]
	if d == nil {
		d = &door{turn: make(chan struct{}, 1)}
		g.doors[key] = d
	}
	if d.visitors > gateQueue {
		return nil, false
	}
	d.visitors++
	return d, true
}

func (g *gate) depart(key nameKey, d *door) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if d.visitors--; d.visitors == 0 {
		delete(g.doors, key)
	}
}

// check refuses with TooMany while name has to wait; stored is what all replicas know, zero for nothing.
func (g *gate) check(name string, stored failures) error {
	seen, _ := g.failures.GetIfPresent(nameHash(name))
	wait := max(seen.wait(g.clock()), stored.wait(g.clock()))
	if wait <= 0 {
		return nil
	}
	seconds := int(math.Ceil(wait.Seconds()))
	return tooMany(time.Duration(seconds)*time.Second, "Too many failed logins as %s; try again in %d seconds", quoted(name), seconds)
}

func (g *gate) failed(name string) {
	key := nameHash(name)
	f, _ := g.failures.GetIfPresent(key)
	if g.clock().Sub(f.last) >= forgetFailures {
		f.count = 0
	}
	g.failures.Set(key, failures{count: f.count + 1, last: g.clock()})
}

func (g *gate) succeeded(name string) { g.failures.Invalidate(nameHash(name)) }

// wait is how long the next attempt has to wait at now.
func (f failures) wait(now time.Time) time.Duration {
	since := now.Sub(f.last)
	if f.count < freeFailures || since >= forgetFailures {
		return 0
	}
	whole := min(firstWait<<min(f.count-freeFailures, 20), longestWait)
	return min(whole-since, whole) // not longer after the clock was set back
}
