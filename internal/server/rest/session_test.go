package rest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

const (
	ownRobots = "/api/v1/user/robots"
	newRobot  = "/api/v1/user/robots/ci"
)

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// wantStatus fails unless an answer has the status.
func wantStatus(t *testing.T, what string, a answer, status int) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: %d %s, want %d", what, a.status, a.body, status)
	}
}

func TestSignInStartsANewSession(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.user("alice")
		c := w.anonymous()
		planted, oldCSRF := c.cookie, c.csrf
		wantStatus(t, "sign-in", c.do(http.MethodPost, "/api/v1/signin", `{"username":"alice","password":"`+password+`"}`), 200)
		if c.cookie == planted {
			t.Error("the session kept the identifier it had before anybody signed in")
		}
		if c.csrf == oldCSRF {
			t.Error("the CSRF token is the one from before")
		}
		attacker := &client{w: w, header: http.Header{}, cookie: planted}
		wantStatus(t, "the session from before", attacker.do(http.MethodGet, ownRobots, ""), 401)
		wantStatus(t, "the CSRF token from before", c.do(http.MethodPut, newRobot, "{}", header("X-CSRF-Token", oldCSRF)), 403)
		wantStatus(t, "the new CSRF token", c.do(http.MethodPut, newRobot, "{}"), 201)
	})
}

func TestCSRF(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	w.user("alice")
	w.user("mallory")
	c, other := w.session("alice"), w.session("mallory")
	token := c.csrf
	none := func(r *http.Request) { r.Header.Del("X-CSRF-Token") }
	for _, test := range []struct {
		name   string
		path   string
		change []func(*http.Request)
		status int
	}{
		{"without a token", newRobot, []func(*http.Request){none}, 403},
		{"with an empty token", newRobot, []func(*http.Request){header("X-CSRF-Token", "")}, 403},
		{"with another session's token", newRobot, []func(*http.Request){header("X-CSRF-Token", other.csrf)}, 403},
		{"with the cookie's value", newRobot, []func(*http.Request){header("X-CSRF-Token", strings.SplitN(c.cookie, "=", 2)[1])}, 403},
		{"with the token, from a foreign page", newRobot, []func(*http.Request){header("Sec-Fetch-Site", "cross-site")}, 403},
		{"with the token, from a foreign origin", newRobot, []func(*http.Request){header("Origin", "https://evil.example")}, 403},
		{"with the token, from our own origin", newRobot, []func(*http.Request){header("Origin", "http://registry.test")}, 201},
		{"with the token in the query", "/api/v1/user/robots/by-query?_csrf_token=" + token, []func(*http.Request){none}, 201},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := c.do(http.MethodPut, test.path, "{}", test.change...)
			wantStatus(t, "a change", a, test.status)
			if test.status == 403 && a.body != `{"error":"CSRF token was invalid or missing."}` {
				t.Errorf("the answer is %s", a.body)
			}
		})
	}
	t.Run("a bearer token needs none", func(t *testing.T) {
		wantStatus(t, "a change", w.bearer(w.token("alice", "user:admin")).do(http.MethodPut, "/api/v1/user/robots/by-token", "{}"), 201)
	})
	t.Run("an unknown bearer token does", func(t *testing.T) {
		wantStatus(t, "a change", w.bearer(strings.Repeat("x", 40)).do(http.MethodPut, "/api/v1/user/robots/by-token", "{}"), 403)
	})
	t.Run("nobody signs in without one", func(t *testing.T) {
		wantStatus(t, "sign-in", (&client{w: w, header: http.Header{}}).do(http.MethodPost, "/api/v1/signin", `{"username":"alice","password":"`+password+`"}`), 403)
	})
}

func TestSignOutEndsAllSessions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.user("alice")
		w.user("bob")
		one, two, bob := w.session("alice"), w.session("alice"), w.session("bob")
		kept := *one
		wantStatus(t, "sign-out", one.do(http.MethodPost, "/api/v1/signout", ""), 200)
		if one.cookie != "" {
			t.Error("the cookie stays")
		}
		wantStatus(t, "the session, replayed", kept.do(http.MethodGet, ownRobots, ""), 401)
		wantStatus(t, "the user's other session", two.do(http.MethodGet, ownRobots, ""), 401)
		wantStatus(t, "another user's session", bob.do(http.MethodGet, ownRobots, ""), 200)
	})
}

