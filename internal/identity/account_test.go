package identity

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func TestInitializeMakesTheFirstUserOnly(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if has, err := f.HasUsers(t.Context()); err != nil || has {
			t.Fatalf("a new database has users: %v, %v", has, err)
		}
		_, _, err := f.Initialize(t.Context(), NewUser{Name: "Bad Name", Password: rightPassword}, false)
		wantProblem(t, err, problem.Invalid, "Invalid username")
		_, _, err = f.Initialize(t.Context(), NewUser{Name: "admin"}, false)
		wantProblem(t, err, problem.Invalid, "password")
		admin, token, err := f.Initialize(t.Context(), NewUser{Name: "admin", Password: rightPassword}, false)
		if err != nil || token != "" || !admin.Verified || !admin.Enabled || !admin.HasPassword || admin.Kind != User {
			t.Fatalf("made %+v, token %q: %v", admin, token, err)
		}
		_, _, err = f.Initialize(t.Context(), NewUser{Name: "other", Password: rightPassword}, false)
		wantProblem(t, err, problem.Invalid, "Cannot initialize user in a non-empty database")
		f.exec(`UPDATE account SET deleted_ms = 1`)
		_, _, err = f.Initialize(t.Context(), NewUser{Name: "other", Password: rightPassword}, false)
		wantProblem(t, err, problem.Invalid, "non-empty")
	})
}

func TestOfTwoInitializationsAtOnceOneMakesTheUser(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const callers = 8
		var wg sync.WaitGroup
		errs := make([]error, callers)
		for i := range callers {
			wg.Go(func() {
				_, _, errs[i] = f.Initialize(t.Context(), NewUser{Name: fmt.Sprintf("admin%d", i), Password: rightPassword}, true)
			})
		}
		wg.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
				continue
			}
			wantProblem(t, err, problem.Invalid, "non-empty")
		}
		users, err := f.Users(t.Context(), "", 100)
		if err != nil || made != 1 || len(users) != 1 {
			t.Errorf("%d calls succeeded, %d users: %v", made, len(users), err)
		}
	})
}

func TestUserNamesAndAddressesAreUnique(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		f.organization("acme", alice)
		for _, c := range []struct {
			user NewUser
			text string
		}{
			{NewUser{Name: "alice"}, "already exists"},
			{NewUser{Name: "acme"}, "already exists"},
			{NewUser{Name: "bob", Email: "alice@example.com"}, "has already been used"},
			{NewUser{Name: "bob", Email: "no address"}, "Invalid email address"},
			{NewUser{Name: "bob", Password: "short"}, "at least 8 characters"},
			{NewUser{Name: "bob", Password: "with a blank"}, "no whitespace"},
			{NewUser{Name: "b"}, "allowed are 2 to 255"},
		} {
			_, err := f.CreateUser(t.Context(), c.user)
			wantProblem(t, err, problem.Invalid, c.text)
		}
		if _, err := f.CreateUser(t.Context(), NewUser{Name: "carol"}); err != nil {
			t.Errorf("a user without password and address: %v", err)
		}
		if _, err := f.CreateUser(t.Context(), NewUser{Name: "dave"}); err != nil {
			t.Errorf("a second one without an address: %v", err)
		}
	})
}

func TestOfManyUsersOfOneNameAtOnceOneIsMade(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() { _, errs[i] = f.CreateUser(t.Context(), NewUser{Name: "alice"}) })
		}
		wg.Wait()
		refusals := 0
		for _, err := range errs {
			if err != nil {
				wantProblem(t, err, problem.Invalid, "already exists")
				refusals++
			}
		}
		if refusals != len(errs)-1 {
			t.Errorf("%d of %d were refused", refusals, len(errs))
		}
	})
}

func TestReservedNamesAreGivenAwayByTrustedCallersOnly(t *testing.T) {
	reserve := func(o *Options) { o.ReservedNames = []string{"root"} }
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite), reserve)
	_, err := f.CreateUser(t.Context(), NewUser{Name: "root", Password: rightPassword})
	wantProblem(t, err, problem.Invalid, "reserved")
	alice := f.user("alice")
	_, err = f.CreateOrganization(t.Context(), "root", "", alice.ID)
	wantProblem(t, err, problem.Invalid, "reserved")
	if _, err := f.CreateUser(t.Context(), NewUser{Name: "root", Password: rightPassword, Trusted: true}); err != nil {
		t.Error(err)
	}
	again := newFixture(t, dbtest.Open(t, dbtest.SQLite), reserve)
	if _, _, err := again.Initialize(t.Context(), NewUser{Name: "root", Password: rightPassword}, false); err != nil {
		t.Errorf("initialize: %v", err)
	}
}

