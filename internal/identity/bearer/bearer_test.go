package bearer

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

func TestIssuedTokensAreVerifiedHereAndElsewhere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newClock()
		a, other := newAuthority(t, d, c), newAuthority(t, d, c)
		for _, claims := range []Claims{
			robotClaims(),
			{Subject: "(anonymous)", Audience: audience, Access: []Access{}},
			{Subject: "alice", Audience: audience, Credential: identity.Password, Reference: "uuid", AccessRev: 1, Access: []Access{}},
			{Subject: "alice", Audience: audience, Credential: identity.AppToken, Reference: "uuid", Access: []Access{}},
			{Subject: "alice", Audience: audience, Credential: identity.OAuthToken, Reference: "uuid", Access: []Access{}},
			{Audience: audience, Credential: identity.AccessToken, Reference: "LOOKUP", Access: []Access{}},
		} {
			token, lifetime, err := a.Issue(claims)
			if err != nil || lifetime != time.Hour {
				t.Fatalf("lifetime %s: %v", lifetime, err)
			}
			claims.IssuedAt, claims.Expires = c.Now(), c.Now().Add(time.Hour)
			for name, verifier := range map[string]*Authority{"issuer": a, "other": other, "other again": other} {
				got, err := verifier.Verify(t.Context(), token, audience)
				if err != nil || !cmp.Equal(got, claims) {
					t.Errorf("%s: %v\n%s", name, err, cmp.Diff(claims, got))
				}
			}
		}
	})
}

// The payload is what Quay's own tokens hold, with the revision and an id of the token added.
func TestThePayloadIsQuays(t *testing.T) {
	c := newClock()
	a := newAuthority(t, dbtest.Open(t, dbtest.SQLite), c)
	parts := strings.Split(issue(t, a, robotClaims()), ".")
	var head, got map[string]any
	for i, into := range []*map[string]any{&head, &got} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	if want := map[string]any{"alg": "ES256", "typ": "JWT", "kid": a.current.kid}; !cmp.Equal(head, want) {
		t.Error(cmp.Diff(want, head))
	}
	if id, _ := got["jti"].(string); len(id) != 36 {
		t.Errorf("jti %q", id)
	}
	delete(got, "jti")
	now := float64(c.Now().Unix())
	want := map[string]any{
		"iss": "quay", "aud": audience, "sub": "acme+ci", "nbf": now, "iat": now, "exp": now + 3600,
		"access": []any{
			map[string]any{"type": "repository", "name": "acme/app", "actions": []any{"push", "pull"}},
			map[string]any{"type": "repository", "name": "acme/other/deep", "actions": []any{}},
		},
		"context": map[string]any{
			"version": 2.0, "entity_kind": "robot", "entity_reference": "acme+ci", "kind": "user", "user": "acme+ci",
			"com.apostille.root": "$disabled", "access_rev": 7.0,
			"com.apostille.roots": map[string]any{"acme/app": "$disabled", "acme/other/deep": "$disabled"},
		},
	}
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestSubjectIsNullForAccessTokens(t *testing.T) {
	a := newAuthority(t, dbtest.Open(t, dbtest.SQLite), newClock())
	token := issue(t, a, Claims{Audience: audience, Credential: identity.AccessToken, Reference: "LOOKUP"})
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil || !strings.Contains(string(raw), `"sub":null`) || !strings.Contains(string(raw), `"access":[]`) {
		t.Errorf("%s, %v", raw, err)
	}
}

func TestTokensEndWithTheirTime(t *testing.T) {
	c := newClock()
	a := newAuthority(t, dbtest.Open(t, dbtest.SQLite), c)
	token := issue(t, a, robotClaims())
	for _, step := range []struct {
		move time.Duration
		text string
	}{
		{-30 * time.Second, ""}, {-time.Second, "not valid yet"}, {31*time.Second + time.Hour + 29*time.Second, ""}, {time.Second, "has expired"},
	} {
		c.Add(step.move)
		if step.text != "" {
			wantRefusal(t, a, token, audience, step.text)
		} else if _, err := a.Verify(t.Context(), token, audience); err != nil {
			t.Errorf("at %s: %v", c.Now(), err)
		}
	}
}

func TestATokenIsGoodForItsAudienceOnly(t *testing.T) {
	a := newAuthority(t, dbtest.Open(t, dbtest.SQLite), newClock())
	token := issue(t, a, robotClaims())
	for _, other := range []string{"other.example.com", "", strings.ToUpper(audience)} {
		wantRefusal(t, a, token, other, "another service")
	}
}

func TestAKeyThatIsWithdrawnVerifiesNothingWithinHalfAMinute(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for name, change := range map[string]string{
			"deleted": `DELETE FROM service_key`, "unapproved": `UPDATE service_key SET approved_ms = NULL`, "expired": `UPDATE service_key SET expires_ms = 1`,
		} {
			t.Run(name, func(t *testing.T) {
				c := newClock()
				a := newAuthority(t, d, c)
				token := issue(t, a, robotClaims())
				if _, err := a.Verify(t.Context(), token, audience); err != nil {
					t.Fatal(err)
				}
				if _, err := d.Exec(t.Context(), change); err != nil {
					t.Fatal(err)
				}
				c.Add(30 * time.Second)
				wantRefusal(t, a, token, audience, "unknown or expired key")
				if _, err := d.Exec(t.Context(), `DELETE FROM service_key`); err != nil {
					t.Fatal(err)
				}
			})
		}
	})
}

