package app

import (
	"fmt"
	"net/url"
	"strings"
)

const callback = "https://ci.example/cb"

// application is an OAuth application of acme.
type application struct{ id, secret string }

func (s *siege) application(name string) application {
	s.t.Helper()
	made := s.api(s.session, "POST", "/api/v1/organization/acme/applications", fmt.Sprintf(`{"name":%q,"redirect_uri":%q}`, name, callback))
	app := application{made["client_id"].(string), made["client_secret"].(string)}
	s.secrets = append(s.secrets, app.secret)
	return app
}

// oauthToken makes a token of alice's with scopes, of an application of its own.
func (s *siege) oauthToken(scopes string) string {
	s.t.Helper()
	token, _ := s.tokenFor(s.application("tokens"), scopes)
	return token
}

func (s *siege) tokenFor(app application, scopes string) (token, uuid string) {
	s.t.Helper()
	made := s.api(s.session, "POST", "/api/v1/organization/acme/applications/"+app.id+"/tokens", fmt.Sprintf(`{"name":"x","scope":%q}`, scopes))
	token = made["token"].(string)
	s.secrets = append(s.secrets, token)
	return token, made["uuid"].(string)
}

func (a application) ask(redirect string, more ...string) url.Values {
	v := url.Values{"client_id": {a.id}, "redirect_uri": {redirect}, "scope": {"repo:read"}, "response_type": {"code"}}
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return v
}

// code has alice authorize an application.
func (s *siege) code(app application) string {
	s.t.Helper()
	r := s.must(s.t, attack{session: &s.session, method: "POST", path: "/oauth/authorizeapp", header: []string{form}, body: app.ask(callback).Encode()}, 302)
	target, err := url.Parse(r.Header.Get("Location"))
	if err != nil || target.Query().Get("code") == "" {
		s.t.Fatalf("no code: %s", r.Header.Get("Location"))
	}
	code := target.Query().Get("code")
	s.secrets = append(s.secrets, code)
	return code
}

func (a application) exchange(code string, more ...string) string {
	v := url.Values{"grant_type": {"authorization_code"}, "client_id": {a.id}, "client_secret": {a.secret}, "redirect_uri": {callback}, "code": {code}}
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return v.Encode()
}

// codes: an authorization code in the wrong hands.
func (s *siege) codes() {
	app, other := s.application("ci"), s.application("other")
	const path = "/oauth/access_token"
	row := func(name, body, says string) {
		s.add("", name, "POST", path, 400, "error", form).body = body
		s.rows[len(s.rows)-1].says = says
	}
	used := s.code(app)
	first := s.must(s.t, attack{method: "POST", path: path, header: []string{form}, body: app.exchange(used)}, 200)
	token := strings.Split(string(first.body), `"`)[3]
	s.secrets = append(s.secrets, token)
	row("a code that was used before", app.exchange(used), "invalid_grant")
	s.add("an OAuth token", "the token of a code that was shown twice", "GET", "/api/v1/user/starred", 401, "invalid_token", "Authorization: Bearer "+token)
	code := s.code(app)
	row("a code shown by another application", other.exchange(code), "invalid_grant")
	row("a code for another redirect address", app.exchange(code, "redirect_uri", callback+"/x"), "invalid_grant")
	row("a code for more scopes", app.exchange(code, "scope", "repo:read org:admin"), "invalid_scope")
	row("a code without the application's secret", app.exchange(code, "client_secret", ""), "invalid_client")
	row("a code with another application's secret", app.exchange(code, "client_secret", other.secret), "invalid_client")
	row("a code that was guessed", app.exchange(strings.Repeat("A", 40)), "invalid_grant")
	row("a refresh token", "grant_type=refresh_token&refresh_token="+code, "unsupported_grant_type")
	row("a password for a token", "grant_type=password&username=alice&password=x", "unsupported_grant_type")
	s.add("", "a code as a bearer token", "GET", "/api/v1/user/", 401, "invalid_token", "Authorization: Bearer "+code)
	s.add("", "a code as an OAuth token at /v2/auth", "GET", "/v2/auth", 401, "UNAUTHORIZED", basicOf("$oauthtoken", code))
	s.as(s.mallory, "an application authorized by a stranger to its organization", "POST", "/oauth/authorizeapp", 403, "error", form).body = app.ask(callback).Encode()
}

