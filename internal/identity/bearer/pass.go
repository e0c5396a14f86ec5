package bearer

import (
	"crypto/ecdsa"
	"encoding/json"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/longshore-registry/longshore/internal/problem"
)

// passClaims are what the JWT of a service says. aud is a text or a list of texts.
type passClaims struct {
	Issuer    string          `json:"iss"`
	Audience  json.RawMessage `json:"aud"`
	Expires   float64         `json:"exp"`
	NotBefore float64         `json:"nbf"`
}

// passAlgorithms are what a service may sign with: RS256 as at Quay, and the EC algorithms for the EC keys that it may
// register.
func passAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.ES384, jose.ES512}
}

// signerOf gives the id of the key that a JWT says it is signed with; empty when it says none.
func signerOf(pass string) (string, error) {
	if pass == "" || len(pass) > maxToken {
		return "", problem.New(problem.Invalid, "Authorization: a JWT as bearer token is needed")
	}
	signed, err := jose.ParseSignedCompact(pass, passAlgorithms())
	if err != nil || len(signed.Signatures) != 1 {
		return "", problem.New(problem.Invalid, "Authorization: the bearer token is no JWT that is signed with RS256 or an EC key")
	}
	kid := signed.Signatures[0].Protected.KeyID
	if !storable(kid) {
		return "", problem.New(problem.Invalid, "Authorization: the JWT's kid is no text")
	}
	return kid, nil
}

// checkPassWith is checkPass with a registered key.
func (a *Authority) checkPassWith(pass string, k ServiceKey, audience string) error {
	var jwk jose.JSONWebKey
	if json.Unmarshal(k.JWK, &jwk) != nil || !jwk.Valid() {
		return notTheSigner()
	}
	return a.checkPass(pass, jwk, k.Service, audience)
}

// checkPass verifies a service's JWT: signature, that it speaks for the service, is for this registry, and is in time.
func (a *Authority) checkPass(pass string, key jose.JSONWebKey, service, audience string) error {
	algorithms := []jose.SignatureAlgorithm{jose.RS256}
	if _, ec := key.Key.(*ecdsa.PublicKey); ec {
		algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512}
	}
	signed, err := jose.ParseSignedCompact(pass, algorithms)
	if err != nil {
		return notTheSigner()
	}
	payload, err := signed.Verify(key.Key)
	if err != nil {
		return notTheSigner()
	}
	var claims passClaims
	if json.Unmarshal(payload, &claims) != nil {
		return problem.New(problem.Invalid, "Authorization: the JWT's claims cannot be read")
	}
	now := a.options.Clock()
	switch end := time.Unix(int64(claims.Expires), 0); {
	case claims.Issuer != service:
		return problem.New(problem.Forbidden, "The JWT's issuer is not the service")
	case !claims.isFor(audience):
		return problem.New(problem.Forbidden, "The JWT is for another audience than %s", audience)
	case claims.Expires <= 0 || !now.Before(end.Add(leeway)) || end.After(now.Add(maxPass+leeway)):
		return problem.New(problem.Forbidden, "The JWT has expired, does not say when it does, or lives longer than %s", maxPass)
	case now.Before(time.Unix(int64(claims.NotBefore), 0).Add(-leeway)):
		return problem.New(problem.Forbidden, "The JWT is not valid yet")
	}
	return nil
}

func (c passClaims) isFor(audience string) bool {
	var one string
	if json.Unmarshal(c.Audience, &one) == nil {
		return one == audience
	}
	var many []string
	if json.Unmarshal(c.Audience, &many) != nil {
		return false
	}
	for _, a := range many {
		if a == audience {
			return true
		}
	}
	return false
}
