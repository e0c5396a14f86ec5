// Package federated checks the tokens of OpenID Connect issuers that speak for robots: those of a CI system, a cluster
// or a cloud, whose jobs get a robot's access without keeping a secret of it (rest-api §4.2, §8).
//
// A token is accepted when a rule of the robot names its issuer and its subject, when a key that the issuer publishes
// has signed it, and when it is meant for this registry and valid now. Before a rule matches nothing is asked of anybody:
// a stranger cannot make the registry call an address. What an issuer publishes is read from the issuer's own address
// (OpenID Connect Discovery 1.0 §4), kept for ten minutes, and asked for again no more often than every ten seconds,
// however many tokens with unknown keys arrive.
package federated

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/maypok86/otter/v2"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Bounds and ages.
const (
	maxToken   = 16 << 10 // bytes
	maxIssuers = 1000     // whose keys are kept in memory
	leeway     = 30 * time.Second
)

// Options configure a Verifier; all but Log are required.
type Options struct {
	Client    *http.Client // reads what issuers publish; must guard where it connects to and how much it reads
	Audiences []string     // a token's aud must name one of them
	Clock     func() time.Time
	Log       *slog.Logger // of issuers that cannot be read; nil for none
}

// Verifier checks tokens. Its methods may be called concurrently.
type Verifier struct {
	options Options
	issuers *otter.Cache[string, *issuer]
}

// New makes a verifier that knows no keys yet.
func New(o Options) *Verifier {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Client = stayingSecure(o.Client)
	return &Verifier{options: o, issuers: otter.Must(&otter.Options[string, *issuer]{MaximumSize: maxIssuers})} // the options are constant
}

// stayingSecure is a client that no redirect leads from https to http: whoever is on the way there could give keys.
func stayingSecure(c *http.Client) *http.Client {
	secure, check := *c, c.CheckRedirect
	secure.CheckRedirect = func(r *http.Request, before []*http.Request) error {
		if before[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
			return problem.New(problem.Invalid, "%s redirects to an address without https", before[0].URL.Host)
		}
		if check == nil {
			return nil
		}
		return check(r, before)
	}
	return &secure
}

// Verify gives the rule under which a token speaks. A refusal is Unauthenticated. It has the code identity.Unproven
// unless the token is the issuer's own: only then may the reason be told, since it says that such a rule exists.
func (v *Verifier) Verify(ctx context.Context, token string, rules []identity.TrustRule) (identity.TrustRule, error) {
	claimed, err := claims(token)
	if err != nil {
		return identity.TrustRule{}, err
	}
	if !slices.Contains(rules, claimed) {
		return identity.TrustRule{}, unproven(nil, "no rule trusts the issuer %q about the subject %q", claimed.Issuer, claimed.Subject)
	}
	checked, err := oidc.NewVerifier(claimed.Issuer, v.issuer(claimed.Issuer), &oidc.Config{
		SupportedSigningAlgs: names(algorithms()), SkipClientIDCheck: true, SkipExpiryCheck: true, // both are looked at below
	}).Verify(ctx, token)
	if err != nil {
		return identity.TrustRule{}, unproven(err, "the token is not one of the issuer %q", claimed.Issuer)
	}
	if checked.Issuer != claimed.Issuer || checked.Subject != claimed.Subject {
		return identity.TrustRule{}, unproven(nil, "the token's claims are ambiguous")
	}
	return claimed, v.usable(checked)
}

// claims reads whom a token claims to be from, before anything is known to be true.
func claims(token string) (identity.TrustRule, error) {
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 {
		return identity.TrustRule{}, unproven(nil, "no signed token of at most %d bytes was sent", maxToken)
	}
	var c struct {
		Issuer  string `json:"iss"`
		Subject string `json:"sub"`
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return identity.TrustRule{}, unproven(err, "the token's claims cannot be read")
	}
	return identity.TrustRule{Issuer: c.Issuer, Subject: c.Subject}, nil
}

// usable refuses the issuer's own tokens that are meant for somebody else or another time.
func (v *Verifier) usable(t *oidc.IDToken) error {
	var more struct {
		NotBefore float64 `json:"nbf"`
	}
	if err := t.Claims(&more); err != nil {
		return refused("The token's nbf is no time")
	}
	now := v.options.Clock()
	switch {
	case !slices.ContainsFunc(t.Audience, func(a string) bool { return slices.Contains(v.options.Audiences, a) }):
		return refused("The token is meant for %q; this registry takes tokens whose aud names one of %q", t.Audience, v.options.Audiences)
	case t.Expiry.IsZero() || !now.Before(t.Expiry.Add(leeway)):
		return refused("The token has expired, or has no end")
	case t.IssuedAt.After(now.Add(leeway)) || more.NotBefore > float64(now.Add(leeway).Unix()):
		return refused("The token is not valid yet")
	}
	return nil
}

// issuer is what is known of an issuer.
func (v *Verifier) issuer(url string) *issuer {
	i, _ := v.issuers.ComputeIfAbsent(url, func() (*issuer, bool) { return &issuer{url: url, options: v.options}, false })
	return i
}

// algorithms are those with a public key (RFC 7518 §3.1, RFC 8037): a shared secret could be the published key itself.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

func names(algorithms []jose.SignatureAlgorithm) []string {
	var all []string
	for _, a := range algorithms {
		all = append(all, string(a))
	}
	return all
}

func refused(format string, args ...any) error {
	return problem.New(problem.Unauthenticated, format, args...)
}

func unproven(cause error, format string, args ...any) error {
	return problem.Wrap(cause, problem.Unauthenticated, format, args...).WithCode(identity.Unproven)
}
