package rest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// oauthForm is a request to one of OAuth's addresses that would be answered with what it asks for, and what becomes of
// it when one of its fields is none. A field that may be anything is not among them.
type oauthForm struct {
	name, method, path string
	who                func(*consenting) *client
	fill               func(*consenting) url.Values
	bad                map[string]verdict
}

// verdict is how a bad value of a field is answered: with a status and a text that names it, or by a redirect to the
// registered address that says so.
type verdict struct {
	status int
	text   string
}

const (
	mismatched  = callback + "?error=redirect_uri_mismatch"
	otherType   = callback + "?error=unsupported_response_type"
	turnedDown  = callback + "?error=authorization_denied"
	markup      = `"><script>alert(1)</script>`
	elsewhere   = "evil.example"
	longestForm = 16 << 10
)

// asForm is a request with what the consent page sends.
func asForm(change ...string) func(*consenting) url.Values {
	return func(c *consenting) url.Values { return c.ask(change...) }
}

func asAlice(c *consenting) *client { return c.alice }

// byPassword is alice without a session, for an application that may be authorized so.
func byPassword(c *consenting) *client {
	return &client{w: c.world, header: http.Header{"Authorization": {basic("alice", password)}}}
}

func oauthForms() []oauthForm {
	unknown, redirect := verdict{http.StatusNotFound, "client_id"}, verdict{http.StatusFound, mismatched}
	scope, kind := verdict{http.StatusNotFound, "scope"}, verdict{http.StatusFound, otherType}
	asked := map[string]verdict{"client_id": unknown, "redirect_uri": redirect, "scope": scope, "response_type": kind}
	direct := maps.Clone(asked)
	direct["client_id"] = verdict{http.StatusForbidden, "CSRF"} // for another application a password is not enough
	assigned := func(who verdict) map[string]verdict {
		all := maps.Clone(asked)
		all["response_type"], all["username"] = verdict{http.StatusBadRequest, "response_type"}, who
		return all
	}
	wrong := func(text string) verdict { return verdict{http.StatusBadRequest, text} }
	return []oauthForm{
		{"the page", http.MethodGet, "/oauth/authorize", asAlice, asForm(), asked},
		{"the consent", http.MethodPost, "/oauth/authorizeapp", asAlice, asForm(), asked},
		{"the consent for a token", http.MethodPost, "/oauth/authorizeapp", asAlice, asForm("response_type", "token"), asked},
		{"the consent by password", http.MethodPost, "/oauth/authorizeapp", byPassword, asForm("response_type", "token"), direct},
		{"taking up what was assigned", http.MethodPost, "/oauth/authorizeapp", asAlice, asForm("response_type", "token", "assignment_uuid", "none"),
			map[string]verdict{"assignment_uuid": {http.StatusForbidden, "assigned"}}},
		{"the refusal", http.MethodPost, "/oauth/denyapp", asAlice, asForm(), map[string]verdict{
			"client_id": unknown, "redirect_uri": redirect, "scope": {http.StatusFound, turnedDown}, "response_type": {http.StatusFound, turnedDown},
		}},
		{"assigning", http.MethodPost, "/oauth/authorize/assignuser", asAlice, asForm("username", "bob", "response_type", "token"), assigned(verdict{http.StatusNotFound, "username"})},
		{"the exchange", http.MethodPost, "/oauth/access_token", func(c *consenting) *client { return &client{w: c.world, header: http.Header{}} },
			func(c *consenting) url.Values {
				return url.Values{"grant_type": {"authorization_code"}, "client_id": {c.app.ClientID}, "client_secret": {c.app.Secret},
					"redirect_uri": {callback}, "code": {c.code()}, "scope": {"repo:read"}}
			},
			map[string]verdict{
				"grant_type": wrong("grant_type"), "client_id": wrong("client_id"), "client_secret": wrong("client_secret"),
				"redirect_uri": wrong("redirect_uri"), "code": wrong("code"), "scope": wrong("scope"),
			}},
	}
}

// optional are the fields that may be missing or empty, for each with what an empty one stands for.
func optional(form, field string) bool {
	return field == "response_type" || field == "scope" && (form == "the exchange" || form == "the refusal") || field == "assignment_uuid"
}

