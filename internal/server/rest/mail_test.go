package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func mailing(s *settings) { s.options.Mailing, s.options.Initialize = true, true }

// codeIn is the code of the link to a page in a letter.
func codeIn(t *testing.T, text, page string) string {
	t.Helper()
	_, after, found := strings.Cut(text, "\nhttps://registry.test"+page+"?code=")
	code, _, _ := strings.Cut(after, "\n")
	if !found || code == "" {
		t.Fatalf("no link to %s in %s", page, text)
	}
	return code
}

func TestAnAccountWaitsForItsAddress(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d, mailing)
		w.user("alice")
		c := w.anonymous()
		c.check(t, []call{
			{"without an address", http.MethodPost, "/api/v1/user/", `{"username":"bob","password":"` + password + `"}`, 400, "Email address is required"},
			{"with one", http.MethodPost, "/api/v1/user/", `{"username":"bob","password":"` + password + `","email":"bob@example.com"}`, 200, `{"awaiting_verification":true}`},
			{"nobody is signed in", http.MethodGet, "/api/v1/user/", "", 401, ""},
			{"nor can be", http.MethodPost, "/api/v1/signin", `{"username":"bob","password":"` + password + `"}`, 403, `"needsEmailVerification":true`},
		})
		letter := w.mail.Next(t)
		if letter.To != "bob@example.com" {
			t.Errorf("the letter went to %s", letter.To)
		}
		if _, err := w.identity.Confirm(t.Context(), codeIn(t, letter.Text, "/confirm")); err != nil {
			t.Fatal(err)
		}
		w.session("bob")
	})
}

func TestALetterThatCannotBeSentLeavesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d, mailing)
		w.user("root")
		alice := w.user("alice")
		gone := func(name string) {
			t.Helper()
			if _, err := w.identity.Account(t.Context(), name); !problem.Is(err, problem.NotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.anonymous().check(t, []call{
			{"a recipient that is refused", http.MethodPost, "/api/v1/user/", `{"username":"bob","password":"` + password + `","email":"refused@example.com"}`, 400, "refuses mail to"},
		})
		gone("bob")
		root, own := w.session("root"), w.session("alice")
		w.mail.Stop()
		w.anonymous().check(t, []call{
			{"registration while the server is away", http.MethodPost, "/api/v1/user/", `{"username":"bob","password":"` + password + `","email":"bob@example.com"}`, 503, "it cannot be reached"},
			{"recovery of an address that exists", http.MethodPost, "/api/v1/recovery", `{"email":"alice@example.com"}`, 503, "it cannot be reached"},
			{"recovery of one that does not", http.MethodPost, "/api/v1/recovery", `{"email":"nobody@example.com"}`, 503, "it cannot be reached"},
		})
		own.check(t, []call{
			{"a new address", http.MethodPut, "/api/v1/user/", `{"email":"new@example.com","invoice_email":true}`, 503, "it cannot be reached"},
			{"nothing was changed", http.MethodGet, "/api/v1/user/", "", 200, `"invoice_email":false`},
		})
		root.check(t, []call{
			{"a superuser's user", http.MethodPost, "/api/v1/superuser/users/", `{"username":"carol","email":"carol@example.com"}`, 503, "it cannot be reached"},
			{"a superuser's recovery", http.MethodPost, "/api/v1/superusers/users/alice/sendrecovery", "", 503, "it cannot be reached"},
		})
		gone("bob")
		gone("carol")
		var codes int
		if err := d.QueryRow(t.Context(), `SELECT COUNT(*) FROM email_confirmation WHERE account_id = $1`, alice.ID).Scan(&codes); err != nil || codes != 0 {
			t.Errorf("%d codes are left: %v", codes, err)
		}
	})
}

func TestANewAddressTakesEffectWhenItIsConfirmed(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), mailing)
	w.user("alice")
	w.session("alice").check(t, []call{
		{"asking", http.MethodPut, "/api/v1/user/", `{"email":"new@example.com"}`, 200, `"email":"alice@example.com"`},
	})
	letter := w.mail.Next(t)
	if letter.To != "new@example.com" {
		t.Errorf("the letter went to %s", letter.To)
	}
	done, err := w.identity.Confirm(t.Context(), codeIn(t, letter.Text, "/confirm"))
	if err != nil || done.Email != "new@example.com" || done.Former != "alice@example.com" {
		t.Errorf("%+v %v", done, err)
	}
}

