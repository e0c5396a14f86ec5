package identity

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func TestUsersLogInByNameAndAddress(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		for _, name := range []string{"alice", "alice@example.com"} {
			p := f.loggedIn(name, rightPassword)
			if p.Credential != Password || p.Account.ID != alice.ID || p.Actor() != "account:"+alice.UUID {
				t.Errorf("login by %s gave %+v", name, p)
			}
		}
		f.refusedLogin("alice", "wrong-password", wrongPasswordText)
		f.refusedLogin("nobody", "wrong-password", wrongPasswordText)
		f.refusedLogin("alice", "", wrongPasswordText)
		f.refusedLogin("", "", wrongPasswordText)
	})
}

func TestNamesThatNoDatabaseHoldsAreRefused(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, name := range []string{"a\x00b", "\xff\xfe", "a\x00b@example.com"} {
			f.refusedLogin(name, "wrong-password-"+name, wrongPasswordText)
			_, err := f.Account(t.Context(), name)
			wantProblem(t, err, problem.NotFound, "There is no user")
		}
		f.refusedLogin("a+\x00", "secret", "Could not find robot")
		f.refusedLogin("$app", strings.Repeat("\x00", 120), wrongAppTokenText)
		f.refusedLogin("$oauthtoken", strings.Repeat("\xff", 40), wrongOAuthText)
		f.refusedLogin("$token", strings.Repeat("\x00", 64), wrongAccessTokenText)
	})
}

func TestOnlyUsersHavePasswords(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		org := f.organization("acme", f.user("alice"))
		hash, err := bcrypt.GenerateFromPassword([]byte(rightPassword), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		f.exec(`UPDATE account SET password_hash = $1 WHERE id = $2`, string(hash), org.ID)
		f.refusedLogin("acme", rightPassword, wrongPasswordText)
		f.exec(`UPDATE account SET password_hash = NULL WHERE name = 'alice'`)
		f.refusedLogin("alice", rightPassword, wrongPasswordText)
	})
}

func TestADisabledUserIsToldOnlyWithTheRightPassword(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		f.loggedIn("alice", rightPassword)
		if err := f.SetEnabled(t.Context(), alice.ID, false); err != nil {
			t.Fatal(err)
		}
		f.refusedLogin("alice", rightPassword, disabledText)
		f.refusedLogin("alice", "wrong-password", wrongPasswordText)
		if err := f.SetEnabled(t.Context(), alice.ID, true); err != nil {
			t.Fatal(err)
		}
		f.loggedIn("alice", rightPassword)
	})
}

func TestANewPasswordReplacesTheOldOneAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		before := f.loggedIn("alice", rightPassword)
		if err := f.SetPassword(t.Context(), alice.ID, "another-password"); err != nil {
			t.Fatal(err)
		}
		f.refusedLogin("alice", rightPassword, wrongPasswordText)
		after := f.loggedIn("alice", "another-password")
		if after.Account.AccessRev <= before.Account.AccessRev {
			t.Errorf("the revision went from %d to %d", before.Account.AccessRev, after.Account.AccessRev)
		}
		_, err := f.Current(t.Context(), Password, alice.UUID, before.Account.AccessRev)
		wantProblem(t, err, problem.Unauthenticated, "changed")
	})
}

func TestOnlyTheFirst72BytesOfAPasswordCount(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite))
	long := strings.Repeat("x", 72)
	if _, err := f.CreateUser(t.Context(), NewUser{Name: "alice", Password: long + "tail"}); err != nil {
		t.Fatal(err)
	}
	f.loggedIn("alice", long+"tail")
	f.loggedIn("alice", long+"another tail that is longer")
	f.refusedLogin("alice", long[1:]+"tail", wrongPasswordText)
}

func TestHashesOfQuayAreAccepted(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite))
	f.user("alice")
	// Made with Python's bcrypt, of "pässword-of-quay" at cost 5.
	const pythonHash = "05$7RiwV5HbNfPTADwpQKl/GOSGDCSF9GtFXdV.wsHLglkO8m9upUY1C"
	for _, prefix := range []string{"$2b$", "$2a$", "$2y$"} {
		f.exec(`UPDATE account SET password_hash = $1, access_rev = access_rev + 1`, prefix+pythonHash)
		f.resolved.Drop()
		f.loggedIn("alice", "pässword-of-quay")
	}
}

