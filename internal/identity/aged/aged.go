// Package aged caches answers that may be a stated time old.
//
// It is how a change in one process reaches the others without telling them: an answer older than Options.Age is asked
// again before it is used. The process that makes a change calls Drop or Forget after the commit and before it answers,
// so that it sees the change at once. Answers are kept under a stamp: one that was being loaded while Drop or Forget was
// called is neither kept nor given to anybody who came after. Where one process makes all changes, such a cache is exact
// and its Age may be Forever.
package aged

import (
	"context"
	"errors"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/longshore-registry/longshore/internal/problem"
)

// Forever is the Age of answers that only Drop and Forget make old.
const Forever = time.Duration(math.MaxInt64)

// Options bound a cache.
type Options struct {
	Size    int           // entries at most; 0 for 1,000
	Age     time.Duration // an answer this old is asked again
	Refresh time.Duration // from this age on, one of those who use an answer asks again meanwhile; 0: none does
	Spare   time.Duration // how old an answer may be while the source is away (problem.Unavailable); 0: it is not used then
	Clock   func() time.Time
}

// Cache keeps answers by key. Its methods may be called concurrently. A nil Cache keeps nothing: each Get is a load.
type Cache[K comparable, V any] struct {
	entries *otter.Cache[K, entry[V]]
	options Options
	own     func(K) K     // copies a key that is kept; nil when keys hold on to nothing
	drops   atomic.Uint64 // rises with each Drop
	seed    maphash.Seed
	shards  [shards]shard

	mu      sync.Mutex
	flights map[K]*flight[V]
}

// shards is among how many counters the keys are spread. Forget of a key costs those that share its counter no more
// than that a load which is under way is not kept.
const shards = 64

// shard orders keeping with forgetting.
type shard struct {
	mu      sync.Mutex
	forgets uint64 // rises with each Forget of one of its keys
}

// mark is the state of both counters when a question was put.
type mark struct{ drops, forgets uint64 }

type entry[V any] struct {
	value V
	asked time.Time // when its question was put
	drops uint64
}

// flight is a question that is being answered.
type flight[V any] struct {
	mark  mark
	done  chan struct{}
	value V
	err   error
}

// errNoAnswer is what those who waited get when a load ended by a panic.
var errNoAnswer = errors.New("the load did not return")

// New makes an empty cache of at most Options.Size entries.
func New[K comparable, V any](o Options) *Cache[K, V] {
	if o.Size <= 0 {
		o.Size = 1000
	}
	return newBounded(o, &otter.Options[K, entry[V]]{MaximumSize: o.Size})
}

// NewWeighed makes an empty cache of at most so many bytes, by what weigh says of an entry; Options.Size does not count.
func NewWeighed[K comparable, V any](o Options, bytes int64, weigh func(K, V) int) *Cache[K, V] {
	return newBounded(o, &otter.Options[K, entry[V]]{
		MaximumWeight: uint64(max(bytes, 1)),
		Weigher:       func(k K, e entry[V]) uint32 { return uint32(min(weigh(k, e.value), math.MaxUint32)) },
	})
}

// OwnKeys has keys copied by own before they are kept, for keys that are part of something larger, as a word of a request
// is. It must be called before the cache is used, and gives the cache.
func (c *Cache[K, V]) OwnKeys(own func(K) K) *Cache[K, V] {
	c.own = own
	return c
}

func newBounded[K comparable, V any](o Options, bound *otter.Options[K, entry[V]]) *Cache[K, V] {
	return &Cache[K, V]{
		entries: otter.Must(bound), // the options are constant but for a positive bound
		options: o,
		seed:    maphash.MakeSeed(),
		flights: make(map[K]*flight[V]),
	}
}

// Get gives the answer for key, from memory if it is young enough, else by load. Those who ask for the same key at the
// same time share one load; that something is not there they ask for themselves, since it may have come after the
// shared question was put. Errors are not kept; those that are an answer end what was kept before.
func (c *Cache[K, V]) Get(ctx context.Context, key K, load func(context.Context) (V, error)) (V, error) {
	if c == nil {
		return load(ctx)
	}
	kept, age, ok := c.kept(key)
	if ok && age < c.options.Age {
		if c.options.Refresh == 0 || age < c.options.Refresh {
			return kept, nil
		}
		return c.refresh(ctx, key, kept, load)
	}
	v, err := c.ask(ctx, key, load)
	if ok && age < c.options.Spare && problem.Is(err, problem.Unavailable) && c.current(key) {
		return kept, nil
	}
	return v, err
}

// Kept gives the answer that is in memory and may be used, if there is one.
func (c *Cache[K, V]) Kept(key K) (v V, ok bool) {
	if c == nil {
		return v, false
	}
	v, age, ok := c.kept(key)
	return v, ok && age < c.options.Age
}

// Has reports whether an answer that may be used is in memory.
func (c *Cache[K, V]) Has(key K) bool {
	_, ok := c.Kept(key)
	return ok
}

// current reports whether what was kept has not been dropped or forgotten since.
func (c *Cache[K, V]) current(key K) bool {
	_, _, ok := c.kept(key)
	return ok
}

