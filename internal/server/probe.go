package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// probeReuse is how old a check's result may be that is answered with: anybody may ask for health, and checks ask the
// database and write to the disk.
const probeReuse = 3 * time.Second

// errNoAnswer is a check that takes longer than a health request may.
var errNoAnswer = errors.New("no answer within " + healthTimeout.String())

// probe is a check that runs once at a time, however many ask, and whose result is used again for a moment. One that
// hangs holds one goroutine.
type probe struct {
	Check
	log   *slog.Logger
	clock func() time.Time

	mu      sync.Mutex
	last    probed
	running chan struct{} // closed when the run under way ends; nil when there is none
	begun   time.Time     // that run
}

// probed is a check's result; the zero value is none.
type probed struct {
	at  time.Time
	err error
}

// ask gives a channel that is closed when there is a result, and begins a run if none is recent or under way. hangs: the
// run under way should have ended.
func (p *probe) ask(ctx context.Context) (done <-chan struct{}, hangs bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock()
	switch {
	case p.running != nil:
		return p.running, now.Sub(p.begun) >= healthTimeout
	case !p.last.at.IsZero() && now.Sub(p.last.at) < probeReuse:
		ready := make(chan struct{})
		close(ready)
		return ready, false
	}
	p.running, p.begun = make(chan struct{}), now
	go p.run(context.WithoutCancel(ctx)) // others wait for it, too
	return p.running, false
}

func (p *probe) run(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	late := time.AfterFunc(healthTimeout+time.Second, func() { p.log.Warn("a health check hangs", "service", p.Name) })
	defer late.Stop()
	err := p.safely(ctx)
	if err != nil {
		p.log.Warn("health check failed", "service", p.Name, "error", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.running)
	p.last, p.running = probed{p.clock(), err}, nil
}

// safely runs the check; a panic is that of a request, which does not end the program.
func (p *probe) safely(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return p.Run(ctx)
}

// result waits for what ask has promised, until ctx ends.
func (p *probe) result(ctx context.Context, done <-chan struct{}, hangs bool) probed {
	if !hangs {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	select {
	case <-done:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.last
	default:
		return probed{p.clock(), errNoAnswer}
	}
}

// probeAll asks several checks at once.
func probeAll(ctx context.Context, all []*probe) []probed {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	waits := make([]func() probed, len(all))
	for i, p := range all {
		done, hangs := p.ask(ctx)
		waits[i] = func() probed { return p.result(ctx, done, hangs) }
	}
	results := make([]probed, len(all))
	for i, wait := range waits {
		results[i] = wait()
	}
	return results
}
