package bearer

import (
	"context"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func countKeys(t *testing.T, d *db.DB) (n int) {
	t.Helper()
	if err := d.QueryRow(t.Context(), `SELECT COUNT(*) FROM service_key`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func refresh(t *testing.T, a *Authority) {
	t.Helper()
	if err := a.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestProcessesShareAYoungKey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newClock()
		first := newAuthority(t, d, c)
		c.Add(54 * time.Minute)
		second := newAuthority(t, d, c)
		if first.current.kid != second.current.kid || countKeys(t, d) != 1 {
			t.Errorf("keys %s and %s, %d rows", first.current.kid, second.current.kid, countKeys(t, d))
		}
		c.Add(2 * time.Minute)
		third := newAuthority(t, d, c)
		if third.current.kid == first.current.kid {
			t.Error("an old key was taken up")
		}
	})
}

func TestAKeyIsReplacedAfterItsSuccessorWasPublished(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newClock()
		a, other := newAuthority(t, d, c), newAuthority(t, d, c)
		old := a.current.kid
		early := issue(t, a, robotClaims())
		c.Add(55*time.Minute - 1)
		refresh(t, a)
		if a.next != nil {
			t.Error("the key was replaced too early")
		}
		c.Add(1)
		refresh(t, a)
		refresh(t, other)
		if a.current.kid != old || a.next == nil || countKeys(t, d) != 2 || other.next.kid != a.next.kid {
			t.Fatalf("after 55 minutes: %d keys, successors %v and %v", countKeys(t, d), a.next, other.next)
		}
		c.Add(publishAhead - 1)
		refresh(t, a)
		if a.current.kid != old {
			t.Error("the successor signs before everyone knows it")
		}
		c.Add(1)
		refresh(t, a)
		if a.current.kid == old || a.next != nil {
			t.Error("the successor does not sign")
		}
		late := issue(t, a, robotClaims())
		for name, token := range map[string]string{"old": early, "new": late} {
			if _, err := other.Verify(t.Context(), token, audience); err != nil {
				t.Errorf("a token of the %s key: %v", name, err)
			}
		}
	})
}

// TestAfterASleepSigningGoesOnAtOnce moves the clock past the end of the key, as a machine does that was suspended.
func TestAfterASleepSigningGoesOnAtOnce(t *testing.T) {
	for _, slept := range []time.Duration{61 * time.Minute, 90 * time.Minute, 48 * time.Hour} {
		c := newClock()
		d := dbtest.Open(t, dbtest.SQLite)
		a, other := newAuthority(t, d, c), newAuthority(t, d, c)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- a.Run(ctx) }()
		c.Add(slept)
		if _, _, err := a.Issue(robotClaims()); !problem.Is(err, problem.Unavailable) {
			t.Errorf("after %s a token outlives its key: %v", slept, err)
		}
		var token string
		for deadline := time.Now().Add(10 * time.Second); token == ""; {
			var err error
			if token, _, err = a.Issue(robotClaims()); err != nil && time.Now().After(deadline) {
				t.Fatalf("after %s: %v", slept, err)
			}
			time.Sleep(time.Millisecond)
		}
		if _, err := other.Verify(t.Context(), token, audience); err != nil {
			t.Errorf("after %s another process does not know the key: %v", slept, err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestANewKeyOfAnotherProcessIsKnownAtOnce(t *testing.T) {
	d := dbtest.Open(t, dbtest.PostgreSQL)
	c := newClock()
	a := newAuthority(t, d, c)
	if _, err := a.Verify(t.Context(), issue(t, a, robotClaims()), audience); err != nil {
		t.Fatal(err)
	}
	c.Add(time.Second)
	other := newAuthority(t, d, c, func(o *Options) { o.DatabaseSecretKey = "another" })
	if other.current.kid == a.current.kid {
		t.Fatal("a key was taken up that cannot be opened")
	}
	if _, err := a.Verify(t.Context(), issue(t, other, robotClaims()), audience); err != nil {
		t.Error(err)
	}
}

func TestInventedKeysDoNotFloodTheDatabase(t *testing.T) {
	c := newClock()
	a := newAuthority(t, dbtest.Open(t, dbtest.SQLite), c)
	for range reloadsASec {
		wantRefusal(t, a, forge(t, a, nil), audience, "unknown or expired key")
	}
	if a.reloads.AllowN(c.Now(), 1) {
		t.Error("look-ups of unknown keys are not limited")
	}
	wantRefusal(t, a, forge(t, a, nil), audience, "unknown or expired key")
}

func TestSigningGoesOnWithoutTheDatabaseUntilTheKeyEnds(t *testing.T) {
	d, err := db.Open(t.Context(), dbtest.Options(dbtest.URI(t, dbtest.SQLite)))
	if err != nil {
		t.Fatal(err)
	}
	c := newClock()
	a := newAuthority(t, d, c)
	if _, err := a.Verify(t.Context(), issue(t, a, robotClaims()), audience); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	c.Add(60 * time.Minute)
	if err := a.refresh(t.Context()); err == nil {
		t.Error("a key was made without a database")
	}
	issue(t, a, robotClaims())
	c.Add(time.Second)
	_, _, err = a.Issue(robotClaims())
	if !problem.Is(err, problem.Unavailable) {
		t.Errorf("a token would outlive its key: %v", err)
	}
}

func TestExpiredKeysAreRemovedAfterAWeek(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	c := newClock()
	newAuthority(t, d, c)
	c.Add(120*time.Minute + 7*24*time.Hour + time.Second)
	newAuthority(t, d, c)
	if n := countKeys(t, d); n != 1 {
		t.Errorf("%d keys", n)
	}
}

func TestAShortKeyLifetimeIsRaised(t *testing.T) {
	a := newAuthority(t, dbtest.Open(t, dbtest.SQLite), newClock(), func(o *Options) { o.KeyLifetime = time.Minute })
	if a.options.KeyLifetime < a.options.Refresh+tokenLifetime {
		t.Errorf("the lifetime is %s", a.options.KeyLifetime)
	}
	issue(t, a, robotClaims())
}

func TestRunEndsWithItsContext(t *testing.T) {
	a := newAuthority(t, dbtest.Open(t, dbtest.SQLite), newClock())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ctx); err != nil {
		t.Error(err)
	}
}