// redirects: whatever is asked for, the browser is sent to the registered address, or below it.
func (s *siege) redirects() {
	app := s.application("redirected")
	mismatch := callback + "?error=redirect_uri_mismatch"
	for name, redirect := range map[string]string{
		"another scheme": "http://ci.example/cb", "another host": "https://evil.example/cb", "a host that begins so": "https://ci.example.evil.example/cb", "a host below": "https://x.ci.example/cb",
		"another port": "https://ci.example:8443/cb", "an empty port": "https://ci.example:/cb", "a path that begins so": "https://ci.example/cbx", "a path above": "https://ci.example/",
		"a user name": "https://ci.example@evil.example/cb", "a user name before the right host": "https://evil@ci.example/cb", "a fragment": "https://ci.example/cb#x", "an empty fragment": "https://ci.example/cb#",
		"dots": "https://ci.example/cb/../x", "encoded dots": "https://ci.example/cb/%2e%2e/x", "dots encoded by half": "https://ci.example/cb/.%2E/x", "dots encoded twice": "https://ci.example/cb/%252e%252e/x",
		"a backslash": `https://ci.example/cb\..\x`, "a backslash for a slash": `https://ci.example\@evil.example/cb`, "an encoded slash": "https://ci.example/cb%2f..%2fx", "an encoded backslash": "https://ci.example/cb%5c..%5cx",
		"no scheme": "//ci.example/cb", "a path alone": "/cb", "a script": "javascript:alert(1)//https://ci.example/cb", "data": "data:text/html,x", "a blank before": " https://ci.example/cb", "a tab inside": "https://ci.exa\tmple/cb",
		"a line break": "https://ci.example/cb\r\nX-Evil: 1", "NUL encoded": "https://ci.example/cb/%00", "an empty segment": "https://ci.example/cb//x", "nothing": "", "a host in other letters": "https://сi.example/cb",
		"our own page under another host": "https://" + abuseHost + ".evil.example/oauth/localapp", "our own page with more to its name": "https://" + abuseHost + "/oauth/localappx", "our own page over http": "http://" + abuseHost + "/oauth/localapp",
	} {
		s.as(s.session, "a redirect with "+name, "GET", "/oauth/authorize?"+app.ask(redirect).Encode(), 302, "").leads = mismatch
	}
	s.as(s.session, "the same when access is granted", "POST", "/oauth/authorizeapp", 302, "", form).leads = mismatch
	s.rows[len(s.rows)-1].body = app.ask("https://ci.example@evil.example/cb").Encode()
	s.as(s.session, "the same when it is denied", "POST", "/oauth/denyapp", 302, "", form).leads = mismatch
	s.rows[len(s.rows)-1].body = app.ask("https://ci.example.evil.example/cb").Encode()
	for name, redirect := range map[string]string{"the registered address": callback, "one below it": callback + "/x?y=1", "the host in capitals": "https://CI.EXAMPLE/cb", "the port written out": "https://ci.example:443/cb"} {
		s.as(s.session, "a redirect to "+name, "GET", "/oauth/authorize?"+app.ask(redirect).Encode(), 200, "").tells = []string{"X-Frame-Options: DENY", "Content-Security-Policy: frame-ancestors 'none'"}
	}
	s.as(s.session, "a state with a line break", "POST", "/oauth/denyapp", 302, "", form).leads = callback + "?error=authorization_denied&state=a%0D%0AX-Evil%3A+1"
	s.rows[len(s.rows)-1].body = app.ask(callback, "state", "a\r\nX-Evil: 1").Encode()
}

// scopes: a token asks for more than it was given.
func (s *siege) scopes() {
	bearer := func(token string) string { return "Authorization: Bearer " + token }
	read, write, admin, org := s.oauthToken("repo:read"), s.oauthToken("repo:write"), s.oauthToken("repo:admin"), s.oauthToken("org:admin")
	user := s.oauthToken("user:read")
	const app = "/api/v1/repository/alice/app"
	row := func(name, token, method, path, body string, status int, code string) {
		s.add("an OAuth token", name, method, path, status, code, bearer(token)).body = body
	}
	row("repo:read reads", read, "GET", app, "", 200, "")
	row("repo:read changes a repository", read, "PUT", app, `{"description":"x"}`, 403, "insufficient_scope")
	row("repo:write deletes a repository", write, "DELETE", app, "", 403, "insufficient_scope")
	row("repo:write gives permissions", write, "PUT", app+"/permissions/user/mallory", `{"role":"admin"}`, 403, "insufficient_scope")
	row("repo:admin reads the account", admin, "GET", "/api/v1/user/", "", 401, "invalid_token")
	row("repo:admin makes a robot", admin, "PUT", "/api/v1/user/robots/x", "{}", 403, "insufficient_scope")
	row("repo:admin administers the organization", admin, "PUT", "/api/v1/organization/acme", `{"invoice_email":true}`, 403, "insufficient_scope")
	row("repo:admin makes a repository", admin, "POST", "/api/v1/repository", `{"repository":"x","visibility":"private","description":""}`, 403, "insufficient_scope")
	row("org:admin reads a repository", org, "GET", app, "", 403, "insufficient_scope")
	row("user:read sets a password", user, "PUT", "/api/v1/user/", `{"password":"canary-changed"}`, 403, "insufficient_scope")
	row("user:read makes an application token", user, "POST", "/api/v1/user/apptoken", `{"title":"x"}`, 403, "insufficient_scope")
	tokens := "/api/v1/organization/acme/applications/" + s.application("mint").id + "/tokens"
	row("org:admin makes a token with another scope", org, "POST", tokens, `{"name":"x","scope":"user:admin"}`, 403, "insufficient_scope")
	row("org:admin makes a token with one scope more", org, "POST", tokens, `{"name":"x","scope":"org:admin repo:read"}`, 403, "insufficient_scope")
	s.as(s.session, "who is no superuser makes a token for superusers", "POST", tokens, 403, "insufficient_scope").body = `{"name":"x","scope":"super:user"}`
	s.rows[len(s.rows)-1].session = &s.mallory
	row("a token authorizes another one", org, "GET", "/oauth/authorize?"+s.application("self").ask(callback, "scope", "user:admin").Encode(), "", 401, "error")
	for scope, token := range map[string]string{"repo:read": read, "org:admin": org} {
		granted := tokenIn(s.t, s.must(s.t, attack{method: "GET", path: "/v2/auth?service=" + abuseHost + "&scope=repository:alice/app:pull,push", header: []string{basicOf("$oauthtoken", token)}}, 200))
		s.add("a registry token", "what $oauthtoken got with "+scope+" pushes", "POST", "/v2/alice/app/blobs/uploads/", 401, "UNAUTHORIZED", bearer(granted))
		status, code := 200, ""
		if scope != "repo:read" {
			status, code = 401, "UNAUTHORIZED"
		}
		s.add("a registry token", "what $oauthtoken got with "+scope+" pulls", "GET", "/v2/alice/app/manifests/v1", status, code, bearer(granted))
	}
}
