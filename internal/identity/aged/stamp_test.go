package aged

import (
	"context"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/problem"
)

// TestAnInvalidationDuringALoadNeverLeavesTheOldAnswer has a load that began before a change end after it, in every way
// there is to ask and to invalidate.
func TestAnInvalidationDuringALoadNeverLeavesTheOldAnswer(t *testing.T) {
	type cache = Cache[string, int64]
	load := func(ask func(*cache, func(context.Context) (int64, error)) (int64, error)) func(*testing.T, *cache, func()) {
		return func(t *testing.T, c *cache, change func()) {
			began, let, done := make(chan struct{}), make(chan struct{}), make(chan int64)
			go func() {
				v, _ := ask(c, func(context.Context) (int64, error) {
					close(began)
					<-let
					return -1, nil
				})
				done <- v
			}()
			<-began
			change()
			close(let)
			if v := <-done; v != -1 {
				t.Errorf("who asked before the change got %d", v)
			}
		}
	}
	ctx := t.Context()
	ways := map[string]func(*testing.T, *cache, func()){
		"get": load(func(c *cache, l func(context.Context) (int64, error)) (int64, error) { return c.Get(ctx, "k", l) }),
		"fresh": load(func(c *cache, l func(context.Context) (int64, error)) (int64, error) {
			return c.Fresh(ctx, "k", l)
		}),
		"now": load(func(c *cache, l func(context.Context) (int64, error)) (int64, error) {
			v, _, err := c.Now(ctx, "k", l)
			return v, err
		}),
	}
	invalidations := map[string]func(*cache){
		"forget": func(c *cache) { c.Forget("k") },
		"drop":   (*cache).Drop,
		"twice":  func(c *cache) { c.Drop(); c.Forget("k") },
	}
	for way, during := range ways {
		for name, invalidate := range invalidations {
			for _, age := range []time.Duration{30 * time.Second, Forever} {
				t.Run(way+", "+name+", "+age.String(), func(t *testing.T) {
					now := time.Unix(1000, 0)
					c := New[string, int64](Options{Age: age, Spare: time.Hour, Clock: func() time.Time { return now }})
					s := &source{}
					during(t, c, func() { invalidate(c) })
					get(t, c, s, 1)
					get(t, c, s, 1)
					invalidate(c)
					during(t, c, func() { invalidate(c); get(t, c, s, 2) }) // somebody asks before the old load has ended
					get(t, c, s, 2)
				})
			}
		}
	}
}

func TestTheLastAnswerServesOnlyWhileTheSourceIsAway(t *testing.T) {
	now := time.Unix(1000, 0)
	c, s := newCache(&now), &source{}
	ask := func(want int64, wantOld bool) {
		t.Helper()
		if got, old, err := c.Now(t.Context(), "k", s.load); err != nil || got != want || old != wantOld {
			t.Errorf("got %d, old %t, %v", got, old, err)
		}
	}
	ask(1, false)
	ask(2, false)
	s.err = problem.New(problem.Unavailable, "away")
	ask(2, true)
	now = now.Add(time.Hour - 1)
	ask(2, true)
	now = now.Add(1)
	if _, _, err := c.Now(t.Context(), "k", s.load); !problem.Is(err, problem.Unavailable) {
		t.Errorf("the answer of an hour ago was used: %v", err)
	}
	s.err = nil
	ask(6, false)
	c.Forget("k")
	s.err = problem.New(problem.Unavailable, "away")
	if _, old, err := c.Now(t.Context(), "k", s.load); err == nil || old {
		t.Error("a forgotten answer was used")
	}
	s.err = nil
	ask(8, false)
	s.err = problem.New(problem.NotFound, "gone")
	if _, _, err := c.Now(t.Context(), "k", s.load); !problem.Is(err, problem.NotFound) {
		t.Errorf("got %v", err)
	}
	s.err = problem.New(problem.Unavailable, "away")
	if _, _, err := c.Now(t.Context(), "k", s.load); err == nil {
		t.Error("what is gone came back when the source went away")
	}
}

// TestACacheIsBoundedInBytes puts in far more than fits.
func TestACacheIsBoundedInBytes(t *testing.T) {
	const bound = 64 << 10
	c := NewWeighed(Options{Age: Forever, Clock: time.Now}, bound, func(_ int, v []byte) int { return 100 + len(v) })
	for n := range 10_000 {
		c.Keep(n, make([]byte, n%5000))
	}
	c.Keep(-1, make([]byte, bound))
	c.entries.CleanUp()
	kept := 0
	for _, e := range c.entries.All() {
		kept += 100 + len(e.value)
	}
	if kept == 0 || kept > bound {
		t.Errorf("%d bytes are kept, allowed are %d", kept, bound)
	}
	if _, ok := c.entries.GetIfPresent(-1); ok {
		t.Error("an entry larger than the cache is kept")
	}
}

func TestACacheOfEntriesIsBounded(t *testing.T) {
	c := New[int, int](Options{Size: 100, Age: Forever, Clock: time.Now})
	for n := range 10_000 {
		c.Keep(n, n)
	}
	c.entries.CleanUp()
	if n := c.entries.EstimatedSize(); n == 0 || n > 100 {
		t.Errorf("%d entries are kept, allowed are 100", n)
	}
}
