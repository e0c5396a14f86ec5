package rest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/oauth"
)

func TestWhereASignInMayLead(t *testing.T) {
	for asked, want := range map[string]string{
		"/confirminvite?code=A": "/confirminvite?code=A", "/oauth/authorize?redirect_uri=https%3A%2F%2Fci.example": "/oauth/authorize?redirect_uri=https%3A%2F%2Fci.example",
		"": "/", "x": "/", "https://evil.example/": "/", "//evil.example/": "/", "///evil.example/": "/", `/\evil.example/`: "/", `\/evil.example/`: "/",
		"/\t/evil.example/": "/", "/\n/evil.example/": "/", " /evil": "/", "javascript:alert(1)": "/", "/a\\b": "/", "/%zz": "/", "/ü": "/",
	} {
		if got := nextPath(asked); got != want {
			t.Errorf("%q leads to %q, want %q", asked, got, want)
		}
	}
}

// TestAnInvitationIsFollowedFromTheMail goes the way of somebody who opens the link in a browser.
func TestAnInvitationIsFollowedFromTheMail(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, box, team := newInviting(t, d)
		alice := w.session("alice")
		invite := func(name string) string {
			t.Helper()
			wantStatus(t, "an invitation", alice.do(http.MethodPut, team+"/members/"+name, ""), 200)
			return strings.TrimPrefix(box[name+"@example.com"], "http://registry.test")
		}
		link := invite("bob")
		bob := &client{w: w, header: http.Header{"User-Agent": {"Mozilla/5.0"}}}
		to := bob.do(http.MethodGet, link, "")
		if to.status != http.StatusFound || !strings.HasPrefix(to.header.Get("Location"), "/signin?next=%2Fconfirminvite") {
			t.Fatalf("signed out: %d %s", to.status, to.header.Get("Location"))
		}
		form := bob.do(http.MethodGet, to.header.Get("Location"), "")
		if form.status != http.StatusOK || form.header.Get("X-Frame-Options") != "DENY" || strings.Contains(form.body, "<script") {
			t.Errorf("the sign-in page: %d %v", form.status, form.header)
		}
		bob.csrf = formToken(form)
		next := between(form.body, `name="next" value="`, `"`)
		fields := func(password string) url.Values {
			return url.Values{"username": {"bob"}, "password": {password}, "next": {next}}
		}
		if a := bob.post("/signin", fields("wrong-horse")); a.status != http.StatusForbidden || !strings.Contains(a.body, "Invalid Username or Password") {
			t.Errorf("a wrong password: %d %s", a.status, a.body)
		}
		before := bob.cookie
		in := bob.post("/signin", fields(password))
		if in.status != http.StatusFound || in.header.Get("Location") != link || bob.cookie == before {
			t.Fatalf("signed in: %d %s", in.status, in.header.Get("Location"))
		}
		ask := bob.do(http.MethodGet, link, "")
		if ask.status != http.StatusOK || !strings.Contains(ask.body, "<strong>devs</strong> of the organization <strong>acme</strong>") {
			t.Fatalf("the question: %d %s", ask.status, ask.body)
		}
		bob.csrf = formToken(ask)
		code := url.Values{"code": {strings.TrimPrefix(link, "/confirminvite?code=")}, "answer": {"accept"}}
		if a := bob.post("/confirminvite", url.Values{"code": code["code"], "_csrf_token": {"wrong"}}); a.status != http.StatusForbidden {
			t.Errorf("without the CSRF token: %d", a.status)
		}
		carol := w.session("carol")
		carol.readCSRF()
		if a := carol.post("/confirminvite", code); a.status != http.StatusBadRequest || !strings.Contains(a.body, "meant for another user") {
			t.Errorf("by somebody else: %d %s", a.status, a.body)
		}
		if a := carol.do(http.MethodGet, link, ""); a.status != http.StatusBadRequest || strings.Contains(a.body, "acme") {
			t.Errorf("shown to somebody else: %d %s", a.status, a.body)
		}
		if a := alice.do(http.MethodGet, team+"/members", ""); !strings.Contains(a.body, `"members":[]`) {
			t.Errorf("somebody is a member before the answer: %s", a.body)
		}
		if a := bob.post("/confirminvite", code); a.status != http.StatusOK || !strings.Contains(a.body, "bob is now a member of the team devs") {
			t.Errorf("accepted: %d %s", a.status, a.body)
		}
		if a := bob.post("/confirminvite", code); a.status != http.StatusBadRequest {
			t.Errorf("accepted twice: %d", a.status)
		}
		code.Set("code", strings.TrimPrefix(invite("carol"), "/confirminvite?code="))
		code.Set("answer", "decline")
		if a := carol.post("/confirminvite", code); a.status != http.StatusOK || !strings.Contains(a.body, "You do not become a member") {
			t.Errorf("declined: %d %s", a.status, a.body)
		}
		if a := alice.do(http.MethodGet, team+"/members?includePending=true", ""); !strings.Contains(a.body, `"bob"`) || strings.Contains(a.body, `"carol"`) {
			t.Errorf("the members: %s", a.body)
		}
	})
}

