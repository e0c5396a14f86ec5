package app

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/bearer"
)

// forger makes tokens that look like the registry's own.
type forger struct {
	good    string // a token that is accepted
	header  map[string]any
	payload map[string]any
	key     *ecdsa.PrivateKey
	jwk     []byte // the registry's public key, as it is published
}

func newForger(t *testing.T, x *target) *forger {
	t.Helper()
	f := &forger{good: x.tokenOf(t, "alice", "alice/app")}
	parts := strings.Split(f.good, ".")
	for i, into := range []*map[string]any{&f.header, &f.payload} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if f.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	f.jwk = x.must(t, attack{method: "GET", path: fmt.Sprintf("/keys/services/quay/keys/%s", f.header["kid"])}, 200).body
	return f
}

// with gives a copy of a header or payload with members set; a nil value takes one away.
func with(m map[string]any, members ...any) map[string]any {
	c := map[string]any{}
	for k, v := range m {
		c[k] = v
	}
	for i := 0; i < len(members); i += 2 {
		c[members[i].(string)] = members[i+1]
		if members[i+1] == nil {
			delete(c, members[i].(string))
		}
	}
	return c
}

func encoded(v any) string {
	b, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(b)
}

// es256 signs with the forger's key, hs256 with any bytes.
func (f *forger) es256(t *testing.T, header, payload map[string]any) string {
	t.Helper()
	text := encoded(header) + "." + encoded(payload)
	sum := crypto.SHA256.New()
	sum.Write([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, f.key, sum.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func hs256(header, payload map[string]any, key []byte) string {
	text := encoded(with(header, "alg", "HS256")) + "." + encoded(payload)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// ownJWK is the forger's public key.
func (f *forger) ownJWK() map[string]any {
	number := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, 32))) }
	return map[string]any{"kty": "EC", "crv": "P-256", "x": number(f.key.X), "y": number(f.key.Y)}
}

