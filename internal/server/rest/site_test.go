package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/config"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/secret"
)

// seesHealth asks as a client that sends what c would.
func seesHealth(c *client) bool {
	r, _ := http.NewRequestWithContext(c.w.t.Context(), http.MethodGet, "/health/instance", nil)
	for name, values := range c.header {
		r.Header[name] = values
	}
	r.Header.Set("Cookie", c.cookie)
	return c.w.api.SeesHealth(r)
}

func TestWhoSeesWhatIsUnwell(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), withAuditor, func(s *settings) { s.options.HealthDebug = secret.New("hunter2") })
	for _, name := range []string{"alice", "root", "auditor"} {
		w.user(name)
	}
	for who, want := range map[string]bool{"alice": false, "root": true, "auditor": true} {
		if got := seesHealth(w.session(who)); got != want {
			t.Errorf("%s: %v", who, got)
		}
	}
	if seesHealth(w.bearer(w.token("root", "repo:read"))) || !seesHealth(w.bearer(w.token("root", "super:user"))) {
		t.Error("a token sees with another scope than super:user, or not with that")
	}
	nobody := w.anonymous()
	nobody.header.Set("Authorization", "Basic cm9vdDp4")
	if seesHealth(nobody) {
		t.Error("a password lets see, which no health endpoint takes")
	}
	nobody.header.Del("Authorization")
	wantStatus(t, "a wrong secret", nobody.do(http.MethodGet, "/health/enabledebug/hunter3", ""), 404)
	if seesHealth(nobody) {
		t.Error("a wrong secret lets see")
	}
	wantStatus(t, "the secret", nobody.do(http.MethodGet, "/health/enabledebug/hunter2", ""), 200)
	if !seesHealth(nobody) {
		t.Error("the session that showed the secret does not see")
	}
}

func TestBadges(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	w.user("alice")
	w.user("bob")
	app := w.repository("alice", "app")
	var token string
	if err := w.db.QueryRow(t.Context(), `SELECT badge_token FROM repository WHERE id = $1`, app.ID).Scan(&token); err != nil {
		t.Fatal(err)
	}
	const path = "/repository/alice/app/status"
	bob := w.session("bob")
	wantStatus(t, "a stranger", bob.do(http.MethodGet, path, ""), 404)
	wantStatus(t, "a wrong token", bob.do(http.MethodGet, path+"?token=wrong", ""), 404)
	wantStatus(t, "a token of nothing", bob.do(http.MethodGet, "/repository/alice/none/status?token="+token, ""), 404)
	a := bob.do(http.MethodGet, path+"?token="+token, "")
	if a.status != 200 || a.header.Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(a.body, "<svg") {
		t.Errorf("with the token: %d %v", a.status, a.header)
	}
	wantStatus(t, "the same again", bob.do(http.MethodGet, path+"?token="+token, "", header("If-None-Match", a.header.Get("ETag"))), 304)
	wantStatus(t, "its owner", w.session("alice").do(http.MethodGet, path, ""), 200)
}

func TestTheConfigurationDump(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) {
		s.options.ConfigDump = true
		s.options.Config = config.View{Set: map[string]any{"SECRET_KEY": secret.Redacted}, Unknown: map[string]any{"SECRET_KY": secret.Redacted}, Env: map[string]any{}}
	})
	w.user("root")
	w.session("root").check(t, []call{
		{name: "has what was set", method: http.MethodGet, path: "/api/v1/superuser/config", status: 200, text: `{"config":{"SECRET_KEY":"[redacted]"},"warning":{"SECRET_KY":"[redacted]"},"env":{},"schema":{`},
	})
}

func TestAShutdownIsAskedFor(t *testing.T) {
	asked := 0
	count := func(s *settings) { s.options.Shutdown = func() { asked++ } }
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), count)
	c := w.anonymous()
	const path = "/api/v1/superuser/shutdown"
	wantStatus(t, "without a CSRF token", (&client{w: w, header: http.Header{}}).do(http.MethodPost, path, ""), 403)
	wantStatus(t, "by anybody while there is no user", c.do(http.MethodPost, path, ""), 200)
	w.user("first")
	wantStatus(t, "by nobody later", c.do(http.MethodPost, path, ""), 401)
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestSuperusersOff(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.policy.SuperUsersEnabled = false })
	w.user("root")
	c := w.session("root")
	wantStatus(t, "reading", c.do(http.MethodGet, "/api/v1/superuser/keys", ""), 404)
	wantStatus(t, "changing", c.do(http.MethodPost, "/api/v1/superuser/shutdown", ""), 405)
}
