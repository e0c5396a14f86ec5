package identity

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// FuzzLogin tries user names and secrets of every form against a registry with one of each. Who gets in must be named,
// with that name's own secret.
func FuzzLogin(f *testing.F) {
	d := dbtest.Open(f, dbtest.SQLite)
	c := newClock()
	s, err := NewService(options(d, c))
	if err != nil {
		f.Fatal(err)
	}
	alice, err := s.CreateUser(f.Context(), NewUser{Name: "alice", Email: "alice@example.com", Password: rightPassword, Verified: true})
	if err != nil {
		f.Fatal(err)
	}
	robot, err := s.CreateRobot(f.Context(), alice, "ci", "", "")
	if err != nil {
		f.Fatal(err)
	}
	_, app, err := s.CreateAppToken(f.Context(), alice.ID, "laptop", 0)
	if err != nil {
		f.Fatal(err)
	}
	good := map[string]string{"alice": rightPassword, "alice@example.com": rightPassword, "alice+ci": robot.Token, "$app": app}
	names := []string{"alice", "alice@example.com", "alice+ci", "$app", "$oauthtoken", "$token", "bob", "alice+", "+ci", "", "ALICE", "alice\x00", "alice+ci@example.com"}
	secrets := []string{"", rightPassword, robot.Token, app, rightPassword[:12], rightPassword + "x", strings.Repeat("A", 64), "v0$$AAAA", "\xff", rightPassword + "\x00" + rightPassword}
	for i, name := range names {
		for j, secret := range secrets {
			f.Add(name, secret, byte(i), byte(j))
		}
	}
	f.Fuzz(func(t *testing.T, name, secret string, ownName, ownSecret byte) {
		if ownName < 8 { // chance alone would never hit what exists
			name = names[int(ownName)%len(names)]
		}
		if ownSecret < 8 {
			secret = secrets[int(ownSecret)%len(secrets)]
		}
		c.Add(time.Hour) // no back-off from what came before
		p, err := s.Login(t.Context(), name, secret)
		if err != nil {
			if !problem.Is(err, problem.Unauthenticated) && !problem.Is(err, problem.TooMany) {
				t.Errorf("%q with %q: %v", name, secret, err)
			}
			if len(secret) > 6 && strings.Contains(err.Error(), secret) {
				t.Errorf("the answer to %q shows the secret: %v", name, err)
			}
			if good[name] == secret && secret != "" {
				t.Errorf("%q is refused: %v", name, err)
			}
			return
		}
		want, known := good[name]
		same := want == secret || known && strings.HasPrefix(name, "alice") && !strings.Contains(name, "+") && bcryptSame(want, secret)
		if !known || !same {
			t.Errorf("%q got in with %q as %+v", name, secret, p)
		}
		if p.Account.ID != alice.ID && p.Account.Name != "alice+ci" {
			t.Errorf("%q got in as %q", name, p.Account.Name)
		}
	})
}

// bcryptSame reports whether bcrypt cannot tell two passwords apart: it reads 72 bytes, and a password with NUL that
// repeats another is that.
func bcryptSame(stored, given string) bool {
	hash, err := bcrypt.GenerateFromPassword(counted(stored), bcrypt.MinCost)
	return err == nil && bcrypt.CompareHashAndPassword(hash, counted(given)) == nil
}
