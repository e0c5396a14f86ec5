// Package issuertest runs an OpenID Connect issuer for tests: one with keys of its own, which answers discovery and
// publishes the keys over HTTP, and signs whatever a test asks it to.
package issuertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// Issuer is a running issuer. Its methods may be called concurrently.
type Issuer struct {
	URL string

	mu       sync.Mutex
	claimed  string // what discovery says the issuer is
	keysAt   string // what discovery says of the keys' address
	away     bool
	leads    string // where every request is redirected to; empty for none
	key      *ecdsa.PrivateKey
	kid      int
	requests int
}

// Start runs an issuer until the test ends.
func Start(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{}
	i.run(t, httptest.NewServer(i))
	return i
}

// StartTLS runs an issuer behind a certificate that no system believes, which it gives.
func StartTLS(t testing.TB) (*Issuer, *x509.Certificate) {
	t.Helper()
	i := &Issuer{}
	server := httptest.NewUnstartedServer(i)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of callers that do not believe it
	server.StartTLS()
	i.run(t, server)
	return i, server.Certificate()
}

func (i *Issuer) run(t testing.TB, server *httptest.Server) {
	t.Helper()
	t.Cleanup(server.Close)
	i.lieAt(server.URL)
	i.Rotate(t)
}

// New makes an issuer of an address without listening there; see Answer.
func New(t testing.TB, address string) *Issuer {
	t.Helper()
	i := &Issuer{}
	i.lieAt(address)
	i.Rotate(t)
	return i
}

func (i *Issuer) lieAt(address string) {
	i.set(func() { i.URL, i.claimed, i.keysAt = address, address, address+"/keys" })
}

// Answer is what an issuer answers a request, without a connection.
func (i *Issuer) Answer(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	i.ServeHTTP(w, r)
	return w.Result()
}

// ServeHTTP answers as an issuer does.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.requests++
	w.Header().Set("Content-Type", "application/json")
	switch {
	case i.away:
		http.Error(w, "away", http.StatusBadGateway)
	case i.leads != "":
		http.Redirect(w, r, i.leads+r.URL.Path, http.StatusTemporaryRedirect)
	case r.URL.Path == "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.claimed, "jwks_uri": i.keysAt, "id_token_signing_alg_values_supported": []string{"ES256"}})
	case r.URL.Path == "/keys":
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.public()}})
	default:
		http.NotFound(w, r)
	}
}

func (i *Issuer) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: i.key.Public(), KeyID: strconv.Itoa(i.kid), Use: "sig", Algorithm: "ES256"}
}

// Rotate replaces the issuer's key by a new one.
func (i *Issuer) Rotate(t testing.TB) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.key = key
	i.kid++
}

// Claim makes discovery name another issuer.
func (i *Issuer) Claim(issuer string) { i.set(func() { i.claimed = issuer }) }

// KeysAt makes discovery lead to another address of keys.
func (i *Issuer) KeysAt(address string) { i.set(func() { i.keysAt = address }) }

// Redirect makes every request lead to the same path at another address.
func (i *Issuer) Redirect(to string) { i.set(func() { i.leads = to }) }

// SetAway makes every request fail, or none.
func (i *Issuer) SetAway(away bool) { i.set(func() { i.away = away }) }

func (i *Issuer) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

// Requests is how often the issuer was asked.
func (i *Issuer) Requests() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests
}

// PublicKey is the published key's JSON.
func (i *Issuer) PublicKey(t testing.TB) []byte {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	text, err := json.Marshal(i.public())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Sign makes a token of the claims with the issuer's present key.
func (i *Issuer) Sign(t testing.TB, claims map[string]any) string {
	t.Helper()
	i.mu.Lock()
	key := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: strconv.Itoa(i.kid)}}
	i.mu.Unlock()
	return Sign(t, key, claims)
}

// Sign makes a token of the claims with any key.
func Sign(t testing.TB, key jose.SigningKey, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