// earlier gives a token that was rightly issued some time ago.
func (x *target) earlier(t *testing.T, ago time.Duration, c bearer.Claims) string {
	t.Helper()
	a, err := bearer.New(t.Context(), bearer.Options{DB: x.parts.db, DatabaseSecretKey: "canary-database-secret-key", Clock: func() time.Time { return time.Now().Add(-ago) }})
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := a.Issue(c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestForgedTokensAreRefused(t *testing.T) {
	eachTarget(t, func(t *testing.T, x *target) []attack {
		f := newForger(t, x)
		parts := strings.Split(f.good, ".")
		alice, err := x.parts.identity.Account(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		claims := bearer.Claims{Subject: "alice", Audience: abuseHost, Credential: identity.Password, Reference: alice.UUID, AccessRev: alice.AccessRev,
			Access: []bearer.Access{{Type: "repository", Name: "alice/app", Actions: []string{"push", "pull"}}}}
		none := encoded(with(f.header, "alg", "none")) + "." + parts[1] + "."
		var pem []byte
		for _, k := range []string{"x", "y"} {
			var jwk map[string]string
			_ = json.Unmarshal(f.jwk, &jwk)
			b, _ := base64.RawURLEncoding.DecodeString(jwk[k])
			pem = append(pem, b...)
		}
		tokens := map[string]string{
			"nothing": "", "no token": "abc", "two parts": parts[0] + "." + parts[1], "four parts": f.good + ".x", "five parts, an encrypted one": f.good + ".x.y",
			"without its signature": parts[0] + "." + parts[1] + ".", "cut by a byte": f.good[:len(f.good)-1], "with padding": f.good + "==", "with a line break inside": parts[0] + "\t." + parts[1] + "." + parts[2],
			"another payload under the signature": parts[0] + "." + encoded(with(f.payload, "sub", "mallory")) + "." + parts[2],
			"alg none":                            none, "alg None": strings.Replace(none, encoded(with(f.header, "alg", "none")), encoded(with(f.header, "alg", "None")), 1),
			"alg none with the signature kept":        none + parts[2],
			"HS256 with the published key's text":     hs256(f.header, f.payload, f.jwk),
			"HS256 with the published key's point":    hs256(f.header, f.payload, pem),
			"HS256 with an empty key":                 hs256(f.header, f.payload, nil),
			"another key under the right kid":         f.es256(t, f.header, f.payload),
			"an embedded key":                         f.es256(t, with(f.header, "jwk", f.ownJWK()), f.payload),
			"an embedded key without kid":             f.es256(t, with(f.header, "jwk", f.ownJWK(), "kid", nil), f.payload),
			"an address of keys":                      f.es256(t, with(f.header, "jku", "http://127.0.0.1:1/keys"), f.payload),
			"an address of certificates":              f.es256(t, with(f.header, "x5u", "http://127.0.0.1:1/"), f.payload),
			"an embedded certificate":                 f.es256(t, with(f.header, "x5c", []string{"AAAA"}), f.payload),
			"a critical extension":                    f.es256(t, with(f.header, "crit", []string{"b64"}, "b64", false), f.payload),
			"a compressed payload":                    f.es256(t, with(f.header, "zip", "DEF"), f.payload),
			"an unknown kid":                          f.es256(t, with(f.header, "kid", "none-such"), f.payload),
			"a kid that is a path":                    f.es256(t, with(f.header, "kid", "../../../../dev/null"), f.payload),
			"a kid that is SQL":                       f.es256(t, with(f.header, "kid", "' OR '1'='1"), f.payload),
			"a kid with NUL":                          f.es256(t, with(f.header, "kid", "a\x00b"), f.payload),
			"a kid that is a number":                  f.es256(t, with(f.header, "kid", 1), f.payload),
			"another type":                            f.es256(t, with(f.header, "typ", "at+jwt"), f.payload),
			"RS256 by name":                           f.es256(t, with(f.header, "alg", "RS256"), f.payload),
			"alg in lower case":                       f.es256(t, with(f.header, "alg", "es256"), f.payload),
			"ES384 by name":                           f.es256(t, with(f.header, "alg", "ES384"), f.payload),
			"a signature of zeros":                    parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
			"a header of 2 KiB":                       f.es256(t, with(f.header, "x", strings.Repeat("x", 2048)), f.payload),
			"one for another service":                 x.newToken(t, "alice", "alice/app", "other.example"),
			"one for a service with this one as part": x.newToken(t, "alice", "alice/app", abuseHost+",other.example"),
			"one of an hour ago":                      x.earlier(t, time.Hour+31*time.Second, claims),
			"one of tomorrow":                         x.earlier(t, -24*time.Hour, claims),
			"the robot's own secret":                  x.robot,
			"the session's cookie":                    x.session.cookie,
		}
		stale := claims
		stale.AccessRev++
		tokens["one from before the password changed"] = x.earlier(t, 0, stale)
		nobody := claims
		nobody.Reference = "00000000-0000-4000-8000-000000000000"
		tokens["one for an account that is gone"] = x.earlier(t, 0, nobody)
		var rows []attack
		for name, token := range tokens {
			rows = append(rows, attack{name: name, method: "PUT", path: "/v2/alice/app/manifests/evil", body: "{}", header: []string{"Authorization: Bearer " + token}, status: 401, code: "UNAUTHORIZED"},
				attack{name: name + " on the API", method: "DELETE", path: "/api/v1/repository/alice/app", header: []string{"Authorization: Bearer " + token}, status: 403, code: "error"})
			if len(token) > 40 {
				x.secrets = append(x.secrets, token)
			}
		}
		for name, header := range map[string][]string{
			"a password on /v2":              {"Authorization: " + x.basic("alice")},
			"two Authorization headers":      {"Authorization: Bearer " + f.good, "Authorization: Bearer " + f.good},
			"a token in the query":           {},
			"the word bearer alone":          {"Authorization: Bearer"},
			"another scheme":                 {"Authorization: Token " + f.good},
			"two tokens in one header":       {"Authorization: Bearer " + f.good + ", Bearer " + f.good},
			"a proxy's header":               {"Proxy-Authorization: Bearer " + f.good},
			"a forwarded user":               {"X-Remote-User: alice", "X-Forwarded-User: alice", "Remote-User: alice"},
			"a method override":              {"X-HTTP-Method-Override: GET"},
			"a path override":                {"X-Original-URL: /v2/", "X-Rewrite-URL: /v2/"},
			"a session's cookie on /v2":      {"Cookie: _csrf_token=" + x.session.cookie, "X-CSRF-Token: " + x.session.csrf},
			"a token with a blank before it": {"Authorization:  \t Basic Bearer " + f.good},
		} {
			rows = append(rows, attack{name: name, method: "PUT", path: "/v2/alice/app/manifests/evil?access_token=" + f.good, body: "{}", header: header, status: 401, code: "UNAUTHORIZED"})
		}
		return rows
	})
}

func TestTheTokenEndpointUnderAbuse(t *testing.T) {
	eachTarget(t, func(_ *testing.T, x *target) []attack {
		var rows []attack
		add := func(name, method, query string, status int, code string, header ...string) {
			rows = append(rows, attack{name: name, method: method, path: "/v2/auth?service=" + abuseHost + query, header: header, status: status, code: code})
		}
		basic := func(pair string) string {
			return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
		}
		alice := "Authorization: " + x.basic("alice")
		add("nobody without a scope", "GET", "", 401, "UNAUTHORIZED")
		add("nobody with an empty scope", "GET", "&scope=", 401, "UNAUTHORIZED")
		for name, pair := range map[string]string{
			"an unknown user": "nobody:canary-x", "a wrong password": "mallory:canary-x", "no password": "mallory:", "no user": ":canary-x", "no colon": "mallory",
			"NUL in the user": "mal\x00lory:canary-x", "no UTF-8 in the user": "mal\xfflory:canary-x", "NUL in the password": "mallory2:\x00" + malloryPasswd,
			"a user of 20 kB": strings.Repeat("u", 20_000) + ":canary-x", "a line break in the user": "mallory\r\nX-Evil: 1:canary-x", "SQL": "' OR 1=1 --:canary-x",
			"LDAP": "*)(uid=*:canary-x", "an organization": "acme:canary-x", "the user in upper case": "MALLORY:" + malloryPasswd, "the user with a blank": "mallory :" + malloryPasswd,
			"an unknown robot": "alice+none:canary-x", "a wrong robot token": "alice+bot:canary-x", "a robot of nobody": "+:canary-x", "a robot with NUL": "alice+bot\x00:" + x.robot,
			"a robot in a robot": "alice+bot+bot:" + x.robot, "a robot of another": "mallory+bot:" + x.robot, "a robot with no UTF-8": "alice+\xff:x",
			"no application token": "$app:", "a wrong application token": "$app:" + strings.Repeat("C", 120), "an application token with NUL": "$app:" + strings.Repeat("\x00", 120),
			"a wrong OAuth token": "$oauthtoken:" + strings.Repeat("C", 40), "an OAuth token with no UTF-8": "$oauthtoken:" + strings.Repeat("\xff", 40),
			"a wrong access token": "$token:" + strings.Repeat("C", 64), "an access token with NUL": "$token:" + strings.Repeat("\x00", 64), "an unknown $": "$root:canary-x",
		} {
			add(name, "GET", "&scope=repository:alice/app:pull", 401, "UNAUTHORIZED", basic(pair))
		}
		add("no base64", "GET", "", 401, "UNAUTHORIZED", "Authorization: Basic ////")
		add("a bearer token", "GET", "", 401, "UNAUTHORIZED", "Authorization: Bearer abc")
		for _, scope := range []string{"x", "repository:", "repository:alice/app", "repository::pull", "repository:alice/app:", "repository:alice/app:PULL", "repository:alice//app:pull",
			"repository(plugin):alice/app:pull", "registry:x:*", "repository:alice%2Fapp:pull%00", "repository:%ff/app:pull", "repository:" + strings.Repeat("a/", 3000) + "a:pull,,"} {
			add(fmt.Sprintf("the scope %.30q", scope), "GET", "&scope="+scope, 400, "INVALID_REQUEST", alice)
		}
		add("a scope of a name that is none", "GET", "&scope=repository:Alice/app:pull", 400, "NAME_INVALID", alice)
		add("a scope of dots", "GET", "&scope=repository:../..:pull", 400, "NAME_INVALID", alice)
		add("65 scopes", "GET", strings.Repeat("&scope=repository:alice/app:pull", 65), 400, "INVALID_REQUEST", alice)
		add("65 scopes in one parameter", "GET", "&scope="+strings.Repeat("repository:alice/app:pull+", 65), 400, "INVALID_REQUEST", alice)
		add("a POST", "POST", "", 405, "UNSUPPORTED", alice)
		add("a service that is no text", "GET", "&service=%ff%00", 200, "", alice)
		add("a query that is none", "GET", "&%zz&;", 200, "", alice)
		for _, r := range []struct{ name, scope, says string }{
			{"a foreign repository", "repository:alice/app:push,pull,*", `"actions":[]`}, {"a missing repository in a foreign namespace", "repository:alice/none:push,pull,*", `"actions":[]`},
			{"a repository in no namespace", "repository:none-such/x:push,pull,*", `"actions":[]`}, {"the own one", "repository:mallory/own:delete", `"actions":[]`},
		} {
			rows = append(rows, attack{name: "grants nothing on " + r.name, method: "GET", path: "/v2/auth?service=" + abuseHost + "&scope=" + r.scope, header: []string{"Authorization: " + x.basic("mallory")}, status: 200})
		}
		return rows
	})
}

// TestATokenForNothingGrantsNothing looks into the tokens that mallory gets for what is not hers.
// TestALongNameIsCutInTheAnswer, whatever kind of name it is taken for.
func TestALongNameIsCutInTheAnswer(t *testing.T) {
	x := startTarget(t, dbtest.SQLite, nil)
	for _, name := range []string{strings.Repeat("a", 20_000), "alice+" + strings.Repeat("b", 20_000), strings.Repeat("a", 20_000) + "@example.org"} {
		header := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(name+":canary-x"))
		if r := x.must(t, attack{method: "GET", path: "/v2/auth", header: []string{header}}, 401); len(r.body) > 1000 || !strings.Contains(string(r.body), "UNAUTHORIZED") {
			t.Errorf("%.20s…: an answer of %d bytes: %.200s", name, len(r.body), r.body)
		}
	}
}

func TestATokenForNothingGrantsNothing(t *testing.T) {
	eachTarget(t, func(t *testing.T, x *target) []attack {
		for _, scope := range []string{"alice/app", "alice/none", "none-such/x", "acme/x"} {
			token := x.newToken(t, "mallory", scope, abuseHost)
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
			if err != nil || !strings.Contains(string(payload), `"actions":[]`) {
				t.Errorf("mallory's token for %s says %s", scope, payload)
			}
		}
		return nil
	})
}
