package app

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// siege is the program under attacks on sessions and tokens, with the rows that were collected so far.
type siege struct {
	*target
	t       *testing.T
	mallory session
	f       federation
	rows    []attack
}

// TestSessionsAndTokens is the one table of attacks on who somebody is: sessions, CSRF, OAuth, tokens of every kind and
// federation. What a row needs is prepared first, by requests as well, so that each row is one request. Tokens that are
// forged for /v2 have a table of their own, TestForgedTokensAreRefused.
func TestSessionsAndTokens(t *testing.T) {
	eachTarget(t, func(t *testing.T, x *target) []attack {
		s := &siege{target: x, t: t, mallory: x.signIn(t, "mallory", malloryPasswd), f: x.federate(t)}
		x.secrets = append(x.secrets, s.mallory.cookie, s.mallory.csrf)
		for _, group := range []func(){
			s.crossSite, s.fixation, s.cookies, s.signIns, s.wrongDoors, s.codes, s.redirects, s.scopes, s.ends, s.federated,
		} {
			group()
		}
		x.state = x.counts(t)
		return s.rows
	}, innerIssuers)
}

// add collects a row; by is who sends it.
func (s *siege) add(by, name, method, path string, status int, code string, header ...string) *attack {
	s.rows = append(s.rows, attack{by: by, name: name, method: method, path: path, header: header, status: status, code: code})
	return &s.rows[len(s.rows)-1]
}

// as collects a row of a session.
func (s *siege) as(session session, name, method, path string, status int, code string, header ...string) *attack {
	a := s.add("", name, method, path, status, code, header...)
	a.session = &session
	return a
}

// api prepares something through the API and gives the answer's members.
func (s *siege) api(who session, method, path, body string) map[string]any {
	s.t.Helper()
	r := s.send(s.t, attack{session: &who, method: method, path: path, body: body})
	if r.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %d %s", method, path, r.StatusCode, r.body)
	}
	var members map[string]any
	_ = json.Unmarshal(r.body, &members)
	return members
}

const form = "Content-Type: application/x-www-form-urlencoded"

// crossSite: a page of another site makes the victim's browser send what the victim did not ask for.
func (s *siege) crossSite() {
	const app = "/api/v1/repository/alice/app"
	bare := session{cookie: s.session.cookie}
	change := func(who session, name, path string, status int, code string, header ...string) {
		s.as(who, name, "PUT", path, status, code, header...).body = `{"description":"x"}`
	}
	change(bare, "a change without a CSRF token", app, 403, "error")
	change(session{s.session.cookie, s.mallory.csrf}, "a change with another session's CSRF token", app, 403, "error")
	change(session{s.session.cookie, s.session.csrf[1:]}, "a change with a part of the CSRF token", app, 403, "error")
	change(session{csrf: s.session.csrf}, "a CSRF token without its session", app, 403, "error")
	change(bare, "a change with another CSRF token in the query", app+"?_csrf_token="+s.mallory.csrf, 403, "error")
	change(session{s.session.cookie, "wrong"}, "a wrong CSRF token in the header beside the right one in the query", app+"?_csrf_token="+s.session.csrf, 403, "error")
	for name, header := range map[string]string{
		"the browser calls cross-site": "Sec-Fetch-Site: cross-site", "the browser calls same-site": "Sec-Fetch-Site: same-site", "comes from another origin": "Origin: https://evil.example",
		"comes from the origin null": "Origin: null", "comes from another port": "Origin: https://" + abuseHost + ":8443", "comes from a host that begins like ours": "Origin: https://" + abuseHost + ".evil.example",
	} {
		change(s.session, "a change with the right CSRF token that "+name, app, 403, "error", header)
		change(bare, "a change with the right CSRF token in the query that "+name, app+"?_csrf_token="+s.session.csrf, 403, "error", header)
	}
	change(bare, "a change with nothing but a Referer of ours", app, 403, "error", "Referer: https://"+abuseHost+"/")
	change(s.session, "the CSRF token in the header is enough", app, 200, "")
	change(bare, "the CSRF token in the query is enough", app+"?_csrf_token="+s.session.csrf, 200, "")
	change(s.session, "the same from a page of ours", app, 200, "", "Origin: https://"+abuseHost, "Sec-Fetch-Site: same-origin")
	change(s.session, "another site's Referer decides nothing beside the CSRF token", app, 200, "", "Referer: https://evil.example/")
	s.as(bare, "a form with the CSRF token of another session", "POST", "/oauth/authorizeapp", 403, "error", form).body = "_csrf_token=" + s.mallory.csrf
	s.as(s.session, "a browser's link to the API", "GET", app, 400, "error", "User-Agent: Mozilla/5.0")
}

