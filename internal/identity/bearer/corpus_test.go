package bearer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity/federated/issuertest"
)

// forgery is a token made by hand, from the parts of a right one.
type forgery struct {
	header, payload map[string]any
	private         *ecdsa.PrivateKey
}

// genuine gives the parts of a token that a would accept.
func genuine(t testing.TB, a *Authority) forgery {
	t.Helper()
	var sealed string
	err := a.db.QueryRow(t.Context(), `SELECT private_key FROM service_key WHERE kid = $1`, a.current.kid).Scan(&sealed)
	if err != nil {
		t.Fatal(err)
	}
	private, err := a.unseal(sealed)
	if err != nil {
		t.Fatal(err)
	}
	now := a.options.Clock().Unix()
	return forgery{
		header: map[string]any{"alg": "ES256", "typ": "JWT", "kid": a.current.kid},
		payload: map[string]any{
			"iss": "quay", "aud": audience, "sub": "alice", "nbf": now, "iat": now, "exp": now + 3600, "jti": "id",
			"access":  []any{map[string]any{"type": "repository", "name": "acme/app", "actions": []any{"push", "pull"}}},
			"context": map[string]any{"version": 2, "entity_kind": "user", "entity_reference": "uuid", "kind": "user", "access_rev": 1},
		},
		private: private,
	}
}