func TestEncryptedPasswordsLogIn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.user("alice")
		encrypted, err := f.EncryptPassword(rightPassword)
		if err != nil {
			t.Fatal(err)
		}
		wrong, err := f.EncryptPassword("wrong-password")
		if err != nil {
			t.Fatal(err)
		}
		f.loggedIn("alice", encrypted)
		f.refusedLogin("alice", wrong, wrongPasswordText)
	})
}

func TestPlainPasswordsCanBeRefusedOnBasicAuth(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite), func(o *Options) { o.RequireEncryptedBasicAuth = true })
	alice := f.user("alice")
	encrypted, err := f.EncryptPassword(rightPassword)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := f.SignIn(t.Context(), "alice", rightPassword); err != nil || p.Account.ID != alice.ID {
		t.Errorf("the console did not take a plain password: %v", err)
	}
	f.refusedLogin("alice", rightPassword, "FEATURE_REQUIRE_ENCRYPTED_BASIC_AUTH")
	f.loggedIn("alice", encrypted)
	r := f.robot(alice, "ci")
	f.loggedIn(r.Name, r.Token)
}

func TestTheConsoleTakesUsersOnly(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite))
	r := f.robot(f.user("alice"), "ci")
	for _, name := range []string{r.Name, "$app", "$oauthtoken", "$token"} {
		_, err := f.SignIn(t.Context(), name, r.Token)
		wantProblem(t, err, problem.Unauthenticated, wrongPasswordText)
	}
}

func TestRobotsLogIn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		r := f.robot(alice, "ci")
		p := f.loggedIn("alice+ci", r.Token)
		if p.Credential != RobotToken || p.Account.ID != r.ID || p.Account.OwnerID != alice.ID {
			t.Errorf("the robot's login gave %+v", p)
		}
		const text = "Could not find robot with username: alice+ci and supplied password."
		f.refusedLogin("alice+ci", "wrong", text)
		f.refusedLogin("alice+ci", "", text)
		f.refusedLogin("alice+no", r.Token, "Could not find robot with username: alice+no and supplied password.")
		again, err := f.RegenerateRobot(t.Context(), alice, "ci")
		if err != nil {
			t.Fatal(err)
		}
		f.refusedLogin("alice+ci", r.Token, text)
		f.loggedIn("alice+ci", again.Token)
		if err := f.SetEnabled(t.Context(), alice.ID, false); err != nil {
			t.Fatal(err)
		}
		f.refusedLogin("alice+ci", "wrong", text)
		f.refusedLogin("alice+ci", again.Token, "its owner 'alice' is disabled")
	})
}

func TestRobotsCanBeSwitchedOff(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	before := newFixture(t, d)
	alice := before.user("alice")
	ci, spared := before.robot(alice, "ci"), before.robot(alice, "spared")
	f := newFixture(t, d, func(o *Options) { o.RobotsDisallow, o.RobotsWhitelist = true, []string{"alice+spared"} })
	f.refusedLogin("alice+ci", ci.Token, "ROBOTS_DISALLOW")
	f.loggedIn("alice+spared", spared.Token)
	_, err := f.Resolve(t.Context(), RobotToken, "alice+ci")
	wantProblem(t, err, problem.Unauthenticated, "ROBOTS_DISALLOW")
	_, err = f.CreateRobot(t.Context(), alice, "other", "", "")
	wantProblem(t, err, problem.Invalid, "ROBOTS_DISALLOW")
}

