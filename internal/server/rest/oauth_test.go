package rest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/oauth"
)

const callback = "https://ci.example/cb"

// consenting is a world with acme of alice's, whose application ci alice authorizes, and bob, who has nothing to do
// with it.
type consenting struct {
	*world
	t     *testing.T
	app   oauth.Application
	alice *client
}

func newConsenting(t *testing.T, d *db.DB, change ...func(*settings)) *consenting {
	t.Helper()
	w := newWorld(t, d, change...)
	for _, name := range []string{"alice", "bob", "root"} {
		w.user(name)
	}
	acme := w.organization("acme", "alice")
	app := must(w.oauth.CreateApplication(t.Context(), acme.ID, oauth.Details{Name: "ci", RedirectURI: callback}))(t)
	c := &consenting{world: w, t: t, app: app, alice: w.session("alice")}
	c.alice.readCSRF()
	return c
}

// post sends a form with the session's CSRF token as its only proof.
func (c *client) post(path string, form url.Values, change ...func(*http.Request)) answer {
	c.w.t.Helper()
	values := url.Values{"_csrf_token": {c.csrf}}
	for name, v := range form {
		values[name] = v
	}
	all := append([]func(*http.Request){func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Del("X-CSRF-Token")
	}}, change...)
	return c.do(http.MethodPost, path, values.Encode(), all...)
}

func (c *consenting) ask(change ...string) url.Values {
	v := url.Values{"client_id": {c.app.ClientID}, "redirect_uri": {callback}, "scope": {"repo:read"}, "response_type": {"code"}}
	for i := 0; i+1 < len(change); i += 2 {
		v.Set(change[i], change[i+1])
	}
	return v
}

// code authorizes the application and gives the code.
func (c *consenting) code(change ...string) string {
	c.t.Helper()
	a := c.alice.post("/oauth/authorizeapp", c.ask(change...))
	target, err := url.Parse(a.header.Get("Location"))
	if a.status != http.StatusFound || err != nil || target.Query().Get("code") == "" {
		c.t.Fatalf("authorizeapp: %d %s %s", a.status, a.header.Get("Location"), a.body)
	}
	return target.Query().Get("code")
}

// exchange asks for the token of a code as the application does.
func (c *consenting) exchange(code string, change ...string) (answer, string) {
	c.t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {c.app.ClientID}, "client_secret": {c.app.Secret}, "redirect_uri": {callback}, "code": {code}}
	for i := 0; i+1 < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	a := (&client{w: c.world, header: http.Header{}}).post("/oauth/access_token", form)
	var out struct {
		Token string `json:"access_token"`
		Error string `json:"error"`
	}
	_ = json.Unmarshal([]byte(a.body), &out)
	if a.status == http.StatusOK {
		return a, out.Token
	}
	return a, out.Error
}

// works reports whether a token is taken by the API.
func (c *consenting) works(token string) bool {
	c.t.Helper()
	return c.bearer(token).do(http.MethodGet, "/api/v1/repository?namespace=acme", "").status == http.StatusOK &&
		c.loggedIn(token)
}

func (c *consenting) loggedIn(token string) bool {
	p, err := c.identity.Login(c.t.Context(), "$oauthtoken", token)
	return err == nil && p.Account.Name == "alice"
}

func TestAuthorizationCodeFlow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newConsenting(t, d)
		shown := c.alice.do(http.MethodGet, "/oauth/authorize?"+c.ask("state", "s<1>").Encode(), "")
		policy := shown.header.Get("Content-Security-Policy")
		if shown.status != http.StatusOK || !strings.Contains(shown.body, "Authorize ci") || !strings.Contains(shown.body, `value="s&lt;1&gt;"`) {
			t.Errorf("the page: %d %s", shown.status, shown.body)
		}
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self' https://ci.example"} {
			if !strings.Contains(policy, part) {
				t.Errorf("policy %q lacks %q", policy, part)
			}
		}
		if strings.Contains(shown.body, "<script") || strings.Contains(policy, "script-src") {
			t.Error("the page has a script")
		}
		a, token := c.exchange(c.code("state", "abc"))
		if a.status != http.StatusOK || !strings.Contains(a.body, `"token_type":"Bearer","expires_in":315576000,"refresh_token":null`) {
			t.Fatalf("exchange: %d %s", a.status, a.body)
		}
		if len(token) != 40 || !c.works(token) {
			t.Error("the token does not work")
		}
		again := c.alice.do(http.MethodGet, "/oauth/authorize?"+c.ask("state", "s").Encode(), "")
		if again.status != http.StatusFound || !strings.HasPrefix(again.header.Get("Location"), callback+"?code=") || !strings.HasSuffix(again.header.Get("Location"), "&state=s") {
			t.Errorf("what was granted is asked for again: %d %s", again.status, again.header.Get("Location"))
		}
		wider := c.alice.do(http.MethodGet, "/oauth/authorize?"+c.ask("scope", "repo:read org:admin").Encode(), "")
		if wider.status != http.StatusOK || !strings.Contains(wider.body, "far-reaching") {
			t.Errorf("more scopes are granted without asking: %d", wider.status)
		}
	})
}

