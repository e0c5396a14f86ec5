package identity

import (
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Somebody who makes alice wait must not learn by a guessed address's wait that it is hers: not here, not from another
// replica, not after a restart. Nor does the wait tell which names and addresses are anybody's.
func TestTheWaitTellsNothingOfWhoseAddressItIs(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.user("alice")
		for _, name := range []string{"alice", "nobody", "alice@example.com", "nobody@example.com"} {
			f.fail(name, freeFailures)
			for where, replica := range map[string]*fixture{"here": f, "elsewhere": newFixture(t, f.db)} {
				_, err := replica.Login(t.Context(), name, rightPassword)
				if !problem.Is(err, problem.TooMany) {
					t.Errorf("%s, %s: %v, want a wait", name, where, err)
				}
				for _, other := range []string{"alice", "alice@example.com"} {
					known, err := replica.failuresOf(t.Context(), other)
					if err != nil {
						t.Fatal(err)
					}
					if err := replica.gate.check(other, known); other != name && err != nil {
						t.Errorf("after failures as %s, %s has to wait %s: %v", name, other, where, err)
					}
				}
			}
			if name == "alice" { // the next rounds ask whether they make alice wait
				if err := f.SetPassword(t.Context(), f.account("alice").ID, rightPassword); err != nil {
					t.Fatal(err)
				}
			}
			f.clock.Add(2 * time.Second)
			if name == "alice@example.com" {
				f.loggedIn(name, rightPassword)
			}
		}
	})
}

func TestLettersOfEitherCaseShareTheWait(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite))
	f.user("alice")
	f.fail("alice@example.com", 1)
	f.fail("Alice@example.com", 1)
	f.fail("ALICE@EXAMPLE.COM", 1)
	_, err := f.Login(t.Context(), "alice@example.com", rightPassword)
	wantProblem(t, err, problem.TooMany, "alice@example.com")
}

func TestANewPasswordEndsTheWait(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		f.fail("alice", freeFailures)
		f.fail("alice@example.com", freeFailures)
		if err := f.SetPassword(t.Context(), alice.ID, "another-password"); err != nil {
			t.Fatal(err)
		}
		f.loggedIn("alice", "another-password")
		f.loggedIn("alice@example.com", "another-password")
		newFixture(t, f.db).loggedIn("alice", "another-password")
	})
}

func TestOldFailuresAreRemoved(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.fail("nobody", 2)
		f.clock.Add(forgetFailures / 2)
		f.fail("somebody", 1)
		f.clock.Add(forgetFailures / 2)
		if err := f.removeOldFailures(t.Context()); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]int{"nobody": 0, "somebody": 1} {
			if got, err := f.failuresOf(t.Context(), name); err != nil || got.count != want {
				t.Errorf("%s: %d failures (%v), want %d", name, got.count, err, want)
			}
		}
		var plain int
		if err := f.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM login_failure WHERE name = $1`, []byte("somebody")).Scan(&plain); err != nil || plain != 0 {
			t.Errorf("names are stored as they were typed: %d, %v", plain, err)
		}
	})
}

func (f *fixture) account(name string) Account {
	f.t.Helper()
	a, err := f.Account(f.t.Context(), name)
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}
