// Package aged caches answers that may be a stated time old.
//
// It is how a change in one process reaches the others without telling them: an answer older than Options.Age is asked
// again before it is used. The process that makes a change calls Drop or Forget after the commit, so that it sees the
// change at once. Answers are kept under a stamp: one that was being loaded while Drop was called is used by nobody
// who came after.
package aged

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/longshore-registry/longshore/internal/problem"
)

// Options bound a cache.
type Options struct {
	Size  int           // entries at most; 0 for 1,000
	Age   time.Duration // an answer this old is asked again
	Spare time.Duration // how old an answer may be while the source is away (problem.Unavailable); 0: it is not used then
	Clock func() time.Time
}

// Cache keeps answers by key. Its methods may be called concurrently.
type Cache[K comparable, V any] struct {
	entries *otter.Cache[K, entry[V]]
	options Options
	stamp   atomic.Uint64 // rises with each Drop

	mu      sync.Mutex
	flights map[K]*flight[V]
}

type entry[V any] struct {
	value V
	asked time.Time // when its question was put
	stamp uint64
}

// flight is a question that is being answered.
type flight[V any] struct {
	stamp uint64
	done  chan struct{}
	value V
	err   error
}

// errNoAnswer is what those who waited get when a load ended by a panic.
var errNoAnswer = errors.New("the load did not return")

// New makes an empty cache.
func New[K comparable, V any](o Options) *Cache[K, V] {
	if o.Size <= 0 {
		o.Size = 1000
	}
	return &Cache[K, V]{
		entries: otter.Must(&otter.Options[K, entry[V]]{MaximumSize: o.Size}), // the options are constant but for a positive size
		options: o,
		flights: make(map[K]*flight[V]),
	}
}

// Get gives the answer for key, from memory if it is young enough, else by load. Those who ask for the same key at the
// same time share one load. Errors are not kept.
func (c *Cache[K, V]) Get(ctx context.Context, key K, load func(context.Context) (V, error)) (V, error) {
	if v, ok := c.young(key, c.options.Age); ok {
		return v, nil
	}
	v, err := c.ask(ctx, key, load)
	if err != nil && problem.Is(err, problem.Unavailable) {
		if old, ok := c.young(key, c.options.Spare); ok {
			return old, nil
		}
	}
	return v, err
}

// Fresh asks now, whatever is in memory, and keeps the answer.
func (c *Cache[K, V]) Fresh(ctx context.Context, key K, load func(context.Context) (V, error)) (V, error) {
	stamp, asked := c.stamp.Load(), c.options.Clock()
	v, err := load(ctx)
	if err == nil {
		c.entries.Set(key, entry[V]{value: v, asked: asked, stamp: stamp})
	}
	return v, err
}

// Forget drops the answer for one key. A load that is under way may still bring an older answer back; use Drop where
// that matters.
func (c *Cache[K, V]) Forget(key K) { c.entries.Invalidate(key) }

// Drop makes all answers, and those that are being loaded, count as never given.
func (c *Cache[K, V]) Drop() { c.stamp.Add(1) }

// young gives the kept answer unless it is older than age or was asked before a Drop. An answer from the future, after
// the clock was set back, counts as old.
func (c *Cache[K, V]) young(key K, age time.Duration) (v V, ok bool) {
	e, found := c.entries.GetIfPresent(key)
	if !found || e.stamp != c.stamp.Load() {
		return v, false
	}
	old := c.options.Clock().Sub(e.asked)
	if old < 0 || old >= age {
		return v, false
	}
	return e.value, true
}

// ask joins the flight for key or becomes it. A flight from before a Drop is not joined, and one that ended because
// its own caller went away is repeated.
func (c *Cache[K, V]) ask(ctx context.Context, key K, load func(context.Context) (V, error)) (V, error) {
	for {
		f, mine := c.board(key)
		if mine {
			c.fly(ctx, key, f, load)
			return f.value, f.err
		}
		select {
		case <-ctx.Done():
			var none V
			return none, ctx.Err()
		case <-f.done:
		}
		if !gaveUp(f.err) {
			return f.value, f.err
		}
	}
}

func (c *Cache[K, V]) board(key K) (f *flight[V], mine bool) {
	stamp := c.stamp.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.flights[key]; ok && f.stamp == stamp {
		return f, false
	}
	f = &flight[V]{stamp: stamp, done: make(chan struct{}), err: errNoAnswer}
	c.flights[key] = f
	return f, true
}

func (c *Cache[K, V]) fly(ctx context.Context, key K, f *flight[V], load func(context.Context) (V, error)) {
	defer func() {
		c.mu.Lock()
		if c.flights[key] == f {
			delete(c.flights, key)
		}
		c.mu.Unlock()
		close(f.done)
	}()
	asked := c.options.Clock()
	f.value, f.err = load(ctx)
	if f.err == nil {
		c.entries.Set(key, entry[V]{value: f.value, asked: asked, stamp: f.stamp})
	}
}

func gaveUp(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