func TestApplicationTokensLogIn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		uuid, token, err := f.CreateAppToken(t.Context(), alice.ID, "laptop", time.Hour)
		if err != nil || len(token) != 120 {
			t.Fatalf("token of %d characters: %v", len(token), err)
		}
		p := f.loggedIn("$app", token)
		if p.Credential != AppToken || p.Account.ID != alice.ID || p.Reference != uuid || p.Title != "laptop" {
			t.Errorf("the token's login gave %+v", p)
		}
		f.refusedLogin("$app", token[:119]+"a", wrongAppTokenText)
		f.refusedLogin("$app", "a"+token[1:], wrongAppTokenText)
		f.refusedLogin("$app", token+"A", wrongAppTokenText)
		f.refusedLogin("$app", "", wrongAppTokenText)
		f.clock.Add(time.Hour)
		f.refusedLogin("$app", token, wrongAppTokenText)
		uuid, token, err = f.CreateAppToken(t.Context(), alice.ID, "desktop", 0)
		if err != nil {
			t.Fatal(err)
		}
		f.loggedIn("$app", token)
		if err := f.DeleteAppToken(t.Context(), f.user("bob").ID, uuid); !problem.Is(err, problem.NotFound) {
			t.Errorf("another user deleted the token: %v", err)
		}
		f.loggedIn("$app", token)
		if err := f.DeleteAppToken(t.Context(), alice.ID, uuid); err != nil {
			t.Fatal(err)
		}
		f.refusedLogin("$app", token, wrongAppTokenText)
	})
}

func TestApplicationTokensOfADisabledUserAndWithoutTheFeature(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	f := newFixture(t, d)
	alice := f.user("alice")
	uuid, token, err := f.CreateAppToken(t.Context(), alice.ID, "laptop", 0)
	if err != nil {
		t.Fatal(err)
	}
	off := newFixture(t, d, func(o *Options) { o.AppTokens = false })
	off.refusedLogin("$app", token, wrongAppTokenText)
	if _, err := off.Resolve(t.Context(), AppToken, uuid); err == nil {
		t.Error("a registry token of an application token outlives the feature")
	}
	if err := f.SetEnabled(t.Context(), alice.ID, false); err != nil {
		t.Fatal(err)
	}
	f.refusedLogin("$app", token, disabledText)
}

func TestOAuthTokensLogIn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		admin, token, err := f.Initialize(t.Context(), NewUser{Name: "admin", Password: rightPassword}, true)
		if err != nil || len(token) != 40 {
			t.Fatalf("token of %d characters: %v", len(token), err)
		}
		p := f.loggedIn("$oauthtoken", token)
		if p.Credential != OAuthToken || p.Account.ID != admin.ID || p.Scopes != AllScopes || p.Title != "automation" {
			t.Errorf("the token's login gave %+v", p)
		}
		if api, err := f.OAuth(t.Context(), token); err != nil || api != p {
			t.Errorf("as a bearer token it gave %+v, %v", api, err)
		}
		f.refusedLogin("$oauthtoken", token[:39]+"a", wrongOAuthText)
		f.refusedLogin("$oauthtoken", "a"+token[1:], wrongOAuthText)
		f.refusedLogin("$oauthtoken", "short", wrongOAuthText)
		if err := f.SetEnabled(t.Context(), admin.ID, false); err != nil {
			t.Fatal(err)
		}
		f.refusedLogin("$oauthtoken", token, granterDisabledText)
		f.clock.Add(9000 * time.Second)
		f.refusedLogin("$oauthtoken", token, expiredOAuthText)
		if err := f.DeleteOAuthToken(t.Context(), admin.ID, p.Reference); err != nil {
			t.Fatal(err)
		}
		f.refusedLogin("$oauthtoken", token, wrongOAuthText)
	})
}

func TestQuaysOAuthTokensAreStoredAnewAtFirstUse(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, token, err := f.Initialize(t.Context(), NewUser{Name: "admin", Password: rightPassword}, true)
		if err != nil {
			t.Fatal(err)
		}
		old, err := bcrypt.GenerateFromPassword([]byte(token[20:]), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		f.exec(`UPDATE oauth_token SET secret_hash = NULL, secret_bcrypt = $1`, string(old))
		f.refusedLogin("$oauthtoken", token[:39]+"a", wrongOAuthText)
		f.loggedIn("$oauthtoken", token)
		var hash []byte
		var left int
		err = f.db.QueryRow(t.Context(), `SELECT secret_hash, CASE WHEN secret_bcrypt IS NULL THEN 0 ELSE 1 END FROM oauth_token`).Scan(&hash, &left)
		if err != nil {
			t.Fatal(err)
		}
		if want := sha256.Sum256([]byte(token[20:])); string(hash) != string(want[:]) || left != 0 {
			t.Errorf("stored %x and a bcrypt hash: %d", hash, left)
		}
		f.proofs.Forget(f.keyOf(oauthForm, "$oauthtoken", token))
		f.loggedIn("$oauthtoken", token)
	})
}

