package bearer

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/longshore-registry/longshore/internal/db"
)

// signingKey is a key this process signs with.
type signingKey struct {
	kid     string
	signer  jose.Signer
	created time.Time
	expires time.Time
}

// verifyKey is the public half of a key of this registry.
type verifyKey struct {
	public  *ecdsa.PublicKey
	expires time.Time // zero for never
}

// keySet is every key of this registry's own that is approved and alive, by key id.
type keySet map[string]verifyKey

// key gives the key of an id. An id that is not known is asked about again, since another replica may have begun to
// sign with it a moment ago.
func (a *Authority) key(ctx context.Context, kid string) (verifyKey, error) {
	set, err := a.keys.Get(ctx, struct{}{}, a.loadKeys)
	if err != nil {
		return verifyKey{}, err
	}
	k, ok := set[kid]
	if !ok && a.reloads.AllowN(a.options.Clock(), 1) {
		if set, err = a.keys.Fresh(ctx, struct{}{}, a.loadKeys); err != nil {
			return verifyKey{}, err
		}
		k, ok = set[kid]
	}
	if !ok || !k.expires.IsZero() && !a.options.Clock().Before(k.expires) {
		return verifyKey{}, refused("is signed with an unknown or expired key")
	}
	return k, nil
}

// loadKeys reads the keys that this registry made for its own service. A key that somebody registered for the same
// service name signs nothing here: only ours have a private half.
func (a *Authority) loadKeys(ctx context.Context) (keySet, error) {
	rows, err := a.read.Query(ctx, `SELECT kid, jwk, COALESCE(expires_ms, 0) FROM service_key
		WHERE service = $1 AND private_key IS NOT NULL AND approved_ms IS NOT NULL
		AND (expires_ms IS NULL OR expires_ms > $2)`, a.options.Service, db.Millis(a.options.Clock()))
	if err != nil {
		return nil, fmt.Errorf("read the service keys: %w", err)
	}
	defer rows.Close()
	set := make(keySet)
	for rows.Next() {
		var kid, text string
		var expires int64
		if err := rows.Scan(&kid, &text, &expires); err != nil {
			return nil, fmt.Errorf("read the service keys: %w", err)
		}
		public, ok := publicKey(text)
		if !ok {
			continue // a key of another kind, from a Quay
		}
		k := verifyKey{public: public}
		if expires != 0 {
			k.expires = db.Time(expires)
		}
		set[kid] = k
	}
	return set, rows.Err()
}

// publicKey reads a JWK that ES256 can be verified with.
func publicKey(text string) (*ecdsa.PublicKey, bool) {
	var jwk jose.JSONWebKey
	if json.Unmarshal([]byte(text), &jwk) != nil || !jwk.Valid() {
		return nil, false
	}
	public, ok := jwk.Key.(*ecdsa.PublicKey)
	return public, ok && public.Curve == elliptic.P256()
}

// newKey makes a key pair with the id that its own public half gives it: the thumbprint of RFC 7638 in hexadecimal.
func newKey() (kid string, private *ecdsa.PrivateKey, jwk []byte, err error) {
	private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", nil, nil, fmt.Errorf("make a service key: %w", err)
	}
	public := jose.JSONWebKey{Key: private.Public(), Algorithm: string(jose.ES256), Use: "sig"}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", nil, nil, fmt.Errorf("make a service key: %w", err)
	}
	public.KeyID = hex.EncodeToString(thumbprint)
	if jwk, err = json.Marshal(public); err != nil {
		return "", nil, nil, fmt.Errorf("make a service key: %w", err)
	}
	return public.KeyID, private, jwk, nil
}

func plainKeyID(kid string) bool {
	if len(kid) != 2*sha256.Size {
		return false
	}
	_, err := hex.DecodeString(kid)
	return err == nil
}

func newSigner(kid string, private *ecdsa.PrivateKey, created, expires time.Time) (*signingKey, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: kid}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("use a service key: %w", err)
	}
	return &signingKey{kid: kid, signer: signer, created: created, expires: expires}, nil
}

// seal gives the stored form of a private key: PKCS #8, in Base64, encrypted.
func (a *Authority) seal(private *ecdsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", fmt.Errorf("store a service key: %w", err)
	}
	return a.fields.Encrypt(base64.StdEncoding.EncodeToString(der))
}

var errForeignKey = errors.New("not a P-256 key in PKCS #8")

func (a *Authority) unseal(stored string) (*ecdsa.PrivateKey, error) {
	text, err := a.fields.Decrypt(stored)
	if err != nil {
		return nil, err
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errForeignKey
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errForeignKey
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errForeignKey
	}
	return private, nil
}
