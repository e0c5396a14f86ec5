package aged

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/problem"
)

// source answers with the number of the question.
type source struct {
	asked atomic.Int64
	err   error
}

func (s *source) load(context.Context) (int64, error) { return s.asked.Add(1), s.err }

func newCache(now *time.Time) *Cache[string, int64] {
	return New[string, int64](Options{Age: 30 * time.Second, Spare: time.Hour, Clock: func() time.Time { return *now }})
}

func get(t *testing.T, c *Cache[string, int64], s *source, want int64) {
	t.Helper()
	if got, err := c.Get(t.Context(), "k", s.load); err != nil || got != want {
		t.Errorf("got answer %d, %v; want %d", got, err, want)
	}
}

func TestAnswersAreKeptForTheirAge(t *testing.T) {
	now := time.Unix(1000, 0)
	c, s := newCache(&now), &source{}
	get(t, c, s, 1)
	now = now.Add(30*time.Second - 1)
	get(t, c, s, 1)
	now = now.Add(1)
	get(t, c, s, 2)
	now = now.Add(-time.Minute)
	get(t, c, s, 3)
}

func TestDropAndForgetCountAtOnce(t *testing.T) {
	now := time.Unix(1000, 0)
	c, s := newCache(&now), &source{}
	get(t, c, s, 1)
	c.Drop()
	get(t, c, s, 2)
	c.Forget("other")
	get(t, c, s, 2)
	c.Forget("k")
	get(t, c, s, 3)
}

func TestFreshAsksAndKeeps(t *testing.T) {
	now := time.Unix(1000, 0)
	c, s := newCache(&now), &source{}
	get(t, c, s, 1)
	if got, err := c.Fresh(t.Context(), "k", s.load); err != nil || got != 2 {
		t.Fatalf("got %d, %v", got, err)
	}
	get(t, c, s, 2)
}

func TestOldAnswersServeWhileTheSourceIsAway(t *testing.T) {
	now := time.Unix(1000, 0)
	c, s := newCache(&now), &source{}
	get(t, c, s, 1)
	s.err = problem.New(problem.Unavailable, "away")
	now = now.Add(time.Hour - 1)
	get(t, c, s, 1)
	now = now.Add(1)
	if _, err := c.Get(t.Context(), "k", s.load); !problem.Is(err, problem.Unavailable) {
		t.Errorf("an answer of an hour ago was used: %v", err)
	}
	s.err = nil
	get(t, c, s, 4)
	s.err = problem.New(problem.Unavailable, "away")
	c.Drop()
	if _, err := c.Get(t.Context(), "k", s.load); err == nil {
		t.Error("a dropped answer was used")
	}
	s.err = errors.New("a defect")
	if _, err := c.Get(t.Context(), "k", s.load); !errors.Is(err, s.err) {
		t.Errorf("another error was hidden: %v", err)
	}
}

func TestOneLoadServesAllWhoWait(t *testing.T) {
	now := time.Unix(1000, 0)
	c := newCache(&now)
	var loads atomic.Int64
	release := make(chan struct{})
	load := func(context.Context) (int64, error) {
		<-release
		return loads.Add(1), nil
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got, err := c.Get(t.Context(), "k", load); err != nil || got != 1 {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
	close(release)
	wg.Wait()
	if n := loads.Load(); n != 1 {
		t.Errorf("%d loads for one key", n)
	}
}

func TestALoadFromBeforeADropIsNotShared(t *testing.T) {
	now := time.Unix(1000, 0)
	c, s := newCache(&now), &source{}
	started, release := make(chan struct{}), make(chan struct{})
	done := make(chan int64)
	go func() {
		v, _ := c.Get(t.Context(), "k", func(context.Context) (int64, error) {
			close(started)
			<-release
			return -1, nil
		})
		done <- v
	}()
	<-started
	c.Drop()
	get(t, c, s, 1)
	close(release)
	if v := <-done; v != -1 {
		t.Errorf("the old load answered %d", v)
	}
	if got, err := c.Get(t.Context(), "k", s.load); err != nil || got < 1 {
		t.Errorf("the answer from before the drop was used: %d, %v", got, err)
	}
}

func TestAWaiterOutlivesACallerThatGaveUp(t *testing.T) {
	now := time.Unix(1000, 0)
	c, s := newCache(&now), &source{}
	first, cancel := context.WithCancel(t.Context())
	started := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := c.Get(first, "k", func(ctx context.Context) (int64, error) {
			close(started)
			<-ctx.Done()
			return 0, ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the cancelled caller got %v", err)
		}
	})
	<-started
	wg.Go(func() { get(t, c, s, 1) })
	cancel()
	wg.Wait()
}

func TestKeysAreCopiedBeforeTheyAreKept(t *testing.T) {
	copies := 0
	c := New[string, int](Options{Age: Forever, Clock: time.Now}).OwnKeys(func(k string) string {
		copies++
		return strings.Clone(k)
	})
	for range 3 {
		if v, err := c.Get(t.Context(), "k", func(context.Context) (int, error) { return 7, nil }); v != 7 || err != nil {
			t.Fatalf("got %d, %v", v, err)
		}
	}
	if copies != 1 {
		t.Errorf("%d copies of a key that was kept once", copies)
	}
}
