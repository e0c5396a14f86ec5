package identity

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func TestTheWaitDoublesWithEachFailure(t *testing.T) {
	now := time.Unix(10_000, 0)
	for _, c := range []struct {
		failures int
		want     time.Duration
	}{
		{0, 0}, {1, 0}, {2, 0}, {3, time.Second}, {4, 2 * time.Second}, {5, 4 * time.Second}, {10, 128 * time.Second},
		{12, 5 * time.Minute}, {1000, 5 * time.Minute},
	} {
		f := failures{count: c.failures, last: now}
		if got := f.wait(now); got != c.want {
			t.Errorf("after %d failures: %s, want %s", c.failures, got, c.want)
		}
		if got := f.wait(now.Add(forgetFailures)); got != 0 {
			t.Errorf("after %d failures an hour ago: %s", c.failures, got)
		}
		if got := f.wait(now.Add(-time.Hour)); got > c.want {
			t.Errorf("after the clock was set back: %s, want at most %s", got, c.want)
		}
	}
}

// fail makes n wrong logins, each after the wait that the one before caused.
func (f *fixture) fail(name string, n int) {
	f.t.Helper()
	for range n {
		f.refusedLogin(name, "wrong-password", wrongPasswordText)
	}
}

func TestFailedLoginsMakeTheNextOneWait(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.user("alice")
		for _, name := range []string{"alice", "nobody"} {
			f.fail(name, freeFailures)
			_, err := f.Login(t.Context(), name, rightPassword)
			wantProblem(t, err, problem.TooMany, "try again in 1 seconds")
			if e := problem.From(err); e.RetryAfter != time.Second {
				t.Errorf("%s: Retry-After %s", name, e.RetryAfter)
			}
			f.clock.Add(time.Second)
			f.fail(name, 1)
			_, err = f.Login(t.Context(), name, rightPassword)
			wantProblem(t, err, problem.TooMany, "try again in 2 seconds")
		}
		f.clock.Add(2 * time.Second)
		f.loggedIn("alice", rightPassword)
		f.fail("alice", freeFailures)
	})
}

func TestOtherReplicasKnowOfFailedLogins(t *testing.T) {
	d := dbtest.Open(t, dbtest.PostgreSQL)
	f := newFixture(t, d)
	f.user("alice")
	f.fail("alice", freeFailures)
	other := newFixture(t, d)
	_, err := other.Login(t.Context(), "alice", rightPassword)
	wantProblem(t, err, problem.TooMany, "alice")
	other.clock.Add(time.Second)
	other.loggedIn("alice", rightPassword)
	if left := readFailures(t, other); left != 0 {
		t.Errorf("%d failures after a success", left)
	}
}

func readFailures(t *testing.T, f *fixture) int {
	t.Helper()
	known, err := f.failuresOf(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	return known.count
}

func TestAClientThatHangsUpIsCounted(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite))
	f.user("alice")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.remember(ctx, "alice", failures{}, false)
	if n := readFailures(t, f); n != 1 {
		t.Errorf("%d failures were counted", n)
	}
}

func TestAnUnknownNameCostsWhatAWrongPasswordCosts(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite))
	f.user("alice")
	f.user("federated")
	f.exec(`UPDATE account SET password_hash = NULL WHERE name = 'federated'`)
	asked := func(name string) int64 {
		before := f.asked.n.Load()
		f.refusedLogin(name, "wrong-password", wrongPasswordText)
		return f.asked.n.Load() - before
	}
	for _, name := range []string{"nobody", "federated"} {
		if known, other := asked("alice"), asked(name); known != other {
			t.Errorf("%d questions for a wrong password, %d for %s", known, other, name)
		}
	}
	if cost, err := bcrypt.Cost([]byte(f.dummyHash)); err != nil || cost != f.options.BcryptCost || len(f.dummyHash) != 60 {
		t.Errorf("the dummy has cost %d: %v", cost, err)
	}
	f.hasher.queue = -1
	for f.hasher.slots.TryAcquire(1) { // no core is left for a hash
	}
	for _, name := range []string{"alice", "nobody", "federated"} {
		_, err := f.Login(t.Context(), name, "wrong-password-2")
		wantProblem(t, err, problem.TooMany, "at once")
	}
}

func TestAttemptsAtOneNameGoOneAfterTheOther(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite))
	f.user("alice")
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := make(map[problem.Kind]int)
	for i := range gateQueue {
		wg.Go(func() {
			_, err := f.Login(t.Context(), "alice", "wrong-password-"+string(rune('a'+i)))
			mu.Lock()
			defer mu.Unlock()
			answers[problem.From(err).Kind]++
		})
	}
	wg.Wait()
	if answers[problem.Unauthenticated] != freeFailures || answers[problem.TooMany] != gateQueue-freeFailures {
		t.Errorf("of %d guesses at once %d were checked, want %d", gateQueue, answers[problem.Unauthenticated], freeFailures)
	}
	if len(f.gate.doors) != 0 {
		t.Errorf("%d names are remembered as being tried", len(f.gate.doors))
	}
}

func TestEqualLoginsAtOnceShareOneCheck(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite), func(o *Options) { o.BcryptCost = 8 })
	f.user("alice")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := f.Login(t.Context(), "alice", rightPassword); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestTheGateIsBounded(t *testing.T) {
	g := newGate(newClock().Now)
	leave, err := g.enter(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range gateQueue {
		wg.Go(func() {
			if _, err := g.enter(ctx, "alice"); !errors.Is(err, context.Canceled) {
				t.Errorf("a waiter got %v", err)
			}
		})
	}
	for waiting := 0; waiting <= gateQueue; {
		g.mu.Lock()
		waiting = g.doors[nameHash("alice")].visitors
		g.mu.Unlock()
	}
	_, err = g.enter(t.Context(), "alice")
	wantProblem(t, err, problem.TooMany, "alice")
	cancel()
	wg.Wait()
	leave()
	if len(g.doors) != 0 {
		t.Errorf("%d doors are left", len(g.doors))
	}
}

func TestHashingHasAShortQueue(t *testing.T) {
	h := newHasher(4, 1)
	if !h.slots.TryAcquire(1) {
		t.Fatal("a new hasher is busy")
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range queuePerSlot {
		wg.Go(func() {
			if _, err := h.matches(ctx, h.dummy(), "x"); !errors.Is(err, context.Canceled) {
				t.Errorf("a waiter got %v", err)
			}
		})
	}
	for h.waiting.Load() < queuePerSlot {
		time.Sleep(time.Millisecond)
	}
	_, err := h.matches(t.Context(), h.dummy(), "x")
	wantProblem(t, err, problem.TooMany, "at once")
	if problem.From(err).RetryAfter == 0 {
		t.Error("no Retry-After")
	}
	cancel()
	wg.Wait()
	h.slots.Release(1)
	if ok, err := h.matches(t.Context(), h.dummy(), "x"); ok || err != nil {
		t.Errorf("the dummy matched: %v, %v", ok, err)
	}
}

func TestAStoredFormThatIsNoHashMatchesNothing(t *testing.T) {
	h := newHasher(4, 1)
	for _, stored := range []string{"", "x", "$2b$", strings.Repeat("$", 60)} {
		if ok, err := h.matches(t.Context(), stored, stored); ok || err != nil {
			t.Errorf("%q matched: %v, %v", stored, ok, err)
		}
	}
}