// TestBadFormsChangeNothing sends every field of OAuth's forms what is none: missing, doubled, empty, too long, with
// control characters, with bytes that are no text, with markup, and what belongs to somebody else. Each is answered with
// the right status and the field's name, no page repeats markup as markup, nobody is sent anywhere but to the address
// that the application has registered, and no row of any table has changed.
func TestBadFormsChangeNothing(t *testing.T) {
	unsorted(t, func(t *testing.T, d *db.DB) {
		c := newConsenting(t, d)
		c.api.options.DirectApplications = []string{c.app.ClientID}
		dump := dbtest.Dumper(t, d, unheld)
		for _, f := range oauthForms() {
			t.Run(f.name, func(t *testing.T) {
				good := f.fill(c)
				before := dump(t)
				for field, want := range f.bad {
					f.sweep(t, c, good, field, want)
				}
				f.send(t, c, good, "state", nil, verdict{http.StatusBadRequest, "state"}, "x", "x")
				f.send(t, c, good, "state", nil, verdict{http.StatusBadRequest, "state"}, "\xff")
				if f.method == http.MethodPost {
					f.send(t, c, good, "state", nil, verdict{http.StatusRequestEntityTooLarge, "form"}, strings.Repeat("x", longestForm))
				}
				if diff := cmp.Diff(before, dump(t)); diff != "" {
					t.Errorf("tables changed (-before +after):\n%s", diff)
				}
			})
		}
	})
}

// sweep sends all that a field cannot be.
func (f oauthForm) sweep(t *testing.T, c *consenting, good url.Values, field string, want verdict) {
	t.Helper()
	noText := verdict{http.StatusBadRequest, field}
	f.send(t, c, good, field, nil, noText, good.Get(field)+"\xff")
	f.send(t, c, good, field, nil, noText, good.Get(field)+"\x00")
	f.send(t, c, good, field, nil, noText, good.Get(field), good.Get(field))
	f.send(t, c, good, field, nil, noText, good.Get(field), "https://"+elsewhere)
	if !optional(f.name, field) {
		f.send(t, c, good, field, nil, want)
		f.send(t, c, good, field, nil, want, "")
	}
	values := []string{strings.Repeat("x", 3000), "\x01\x1b[2J", "a\r\nLocation: https://" + elsewhere, markup, " ", "\u202e", good.Get(field) + " x", "'; --", "%s%00"}
	if field == "redirect_uri" {
		values = append(values, "https://"+elsewhere, "//"+elsewhere, "javascript:alert(1)", callback+"@"+elsewhere, callback+"#x", callback+"/../x", "https://ci.example\\@"+elsewhere,
			callback+"\r\n", "data:text/html,"+markup, "http://registry.test.evil.example/oauth/localapp")
	}
	if field == "username" {
		values = append(values, "acme", "root+none", "ALICE")
	}
	for _, value := range values {
		f.send(t, c, good, field, nil, want, value)
	}
	if field == "client_id" {
		f.send(t, c, good, field, nil, want, strings.ToLower(good.Get(field)))
	}
	f.send(t, c, good, field, map[string]string{"Content-Type": "text/plain"}, verdict{}, good.Get(field))
}

// send makes the request with one field replaced by values, none of which leaves it out.
func (f oauthForm) send(t *testing.T, c *consenting, good url.Values, field string, headers map[string]string, want verdict, values ...string) {
	t.Helper()
	if headers["Content-Type"] != "" && f.method == http.MethodGet {
		return
	}
	form := maps.Clone(good)
	delete(form, field)
	if values != nil {
		form[field] = values
	}
	who := f.who(c)
	set := func(r *http.Request) {
		r.Header.Set("Accept", "text/html")
		for name, value := range headers {
			r.Header.Set(name, value)
			r.Header.Set("X-CSRF-Token", who.csrf)
		}
	}
	var a answer
	if f.method == http.MethodGet {
		a = who.do(http.MethodGet, f.path+"?"+form.Encode(), "", set)
	} else {
		a = who.post(f.path, form, set)
	}
	what := fmt.Sprintf("%s=%.60q", field, values)
	f.reflects(t, what, a)
	if headers != nil { // no form was sent: every field is missing
		if a.status < http.StatusBadRequest {
			t.Errorf("as %s: %d %s", headers["Content-Type"], a.status, a.body)
		}
		return
	}
	said := a.body + a.header.Get("Location")
	if a.status != want.status || !strings.Contains(strings.ReplaceAll(said, "&#34;", `"`), want.text) {
		t.Errorf("%s: %d %s %.300s, want %d and %q", what, a.status, a.header.Get("Location"), a.body, want.status, want.text)
	}
}

// reflects looks for markup that is markup, and for another address than the registered one.
func (f oauthForm) reflects(t *testing.T, what string, a answer) {
	t.Helper()
	if strings.Contains(a.body, "<script") && !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Errorf("%s: the page repeats markup: %s", what, a.body)
	}
	if to := a.header.Get("Location"); to != "" && to != callback && !strings.HasPrefix(to, callback+"?") {
		t.Errorf("%s: leads to %s", what, to)
	}
	for name := range a.header {
		if name == "Refresh" || slices.ContainsFunc(a.header[name], func(v string) bool { return strings.Contains(v, elsewhere) }) {
			t.Errorf("%s: the header %s is %q", what, name, a.header[name])
		}
	}
}