func TestQuaysRepositoryTokensLogIn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		repo := f.repository(alice, "app")
		lookup, code := randomToken(32), randomToken(32)
		sealed, err := f.fields.Encrypt(code)
		if err != nil {
			t.Fatal(err)
		}
		f.exec(`INSERT INTO access_token (repo_id, name, lookup, secret, role, created_ms) VALUES ($1, 'ci', $2, $3, 2, 0)`, repo, lookup, sealed)
		p := f.loggedIn("$token", lookup+code)
		want := Principal{Credential: AccessToken, Reference: lookup, Title: "ci", RepositoryID: repo, RepositoryRole: 2}
		if p != want || p.Actor() != "token:"+lookup {
			t.Errorf("the token's login gave %+v", p)
		}
		f.refusedLogin("$token", lookup+code[1:]+"a", wrongAccessTokenText)
		f.refusedLogin("$token", lookup, wrongAccessTokenText)
		f.exec(`UPDATE repository SET deleted_ms = 1`)
		f.resolved.Drop()
		f.refusedLogin("$token", lookup+code, wrongAccessTokenText)
	})
}

func TestARepeatedLoginAsksNeitherDatabaseNorHash(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		r := f.robot(alice, "ci")
		_, app, err := f.CreateAppToken(t.Context(), alice.ID, "laptop", 0)
		if err != nil {
			t.Fatal(err)
		}
		login := func() {
			f.loggedIn("alice", rightPassword)
			f.loggedIn("alice+ci", r.Token)
			f.loggedIn("$app", app)
		}
		login()
		before := f.asked.n.Load()
		f.hasher.queue = -1
		for f.hasher.slots.TryAcquire(1) { // no core is left for a hash
		}
		for range 100 {
			login()
		}
		if n := f.asked.n.Load() - before; n != 0 {
			t.Errorf("300 logins asked the database %d times", n)
		}
	})
}

// On SQLite another process's change is noticed at once; PostgreSQL has only age.
func TestAChangeByAnotherProcessCountsWithinAMinute(t *testing.T) {
	changes := []struct{ name, statement string }{
		{"account disabled", `UPDATE account SET enabled = 0, access_rev = access_rev + 1 WHERE kind = 1`},
		{"account deleted", `UPDATE account SET deleted_ms = 1, access_rev = access_rev + 1`},
		{"credentials changed", `UPDATE account SET access_rev = access_rev + 1, password_hash = 'x'`},
	}
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, dbtest.Open(t, dbtest.PostgreSQL))
			f.user("alice")
			p := f.loggedIn("alice", rightPassword)
			f.exec(c.statement)
			f.clock.Add(time.Minute)
			if _, err := f.Current(t.Context(), p.Credential, p.Account.UUID, p.Account.AccessRev); !problem.Is(err, problem.Unauthenticated) {
				t.Errorf("a registry token is good still: %v", err)
			}
			if _, err := f.Login(t.Context(), "alice", rightPassword); !problem.Is(err, problem.Unauthenticated) {
				t.Errorf("the password is good still: %v", err)
			}
		})
	}
}

func TestATokenDeletedByAnotherProcessIsRefusedWithinAMinute(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.PostgreSQL))
	uuid, token, err := f.CreateAppToken(t.Context(), f.user("alice").ID, "laptop", 0)
	if err != nil {
		t.Fatal(err)
	}
	f.loggedIn("$app", token)
	f.exec(`DELETE FROM app_token`)
	f.clock.Add(time.Minute)
	f.refusedLogin("$app", token, wrongAppTokenText)
	if _, err := f.Resolve(t.Context(), AppToken, uuid); !problem.Is(err, problem.Unauthenticated) {
		t.Errorf("a registry token is good still: %v", err)
	}
}