func TestImplicitFlowAndTheLocalPage(t *testing.T) {
	c := newConsenting(t, dbtest.Open(t, dbtest.SQLite))
	a := c.alice.post("/oauth/authorizeapp", c.ask("response_type", "token", "state", "s"))
	to := a.header.Get("Location")
	if a.status != http.StatusFound || !strings.HasPrefix(to, callback+"?scope=repo%3Aread&state=s#access_token=") || !strings.HasSuffix(to, "&token_type=Bearer&expires_in=315576000&state=s") {
		t.Fatalf("%d %s", a.status, to)
	}
	local := c.alice.post("/oauth/authorizeapp", c.ask("response_type", "token", "redirect_uri", "http://registry.test/oauth/localapp"))
	target, err := url.Parse(local.header.Get("Location"))
	if err != nil || target.Path != "/oauth/localapp" {
		t.Fatalf("%d %s", local.status, local.header.Get("Location"))
	}
	token := strings.TrimPrefix(strings.Split(target.Fragment, "&")[0], "access_token=")
	path := target.Path + "?" + target.RawQuery
	if p := c.alice.do(http.MethodGet, path, ""); p.status != http.StatusOK || !strings.Contains(p.body, token) || !c.works(token) {
		t.Errorf("the page: %d %s", p.status, p.body)
	}
	if p := c.alice.do(http.MethodGet, path+"&format=json", ""); p.body != `{"access_token":"`+token+`"}` {
		t.Errorf("as JSON: %s", p.body)
	}
	if p := c.session("bob").do(http.MethodGet, path, ""); strings.Contains(p.body, token) {
		t.Error("another user sees the token")
	}
	c.pass(2 * time.Minute)
	if p := c.alice.do(http.MethodGet, path, ""); strings.Contains(p.body, token) {
		t.Error("the token is shown for ever")
	}
	denied := c.alice.post("/oauth/denyapp", c.ask("state", "s"))
	if denied.status != http.StatusFound || denied.header.Get("Location") != callback+"?error=authorization_denied&state=s" {
		t.Errorf("denied: %d %s", denied.status, denied.header.Get("Location"))
	}
}