func TestAccountsAreFoundByNameAndID(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		alice := f.user("alice")
		want := Account{
			ID: alice.ID, UUID: alice.UUID, Kind: User, Name: "alice", Email: "alice@example.com", Enabled: true, Verified: true,
			TagWindow: 14 * 24 * time.Hour, AccessRev: 1, CreatedAt: f.clock.Now(), HasPassword: true,
		}
		byName, err := f.Account(t.Context(), "alice")
		if err != nil || !cmp.Equal(byName, want) {
			t.Errorf("by name: %v\n%s", err, cmp.Diff(want, byName))
		}
		byID, err := f.AccountByID(t.Context(), alice.ID)
		if err != nil || !cmp.Equal(byID, want) || !cmp.Equal(alice, want) {
			t.Errorf("by id: %v\n%s", err, cmp.Diff(want, byID))
		}
		_, err = f.Account(t.Context(), "nobody\n")
		wantProblem(t, err, problem.NotFound, "'nobody?'")
		_, err = f.AccountByID(t.Context(), 999)
		wantProblem(t, err, problem.NotFound, "999")
	})
}

func TestUsersAreListedInBytewiseOrder(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		names := []string{"a-b", "a.b", "a0", "a_b", "aa", "ab"}
		for _, name := range []string{"ab", "a_b", "a0", "a.b", "aa", "a-b"} {
			f.user(name)
		}
		f.organization("a1", Account{ID: 1})
		var got []string
		for after := ""; ; {
			page, err := f.Users(t.Context(), after, 4)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page {
				got = append(got, a.Name)
			}
			if len(page) < 4 {
				break
			}
			after = page[3].Name
		}
		if !cmp.Equal(got, names) {
			t.Error(cmp.Diff(names, got))
		}
	})
}

func TestNames(t *testing.T) {
	for _, name := range []string{"ab", "a1", "a-b", "a.b_c-d", "00", strings.Repeat("a", 255)} {
		if err := errors.Join(ValidateUsername(name), ValidateRobotShortName(name), ValidateTeamName(name)); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "a", "A1", "a--b", "-ab", "ab-", "a b", "a/b", "a+b", "ä1", "a\n", ".a", "a._b", strings.Repeat("a", 256), "$app"} {
		wantProblem(t, ValidateUsername(name), problem.Invalid, "Invalid username")
	}
}

func TestPasswordsNeedEightCharactersWithoutBlanks(t *testing.T) {
	for _, password := range []string{"12345678", "pässwört", strings.Repeat("x", 1000)} {
		if err := ValidatePassword(password); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
	for _, password := range []string{"", "1234567", "äöüß", "1234 5678", "12345678\t", "1234\u00a05678"} {
		wantProblem(t, ValidatePassword(password), problem.Invalid, "Invalid password, password must be at least 8 characters and contain no whitespace.")
	}
}

func TestTheAddressOfAnOrganizationThatAPushCreates(t *testing.T) {
	for _, c := range []struct{ pusher, want string }{
		{"alice@example.com", "alice+acme@example.com"}, {"a+b@example.com", "a+b+acme@example.com"}, {"", ""}, {"nothing", ""},
	} {
		if got := OrganizationEmail(c.pusher, "acme"); got != c.want {
			t.Errorf("%q gave %q, want %q", c.pusher, got, c.want)
		}
	}
}

func TestScopesAreReadAndWritten(t *testing.T) {
	all := "org:admin repo:admin repo:create repo:read repo:write super:user user:admin user:read"
	if got := AllScopes.String(); got != all {
		t.Errorf("all scopes: %s", got)
	}
	for _, c := range []struct {
		text string
		want Scopes
	}{
		{"", 0}, {"repo:read", ScopeRepoRead}, {"repo:read,repo:write repo:read", ScopeRepoRead | ScopeRepoWrite}, {all, AllScopes},
	} {
		if got, err := ParseScopes(c.text); err != nil || got != c.want {
			t.Errorf("%q gave %v, %v", c.text, got, err)
		}
	}
	_, err := ParseScopes("repo:read repo:everything")
	wantProblem(t, err, problem.Invalid, "repo:everything")
}

func TestAServiceDoesNotPrintItsKeys(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	o := options(d, newClock())
	s, err := NewService(o)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%+v", s); strings.Contains(text, o.DatabaseSecretKey) || strings.Contains(text, o.SecretKey+" ") {
		t.Error("the service prints its keys")
	}
	for _, change := range []func(*Options){func(o *Options) { o.SecretKey = "" }, func(o *Options) { o.DatabaseSecretKey = "" }} {
		without := o
		change(&without)
		if _, err := NewService(without); err == nil {
			t.Error("a service was made without a key")
		}
	}
}

func TestTokensAreRandomCapitalsAndDigits(t *testing.T) {
	seen := make(map[string]bool)
	for range 100 {
		token := randomToken(64)
		if len(token) != 64 || strings.Trim(token, tokenAlphabet) != "" || seen[token] {
			t.Fatalf("token %q", token)
		}
		seen[token] = true
	}
}