// fixation: the attacker knows the session that the victim signs in with.
func (s *siege) fixation() {
	const title, tokens = `{"title":"x"}`, "/api/v1/user/apptoken"
	s.person("fiona")
	first := s.must(s.t, attack{method: "GET", path: "/csrf_token"}, 200)
	planted := session{cookieOf(first.Response), strings.Split(string(first.body), `"`)[3]}
	in := s.must(s.t, attack{session: &planted, method: "POST", path: "/api/v1/signin", body: fmt.Sprintf(`{"username":"fiona","password":%q}`, "canary-"+testPassword)}, 200)
	signed := session{cookieOf(in.Response), in.Header.Get("X-Next-CSRF-Token")}
	s.as(planted, "the cookie of before the sign-in is nobody's", "GET", "/api/v1/user/", 401, "invalid_token")
	s.as(session{signed.cookie, planted.csrf}, "the new cookie with the CSRF token of before the sign-in", "POST", tokens, 403, "error").body = title
	s.as(signed, "the cookie of after the sign-in is the user's", "GET", "/api/v1/user/", 200, "").says = `"username":"fiona"`
	_, before := s.person("vera")
	verified := s.must(s.t, attack{session: &before, method: "POST", path: "/api/v1/signin/verify", body: fmt.Sprintf(`{"password":%q}`, "canary-"+testPassword)}, 200)
	now := session{cookieOf(verified.Response), verified.Header.Get("X-Next-CSRF-Token")}
	s.as(before, "the cookie of before the password was entered again", "GET", "/api/v1/user/", 401, "invalid_token")
	s.as(session{now.cookie, before.csrf}, "the new cookie with the CSRF token of before the password was entered again", "POST", tokens, 403, "error").body = title
	s.as(now, "the cookie of after the password was entered again is the user's", "GET", "/api/v1/user/", 200, "").says = `"username":"vera"`
	s.secrets = append(s.secrets, planted.cookie, signed.cookie, signed.csrf, now.cookie, now.csrf)
}

// cookies that nobody was given, and those that somebody should no longer have.
func (s *siege) cookies() {
	me := func(name, cookie string) {
		s.as(session{cookie, "x"}, name, "GET", "/api/v1/user/", 401, "invalid_token")
	}
	me("a cookie that the attacker made up", "planted")
	me("an empty cookie", "")
	me("a cookie of 30 kB", strings.Repeat("x", 30_000))
	me("a cookie with one character changed", string(s.session.cookie[0]^1)+s.session.cookie[1:])
	me("a cookie that was cut", s.session.cookie[:len(s.session.cookie)-1])
	var stored []byte
	if err := s.parts.db.QueryRow(s.t.Context(), `SELECT id FROM session WHERE account_id IS NOT NULL LIMIT 1`).Scan(&stored); err != nil {
		s.t.Fatal(err)
	}
	me("what the database keeps of a cookie", fmt.Sprintf("%x", stored))
	s.as(session{"planted", "planted"}, "a change with a session that the attacker made up", "DELETE", "/api/v1/repository/alice/app", 403, "error")
	flags := []string{"Set-Cookie: ; Path=/", "Set-Cookie: ; HttpOnly", "Set-Cookie: ; Secure", "Set-Cookie: ; SameSite=Lax"}
	s.add("", "the cookie's flags", "GET", "/csrf_token", 200, "").tells = flags
	out := s.signIn(s.t, "mallory", malloryPasswd)
	s.api(out, "POST", "/api/v1/signout", "")
	me("a cookie of before the sign-out", out.cookie)
	again := s.signIn(s.t, "mallory", malloryPasswd) // the sign-out has ended them all
	s.mallory = again
	s.secrets = append(s.secrets, again.cookie, again.csrf)
}

