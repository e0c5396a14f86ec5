package federated

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/federated/issuertest"
	"github.com/longshore-registry/longshore/internal/outbound"
	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	audience = "registry.example"
	subject  = "repo:acme/app:ref:refs/heads/main"
)

// rig is a verifier, with a clock that stands still, and the issuer that its one rule trusts.
type rig struct {
	*Verifier
	issuer *issuertest.Issuer
	rules  []identity.TrustRule
	now    time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{issuer: issuertest.Start(t), now: time.Now().Truncate(time.Second)}
	r.rules = []identity.TrustRule{{Issuer: r.issuer.URL, Subject: subject}}
	r.Verifier = New(Options{
		Client: outbound.Bounded(outbound.New([]string{"127.0.0.1"}, nil).Client(10*time.Second), 1<<20), Audiences: []string{audience, "https://" + audience},
		Clock: func() time.Time { return r.now },
	})
	return r
}

// claims are right ones, with changes; a nil value takes a claim away.
func (r *rig) claims(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": r.issuer.URL, "sub": subject, "aud": audience, "iat": r.now.Unix(), "nbf": r.now.Unix(), "exp": r.now.Add(5 * time.Minute).Unix(),
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func (r *rig) sign(t *testing.T, changes map[string]any) string {
	t.Helper()
	return r.issuer.Sign(t, r.claims(changes))
}

func (r *rig) accepted(t *testing.T, token string) {
	t.Helper()
	if rule, err := r.Verify(t.Context(), token, r.rules); err != nil || rule != r.rules[0] {
		t.Errorf("the token was not accepted: %+v, %v", rule, err)
	}
}

// refused holds a token to be refused, and the reason to be for the caller or for the log alone.
func (r *rig) refused(t *testing.T, token string, told bool) {
	t.Helper()
	_, err := r.Verify(t.Context(), token, r.rules)
	if !problem.Is(err, problem.Unauthenticated) || problem.HasCode(err, identity.Unproven) == told {
		t.Errorf("the refusal is %v, told: %v", err, told)
	}
}

func TestTokensThatAreAccepted(t *testing.T) {
	r := newRig(t)
	for name, changes := range map[string]map[string]any{
		"for the registry's name":        nil,
		"for its address":                {"aud": "https://" + audience},
		"for several services":           {"aud": []string{"other", audience}},
		"without a beginning":            {"nbf": nil},
		"from a clock that is ahead":     {"iat": r.now.Unix() + 30, "nbf": r.now.Unix() + 30},
		"from a clock that is behind":    {"exp": r.now.Unix() - 29},
		"with claims nobody asked about": {"email": "x@example.com", "_claim_names": map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) { r.accepted(t, r.sign(t, changes)) })
	}
}

func TestTheIssuersOwnTokensThatAreRefusedWithAReason(t *testing.T) {
	r := newRig(t)
	for name, changes := range map[string]map[string]any{
		"for another service":         {"aud": "other.example"},
		"for a name that begins so":   {"aud": audience + ".evil.example"},
		"for nobody":                  {"aud": nil},
		"expired":                     {"exp": r.now.Unix() - 30},
		"without an end":              {"exp": nil},
		"issued in the future":        {"iat": r.now.Unix() + 31},
		"that begin to be good later": {"nbf": r.now.Unix() + 31},
	} {
		t.Run(name, func(t *testing.T) { r.refused(t, r.sign(t, changes), true) })
	}
}

func TestTokensThatProveNothing(t *testing.T) {
	r := newRig(t)
	other := issuertest.Start(t)
	good := r.sign(t, nil)
	parts := strings.Split(good, ".")
	encode := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	secret := func(key []byte, header map[jose.HeaderKey]any) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
		if err != nil {
			t.Fatal(err)
		}
		payload, _ := json.Marshal(r.claims(nil))
		signed, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		token, _ := signed.CompactSerialize()
		return token
	}
	for name, token := range map[string]string{
		"nothing":                               "",
		"a robot's secret":                      strings.Repeat("A", 64),
		"two parts":                             parts[0] + "." + parts[1],
		"no signature":                          parts[0] + "." + parts[1] + ".",
		"alg none":                              encode(map[string]any{"alg": "none"}) + "." + parts[1] + ".",
		"alg none with the signature kept":      encode(map[string]any{"alg": "none"}) + "." + parts[1] + "." + parts[2],
		"HS256 with the published key":          secret(r.issuer.PublicKey(t), nil),
		"HS256 under the published kid":         secret(r.issuer.PublicKey(t), map[jose.HeaderKey]any{"kid": "1"}),
		"other claims under the signature":      parts[0] + "." + encode(r.claims(map[string]any{"exp": r.now.Unix() + 9999})) + "." + parts[2],
		"another issuer's signature":            other.Sign(t, r.claims(nil)),
		"another issuer, whom no rule trusts":   other.Sign(t, r.claims(map[string]any{"iss": other.URL})),
		"another subject":                       r.sign(t, map[string]any{"sub": "repo:evil/app:ref:refs/heads/main"}),
		"a subject that begins like the rule's": r.sign(t, map[string]any{"sub": subject + "-x"}),
		"an issuer with a slash more":           r.sign(t, map[string]any{"iss": r.issuer.URL + "/"}),
		"no subject":                            r.sign(t, map[string]any{"sub": nil}),
		"claims that are no object":             parts[0] + "." + encode([]string{}) + "." + parts[2],
		"more than 16 KiB":                      r.sign(t, map[string]any{"x": strings.Repeat("x", maxToken)}),
	} {
		t.Run(name, func(t *testing.T) { r.refused(t, token, false) })
	}
	r.accepted(t, good)
}

