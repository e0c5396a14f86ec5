package bearer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// tokenCharacters are those of the compact form. Go's Base64 skips line breaks, which have no place in a token.
const tokenCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

type tokenHash [sha256.Size]byte

// hashOf needs no memory for a token of usual length.
func hashOf(token string) tokenHash {
	var space [1536]byte
	return sha256.Sum256(append(space[:0], token...))
}

// verifiedToken is a token whose signature, issuer and form were right. Its times, audience and key are asked about at
// each use.
type verifiedToken struct {
	claims Claims
	kid    string
	weight uint32 // bytes it takes in memory, roughly
}

// header is all that a token's header may hold.
type header struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
	KeyID     string `json:"kid"`
}

// Verify gives the claims of a token that this registry issued for audience and that is valid now, or
// Unauthenticated. A token that was verified before costs a hash. It is Unavailable when the keys were never read and
// the database is away.
func (a *Authority) Verify(ctx context.Context, token, audience string) (Claims, error) {
	if len(token) > maxToken {
		return Claims{}, refused("has %d bytes, allowed are %d", len(token), maxToken)
	}
	t, ok := a.verified.GetIfPresent(hashOf(token))
	if !ok {
		var err error
		if t, err = a.check(ctx, token); err != nil {
			return Claims{}, err
		}
	} else if _, err := a.key(ctx, t.kid); err != nil {
		return Claims{}, err
	}
	if t.claims.Audience != audience {
		return Claims{}, refused("was issued for another service")
	}
	if err := a.inTime(t.claims); err != nil {
		return Claims{}, err
	}
	if !ok {
		a.keep(token, t.kid, t.claims)
	}
	return t.claims, nil
}

// check verifies form, key, signature and issuer.
func (a *Authority) check(ctx context.Context, token string) (verifiedToken, error) {
	h, err := readHeader(token)
	if err != nil {
		return verifiedToken{}, err
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(signed.Signatures) != 1 {
		return verifiedToken{}, refused("is malformed")
	}
	key, err := a.key(ctx, h.KeyID)
	if err != nil {
		return verifiedToken{}, err
	}
	payload, err := signed.Verify(key.public)
	if err != nil {
		return verifiedToken{}, refused("has a wrong signature")
	}
	claims, err := a.claimsOf(payload)
	if err != nil {
		return verifiedToken{}, err
	}
	return verifiedToken{claims: claims, kid: h.KeyID}, nil
}

// readHeader takes nothing but the three members that Issue writes, so that no key, address of a key or extension that
// a token brings along is ever looked at.
func readHeader(token string) (header, error) {
	encoded, _, ok := strings.Cut(token, ".")
	if !ok || len(encoded) > maxHeader || strings.Trim(token, tokenCharacters) != "" {
		return header{}, refused("is malformed")
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return header{}, refused("is malformed")
	}
	var h header
	if err := strictJSON(raw, &h); err != nil {
		return header{}, refused("has a header that this registry does not write")
	}
	switch {
	case h.Algorithm != string(jose.ES256):
		return header{}, refused("is signed by another algorithm than ES256")
	case h.Type != "JWT" || !plainKeyID(h.KeyID):
		return header{}, refused("has a header that this registry does not write")
	}
	return h, nil
}

// strictJSON reads one JSON value without unknown members and with nothing behind it.
func strictJSON(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// claimsOf gives the claims of a payload whose signature was right.
func (a *Authority) claimsOf(payload []byte) (Claims, error) {
	var w wire
	if err := json.Unmarshal(payload, &w); err != nil {
		return Claims{}, refused("has claims that cannot be read")
	}
	life := time.Duration(w.Expires-w.IssuedAt) * time.Second
	switch {
	case w.Issuer != a.options.Service:
		return Claims{}, refused("was issued by someone else")
	case w.IssuedAt <= 0 || w.Expires <= w.IssuedAt || w.Expires-w.IssuedAt > int64(a.options.MaxFresh/time.Second):
		return Claims{}, refused("lives %s, allowed are %s", life, a.options.MaxFresh)
	case w.NotBefore != w.IssuedAt || w.ID == "" || w.Context.Version != 2:
		return Claims{}, refused("has claims that this registry does not make")
	}
	c := Claims{
		Audience: w.Audience, Reference: w.Context.Reference, AccessRev: w.Context.AccessRev, Access: w.Access, Federated: w.Context.Federated,
		IssuedAt: time.Unix(w.IssuedAt, 0).UTC(), Expires: time.Unix(w.Expires, 0).UTC(),
	}
	if w.Subject != nil {
		c.Subject = *w.Subject
	}
	for _, e := range entities() {
		if e.name == w.Context.Entity {
			c.Credential = e.credential
			return c, c.coherent()
		}
	}
	return Claims{}, refused("speaks for an unknown kind of identity")
}

// coherent refuses a token whose identity has no reference; it would be resolved to nobody.
func (c Claims) coherent() error {
	if (c.Credential == identity.Anonymous) != (c.Reference == "") {
		return refused("has claims that this registry does not make")
	}
	return nil
}

func (a *Authority) inTime(c Claims) error {
	now := a.options.Clock()
	switch {
	case now.Before(c.IssuedAt.Add(-leeway)):
		return refused("is not valid yet")
	case !now.Before(c.Expires.Add(leeway)):
		return refused("has expired")
	}
	return nil
}

// keep remembers a token as verified.
func (a *Authority) keep(token, kid string, c Claims) {
	const fixed = 512 // entry, claims and times
	weight := fixed + len(c.Subject) + len(c.Audience) + len(c.Reference)
	for _, r := range c.Access {
		weight += 96 + len(r.Name) + 20*len(r.Actions)
	}
	a.verified.Set(hashOf(token), verifiedToken{claims: c, kid: kid, weight: uint32(weight)})
}

func refused(format string, args ...any) error {
	return problem.New(problem.Unauthenticated, "The bearer token "+format, args...)
}
