package distribution_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity/federated/issuertest"
)

// scannerKey is a key that the service scanner made for itself, under its thumbprint.
type scannerKey struct {
	private jose.JSONWebKey
	path    string
}

func newScannerKey(t *testing.T) scannerKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := scannerKey{private: jose.JSONWebKey{Key: private}}
	sum, err := k.private.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	k.private.KeyID = hex.EncodeToString(sum)
	k.path = "/keys/services/scanner/keys/" + k.private.KeyID
	return k
}

func (k scannerKey) jwk(t *testing.T) []byte {
	t.Helper()
	text, err := k.private.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// pass is a JWT of the key for an audience.
func (k scannerKey) pass(t *testing.T, r *rig, issuer, audience string) string {
	t.Helper()
	return issuertest.Sign(t, jose.SigningKey{Algorithm: jose.ES256, Key: k.private},
		map[string]any{"iss": issuer, "aud": audience, "exp": r.clock.Now().Add(time.Minute).Unix()})
}

// TestAServiceBringsItsKeys goes the way of a service over HTTP: it offers a key, which waits for approval, replaces it
// by another one that the first signs for, and takes that away again (rest-api §22).
func TestAServiceBringsItsKeys(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRig(t, d)
		root := r.user("root")
		first, second, foreign := newScannerKey(t), newScannerKey(t), newScannerKey(t)
		own := func(k scannerKey) string { return k.pass(t, r, "scanner", r.url) }
		put := func(k scannerKey, query, pass string) call {
			return call{method: "PUT", path: k.path + query, token: pass, body: k.jwk(t)}
		}
		forbidden := map[string]call{
			"for another registry":        put(first, "", first.pass(t, r, "scanner", "https://other.example")),
			"in another service's name":   put(first, "", first.pass(t, r, "quay", r.url)),
			"signed by another new key":   put(first, "", foreign.pass(t, r, "scanner", r.url)),
			"of the registry itself":      call{method: "PUT", path: strings.Replace(first.path, "scanner", "quay", 1), token: own(first), body: first.jwk(t)},
			"taken away before it exists": call{method: "DELETE", path: first.path, token: own(first)},
		}
		for name, c := range forbidden {
			t.Run("a key "+name, func(t *testing.T) { r.want(r.send(c), 403) })
		}
		r.want(r.send(put(first, "", "")), 400)
		r.want(r.send(call{method: "PUT", path: first.path, token: own(first), body: []byte("{}")}), 400)
		r.want(r.send(put(first, "?expiration=soon", own(first))), 400)
		r.want(r.send(call{path: first.path}), 404)

		r.want(r.send(put(first, "?rotation=60", own(first))), 202)
		r.want(r.send(put(first, "?rotation=60", own(first))), 202) // the same once more
		r.want(r.send(call{path: first.path}), 409)
		r.want(r.send(put(second, "", first.pass(t, r, "scanner", r.url))), 403) // a key that waits signs for nobody
		r.must(r.tokens.ApproveServiceKey(t.Context(), first.private.KeyID, root, ""))
		known := r.want(r.send(call{path: first.path}), 200)
		if known.header.Get("Cache-Control") != "max-age=86400" || !strings.Contains(string(known.body), `"kid":"`+first.private.KeyID+`"`) {
			t.Errorf("%v %s", known.header, known.body)
		}

		ends := r.clock.Now().Add(time.Hour).Unix()
		r.want(r.send(put(second, "?expiration="+strconv.FormatInt(ends, 10), first.pass(t, r, "scanner", r.url))), 200)
		r.want(r.send(call{path: second.path}), 200)
		r.clock.advance(61 * time.Second)
		r.want(r.send(call{path: first.path}), 403) // its rotation time is over
		r.want(r.send(call{method: "DELETE", path: second.path, token: own(foreign)}), 403)
		r.want(r.send(call{method: "DELETE", path: second.path, token: own(first)}), 403)
		r.want(r.send(call{method: "DELETE", path: second.path}), 400)
		builders := newScannerKey(t)
		at := strings.Replace(builders.path, "scanner", "builder", 1)
		r.want(r.send(call{method: "PUT", path: at, token: builders.pass(t, r, "builder", r.url), body: builders.jwk(t)}), 202)
		r.want(r.send(call{method: "DELETE", path: builders.path, token: own(second)}), 404) // another service's
		r.want(r.send(call{path: at}), 409)                                                  // it still waits
		r.want(r.send(call{method: "DELETE", path: second.path, token: own(second)}), 204)
		r.want(r.send(call{path: second.path}), 404)
	})
}