// TestAKeyInATokenIsNotLookedAt signs with a key that the token brings along, under the issuer's kid.
func TestAKeyInATokenIsNotLookedAt(t *testing.T) {
	r, thief := newRig(t), issuertest.Start(t)
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(thief.PublicKey(t), &jwk); err != nil {
		t.Fatal(err)
	}
	signed := strings.Split(thief.Sign(t, r.claims(nil)), ".")
	header, _ := json.Marshal(map[string]any{"alg": "ES256", "kid": "1", "jwk": jwk, "jku": thief.URL + "/keys"})
	r.refused(t, base64.RawURLEncoding.EncodeToString(header)+"."+signed[1]+"."+signed[2], false)
	if thief.Requests() != 0 {
		t.Error("the address of keys in a token was called")
	}
}

func TestNobodyIsAskedBeforeARuleMatches(t *testing.T) {
	r := newRig(t)
	r.refused(t, r.sign(t, map[string]any{"sub": "somebody else"}), false)
	if n := r.issuer.Requests(); n != 0 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

func TestKeysAreReadOnceAndAgainWhenTheyDoNotSuffice(t *testing.T) {
	r := newRig(t)
	for range 3 {
		r.accepted(t, r.sign(t, nil))
	}
	if n := r.issuer.Requests(); n != 2 { // discovery and keys
		t.Errorf("the issuer was asked %d times, want 2", n)
	}
	r.issuer.Rotate(t)
	for range 5 { // within the gap tokens of an unknown key cost the issuer nothing
		r.refused(t, r.sign(t, nil), false)
	}
	if n := r.issuer.Requests(); n != 2 {
		t.Errorf("the issuer was asked %d times within the gap, want 2", n)
	}
	r.now = r.now.Add(readGap)
	r.accepted(t, r.sign(t, nil))
	if n := r.issuer.Requests(); n != 4 {
		t.Errorf("the issuer was asked %d times, want 4", n)
	}
}

func TestAnIssuerThatIsAwayKeepsItsKeysForAnHour(t *testing.T) {
	r := newRig(t)
	r.accepted(t, r.sign(t, nil))
	r.issuer.SetAway(true)
	r.now = r.now.Add(keysLast - time.Second)
	r.accepted(t, r.sign(t, nil))
	r.now = r.now.Add(readGap)
	r.refused(t, r.sign(t, nil), false)
	asked := r.issuer.Requests()
	r.refused(t, r.sign(t, nil), false)
	if r.issuer.Requests() != asked {
		t.Error("an issuer that is away was asked again at once")
	}
	r.issuer.SetAway(false)
	r.now = r.now.Add(readGap)
	r.accepted(t, r.sign(t, nil))
}

func TestDiscoveryThatIsNotTheIssuers(t *testing.T) {
	t.Run("it names another issuer", func(t *testing.T) {
		r := newRig(t)
		r.issuer.Claim("https://accounts.example")
		r.refused(t, r.sign(t, nil), false)
	})
	t.Run("its keys are larger than allowed", func(t *testing.T) {
		r := newRig(t)
		r.issuer.KeysAt(serve(t, `{"keys":[],"x":"`+strings.Repeat("x", 1<<20)+`"}`))
		r.refused(t, r.sign(t, nil), false)
	})
	t.Run("it has more keys than allowed", func(t *testing.T) {
		r := newRig(t)
		key := string(r.issuer.PublicKey(t))
		r.issuer.KeysAt(serve(t, `{"keys":[`+strings.Repeat(key+",", maxKeys)+key+`]}`))
		r.refused(t, r.sign(t, nil), false)
	})
	t.Run("keys of unknown kinds beside the right one do no harm", func(t *testing.T) {
		r := newRig(t)
		r.issuer.KeysAt(serve(t, `{"keys":[{"kty":"new","kid":"1"},{"kty":"oct","k":"AAAA","kid":"1"},`+string(r.issuer.PublicKey(t))+`]}`))
		r.accepted(t, r.sign(t, nil))
	})
	t.Run("a key for encryption signs nothing", func(t *testing.T) {
		r := newRig(t)
		r.issuer.KeysAt(serve(t, `{"keys":[`+strings.Replace(string(r.issuer.PublicKey(t)), `"use":"sig"`, `"use":"enc"`, 1)+`]}`))
		r.refused(t, r.sign(t, nil), false)
	})
}

func serve(t *testing.T, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, body) }))
	t.Cleanup(s.Close)
	return s.URL
}

func TestInnerIssuersAreNotCalled(t *testing.T) {
	r := newRig(t)
	r.Verifier = New(Options{Client: outbound.New(nil, nil).Client(10 * time.Second), Audiences: []string{audience}, Clock: func() time.Time { return r.now }})
	r.refused(t, r.sign(t, nil), false)
	if n := r.issuer.Requests(); n != 0 {
		t.Errorf("an inner address was called %d times", n)
	}
}
