package bearer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

const here = "https://registry.example.com"

// serviceKey is a key that a service made for itself.
type serviceKey struct {
	kid     string
	private any
	alg     jose.SignatureAlgorithm
}

func rsaKey(t testing.TB, kid string, bits int) serviceKey {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return serviceKey{kid, private, jose.RS256}
}

func ecKey(t testing.TB, kid string) serviceKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return serviceKey{kid, private, jose.ES256}
}

func (k serviceKey) jwk(t testing.TB) []byte {
	t.Helper()
	whole := jose.JSONWebKey{Key: k.private}
	text, err := whole.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sign makes the JWT of a service; changes replace claims, nil removes one.
func (k serviceKey) sign(t testing.TB, c *clock, service string, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{"iss": service, "aud": here, "exp": c.Now().Add(5 * time.Minute).Unix()}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: jose.JSONWebKey{Key: k.private, KeyID: k.kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// records keeps the kinds of what was recorded.
type records struct{ kinds []string }

func (r *records) Change(_ context.Context, _ db.Tx, kind string, _, _ int64, _ ...map[string]any) error {
	r.kinds = append(r.kinds, kind)
	return nil
}

func offerOf(t testing.TB, k serviceKey, pass string) Offer {
	t.Helper()
	return Offer{Service: "scanner", KID: k.kid, JWK: k.jwk(t), Pass: pass, Audience: here, IP: netip.MustParseAddr("10.0.0.1"), Agent: "scanner/1"}
}

func root(t testing.TB, d *db.DB) int64 {
	t.Helper()
	var id int64
	err := d.Hard(t.Context(), "test", func(ctx context.Context, tx db.Tx) error {
		return tx.QueryRow(ctx, `INSERT INTO account (uuid, kind, name, tag_window_s) VALUES ('u', 1, 'root', 1) RETURNING id`).Scan(&id)
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func countNotes(t testing.TB, d *db.DB) int {
	t.Helper()
	var n int
	if err := d.QueryRow(t.Context(), `SELECT COUNT(*) FROM notification WHERE kind = 'service_key_submitted'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func wantKind(t *testing.T, what string, err error, want problem.Kind) {
	t.Helper()
	if got := problem.From(err); got == nil || got.Kind != want {
		t.Errorf("%s: %v, want kind %d", what, err, want)
	}
}

func TestTheLifeOfAServiceKey(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c, log := newClock(), &records{}
		rootID := root(t, d)
		a := newAuthority(t, d, c, func(o *Options) {
			o.Audit = log
			o.SuperUsers = func(context.Context) ([]string, error) { return []string{"root", "nobody-yet"}, nil }
		})
		first, second := rsaKey(t, "first", 2048), ecKey(t, "second")
		offer := offerOf(t, first, first.sign(t, c, "scanner", nil))
		offer.Rotation = time.Hour
		for range 2 { // offering it again changes nothing
			if got, err := a.OfferKey(t.Context(), offer); err != nil || got != Waiting {
				t.Fatalf("the first offer: %v %v", got, err)
			}
		}
		if n := countNotes(t, d); n != 1 {
			t.Errorf("%d notes", n)
		}
		_, err := a.Key(t.Context(), "scanner", "first")
		wantKind(t, "a key that waits", err, problem.Conflict)
		_, err = a.OfferKey(t.Context(), offerOf(t, second, first.sign(t, c, "scanner", nil)))
		wantKind(t, "a successor of a key that waits", err, problem.Forbidden)

		for range 2 {
			if err := a.ApproveServiceKey(t.Context(), "first", identity.Account{ID: rootID}, "seen"); err != nil {
				t.Fatal(err)
			}
		}
		if n := countNotes(t, d); n != 0 {
			t.Errorf("%d notes are left", n)
		}
		k, err := a.ServiceKey(t.Context(), "first")
		if err != nil || k.Approval == nil || k.Approval.Approver.Name != "root" || k.Approval.Type != "Super User API" || k.Approval.Notes != "seen" {
			t.Errorf("%+v %v", k.Approval, err)
		}
		if got, err := a.OfferKey(t.Context(), offerOf(t, second, first.sign(t, c, "scanner", nil))); err != nil || got != Rotated {
			t.Fatalf("the successor: %v %v", got, err)
		}
		keys, err := a.Keys(t.Context(), "scanner")
		if err != nil || len(keys) != 2 {
			t.Errorf("%d keys %v", len(keys), err)
		}
		c.Add(time.Hour)
		_, err = a.Key(t.Context(), "scanner", "first")
		wantKind(t, "the older key after its rotation time", err, problem.Forbidden)
		third := ecKey(t, "third")
		_, err = a.OfferKey(t.Context(), offerOf(t, third, first.sign(t, c, "scanner", nil)))
		wantKind(t, "a successor of an expired key", err, problem.Forbidden)
		if err := a.WithdrawKey(t.Context(), offerOf(t, first, second.sign(t, c, "scanner", nil))); err != nil {
			t.Errorf("an approved key withdraws another: %v", err)
		}
		if err := a.WithdrawKey(t.Context(), offerOf(t, second, second.sign(t, c, "scanner", nil))); err != nil {
			t.Errorf("a key withdraws itself: %v", err)
		}
		if diff := cmp.Diff([]string{"service_key_create", "service_key_approve", "service_key_rotate", "service_key_delete", "service_key_delete"}, log.kinds); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAKeyThatNobodyApprovesIsGoneAfterADay(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := newClock()
		root(t, d)
		a := newAuthority(t, d, c, func(o *Options) {
			o.SuperUsers = func(context.Context) ([]string, error) { return []string{"root"}, nil }
		})
		k := ecKey(t, "k")
		if _, err := a.OfferKey(t.Context(), offerOf(t, k, k.sign(t, c, "scanner", nil))); err != nil {
			t.Fatal(err)
		}
		c.Add(24 * time.Hour)
		_, err := a.Key(t.Context(), "scanner", "k")
		wantKind(t, "the key", err, problem.NotFound)
		wantKind(t, "its approval", a.ApproveServiceKey(t.Context(), "k", identity.Account{}, ""), problem.NotFound)
		other := ecKey(t, "other")
		if _, err := a.OfferKey(t.Context(), offerOf(t, other, other.sign(t, c, "scanner", nil))); err != nil {
			t.Fatal(err)
		}
		if n := countNotes(t, d); n != 1 {
			t.Errorf("%d notes", n)
		}
	})
}

func TestOffersThatAreRefused(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	c := newClock()
	a := newAuthority(t, d, c)
	k, stranger := rsaKey(t, "k", 2048), rsaKey(t, "k", 2048)
	small := rsaKey(t, "small", 1024)
	own := issue(t, a, robotClaims())
	ownKID, err := signerOf(own)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*Offer)
		want   problem.Kind
	}{
		{"no JWT", func(o *Offer) { o.Pass = "" }, problem.Invalid},
		{"no JWT but text", func(o *Offer) { o.Pass = "a.b.c" }, problem.Invalid},
		{"a JWT without signature", func(o *Offer) { o.Pass = "eyJhbGciOiJub25lIn0.e30." }, problem.Invalid},
		{"a JWT by a shared secret", func(o *Offer) {
			o.Pass = serviceKey{"k", []byte("0123456789abcdef0123456789abcdef"), jose.HS256}.sign(t, c, "scanner", nil)
		}, problem.Invalid},
		{"signed by another key under the same id", func(o *Offer) { o.Pass = stranger.sign(t, c, "scanner", nil) }, problem.Forbidden},
		{"another service's", func(o *Offer) { o.Pass = k.sign(t, c, "builder", nil) }, problem.Forbidden},
		{"for another registry", func(o *Offer) { o.Pass = k.sign(t, c, "scanner", map[string]any{"aud": "https://other"}) }, problem.Forbidden},
		{"for another registry among several", func(o *Offer) { o.Pass = k.sign(t, c, "scanner", map[string]any{"aud": []string{"a", "b"}}) }, problem.Forbidden},
		{"expired", func(o *Offer) {
			o.Pass = k.sign(t, c, "scanner", map[string]any{"exp": c.Now().Add(-time.Minute).Unix()})
		}, problem.Forbidden},
		{"without an end", func(o *Offer) { o.Pass = k.sign(t, c, "scanner", map[string]any{"exp": nil}) }, problem.Forbidden},
		{"that lives for years", func(o *Offer) {
			o.Pass = k.sign(t, c, "scanner", map[string]any{"exp": c.Now().Add(9999 * time.Hour).Unix()})
		}, problem.Forbidden},
		{"not valid yet", func(o *Offer) { o.Pass = k.sign(t, c, "scanner", map[string]any{"nbf": c.Now().Add(time.Hour).Unix()}) }, problem.Forbidden},
		{"signed by an unknown key", func(o *Offer) { o.Pass = small.sign(t, c, "scanner", nil) }, problem.Forbidden},
		{"a private key", func(o *Offer) { o.JWK, _ = jose.JSONWebKey{Key: k.private}.MarshalJSON() }, problem.Invalid},
		{"a shared secret as key", func(o *Offer) { o.JWK = []byte(`{"kty":"oct","k":"AAAA"}`) }, problem.Invalid},
		{"no key", func(o *Offer) { o.JWK = []byte(`[]`) }, problem.Invalid},
		{"a short key", func(o *Offer) { o.KID, o.JWK = "small", small.jwk(t) }, problem.Invalid},
		{"an end in the past", func(o *Offer) { o.Expires = c.Now().Add(-time.Second) }, problem.Invalid},
		{"a slash in the id", func(o *Offer) { o.KID = "a/b" }, problem.Invalid},
		{"a registry token as JWT", func(o *Offer) { o.Service, o.Pass, o.Audience = "quay", own, audience }, problem.Forbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := offerOf(t, k, k.sign(t, c, "scanner", nil))
			test.change(&o)
			_, err := a.OfferKey(t.Context(), o)
			wantKind(t, "the offer", err, test.want)
		})
	}
	t.Run("a registry token withdraws nothing", func(t *testing.T) {
		err := a.WithdrawKey(t.Context(), Offer{Service: "quay", KID: ownKID, Pass: own, Audience: audience})
		wantKind(t, "the withdrawal", err, problem.Forbidden)
	})
	keys, err := a.ServiceKeys(t.Context())
	if err != nil || len(keys) != 1 {
		t.Errorf("%d keys %v", len(keys), err)
	}
}

func TestSoManyKeysMayWait(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	c := newClock()
	a := newAuthority(t, d, c)
	err := d.Hard(t.Context(), "test", func(ctx context.Context, tx db.Tx) error {
		for i := range maxWaiting {
			k := ServiceKey{KID: string(rune('a'+i%26)) + time.Duration(i).String(), Service: "s", JWK: json.RawMessage(`{}`), Metadata: json.RawMessage(`{}`), Created: c.Now()}
			if _, err := a.insertKeyTx(ctx, tx, k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	k := ecKey(t, "k")
	_, err = a.OfferKey(t.Context(), offerOf(t, k, k.sign(t, c, "scanner", nil)))
	wantKind(t, "one more", err, problem.TooMany)
}

func TestSuperusersKeys(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c, log := newClock(), &records{}
		rootID := root(t, d)
		a := newAuthority(t, d, c, func(o *Options) { o.Audit = log })
		pair, err := a.CreateServiceKey(t.Context(), NewServiceKey{Service: "scanner", Name: "by hand", Creator: identity.Account{ID: rootID}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Key(t.Context(), "scanner", pair.KID); err != nil {
			t.Errorf("it does not count: %v", err)
		}
		end := c.Now().Add(time.Hour)
		changed, err := a.UpdateServiceKey(t.Context(), pair.KID, ServiceKeyChange{Metadata: map[string]any{"a": 1}, Expires: &end})
		if err != nil || string(changed.Metadata) != `{"a":1}` || !changed.Expires.Equal(end) || changed.Name != "by hand" {
			t.Errorf("%+v %v", changed, err)
		}
		past, name := c.Now().Add(-time.Second), "no?"
		_, err = a.UpdateServiceKey(t.Context(), pair.KID, ServiceKeyChange{Expires: &past})
		wantKind(t, "an end in the past", err, problem.Invalid)
		_, err = a.UpdateServiceKey(t.Context(), pair.KID, ServiceKeyChange{Name: &name})
		wantKind(t, "a name with a question mark", err, problem.Invalid)
		_, err = a.UpdateServiceKey(t.Context(), "none", ServiceKeyChange{})
		wantKind(t, "an unknown key", err, problem.NotFound)
		if err := a.DeleteServiceKey(t.Context(), pair.KID); err != nil {
			t.Error(err)
		}
		wantKind(t, "the same again", a.DeleteServiceKey(t.Context(), pair.KID), problem.NotFound)
		want := []string{"service_key_create", "service_key_approve", "service_key_modify", "service_key_extend", "service_key_delete"}
		if diff := cmp.Diff(want, log.kinds); diff != "" {
			t.Error(diff)
		}
	})
}

// TestADeletedSigningKeyIsReplaced deletes the key that the registry signs with, here and as another replica does.
func TestADeletedSigningKeyIsReplaced(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite)
	c := newClock()
	a := newAuthority(t, d, c)
	for _, how := range []struct {
		name string
		do   func(kid string) error
	}{
		{"by this process", func(kid string) error { return a.DeleteServiceKey(t.Context(), kid) }},
		{"by another one", func(kid string) error {
			_, err := d.Exec(t.Context(), `DELETE FROM service_key WHERE kid = $1`, kid)
			c.Add(keysAge + time.Second)
			return err
		}},
	} {
		t.Run(how.name, func(t *testing.T) {
			token := issue(t, a, robotClaims())
			kid, err := signerOf(token)
			if err != nil {
				t.Fatal(err)
			}
			if err := how.do(kid); err != nil {
				t.Fatal(err)
			}
			wantRefusal(t, a, token, audience, "unknown or expired key")
			if err := a.refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			again := issue(t, a, robotClaims())
			if next, _ := signerOf(again); next == kid {
				t.Error("the deleted key signs on")
			}
			if _, err := a.Verify(t.Context(), again, audience); err != nil {
				t.Error(err)
			}
		})
	}
	keys, err := a.ServiceKeys(t.Context())
	if err != nil || slices.ContainsFunc(keys, func(k ServiceKey) bool { return k.Approval == nil }) {
		t.Errorf("%d keys %v", len(keys), err)
	}
}