// between is what stands between two texts.
func between(text, before, after string) string {
	_, text, _ = strings.Cut(text, before)
	text, _, _ = strings.Cut(text, after)
	return strings.ReplaceAll(text, "&amp;", "&")
}

func TestSomebodyWhoIsAskedForConsentIsLedToTheSignIn(t *testing.T) {
	c := newConsenting(t, dbtest.Open(t, dbtest.SQLite))
	path := "/oauth/authorize?" + c.ask("state", "s").Encode()
	a := c.anonymous().do(http.MethodGet, path, "", header("Accept", "text/html"))
	link := between(a.body, `<a href="`, `"`)
	if a.status != http.StatusUnauthorized || !strings.HasPrefix(link, "/signin?next=") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if back := c.alice.do(http.MethodGet, link, ""); back.status != http.StatusFound || back.header.Get("Location") != path {
		t.Errorf("the sign-in leads to %q, want %q", back.header.Get("Location"), path)
	}
}

func TestShortAddresses(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	w.user("alice")
	w.user("bob")
	w.organization("acme", "alice")
	w.repository("acme", "app/deep")
	alice, bob := w.session("alice"), w.session("bob")
	for path, want := range map[string]string{
		"/acme": "/organization/acme", "/alice": "/user/alice", "/acme/app/deep": "/repository/acme/app/deep", "/acme/app/deep:v1": "/repository/acme/app/deep?tag=v1",
		"/nobody": "", "/acme/none": "", "/acme/app": "", "/health": "", "/api/acme": "", "/v2/acme": "", "/acme+ci": "",
	} {
		a := alice.do(http.MethodGet, path, "")
		if got := a.header.Get("Location"); got != want || (want == "") != (a.status == http.StatusNotFound) {
			t.Errorf("%s: %d to %q, want %q", path, a.status, got, want)
		}
	}
	missing, foreign := bob.do(http.MethodGet, "/acme/none", ""), bob.do(http.MethodGet, "/acme/app/deep", "")
	if missing.status != foreign.status || missing.body != foreign.body {
		t.Errorf("a private repository differs from a missing one: %d %d", missing.status, foreign.status)
	}
	wantStatus(t, "a change at a short address", bob.do(http.MethodPost, "/acme/app", ""), 405)
	page := bob.do(http.MethodGet, "/repository/acme/%3Cb%3E?tag=%22", "")
	if page.status != 200 || strings.Contains(page.body, "<b>") || !strings.Contains(page.body, "docker pull registry.test/acme/&lt;b&gt;:&#34;") {
		t.Errorf("%d %s", page.status, page.body)
	}
}

