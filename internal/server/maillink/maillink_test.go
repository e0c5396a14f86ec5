package maillink

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

const password = "correct-horse"

// told keeps to whom it was said that an address changed, and fails as a mail server that is away.
type told struct{ to string }

func (m *told) AddressChanged(_ context.Context, to, _, _ string) error {
	m.to = to
	return errors.New("the server is away")
}

// authorized knows one code.
type authorized struct{}

func (authorized) AuthorizeEmail(_ context.Context, code string) (repository, email string, err error) {
	if code != "GOOD" {
		return "", "", problem.New(problem.NotFound, "The link is not known")
	}
	return "acme/app", "bob@example.com", nil
}

func TestAnAddressIsAuthorized(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite), false)
	f.want(200, "bob@example.com may now be told of what happens in the repository acme/app", "GET", "/authrepoemail?code=GOOD", "")
	f.want(404, "The link is not known", "GET", "/authrepoemail?code=BAD", "")
	f.want(404, "not complete", "GET", "/authrepoemail", "")
	readOnly := newFixture(t, dbtest.Open(t, dbtest.SQLite), true)
	readOnly.want(503, "read only", "GET", "/authrepoemail?code=GOOD", "")
}

type fixture struct {
	*identity.Service
	t     *testing.T
	pages *Pages
	mail  *told
	alice identity.Account
}

func newFixture(t *testing.T, d *db.DB, readOnly bool) *fixture {
	t.Helper()
	service, err := identity.NewService(identity.Options{DB: d, SecretKey: "a", DatabaseSecretKey: "b", BcryptCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Service: service, t: t, mail: &told{}}
	if f.pages, err = New(Options{Identity: service, Registry: authorized{}, Mail: f.mail, ReadOnly: readOnly}); err != nil {
		t.Fatal(err)
	}
	f.alice, err = service.CreateUser(t.Context(), identity.NewUser{Name: "alice", Email: "alice@example.com", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// ask gives status and text of a page.
func (f *fixture) ask(method, path, form string) (int, string) {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), method, path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	f.pages.ServeHTTP(w, r)
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
		if got := w.Header().Get(name); got != want {
			f.t.Errorf("%s: %q", name, got)
		}
	}
	body, _ := io.ReadAll(w.Result().Body)
	return w.Code, string(body)
}

func (f *fixture) want(status int, text, method, path, form string) {
	f.t.Helper()
	got, body := f.ask(method, path, form)
	if got != status || !strings.Contains(body, text) {
		f.t.Errorf("%s %s: %d, want %d with %q: %s", method, path, got, status, text, body)
	}
}

func sentForm(code, first, second string) string {
	return url.Values{"code": {code}, "password": {first}, "again": {second}}.Encode()
}

func TestANewPasswordIsSetOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, false)
		code, err := f.RecoveryCode(t.Context(), f.alice.ID)
		if err != nil {
			t.Fatal(err)
		}
		path := "/recovery?code=" + code
		f.want(200, `name="code" value="`+code+`"`, http.MethodGet, path, "")
		f.want(200, "New password", http.MethodGet, path, "") // looking uses nothing up
		f.want(400, "be the same twice", http.MethodPost, "/recovery", sentForm(code, "another-horse", "other-horse"))
		f.want(400, "at least 8 characters", http.MethodPost, "/recovery", sentForm(code, "short", "short"))
		if _, err := f.SignIn(t.Context(), "alice", password); err != nil {
			t.Errorf("the old password: %v", err)
		}
		f.want(200, "Password changed", http.MethodPost, "/recovery", sentForm(code, "another-horse", "another-horse"))
		p, err := f.SignIn(t.Context(), "alice", "another-horse")
		if err != nil || !p.Account.Verified {
			t.Errorf("the new password: %+v %v", p.Account, err)
		}
		f.want(404, "This link does not work", http.MethodPost, "/recovery", sentForm(code, "third-horse", "third-horse"))
		f.want(404, "This link does not work", http.MethodGet, path, "")
	})
}

func TestAnAddressIsConfirmedOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, false)
		code, err := f.ConfirmationCode(t.Context(), f.alice.ID)
		if err != nil {
			t.Fatal(err)
		}
		f.want(200, "", http.MethodHead, "/confirm?code="+code, "")
		f.want(200, "now belongs to the account alice", http.MethodGet, "/confirm?code="+code, "")
		f.want(404, "This link does not work", http.MethodGet, "/confirm?code="+code, "")
		if now, err := f.Account(t.Context(), "alice"); err != nil || !now.Verified || f.mail.to != "" {
			t.Errorf("%+v %v; told %q", now, err, f.mail.to)
		}
	})
}

func TestTheFormerAddressIsToldAndTheChangeStands(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite), false)
	code, err := f.AddressCode(t.Context(), f.alice.ID, "new@example.com")
	if err != nil {
		t.Fatal(err)
	}
	f.want(200, "new@example.com", http.MethodGet, "/confirm?code="+code, "")
	if now, err := f.Account(t.Context(), "alice"); err != nil || now.Email != "new@example.com" || f.mail.to != "alice@example.com" {
		t.Errorf("%+v %v; told %q", now, err, f.mail.to)
	}
}

func TestBadLinks(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite), false)
	for _, path := range []string{"/confirm", "/confirm?code=", "/recovery", "/recovery?code=none", "/confirm?code=%00", "/confirm?code=" + strings.Repeat("x", 1000), "/confirm?code=%3Cscript%3E"} {
		status, body := f.ask(http.MethodGet, path, "")
		if status != 404 || strings.Contains(body, "<script") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	f.want(405, "", http.MethodPost, "/confirm?code=x", "")
	f.want(404, "", http.MethodPost, "/recovery?code=x", sentForm("", password, password))
	f.want(400, "", http.MethodPost, "/recovery", "code=%zz")
	f.want(413, "", http.MethodPost, "/recovery", "code="+strings.Repeat("x", maxForm+1))
}

func TestAReadOnlyRegistryKeepsTheCode(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite), true)
	code, err := f.ConfirmationCode(t.Context(), f.alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	f.want(503, "read only", http.MethodGet, "/confirm?code="+code, "")
	if _, err := f.Confirm(t.Context(), code); err != nil {
		t.Errorf("the code was used: %v", err)
	}
}