// signIns: login CSRF, and where a sign-in leads.
func (s *siege) signIns() {
	const body = `{"username":"mallory","password":"canary-x"}`
	s.add("", "a sign-in without a CSRF token", "POST", "/api/v1/signin", 403, "error").body = body
	s.add("", "a sign-in with a CSRF token of nobody's session", "POST", "/api/v1/signin", 403, "error", "X-CSRF-Token: "+s.mallory.csrf).body = body
	s.add("", "the sign-in page's form without a CSRF token", "POST", "/signin", 403, "error", form).body = "username=mallory&password=canary-x"
	s.as(s.mallory, "the sign-in page's form from another site", "POST", "/signin", 403, "error", form, "Origin: https://evil.example").body = "username=alice"
	frame := []string{"X-Frame-Options: DENY", "Content-Security-Policy: frame-ancestors 'none'", "Content-Security-Policy: default-src 'none'"}
	s.add("", "the sign-in page in a frame", "GET", "/signin", 200, "").tells = frame
	s.as(s.session, "the page with a token in a frame", "GET", "/oauth/localapp", 200, "").tells = frame
	for _, next := range []string{
		"https://evil.example/", "//evil.example/", "///evil.example/", `/\evil.example/`, `\\evil.example/`, "/\t/evil.example/", "/\n/evil.example/", "javascript:alert(1)", "evil.example", "@evil.example", " //evil.example",
	} {
		s.as(s.mallory, fmt.Sprintf("a sign-in that leads to %q", next), "GET", "/signin?next="+url.QueryEscape(next), 302, "").leads = "/"
	}
	s.as(s.mallory, "a sign-in that leads to a page of ours", "GET", "/signin?next=%2Fconfirminvite%3Fcode%3DX", 302, "").leads = "/confirminvite?code=X"
	s.add("", "a path that begins like another host", "GET", "//evil.example/api/v1/user", 307, "").leads = "/evil.example/api/v1/user"
}

// wrongDoors: a credential of one protocol shown to the other.
func (s *siege) wrongDoors() {
	token, me := s.tokenOf(s.t, "alice", "alice/app"), "/api/v1/user/"
	oauth := s.oauthToken("user:admin repo:admin")
	s.add("a registry token", "a registry token at the API", "GET", me, 401, "invalid_token", "Authorization: Bearer "+token)
	s.add("a registry token", "a registry token changes nothing at the API", "DELETE", "/api/v1/repository/alice/app", 403, "error", "Authorization: Bearer "+token)
	s.add("an OAuth token", "an OAuth token at the API", "GET", me, 200, "", "Authorization: Bearer "+oauth)
	s.add("an OAuth token", "an OAuth token as a registry token", "GET", "/v2/alice/app/manifests/v1", 401, "UNAUTHORIZED", "Authorization: Bearer "+oauth)
	s.add("an OAuth token", "an OAuth token by HTTP Basic at the API", "GET", me, 401, "invalid_token", basicOf("$oauthtoken", oauth))
	s.add("an OAuth token", "an OAuth token as a user's password", "GET", "/v2/auth", 401, "UNAUTHORIZED", basicOf("nobody", oauth))
	s.add("alice", "a password at the API", "GET", me, 401, "invalid_token", "Authorization: "+s.basic("alice"))
	s.add("alice", "a password on /v2", "GET", "/v2/alice/app/manifests/v1", 401, "UNAUTHORIZED", "Authorization: "+s.basic("alice"))
	s.add("robot", "a robot's secret at the API", "GET", me, 401, "invalid_token", "Authorization: Bearer "+s.robot)
	s.add("robot", "a robot's secret by HTTP Basic at the API", "GET", me, 401, "invalid_token", "Authorization: "+s.basic("robot"))
	s.as(s.session, "a session on /v2", "GET", "/v2/alice/app/manifests/v1", 401, "UNAUTHORIZED")
	s.as(s.session, "a session at /v2/auth", "GET", "/v2/auth", 401, "UNAUTHORIZED")
	s.as(s.session, "a bearer token beside a session counts alone", "GET", me, 401, "invalid_token", "Authorization: Bearer x")
	s.as(s.session, "a bearer token of nobody beside a session and its CSRF token", "DELETE", "/api/v1/repository/alice/app", 403, "error", "Authorization: Bearer x")
	s.add("", "a registry token as a user's password", "GET", "/v2/auth", 401, "UNAUTHORIZED", basicOf("nobody", token))
	s.add("mallory's robot", "another namespace's robot gets no push", "POST", "/v2/alice/app/blobs/uploads/", 401, "UNAUTHORIZED", "Authorization: Bearer "+s.malloryRobot())
}

// malloryRobot gives a registry token that a robot of mallory's asked for alice's repository.
func (s *siege) malloryRobot() string {
	made := s.api(s.mallory, "PUT", "/api/v1/user/robots/thief", "{}")
	secret := made["token"].(string)
	s.secrets = append(s.secrets, secret)
	return tokenIn(s.t, s.must(s.t, attack{method: "GET", path: "/v2/auth?service=" + abuseHost + "&scope=repository:alice/app:pull,push", header: []string{basicOf("mallory+thief", secret)}}, 200))
}
