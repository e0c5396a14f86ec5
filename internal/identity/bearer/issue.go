package bearer

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/problem"
)

// Issue signs a token that lives an hour from now. It asks no database: a signature takes some 30 µs, so that tokens
// are not worth keeping for reuse, but the token counts as verified in this process. It is Unavailable when no key is
// left to sign with: the database has been away for so long, or the clock has been stepped and Run is making a new one.
func (a *Authority) Issue(c Claims) (token string, expiresIn time.Duration, err error) {
	now := a.options.Clock()
	c.IssuedAt = time.Unix(now.Unix(), 0).UTC()
	c.Expires = c.IssuedAt.Add(min(tokenLifetime, a.options.MaxFresh))
	key := a.signer()
	if key == nil || key.expires.Before(c.Expires) {
		select {
		case a.spent <- struct{}{}:
		default:
		}
		return "", 0, problem.New(problem.Unavailable, "There is no service key to sign registry tokens with")
	}
	payload, err := c.marshal(a.options.Service, uuid.NewString())
	if err != nil {
		return "", 0, err
	}
	signed, err := key.signer.Sign(payload)
	if err != nil {
		return "", 0, fmt.Errorf("sign a registry token: %w", err)
	}
	token, err = signed.CompactSerialize()
	if err != nil {
		return "", 0, fmt.Errorf("sign a registry token: %w", err)
	}
	a.keep(token, key.kid, c)
	return token, c.Expires.Sub(c.IssuedAt), nil
}

func (a *Authority) signer() *signingKey {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.current
}

// SigningKey is the id of the key that this process signs with; empty while there is none.
func (a *Authority) SigningKey() string {
	if key := a.signer(); key != nil {
		return key.kid
	}
	return ""
}