func TestVerificationIsConcurrent(t *testing.T) {
	a := newAuthority(t, dbtest.Open(t, dbtest.SQLite), newClock())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				token := issue(t, a, robotClaims())
				if _, err := a.Verify(t.Context(), token, audience); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestManyTokensDoNotGrowTheMemory(t *testing.T) {
	a := newAuthority(t, dbtest.Open(t, dbtest.SQLite), newClock())
	for i := range 10_000 {
		c := robotClaims()
		c.Audience = strings.Repeat("x", i%7)
		issue(t, a, c)
	}
	a.verified.CleanUp()
	if w := a.verified.WeightedSize(); w > verifiedBytes {
		t.Errorf("%d bytes of tokens are kept, allowed are %d", w, verifiedBytes)
	}
}

func TestSessionsGetNoRegistryToken(t *testing.T) {
	a := newAuthority(t, dbtest.Open(t, dbtest.SQLite), newClock())
	if _, _, err := a.Issue(Claims{Credential: identity.Session, Reference: "uuid"}); err == nil {
		t.Error("a token was issued for a session")
	}
}

func TestPublishedKeysHaveStates(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newClock()
		a := newAuthority(t, d, c)
		insert := func(kid string, expires, approved any) {
			t.Helper()
			_, err := d.Exec(t.Context(), `INSERT INTO service_key (kid, service, jwk, created_ms, expires_ms, approved_ms)
				VALUES ($1, 'scanner', '{"kid":"x"}', $4, $2, $3)`, kid, expires, approved, db.Millis(c.Now()))
			if err != nil {
				t.Fatal(err)
			}
		}
		insert("eternal", nil, 1)
		insert("waiting", nil, nil)
		insert("expired", db.Millis(c.Now()), 1)
		for kid, kind := range map[string]problem.Kind{"waiting": problem.Conflict, "expired": problem.Forbidden, "unknown": problem.NotFound, "\x00": problem.NotFound, "\xff": problem.NotFound} {
			if _, err := a.Key(t.Context(), "scanner", kid); !problem.Is(err, kind) {
				t.Errorf("%s: %v", kid, err)
			}
		}
		if _, err := a.Key(t.Context(), "quay", "eternal"); !problem.Is(err, problem.NotFound) {
			t.Errorf("a key of another service: %v", err)
		}
		if k, err := a.Key(t.Context(), "scanner", "eternal"); err != nil || string(k.JWK) != `{"kid":"x"}` || !k.Expires.IsZero() {
			t.Errorf("%+v, %v", k, err)
		}
		if keys, err := a.Keys(t.Context(), "scanner"); err != nil || len(keys) != 1 {
			t.Errorf("%s, %v", keys, err)
		}
		own, err := a.Key(t.Context(), "quay", a.current.kid)
		if err != nil || !own.Expires.Equal(c.Now().Add(120*time.Minute)) {
			t.Errorf("%+v, %v", own, err)
		}
		var jwk map[string]string
		if err := json.Unmarshal(own.JWK, &jwk); err != nil || jwk["kid"] != a.current.kid || jwk["kty"] != "EC" || jwk["crv"] != "P-256" || jwk["d"] != "" {
			t.Errorf("%v, %v", jwk, err)
		}
		if keys, err := a.Keys(t.Context(), "\x00"); err != nil || len(keys) != 0 {
			t.Errorf("%v, %v", keys, err)
		}
		if keys, err := a.Keys(t.Context(), "nothing"); err != nil || keys == nil || len(keys) != 0 {
			t.Errorf("%v, %v", keys, err)
		}
	})
}

func BenchmarkIssue(b *testing.B) {
	a := newAuthority(b, dbtest.Open(b, dbtest.SQLite), newClock())
	for b.Loop() {
		issue(b, a, robotClaims())
	}
}

func BenchmarkVerify(b *testing.B) {
	a := newAuthority(b, dbtest.Open(b, dbtest.SQLite), newClock())
	token := issue(b, a, robotClaims())
	b.Run("cached", func(b *testing.B) {
		for b.Loop() {
			if _, err := a.Verify(b.Context(), token, audience); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("anew", func(b *testing.B) {
		for b.Loop() {
			if _, err := a.check(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
}
