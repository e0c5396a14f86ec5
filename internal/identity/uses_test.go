package identity

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

func TestUsesAreRecordedOnceAnInterval(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, oauth, err := f.Initialize(t.Context(), NewUser{Name: "admin", Password: rightPassword}, true)
		if err != nil {
			t.Fatal(err)
		}
		alice := f.user("alice")
		r := f.robot(alice, "ci")
		uuid, app, err := f.CreateAppToken(t.Context(), alice.ID, "laptop", 0)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			f.clock.Add(time.Second)
			f.loggedIn("alice", rightPassword)
			f.loggedIn(r.Name, r.Token)
			f.loggedIn("$app", app)
			f.loggedIn("$oauthtoken", oauth)
		}
		if n := len(f.uses.last); n != 4 {
			t.Errorf("%d uses wait to be written", n)
		}
		if err := f.flushUses(t.Context()); err != nil {
			t.Fatal(err)
		}
		a, err := f.Account(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		robot, err := f.Robot(t.Context(), alice, "ci")
		if err != nil {
			t.Fatal(err)
		}
		token, err := f.AppToken(t.Context(), alice.ID, uuid)
		if err != nil {
			t.Fatal(err)
		}
		var ms sql.NullInt64
		if err := f.db.QueryRow(t.Context(), `SELECT last_used_ms FROM oauth_token`).Scan(&ms); err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string]time.Time{
			"user": a.LastAccessed, "robot": robot.LastUsed, "application token": token.LastUsed, "OAuth token": nullTime(ms),
		} {
			if !got.Equal(f.clock.Now()) {
				t.Errorf("%s: last used %s, want %s", name, got, f.clock.Now())
			}
		}
		if token.Token != app {
			t.Error("the application token is not shown again")
		}
		if list, err := f.AppTokens(t.Context(), alice.ID); err != nil || len(list) != 1 || list[0].Token != "" || list[0].Title != "laptop" {
			t.Errorf("list %+v, %v", list, err)
		}
	})
}

func TestUsesAreNotRecordedWhenSwitchedOffAndWithinABound(t *testing.T) {
	off := newUseLog(-1, newClock().Now)
	off.record(proof{credential: Password, reference: "a"})
	if len(off.last) != 0 || off.interval() <= 0 {
		t.Errorf("%d uses, interval %s", len(off.last), off.interval())
	}
	l := newUseLog(time.Minute, newClock().Now)
	for i := range usesBound + 10 {
		l.record(proof{credential: Password, reference: string(rune(i))})
	}
	if n := len(l.take()); n > usesBound {
		t.Errorf("%d uses", n)
	}
}

func TestRunWritesWhatIsLeftWhenItEnds(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite))
	f.user("alice")
	f.loggedIn("alice", rightPassword)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if a, err := f.Account(t.Context(), "alice"); err != nil || a.LastAccessed.IsZero() {
		t.Errorf("last accessed %s, %v", a.LastAccessed, err)
	}
}