// TestOAuthAttacks is the table of what must not work (beside TestRedirects of package oauth).
func TestOAuthAttacks(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newConsenting(t, d)
		other := must(c.oauth.CreateApplication(t.Context(), c.app.OrganizationID, oauth.Details{Name: "other", RedirectURI: callback}))(t)
		t.Run("a wrong redirect address never gets a code", func(t *testing.T) {
			for _, redirect := range []string{
				"https://ci.example.evil.test/cb", "https://ci.example@evil.test/cb", `https://ci.example\@evil.test/cb`, "//evil.test/cb", "https://ci.example/cbx",
				"https://ci.example/cb/../x", "https://ci.example/cb/%2e%2e/x", "https://ci.example/cb#x", "http://ci.example/cb", "https://ci.example:8443/cb", "https://sub.ci.example/cb", "",
				"http://registry.test.evil.test/oauth/localapp", "http://registry.test/oauth/localappx",
			} {
				for _, a := range []answer{
					c.alice.do(http.MethodGet, "/oauth/authorize?"+c.ask("redirect_uri", redirect).Encode(), ""),
					c.alice.post("/oauth/authorizeapp", c.ask("redirect_uri", redirect)),
					c.alice.post("/oauth/denyapp", c.ask("redirect_uri", redirect)),
				} {
					if a.status != http.StatusFound || a.header.Get("Location") != callback+"?error=redirect_uri_mismatch" {
						t.Errorf("%q: %d %s", redirect, a.status, a.header.Get("Location"))
					}
				}
			}
		})
		t.Run("a code that is used twice takes its token along", func(t *testing.T) {
			code := c.code()
			_, token := c.exchange(code)
			if !c.works(token) {
				t.Fatal("the first exchange gave nothing")
			}
			if a, text := c.exchange(code); a.status != http.StatusBadRequest || text != "invalid_grant" {
				t.Errorf("the second exchange: %d %s", a.status, a.body)
			}
			if c.loggedIn(token) {
				t.Error("the token still works")
			}
		})
		t.Run("a code is for its application", func(t *testing.T) {
			code := c.code()
			if a, text := c.exchange(code, "client_id", other.ClientID, "client_secret", other.Secret); a.status != http.StatusBadRequest || text != "invalid_grant" {
				t.Errorf("%d %s", a.status, a.body)
			}
			if a, _ := c.exchange(code); a.status != http.StatusOK {
				t.Errorf("its own application can no longer use it: %s", a.body)
			}
		})
		for name, test := range map[string]struct {
			change []string
			want   string
		}{
			"a code is for its redirect address":        {[]string{"redirect_uri", callback + "/x"}, "invalid_grant"},
			"a code is for its scope":                   {[]string{"scope", "repo:read org:admin"}, "invalid_scope"},
			"the secret must be right":                  {[]string{"client_secret", "WRONG"}, "invalid_client"},
			"no secret is no secret":                    {[]string{"client_secret", ""}, "invalid_client"},
			"the application must exist":                {[]string{"client_id", "NONE"}, "invalid_client"},
			"a code cannot be guessed":                  {[]string{"code", strings.Repeat("A", 40)}, "invalid_grant"},
			"the grant must be known":                   {[]string{"grant_type", "password"}, "unsupported_grant_type"},
			"a refresh token is no grant":               {[]string{"grant_type", "refresh_token"}, "unsupported_grant_type"},
			"the secret of another application is none": {[]string{"client_secret", other.Secret}, "invalid_client"},
		} {
			t.Run(name, func(t *testing.T) {
				if a, text := c.exchange(c.code(), test.change...); a.status != http.StatusBadRequest || text != test.want {
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
		t.Run("a code ends after ten minutes", func(t *testing.T) {
			code := c.code()
			c.pass(10 * time.Minute)
			if a, text := c.exchange(code); a.status != http.StatusBadRequest || text != "invalid_grant" {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
		t.Run("the secret that was reset no longer works", func(t *testing.T) {
			code := c.code()
			old := c.app.Secret
			c.app = must(c.oauth.ResetSecret(t.Context(), c.app.OrganizationID, c.app.ClientID))(t)
			if _, text := c.exchange(code, "client_secret", old); text != "invalid_client" {
				t.Errorf("%s", text)
			}
		})
		t.Run("nothing is authorized without the session's CSRF token", func(t *testing.T) {
			bob := c.session("bob")
			bob.readCSRF()
			for name, token := range map[string]string{"missing": "", "foreign": bob.csrf, "wrong": "x"} {
				for _, path := range []string{"/oauth/authorizeapp", "/oauth/denyapp", "/oauth/authorize/assignuser"} {
					if a := c.alice.post(path, c.ask("_csrf_token", token, "username", "bob")); a.status != http.StatusForbidden || !strings.Contains(a.body, "CSRF") {
						t.Errorf("%s, %s: %d %s", path, name, a.status, a.body)
					}
				}
			}
			foreign := c.alice.post("/oauth/authorizeapp", c.ask(), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
			if foreign.status != http.StatusForbidden {
				t.Errorf("from another site's page: %d", foreign.status)
			}
		})
		t.Run("who does not administer the organization authorizes nothing", func(t *testing.T) {
			bob := c.session("bob")
			bob.readCSRF()
			for _, a := range []answer{
				bob.do(http.MethodGet, "/oauth/authorize?"+c.ask().Encode(), ""),
				bob.post("/oauth/authorizeapp", c.ask()),
				bob.post("/oauth/authorizeapp", c.ask("response_type", "token", "assignment_uuid", "none")),
				bob.post("/oauth/authorize/assignuser", c.ask("username", "bob")),
			} {
				if a.status != http.StatusForbidden {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
		t.Run("a token authorizes no other token", func(t *testing.T) {
			_, token := c.exchange(c.code())
			stolen := c.bearer(token)
			for _, a := range []answer{
				stolen.do(http.MethodGet, "/oauth/authorize?"+c.ask("scope", "org:admin").Encode(), ""),
				stolen.post("/oauth/authorizeapp", c.ask("scope", "org:admin")),
				stolen.post("/oauth/authorize/assignuser", c.ask("scope", "org:admin", "username", "bob")),
			} {
				if a.status != http.StatusUnauthorized {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
		t.Run("an application's token has no more than its maker", func(t *testing.T) {
			path := "/api/v1/organization/acme/applications/" + c.app.ClientID + "/tokens"
			narrow := c.bearer(c.token("alice", "org:admin"))
			for scope, want := range map[string]int{"org:admin": 200, "repo:read": 403, "org:admin user:admin": 403, "super:user": 403} {
				if a := narrow.do(http.MethodPost, path, `{"name":"x","scope":"`+scope+`"}`); a.status != want {
					t.Errorf("%s: %d %s", scope, a.status, a.body)
				}
			}
		})
		t.Run("a revoked token is refused at once", func(t *testing.T) {
			_, token := c.exchange(c.code())
			p := must(c.identity.Login(t.Context(), "$oauthtoken", token))(t)
			if a := c.alice.do(http.MethodDelete, "/api/v1/user/authorizations/"+p.Reference, ""); a.status != http.StatusNoContent {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if c.loggedIn(token) {
				t.Error("it still works")
			}
			if a := c.session("bob").do(http.MethodDelete, "/api/v1/user/authorizations/"+p.Reference, ""); a.status != http.StatusNotFound {
				t.Errorf("of another user: %d", a.status)
			}
		})
		t.Run("a deleted application's tokens are refused at once", func(t *testing.T) {
			_, token := c.exchange(c.code())
			if err := c.oauth.DeleteApplication(t.Context(), c.app.OrganizationID, c.app.ClientID); err != nil {
				t.Fatal(err)
			}
			if c.loggedIn(token) {
				t.Error("it still works")
			}
		})
	})
}

func TestAssignedTokens(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newConsenting(t, d)
		ask := c.ask("response_type", "token", "username", "bob", "format", "json")
		if a := c.alice.post("/oauth/authorize/assignuser?"+ask.Encode(), nil); a.status != http.StatusOK || a.body != `{"message":"Token assigned successfully"}` {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := c.alice.post("/oauth/authorize/assignuser", c.ask("username", "nobody")); a.status != http.StatusNotFound {
			t.Errorf("an unknown user: %d %s", a.status, a.body)
		}
		bob := c.session("bob")
		bob.readCSRF()
		var list struct {
			Authorizations []struct {
				UUID string `json:"uuid"`
			} `json:"authorizations"`
		}
		a := bob.do(http.MethodGet, "/api/v1/user/assignedauthorization", "")
		if err := json.Unmarshal([]byte(a.body), &list); err != nil || len(list.Authorizations) != 1 || !strings.Contains(a.body, `"clientId":"`+c.app.ClientID+`"`) || !strings.Contains(a.body, `"redirectUri":"`+callback+`","responseType":"token"`) {
			t.Fatalf("assigned: %s", a.body)
		}
		id := list.Authorizations[0].UUID
		take := c.ask("response_type", "token", "assignment_uuid", id)
		if a := bob.do(http.MethodGet, "/oauth/authorize?"+take.Encode(), ""); a.status != http.StatusOK {
			t.Errorf("the page: %d %s", a.status, a.body)
		}
		for name, change := range map[string][]string{
			"more scopes": {"scope", "repo:read org:admin"}, "another address": {"redirect_uri", callback + "/x"},
		} {
			q := c.ask(append([]string{"response_type", "token", "assignment_uuid", id}, change...)...)
			if a := bob.post("/oauth/authorizeapp", q); a.status != http.StatusForbidden {
				t.Errorf("%s than assigned: %d %s", name, a.status, a.header.Get("Location"))
			}
		}
		if a := bob.post("/oauth/authorizeapp", c.ask("assignment_uuid", id)); a.status != http.StatusBadRequest {
			t.Errorf("with a code: %d", a.status)
		}
		if a := c.alice.post("/oauth/authorizeapp", take); a.status != http.StatusForbidden {
			t.Errorf("by somebody else: %d", a.status)
		}
		if a := bob.post("/oauth/authorizeapp", take); a.status != http.StatusFound || !strings.Contains(a.header.Get("Location"), "#access_token=") {
			t.Errorf("taken up: %d %s", a.status, a.body)
		}
		if a := bob.post("/oauth/authorizeapp", take); a.status != http.StatusForbidden {
			t.Errorf("taken up twice: %d", a.status)
		}
	})
}