// Fresh asks now, whatever is in memory, and keeps the answer.
func (c *Cache[K, V]) Fresh(ctx context.Context, key K, load func(context.Context) (V, error)) (V, error) {
	if c == nil {
		return load(ctx)
	}
	m, asked := c.mark(key), c.options.Clock()
	v, err := load(ctx)
	c.settle(key, v, err, asked, m)
	return v, err
}

// Now is Fresh that gives the last answer while the source is away, unless it is older than Spare: old says that it did.
func (c *Cache[K, V]) Now(ctx context.Context, key K, load func(context.Context) (V, error)) (v V, old bool, err error) {
	v, err = c.Fresh(ctx, key, load)
	if c == nil || !problem.Is(err, problem.Unavailable) {
		return v, false, err
	}
	if kept, age, ok := c.kept(key); ok && age < c.options.Spare {
		return kept, true, nil
	}
	return v, false, err
}

// Keep keeps an answer that can never become another one.
func (c *Cache[K, V]) Keep(key K, v V) {
	if c != nil {
		c.settle(key, v, nil, c.options.Clock(), c.mark(key))
	}
}

// Forget drops the answer for one key, also one that is being loaded.
func (c *Cache[K, V]) Forget(key K) {
	if c == nil {
		return
	}
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgets++
	c.entries.Invalidate(key)
}

// Drop makes all answers, and those that are being loaded, count as never given.
func (c *Cache[K, V]) Drop() {
	if c != nil {
		c.drops.Add(1)
	}
}

func (c *Cache[K, V]) shard(key K) *shard {
	return &c.shards[maphash.Comparable(c.seed, key)%shards]
}

// mark notes the counters before a question is put.
func (c *Cache[K, V]) mark(key K) mark {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return mark{drops: c.drops.Load(), forgets: s.forgets}
}

// settle keeps an answer unless its key was forgotten or all was dropped since the question was put, or a later question
// was answered first. A drop that comes at this moment is seen by whoever reads the entry. An error that is an answer, such as that a thing
// is gone, ends the old one.
func (c *Cache[K, V]) settle(key K, v V, err error, asked time.Time, m mark) {
	if err != nil {
		if !problem.Is(err, problem.Unavailable) && !gaveUp(err) {
			c.entries.Invalidate(key)
		}
		return
	}
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forgets != m.forgets || c.drops.Load() != m.drops {
		return
	}
	if e, ok := c.entries.GetIfPresent(key); ok && e.drops == m.drops && e.asked.After(asked) && !e.asked.After(c.options.Clock()) {
		return
	}
	if c.own != nil {
		key = c.own(key)
	}
	c.entries.Set(key, entry[V]{value: v, asked: asked, drops: m.drops})
}

// kept gives the answer in memory with its age, unless it was asked before a Drop. An answer from the future, after the
// clock was set back, is none.
func (c *Cache[K, V]) kept(key K) (v V, age time.Duration, ok bool) {
	e, found := c.entries.GetIfPresent(key)
	if !found || e.drops != c.drops.Load() {
		return v, 0, false
	}
	if c.options.Age == Forever {
		return e.value, 0, true
	}
	age = c.options.Clock().Sub(e.asked)
	return e.value, age, age >= 0
}

// refresh asks again unless somebody does, and is content with what was kept if there is no answer.
func (c *Cache[K, V]) refresh(ctx context.Context, key K, kept V, load func(context.Context) (V, error)) (V, error) {
	f, mine := c.board(key, c.options.Refresh)
	if !mine {
		return kept, nil
	}
	c.fly(ctx, key, f, load)
	if problem.Is(f.err, problem.Unavailable) || gaveUp(f.err) {
		return kept, nil
	}
	return f.value, f.err
}

// ask joins the flight for key or becomes it. A flight from before a Drop or Forget is not joined, and one that ended
// because its own caller went away is repeated.
func (c *Cache[K, V]) ask(ctx context.Context, key K, load func(context.Context) (V, error)) (V, error) {
	for {
		f, mine := c.board(key, c.options.Age)
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
		if problem.Is(f.err, problem.NotFound) {
			return c.Fresh(ctx, key, load)
		}
		if !gaveUp(f.err) {
			return f.value, f.err
		}
	}
}

// board finds or makes the flight for key. One that landed since the caller looked left an answer younger than age;
// that is then the flight.
func (c *Cache[K, V]) board(key K, age time.Duration) (f *flight[V], mine bool) {
	m := c.mark(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.flights[key]; ok && f.mark == m {
		return f, false
	}
	f = &flight[V]{mark: m, done: make(chan struct{}), err: errNoAnswer}
	if kept, old, ok := c.kept(key); ok && old < age {
		f.value, f.err = kept, nil
		close(f.done)
		return f, false
	}
	c.flights[key] = f
	return f, true
}

func (c *Cache[K, V]) fly(ctx context.Context, key K, f *flight[V], load func(context.Context) (V, error)) {
	asked := c.options.Clock()
	defer func() {
		c.settle(key, f.value, f.err, asked, f.mark)
		c.mu.Lock()
		if c.flights[key] == f {
			delete(c.flights, key)
		}
		c.mu.Unlock()
		close(f.done)
	}()
	f.value, f.err = load(ctx)
}

func gaveUp(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