func TestRecoveryTellsNobodyWhoIsThere(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), mailing)
	w.user("alice")
	w.user("root")
	c := w.anonymous()
	sent := []call{
		{"a user's address", http.MethodPost, "/api/v1/recovery", `{"email":"alice@example.com"}`, 200, `{"status":"sent"}`},
		{"nobody's", http.MethodPost, "/api/v1/recovery", `{"email":"nobody@example.com"}`, 200, `{"status":"sent"}`},
		{"no address", http.MethodPost, "/api/v1/recovery", `{}`, 400, "email"},
	}
	c.check(t, sent)
	letter := w.mail.Next(t)
	if user, err := w.identity.Recover(t.Context(), codeIn(t, letter.Text, "/recovery"), "another-horse"); err != nil || user.Name != "alice" {
		t.Errorf("%+v %v", user, err)
	}
	must(w.identity.CreateOrganization(t.Context(), "acmecorp", "acme@example.com", w.account("alice").ID))(t)
	c.check(t, []call{{"an organization's", http.MethodPost, "/api/v1/recovery", `{"email":"acme@example.com"}`, 200, `{"status":"org","orgemail":"acme@example.com","orgname":"a••••••p"}`}})
	if letter := w.mail.Next(t); letter.To != "acme@example.com" || !strings.Contains(letter.Text, "administered by: alice.") {
		t.Errorf("%+v", letter)
	}
	w.session("root").check(t, []call{
		{"a superuser asks", http.MethodPost, "/api/v1/superusers/users/alice/sendrecovery", "", 200, `{"email":"alice@example.com"}`},
		{"and again at once", http.MethodPost, "/api/v1/superusers/users/alice/sendrecovery", "", 429, "less than a minute"},
		{"for a superuser", http.MethodPost, "/api/v1/superusers/users/root/sendrecovery", "", 400, "superuser"},
		{"for nobody", http.MethodPost, "/api/v1/superusers/users/none/sendrecovery", "", 404, ""},
	})
}

// An empty registry is nobody's who comes from elsewhere without the set-up code.
func TestTheFirstUserThroughTheAPI(t *testing.T) {
	const body = `{"username":"alice","password":"` + password + `"}`
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.ip = "192.0.2.7"
		c := w.anonymous()
		code := must(SetupCode([]byte("a secret key")))(t)
		c.check(t, []call{
			{"a stranger", http.MethodPost, "/api/v1/user/", body, 403, "set-up code"},
			{"a stranger who guesses", http.MethodPost, "/api/v1/user/", strings.Replace(body, "{", `{"setup_code":"AAAAAAAAAAAAAAAAAAAAAAAAAA",`, 1), 403, "The set-up code is wrong"},
			{"somebody with the code", http.MethodPost, "/api/v1/user/", strings.Replace(body, "{", `{"setup_code":"`+strings.ToLower(code)+`",`, 1), 200, `"username":"alice"`},
		})
		w.anonymous().check(t, []call{
			{"the code makes no second user", http.MethodPost, "/api/v1/user/", `{"username":"bob","password":"` + password + `","setup_code":"` + code + `"}`, 400, "was made already"},
			{"who needs no code", http.MethodPost, "/api/v1/user/", `{"username":"bob","password":"` + password + `"}`, 200, `"username":"bob"`},
		})
	})
	t.Run("on the machine itself", func(t *testing.T) {
		for _, ip := range []string{"127.0.0.1", "::1"} {
			w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
			w.ip = ip
			w.anonymous().check(t, []call{{ip, http.MethodPost, "/api/v1/user/", body, 200, `"username":"alice"`}})
		}
	})
}

func TestWhoMayRegister(t *testing.T) {
	blocked := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) {
		s.options.Registration.BlockedDomains = []string{"bad.example", ".Worse.example"}
	})
	blocked.user("root")
	register := func(email string) string {
		return `{"username":"bob","password":"` + password + `","email":"` + email + `"}`
	}
	blocked.anonymous().check(t, []call{
		{"a blocked domain", http.MethodPost, "/api/v1/user/", register("a@bad.example"), 400, "bad.example are not accepted"},
		{"below it, in capitals", http.MethodPost, "/api/v1/user/", register("a@Mail.BAD.example"), 400, "bad.example are not accepted"},
		{"one with a dot before", http.MethodPost, "/api/v1/user/", register("a@worse.example"), 400, "worse.example are not accepted"},
		{"one that ends alike", http.MethodPost, "/api/v1/user/", register("a@notbad.example"), 200, ""},
	})
	for name, change := range map[string]func(*settings){
		"FEATURE_USER_CREATION":         func(s *settings) { s.options.Registration.Open = false },
		"FEATURE_DIRECT_LOGIN":          func(s *settings) { s.options.DirectLogin = false },
		"AUTHENTICATION_TYPE: Database": func(s *settings) { s.options.DatabaseAuth = false },
	} {
		w := newWorld(t, dbtest.Open(t, dbtest.SQLite), change)
		w.anonymous().check(t, []call{{"without " + name, http.MethodPost, "/api/v1/user/", register("a@b.c"), 405, `"error"`}})
	}
	invited := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.options.Registration.InviteOnly = true })
	invited.user("root")
	invited.anonymous().check(t, []call{{"uninvited", http.MethodPost, "/api/v1/user/", register("a@b.c"), 400, "Cannot create non-invited user"}})
}
