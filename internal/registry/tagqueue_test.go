package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
)

// slowTags answers each query when it is told to, with what the tags were when the query began.
type slowTags struct {
	present atomic.Int64 // every tag's target
	began   chan int     // questions in a query, as it begins
	let     chan struct{}
}

func newSlowTags() (*slowTags, *tagQueue) {
	s := &slowTags{began: make(chan int), let: make(chan struct{})}
	return s, &tagQueue{read: s.read}
}

func (s *slowTags) read(_ context.Context, questions []*tagQuestion) (map[tagName]tagged, error) {
	now := s.present.Load()
	s.began <- len(questions)
	<-s.let
	found := map[tagName]tagged{}
	for _, q := range questions {
		if q.tag.name != "missing" {
			found[q.tag] = tagged{manifestID: now}
		}
	}
	return found, nil
}

func asked(q *tagQueue, name string) <-chan int64 {
	answer := make(chan int64, 1)
	go func() {
		t, err := q.ask(context.Background(), tagName{1, name})
		if err != nil {
			t.manifestID = -1
		}
		answer <- t.manifestID
	}()
	return answer
}

// waits blocks until so many questions wait in the queue.
func waits(t *testing.T, q *tagQueue, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		q.mu.Lock()
		waiting := len(q.waiting)
		q.mu.Unlock()
		if waiting == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d questions wait, not %d", waiting, n)
		}
	}
}

// TestATagLookupNeverJoinsAQueryThatBeganBefore is what makes a tag linearizable: whoever was told of a push finds it,
// although queries from before the push are still running.
func TestATagLookupNeverJoinsAQueryThatBeganBefore(t *testing.T) {
	s, q := newSlowTags()
	var early []<-chan int64
	for range tagLanes {
		early = append(early, asked(q, "v"))
		<-s.began
	}
	s.present.Store(7) // the tag is moved, and its pusher is told
	late := asked(q, "v")
	waits(t, q, 1)
	s.let <- struct{}{}
	if n := <-s.began; n != 1 {
		t.Errorf("a query for %d questions", n)
	}
	for range tagLanes {
		s.let <- struct{}{}
	}
	if got := <-late; got != 7 {
		t.Errorf("who asked after the push got target %d", got)
	}
	for _, a := range early {
		if got := <-a; got != 0 {
			t.Errorf("who asked before the push got target %d", got)
		}
	}
}

func TestTagsThatAreAskedForMeanwhileShareOneQuery(t *testing.T) {
	s, q := newSlowTags()
	answers := []<-chan int64{}
	for range tagLanes {
		answers = append(answers, asked(q, "first"))
		<-s.began
	}
	const more = 40
	for n := range more {
		answers = append(answers, asked(q, fmt.Sprintf("tag-%d", n)))
	}
	missing := asked(q, "missing")
	waits(t, q, more+1)
	s.let <- struct{}{}
	if n := <-s.began; n != more+1 {
		t.Errorf("the next query is for %d questions, not %d", n, more+1)
	}
	for range tagLanes {
		s.let <- struct{}{}
	}
	for _, a := range answers {
		if got := <-a; got != 0 {
			t.Errorf("got %d", got)
		}
	}
	if got := <-missing; got != -1 {
		t.Errorf("a tag that is not there has the target %d", got)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running != 0 || len(q.waiting) != 0 {
		t.Errorf("afterwards %d lanes run and %d questions wait", q.running, len(q.waiting))
	}
}

func TestACallerThatLeavesDoesNotStopTheQueryOfOthers(t *testing.T) {
	s, q := newSlowTags()
	ctx, leave := context.WithCancel(t.Context())
	var left sync.WaitGroup
	left.Go(func() {
		if _, err := q.ask(ctx, tagName{1, "v"}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	<-s.began
	leave()
	left.Wait()
	other := asked(q, "v")
	<-s.began
	s.let <- struct{}{}
	s.let <- struct{}{}
	if got := <-other; got != 0 {
		t.Errorf("got %d", got)
	}
}

func TestAnErrorReachesAllWhoAsked(t *testing.T) {
	fails := errors.New("the database")
	q := &tagQueue{read: func(context.Context, []*tagQuestion) (map[tagName]tagged, error) { return nil, fails }}
	if _, err := q.ask(t.Context(), tagName{1, "v"}); !errors.Is(err, fails) {
		t.Errorf("got %v", err)
	}
	q = &tagQueue{read: func(context.Context, []*tagQuestion) (map[tagName]tagged, error) { return nil, nil }}
	if _, err := q.ask(t.Context(), tagName{1, "v"}); !errors.Is(err, db.ErrNoRows) {
		t.Errorf("got %v", err)
	}
}
