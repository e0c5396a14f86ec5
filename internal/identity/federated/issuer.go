package federated

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const (
	keysAge  = 10 * time.Minute // keys this old are read again
	keysLast = time.Hour        // how old they may be while the issuer is away
	readGap  = 10 * time.Second // between two attempts to read them
	maxKeys  = 100              // an issuer's
	// waitFirst and waitUsable are how long after an attempt to read keys began tokens wait for its outcome: without
	// keys, and while older ones will do. Who comes later does not wait: an issuer that hangs would hold everybody who
	// names it until its call is given up.
	waitFirst  = 5 * time.Second
	waitUsable = 2 * time.Second
	leastRSA   = 2048 // bits
)

// issuer is an oidc.KeySet: the keys that an issuer publishes.
type issuer struct {
	url     string
	options Options

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	read    time.Time     // when keys were read; zero for never
	tried   time.Time     // when an attempt to read them last ended
	failed  error         // how it ended
	reading chan struct{} // closed when the present attempt ends: those who wait share the outcome; nil without one
	began   time.Time     // when the present attempt did
}

var _ oidc.KeySet = (*issuer)(nil)

// VerifySignature gives the payload of a token that one of the issuer's keys has signed. Keys that a token brings along
// are not looked at. A token that none of the known keys has signed may be the first of a new one: they are read again.
func (i *issuer) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(token, algorithms())
	if err != nil {
		return nil, err
	}
	if len(signed.Signatures) != 1 {
		return nil, errors.New("the token has not exactly one signature")
	}
	for _, again := range []bool{false, true} {
		keys, err := i.published(ctx, again)
		if err != nil {
			return nil, err
		}
		if payload, ok := verify(signed, keys); ok {
			return payload, nil
		}
	}
	return nil, errors.New("no key that the issuer publishes has signed the token")
}

func verify(signed *jose.JSONWebSignature, keys []jose.JSONWebKey) ([]byte, bool) {
	head := signed.Signatures[0].Header
	for _, k := range keys {
		if head.KeyID != "" && k.KeyID != head.KeyID || k.Algorithm != "" && k.Algorithm != head.Algorithm {
			continue
		}
		if payload, err := signed.Verify(k.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// published gives the keys, read anew when they are old or when again says that they do not suffice.
func (i *issuer) published(ctx context.Context, again bool) ([]jose.JSONWebKey, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.options.Clock()
	age := now.Sub(i.read)
	if !i.read.IsZero() && age < keysAge && !again {
		return i.keys, nil
	}
	usable := !i.read.IsZero() && age < keysLast
	if i.reading == nil {
		if gap := now.Sub(i.tried); gap >= 0 && gap < readGap {
			if usable {
				return i.keys, nil
			}
			return nil, fmt.Errorf("the issuer could not be read %s ago; it is asked again after %s", gap.Round(time.Second), readGap)
		}
		i.reading, i.began = make(chan struct{}), now
		go i.readAnew(context.WithoutCancel(ctx)) // a client that hangs up must not count as an issuer that is away
	}
	patience := waitFirst
	if usable {
		patience = waitUsable
	}
	ended, err := i.await(ctx, min(patience, patience-now.Sub(i.began))) // the clock may have been set back
	switch {
	case err != nil:
		return nil, err
	case usable:
		return i.keys, nil
	case !ended:
		return nil, fmt.Errorf("the issuer has not answered for %s", patience)
	case i.failed != nil:
		return nil, i.failed
	}
	return i.keys, nil
}

// await waits for the present attempt to end, with the lock given up meanwhile.
func (i *issuer) await(ctx context.Context, patience time.Duration) (ended bool, err error) {
	reading := i.reading
	i.mu.Unlock()
	defer i.mu.Lock()
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case <-reading:
		return true, nil
	case <-enough.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (i *issuer) readAnew(ctx context.Context) {
	keys, err := i.fetch(ctx)
	if err != nil {
		i.options.Log.WarnContext(ctx, "an issuer of robots' tokens could not be read", "issuer", i.url, "error", err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tried, i.failed = i.options.Clock(), err
	if err == nil {
		i.keys, i.read = keys, i.tried
	}
	close(i.reading)
	i.reading = nil
}

// fetch reads the discovery document, which must name the very issuer it was read from, and the keys it leads to.
func (i *issuer) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, i.options.Client), i.url)
	if err != nil {
		return nil, fmt.Errorf("read what the issuer says of itself: %w", err)
	}
	var said struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&said); err != nil {
		return nil, fmt.Errorf("read what the issuer says of itself: %w", err)
	}
	if strings.HasPrefix(i.url, "https://") && !strings.HasPrefix(said.Keys, "https://") {
		return nil, errors.New("the issuer's keys lie at an address without https, unlike the issuer")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, said.Keys, nil)
	if err != nil {
		return nil, fmt.Errorf("read the issuer's keys: %w", err)
	}
	answer, err := i.options.Client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("read the issuer's keys: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read the issuer's keys: the answer is %s", answer.Status)
	}
	return parseKeys(json.NewDecoder(answer.Body))
}

// parseKeys takes the public keys for signatures. One of an unknown kind is left out, as RFC 7517 §5 wants it.
func parseKeys(body *json.Decoder) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := body.Decode(&set); err != nil {
		return nil, fmt.Errorf("read the issuer's keys: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the issuer publishes %d keys, allowed are %d", len(set.Keys), maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) == nil && signs(k) {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

func signs(k jose.JSONWebKey) bool {
	if public, ok := k.Key.(*rsa.PublicKey); ok && public.N.BitLen() < leastRSA {
		return false
	}
	return k.Valid() && k.IsPublic() && (k.Use == "" || k.Use == "sig")
}
