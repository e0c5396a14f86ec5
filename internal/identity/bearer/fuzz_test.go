package bearer

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
)

// keyTable is a table of service keys with one row, without a database: instrumented for fuzzing one is too slow.
type keyTable struct {
	kid, jwk string
	read     bool
}

func (k keyTable) Query(context.Context, string, ...any) (db.Rows, error) { return &k, nil }

func (k keyTable) QueryRow(context.Context, string, ...any) db.Row { return &k }

func (k keyTable) Exec(context.Context, string, ...any) (int64, error) {
	return 0, errors.New("the key table is only read")
}

func (k *keyTable) Next() bool {
	first := !k.read
	k.read = true
	return first
}

func (k *keyTable) Scan(dest ...any) error {
	*dest[0].(*string), *dest[1].(*string), *dest[2].(*int64) = k.kid, k.jwk, 0
	return nil
}

func (k *keyTable) Err() error { return nil }
func (k *keyTable) Close()     {}

// FuzzVerify holds that nothing but what was signed is accepted, and that nothing makes Verify fail otherwise.
func FuzzVerify(f *testing.F) {
	kid, private, jwk, err := newKey()
	if err != nil {
		f.Fatal(err)
	}
	c := newClock()
	o := Options{Clock: c.Now}.withDefaults()
	a := newVerifier(o, keyTable{kid: kid, jwk: string(jwk)})
	if a.current, err = newSigner(kid, private, c.Now(), c.Now().Add(2*time.Hour)); err != nil {
		f.Fatal(err)
	}
	token := issue(f, a, robotClaims())
	parts := strings.Split(token, ".")
	f.Add(token)
	f.Add(parts[0] + "." + parts[1] + ".")
	f.Add(parts[0] + "." + encode(f, map[string]any{"iss": "quay"}) + "." + parts[2])
	f.Add(encode(f, map[string]any{"alg": "none"}) + "." + parts[1] + ".")
	f.Add(encode(f, map[string]any{"alg": "ES256", "typ": "JWT", "kid": kid, "jwk": map[string]any{"kty": "EC"}}) + "." + parts[1] + "." + parts[2])
	f.Add("..")
	f.Fuzz(func(t *testing.T, candidate string) {
		c, err := a.Verify(t.Context(), candidate, audience)
		if err == nil && !sameBytes(candidate, token) {
			t.Errorf("accepted %q as %+v", candidate, c)
		}
		if err == nil {
			return
		}
		wantRefusal(t, a, candidate, audience, "The bearer token ")
	})
}

// FuzzClaims takes the payload behind a right signature: whatever it is, there is an answer, and claims that are accepted
// are within the bounds.
func FuzzClaims(f *testing.F) {
	c := newClock()
	a := newVerifier(Options{Clock: c.Now}.withDefaults(), keyTable{})
	claims := robotClaims()
	claims.IssuedAt, claims.Expires = c.Now(), c.Now().Add(time.Hour)
	payload, err := claims.marshal("quay", "id")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte(`{"iss":"quay","iat":9223372036854775807,"exp":-9223372036854775808}`))
	f.Add([]byte(`{"iss":"quay","nbf":1,"iat":1,"exp":2,"jti":"x","context":{"version":2,"entity_kind":"anonymous"}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := a.claimsOf(payload)
		if life := c.Expires.Sub(c.IssuedAt); err == nil && (life <= 0 || life > a.options.MaxFresh) {
			t.Errorf("accepted a life of %s", life)
		}
	})
}

// sameBytes reports whether two tokens differ only in how Base64 writes their last characters.
func sameBytes(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	if len(x) != 3 || x[0] != y[0] || x[1] != y[1] {
		return false
	}
	p, err := base64.RawURLEncoding.DecodeString(x[2])
	q, err2 := base64.RawURLEncoding.DecodeString(y[2])
	return err == nil && err2 == nil && string(p) == string(q)
}