func encode(t testing.TB, v any) string {
	t.Helper()
	raw, ok := v.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func (f forgery) input(t testing.TB) string { return encode(t, f.header) + "." + encode(t, f.payload) }

// sign makes the ES256 signature of RFC 7518, whatever the header says.
func (f forgery) sign(t testing.TB) string {
	t.Helper()
	return f.input(t) + "." + encode(t, signES256(t, f.private, f.input(t)))
}

func signES256(t testing.TB, private *ecdsa.PrivateKey, input string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signature
}

// forge signs with a new key under its own id, changed by change.
func forge(t testing.TB, a *Authority, change func(*forgery)) string {
	t.Helper()
	f := genuine(t, a)
	kid, private, _, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	f.private, f.header["kid"] = private, kid
	if change != nil {
		change(&f)
	}
	return f.sign(t)
}

func TestAGenuineTokenMadeByHandIsAccepted(t *testing.T) {
	a := newAuthority(t, dbtest.Open(t, dbtest.SQLite), newClock())
	if _, err := a.Verify(t.Context(), genuine(t, a).sign(t), audience); err != nil {
		t.Error(err)
	}
}

// Each entry changes one thing about a token that is signed with the right key.
func TestTokensWithWrongClaimsOrHeadersAreRefused(t *testing.T) {
	a := newAuthority(t, dbtest.Open(t, dbtest.SQLite), newClock())
	now := a.options.Clock().Unix()
	own, err := json.Marshal(jose.JSONWebKey{Key: genuine(t, a).private.Public(), KeyID: a.current.kid})
	if err != nil {
		t.Fatal(err)
	}
	header := func(name string, value any) func(forgery) { return func(f forgery) { f.header[name] = value } }
	claim := func(name string, value any) func(forgery) { return func(f forgery) { f.payload[name] = value } }
	noClaim := func(name string) func(forgery) { return func(f forgery) { delete(f.payload, name) } }
	context := func(name string, value any) func(forgery) {
		return func(f forgery) { f.payload["context"].(map[string]any)[name] = value }
	}
	for name, change := range map[string]func(forgery){
		"algorithm none":              header("alg", "none"),
		"algorithm None":              header("alg", "None"),
		"no algorithm":                func(f forgery) { delete(f.header, "alg") },
		"algorithm HS256":             header("alg", "HS256"),
		"algorithm RS256":             header("alg", "RS256"),
		"algorithm ES384":             header("alg", "ES384"),
		"algorithm PS256":             header("alg", "PS256"),
		"algorithm a list":            header("alg", []string{"ES256"}),
		"type at+jwt":                 header("typ", "at+jwt"),
		"no type":                     func(f forgery) { delete(f.header, "typ") },
		"no key id":                   func(f forgery) { delete(f.header, "kid") },
		"key id empty":                header("kid", ""),
		"key id a path":               header("kid", "../../../../etc/passwd"),
		"key id an address":           header("kid", "https://evil.example/key"),
		"key id with SQL":             header("kid", "' OR 1=1 --"),
		"key id unknown":              header("kid", strings.Repeat("ab", 32)),
		"key id in capitals":          func(f forgery) { f.header["kid"] = strings.ToUpper(f.header["kid"].(string)) },
		"embedded own key":            header("jwk", json.RawMessage(own)),
		"certificate chain":           header("x5c", []string{"AAAA"}),
		"address of keys":             header("jku", "https://evil.example/keys"),
		"address of a certificate":    header("x5u", "https://evil.example/cert"),
		"critical extension":          header("crit", []string{"exp"}),
		"unencoded payload":           header("b64", false),
		"nested":                      header("cty", "JWT"),
		"compressed":                  header("zip", "DEF"),
		"oversized header":            header("kid", strings.Repeat("a", maxHeader)),
		"another issuer":              claim("iss", "quay.io"),
		"issuer in capitals":          claim("iss", "Quay"),
		"no issuer":                   noClaim("iss"),
		"another audience":            claim("aud", "other.example.com"),
		"a list of audiences":         claim("aud", []string{audience, "other.example.com"}),
		"no audience":                 noClaim("aud"),
		"expired":                     func(f forgery) { f.payload["iat"], f.payload["nbf"], f.payload["exp"] = now-3700, now-3700, now-100 },
		"not valid yet":               func(f forgery) { f.payload["iat"], f.payload["nbf"], f.payload["exp"] = now+31, now+31, now+100 },
		"no end":                      noClaim("exp"),
		"end before start":            claim("exp", now-1),
		"too long":                    claim("exp", now+3661),
		"far too long":                claim("exp", int64(1)<<62),
		"overflowing":                 func(f forgery) { f.payload["iat"], f.payload["nbf"] = -(int64(1) << 62), -(int64(1) << 62) },
		"end a string":                claim("exp", "tomorrow"),
		"start after issue":           claim("nbf", now+1),
		"no issue":                    noClaim("iat"),
		"no id":                       noClaim("jti"),
		"no context":                  noClaim("context"),
		"context of version 1":        context("version", 1),
		"unknown entity":              context("entity_kind", "superuser"),
		"a user without reference":    context("entity_reference", ""),
		"an anonymous with reference": context("entity_kind", "anonymous"),
		"access no list":              claim("access", "repository:acme/app:push"),
		"payload of another kind":     func(f forgery) { clear(f.payload) },
		"revision no number":          context("access_rev", "1"),
	} {
		t.Run(name, func(t *testing.T) {
			f := genuine(t, a)
			change(f)
			token := f.sign(t)
			for range 2 { // refusals are not cached as something else
				wantRefusal(t, a, token, audience, "The bearer token ")
			}
		})
	}
}

// Each entry is signed by somebody else, or not at all.
func TestTokensOfOthersAreRefused(t *testing.T) {
	a := newAuthority(t, dbtest.Open(t, dbtest.SQLite), newClock())
	right := genuine(t, a)
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := json.Marshal(jose.JSONWebKey{Key: right.private.Public()})
	if err != nil {
		t.Fatal(err)
	}
	foreignJWK, err := json.Marshal(jose.JSONWebKey{Key: foreign.Public(), KeyID: a.current.kid})
	if err != nil {
		t.Fatal(err)
	}
	with := func(header map[string]any, private *ecdsa.PrivateKey) string {
		f := forgery{header: maps.Clone(right.header), payload: right.payload, private: private}
		maps.Copy(f.header, header)
		return f.sign(t)
	}
	input := right.input(t)
	unsigned := encode(t, map[string]any{"alg": "none", "typ": "JWT", "kid": a.current.kid}) + "." + encode(t, right.payload)
	hs := encode(t, map[string]any{"alg": "HS256", "typ": "JWT", "kid": a.current.kid}) + "." + encode(t, right.payload)
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(hs))
	genuineToken := right.sign(t)
	parts := strings.Split(genuineToken, ".")
	for name, token := range map[string]string{
		"foreign key under our id":      with(nil, foreign),
		"foreign key, embedded":         with(map[string]any{"jwk": json.RawMessage(foreignJWK)}, foreign),
		"unknown key under its own id":  forge(t, a, nil),
		"no signature":                  input + ".",
		"signature of zeros":            input + "." + encode(t, make([]byte, 64)),
		"signature too short":           input + "." + encode(t, make([]byte, 63)),
		"signature too long":            genuineToken + "AAAA",
		"alg none without signature":    unsigned + ".",
		"HMAC with the public key":      hs + "." + encode(t, mac.Sum(nil)),
		"RSA":                           signedRSA(t, a),
		"payload changed":               parts[0] + "." + encode(t, map[string]any{"iss": "quay"}) + "." + parts[2],
		"header of another":             encode(t, map[string]any{"alg": "ES256", "typ": "JWT", "kid": a.current.kid, "x": 1}) + "." + parts[1] + "." + parts[2],
		"two parts":                     parts[0] + "." + parts[1],
		"four parts":                    genuineToken + ".AAAA",
		"five parts, as encryption has": genuineToken + ".AAAA.AAAA",
		"JSON serialization":            `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"with padding":                  parts[0] + "=." + parts[1] + "." + parts[2],
		"with a line break":             genuineToken + "\n",
		"empty":                         "",
		"dots":                          "..",
		"no token":                      "Bearer",
		"with a NUL":                    parts[0] + "\x00." + parts[1] + "." + parts[2],
		"oversized":                     parts[0] + "." + strings.Repeat("A", maxToken) + "." + parts[2],
		"oversized header":              strings.Repeat("A", maxHeader+1) + "." + parts[1] + "." + parts[2],
	} {
		t.Run(name, func(t *testing.T) { wantRefusal(t, a, token, audience, "The bearer token ") })
	}
}

func signedRSA(t *testing.T, a *Authority) string {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return issuertest.Sign(t, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: a.current.kid}}, genuine(t, a).payload)
}

// A key that somebody has registered for our service name, approved or not, is no key of ours.
func TestRegisteredKeysSignNoRegistryTokens(t *testing.T) {
	a := newAuthority(t, dbtest.Open(t, dbtest.SQLite), newClock())
	kid, private, jwk, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"quay", "scanner"} {
		_, err = a.db.Exec(t.Context(), `INSERT INTO service_key (kid, service, jwk, created_ms, approved_ms) VALUES ($1, $2, $3, 1, 1)
			ON CONFLICT (kid) DO UPDATE SET service = excluded.service, private_key = 'x'`, kid, service, string(jwk))
		if err != nil {
			t.Fatal(err)
		}
		a.keys.Drop()
		token := forge(t, a, func(f *forgery) { f.private, f.header["kid"] = private, kid })
		wantRefusal(t, a, token, audience, "unknown or expired key")
	}
}