// TestARequestThatBeganBeforeTheSignOutDoesNotBringTheSessionBack holds a request between the look at its session and the
// rest of it: the server asks for the body, as Expect lets it, when it has looked.
func TestARequestThatBeganBeforeTheSignOutDoesNotBringTheSessionBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for path, body := range map[string]string{"/api/v1/user/robots/late": "{}", "/api/v1/signin/verify": `{"password":"` + password + `"}`} {
			t.Run(path, func(t *testing.T) {
				w := newWorld(t, d)
				if _, err := w.identity.Account(t.Context(), "alice"); err != nil {
					w.user("alice")
				}
				alice := w.session("alice")
				kept := *alice
				conn := must(net.Dial("tcp", w.server.Listener.Addr().String()))(t)
				defer conn.Close()
				method := map[bool]string{true: "POST", false: "PUT"}[strings.HasPrefix(path, "/api/v1/signin")]
				fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: registry.test\r\nCookie: %s\r\nX-CSRF-Token: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
					method, path, alice.cookie, alice.csrf, len(body))
				answers := bufio.NewReader(conn)
				if line := must(answers.ReadString('\n'))(t); !strings.Contains(line, "100") {
					t.Fatalf("the body is not asked for: %s", line)
				}
				must(answers.ReadString('\n'))(t)
				wantStatus(t, "sign-out", alice.do(http.MethodPost, "/api/v1/signout", ""), 200)
				must(io.WriteString(conn, body))(t)
				late := must(http.ReadResponse(answers, nil))(t)
				defer late.Body.Close()
				if late.StatusCode >= 500 {
					t.Errorf("the late request is answered %d", late.StatusCode)
				}
				wantStatus(t, "the session of before", kept.do(http.MethodGet, ownRobots, ""), 401)
				var left int
				if err := d.QueryRow(t.Context(), `SELECT COUNT(*) FROM session WHERE account_id = $1`, w.account("alice").ID).Scan(&left); err != nil {
					t.Fatal(err)
				}
				if entered := strings.Contains(body, password); left != map[bool]int{true: 1}[entered] {
					t.Errorf("%d sessions are left; only one for which the password was entered again may be", left)
				}
			})
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.user("alice")
		w.user("bob")
		w.user("carol")
		alice, bob, carol := w.session("alice"), w.session("bob"), w.session("carol")
		token := w.bearer(w.token("bob", "user:admin"))
		if err := w.identity.SetPassword(t.Context(), w.account("alice").ID, "another-password"); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "after a new password", alice.do(http.MethodGet, ownRobots, ""), 401)
		if err := w.identity.SetEnabled(t.Context(), w.account("bob").ID, false); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, "of a disabled user", bob.do(http.MethodGet, ownRobots, ""), 401)
		wantStatus(t, "a token of a disabled user", token.do(http.MethodGet, ownRobots, ""), 401)
		a := w.anonymous().do(http.MethodPost, "/api/v1/signin", `{"username":"bob","password":"`+password+`"}`)
		wantStatus(t, "sign-in of a disabled user", a, 403)
		if !strings.Contains(a.body, "This user has been disabled. Please contact your administrator.") {
			t.Errorf("the answer is %s", a.body)
		}
		w.pass(defaultLife + time.Second)
		wantStatus(t, "after SESSION_TIMEOUT", carol.do(http.MethodGet, ownRobots, ""), 401)
	})
}

func TestFreshLogin(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	w.user("alice")
	for _, name := range []string{"one", "two", "three"} {
		w.organization("acme-"+name, "alice")
	}
	c := w.session("alice")
	w.pass(9 * time.Minute)
	wantStatus(t, "within FRESH_LOGIN_TIMEOUT", c.do(http.MethodDelete, "/api/v1/organization/acme-one", ""), 204)
	w.pass(2 * time.Minute)
	a := c.do(http.MethodDelete, "/api/v1/organization/acme-two", "")
	wantStatus(t, "after it", a, 401)
	if !strings.Contains(a.body, `"error_type":"fresh_login_required"`) || !strings.Contains(a.body, `"detail":"Requires fresh login"`) {
		t.Errorf("the answer is %s", a.body)
	}
	wantStatus(t, "a wrong password", c.do(http.MethodPost, "/api/v1/signin/verify", `{"password":"wrong-password"}`), 403)
	wantStatus(t, "still not", c.do(http.MethodDelete, "/api/v1/organization/acme-two", ""), 401)
	wantStatus(t, "the password", c.do(http.MethodPost, "/api/v1/signin/verify", `{"password":"`+password+`"}`), 200)
	wantStatus(t, "with it entered again", c.do(http.MethodDelete, "/api/v1/organization/acme-two", ""), 204)
	w.pass(time.Hour)
	token := w.bearer(w.token("alice", "org:admin"))
	wantStatus(t, "a token is not asked", token.do(http.MethodDelete, "/api/v1/organization/acme-three", ""), 204)
}

func TestCookie(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	get := func() *http.Cookie {
		t.Helper()
		a := (&client{w: w, header: http.Header{}}).do(http.MethodGet, "/csrf_token", "")
		return must(http.ParseSetCookie(a.header.Get("Set-Cookie")))(t)
	}
	cookie := get()
	if cookie.Name != "_csrf_token" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" {
		t.Errorf("the cookie is %s", cookie)
	}
	if cookie.Secure {
		t.Error("a cookie over http is Secure: no browser would send it back")
	}
	if cookie.MaxAge != int(anonymousLife.Seconds()) {
		t.Errorf("a session without a user lives %d s", cookie.MaxAge)
	}
	w.scheme = "https"
	if !get().Secure {
		t.Error("a cookie over https is not Secure")
	}
	t.Run("nothing is stored for callers that need no session", func(t *testing.T) {
		a := (&client{w: w, header: http.Header{}}).do(http.MethodGet, "/api/v1/repository?public=true", "")
		if a.header.Get("Set-Cookie") != "" {
			t.Error("a cookie was set")
		}
	})
}

func TestBearerTokens(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	w.user("alice")
	session := w.session("alice")
	for _, test := range []struct{ name, value string }{
		{"unknown", "Bearer " + strings.Repeat("a", 40)},
		{"empty", "Bearer "},
		{"too short", "Bearer abc"},
		{"of bytes that are no text", "Bearer \xff\xfe"},
		{"of another scheme", "Basic YWxpY2U6Y29ycmVjdC1ob3JzZQ=="},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &client{w: w, header: http.Header{"Authorization": {test.value}}}
			wantStatus(t, "a token alone", c.do(http.MethodGet, ownRobots, ""), 401)
			if test.name != "of another scheme" {
				wantStatus(t, "a token beside a session", session.do(http.MethodGet, ownRobots, "", header("Authorization", test.value)), 401)
			}
		})
	}
}
