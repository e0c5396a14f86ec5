package identity

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/longshore-registry/longshore/internal/problem"
)

// browser is a client of a session manager that keeps one cookie.
type browser struct {
	t       *testing.T
	manager *scs.SessionManager
	cookie  *http.Cookie
}

func (f *fixture) browser() *browser {
	m := scs.New()
	m.Store = f.Sessions()
	return &browser{t: f.t, manager: m}
}

// visit runs fn inside a request.
func (b *browser) visit(fn func(ctx context.Context)) {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), http.MethodGet, "/", nil)
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	w := httptest.NewRecorder()
	b.manager.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { fn(r.Context()) })).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		b.t.Errorf("status %d", w.Code)
	}
	for _, c := range w.Result().Cookies() {
		b.cookie = c
	}
}

func (b *browser) account() (id int64) {
	b.t.Helper()
	b.visit(func(ctx context.Context) { id = b.manager.GetInt64(ctx, SessionAccount) })
	return id
}

func (b *browser) signIn(f *fixture, id int64) {
	b.t.Helper()
	revision, err := f.SessionRevision(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	b.visit(func(ctx context.Context) {
		if err := b.manager.RenewToken(ctx); err != nil {
			b.t.Error(err)
		}
		b.manager.Put(ctx, SessionAccount, id)
		b.manager.Put(ctx, SessionRevision, revision)
	})
}

func TestSessionsAreKeptUntilTheyEnd(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.clock.now = time.Now() // scs has no other clock
		alice := f.user("alice")
		b := f.browser()
		b.signIn(f, alice.ID)
		if got := b.account(); got != alice.ID {
			t.Errorf("the session belongs to %d", got)
		}
		var token string
		if err := f.db.QueryRow(t.Context(), `SELECT COUNT(*) || '' FROM session WHERE account_id = $1`, alice.ID).Scan(&token); err != nil || token != "1" {
			t.Errorf("%s rows for the account: %v", token, err)
		}
		b.visit(func(ctx context.Context) {
			if err := b.manager.Destroy(ctx); err != nil {
				t.Error(err)
			}
		})
		if got := b.account(); got != 0 {
			t.Errorf("after signing out the session belongs to %d", got)
		}
	})
}

func TestAllSessionsOfAnAccountCanBeEnded(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.clock.now = time.Now()
		alice, bob := f.user("alice"), f.user("bob")
		ends := map[string]func() error{
			"signing out":  func() error { return f.EndSessions(t.Context(), alice.ID) },
			"new password": func() error { return f.SetPassword(t.Context(), alice.ID, "another-password") },
			"disabled":     func() error { return f.SetEnabled(t.Context(), alice.ID, false) },
		}
		for name, end := range ends {
			first, second, other := f.browser(), f.browser(), f.browser()
			first.signIn(f, alice.ID)
			second.signIn(f, alice.ID)
			other.signIn(f, bob.ID)
			if err := end(); err != nil {
				t.Fatal(err)
			}
			if a, b, c := first.account(), second.account(), other.account(); a != 0 || b != 0 || c != bob.ID {
				t.Errorf("%s: sessions of %d, %d and %d", name, a, b, c)
			}
		}
	})
}

func TestExpiredSessionsAreNotFoundAndThenRemoved(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		store := f.Sessions()
		data, err := scs.GobCodec{}.Encode(f.clock.Now(), map[string]any{SessionAccount: int64(0)})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.CommitCtx(t.Context(), "token", data, f.clock.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, found, err := store.FindCtx(t.Context(), "token"); err != nil || !found {
			t.Errorf("found %v, %v", found, err)
		}
		f.clock.Add(time.Hour)
		if _, found, err := store.FindCtx(t.Context(), "token"); err != nil || found {
			t.Errorf("an expired session was found: %v", err)
		}
		if err := f.removeExpiredSessions(t.Context()); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := f.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM session`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows are left: %v", n, err)
		}
	})
}

func TestASessionThatWasSavedLateIsRefusedByItsRevision(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		p, err := f.Current(t.Context(), Session, alice.UUID, alice.AccessRev)
		if err != nil || p.Credential != Session || p.Account.ID != alice.ID {
			t.Errorf("got %+v, %v", p, err)
		}
		if err := f.SetPassword(t.Context(), alice.ID, "another-password"); err != nil {
			t.Fatal(err)
		}
		_, err = f.Current(t.Context(), Session, alice.UUID, alice.AccessRev)
		wantProblem(t, err, problem.Unauthenticated, "changed")
	})
}

// A request that read its session before the user signed out, and saves it after, does not bring it back.
func TestASessionThatIsSavedLateStaysEnded(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.clock.now = time.Now()
		alice := f.user("alice")
		store, expiry := f.Sessions(), f.clock.Now().Add(time.Hour)
		save := func(revision int64) error {
			data, err := scs.GobCodec{}.Encode(expiry, map[string]any{SessionAccount: alice.ID, SessionRevision: revision})
			if err != nil {
				t.Fatal(err)
			}
			return store.CommitCtx(t.Context(), "a session", data, expiry)
		}
		revision, err := f.SessionRevision(t.Context(), alice.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := save(revision); err != nil {
			t.Fatal(err)
		}
		if err := f.EndSessions(t.Context(), alice.ID); err != nil {
			t.Fatal(err)
		}
		wantProblem(t, save(revision), problem.Unauthenticated, "The session was ended")
		if _, found, err := store.FindCtx(t.Context(), "a session"); found || err != nil {
			t.Errorf("the session is back: %v", err)
		}
		if err := save(revision + 1); err != nil {
			t.Errorf("a session made after: %v", err)
		}
	})
}

// The same with both at once: whichever comes first, no session of the old revision is left.
func TestSigningOutRacesASave(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.clock.now = time.Now()
		alice := f.user("alice")
		store, expiry := f.Sessions(), f.clock.Now().Add(time.Hour)
		for range 10 {
			revision, err := f.SessionRevision(t.Context(), alice.ID)
			if err != nil {
				t.Fatal(err)
			}
			data, err := scs.GobCodec{}.Encode(expiry, map[string]any{SessionAccount: alice.ID, SessionRevision: revision})
			if err != nil {
				t.Fatal(err)
			}
			var both sync.WaitGroup
			both.Go(func() {
				if err := store.CommitCtx(t.Context(), "a session", data, expiry); err != nil && !problem.Is(err, problem.Unauthenticated) {
					t.Error(err)
				}
			})
			both.Go(func() {
				if err := f.EndSessions(t.Context(), alice.ID); err != nil {
					t.Error(err)
				}
			})
			both.Wait()
			if _, found, err := store.FindCtx(t.Context(), "a session"); found || err != nil {
				t.Fatalf("a session outlived the end of all: %v", err)
			}
		}
	})
}