// TestASignInForAnApplicationStopsOnAPageOfItsOwn: a form's answer must not redirect on to an application's address, which
// the page's policy would stop.
func TestASignInForAnApplicationStopsOnAPageOfItsOwn(t *testing.T) {
	c := newConsenting(t, dbtest.Open(t, dbtest.SQLite))
	authorize := "/oauth/authorize?" + c.ask("state", `s"<b>`).Encode()
	for next, stops := range map[string]bool{authorize: true, "/repository/acme/app": false, "/oauth/authorizex.example": true, "//evil.example/oauth/authorize": false} {
		bob := &client{w: c.world, header: http.Header{}}
		bob.csrf = formToken(bob.do(http.MethodGet, signInAddress(next), ""))
		a := bob.post("/signin", url.Values{"username": {"bob"}, "password": {password}, "next": {next}})
		refresh, location := a.header.Get("Refresh"), a.header.Get("Location")
		switch {
		case stops && (a.status != http.StatusOK || refresh != "0; url="+next || location != ""):
			t.Errorf("%s: %d, Refresh %q, Location %q", next, a.status, refresh, location)
		case stops && (!strings.Contains(a.body, "<a href=") || strings.Contains(a.body, "<b>")):
			t.Errorf("%s: the page has no link, or the address is not escaped: %s", next, a.body)
		case !stops && (a.status != http.StatusFound || refresh != "" || location != nextPath(next)):
			t.Errorf("%s: %d, Refresh %q, Location %q", next, a.status, refresh, location)
		}
		if who := bob.do(http.MethodGet, "/api/v1/user/", ""); who.status != http.StatusOK || !strings.Contains(who.body, `"username":"bob"`) {
			t.Errorf("%s: nobody is signed in: %d", next, who.status)
		}
	}
	failed := &client{w: c.world, header: http.Header{}}
	failed.csrf = formToken(failed.do(http.MethodGet, signInAddress(authorize), ""))
	if a := failed.post("/signin", url.Values{"username": {"bob"}, "password": {"wrong-horse"}, "next": {authorize}}); a.status != http.StatusForbidden || a.header.Get("Refresh") != "" {
		t.Errorf("a wrong password: %d, Refresh %q", a.status, a.header.Get("Refresh"))
	}
}

// formToken is the CSRF token in a page's form.
func formToken(page answer) string { return between(page.body, `name="_csrf_token" value="`, `"`) }

// TestPagesWithoutPasswords: where nobody signs in with a password no page asks for one, nor leads to a page that does.
func TestPagesWithoutPasswords(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) {
		withInviter(s)
		s.options.DirectLogin, s.options.RequireTeamInvite = false, true
	})
	w.user("alice")
	app := must(w.oauth.CreateApplication(t.Context(), w.organization("acme", "alice").ID, oauth.Details{Name: "ci", RedirectURI: callback}))(t)
	c, nobody := &consenting{world: w, t: t, app: app}, w.anonymous()
	if a := nobody.do(http.MethodGet, "/signin", "", header("Accept", "text/html")); a.status != http.StatusNotFound || strings.Contains(a.body, "<form") {
		t.Errorf("the sign-in page: %d %s", a.status, a.body)
	}
	nobody.readCSRF()
	if a := nobody.post("/signin", url.Values{"username": {"bob"}, "password": {password}}); a.status != http.StatusMethodNotAllowed {
		t.Errorf("its form: %d %s", a.status, a.body)
	}
	for path, text := range map[string]string{"/oauth/authorize?" + c.ask("state", "s").Encode(): "", "/confirminvite?code=A": "Sign in first"} {
		a := nobody.do(http.MethodGet, path, "", header("Accept", "text/html"))
		if a.status != http.StatusUnauthorized || !strings.Contains(a.body, text) || strings.Contains(a.body, "/signin") || a.header.Get("Location") != "" {
			t.Errorf("%s: %d, Location %q, %s", path, a.status, a.header.Get("Location"), a.body)
		}
	}
}
