package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/longshore-registry/longshore/internal/problem"
)

// disabledText is what a right password of a disabled account gets (rest-api §3.1).
const disabledText = "This user has been disabled. Please contact your administrator."

// form is a kind of user name and secret (registry-protocol §4.3).
type form uint8

const (
	userForm          form = iota
	userEncryptedForm      // a user whose secret must be an encrypted password
	robotForm
	appForm
	oauthForm
	accessForm
)

// proof is that a secret was right: for whom, and under which revision of the account.
type proof struct {
	credential Credential
	reference  string
	rev        int64
}

// proofKey is the keyed hash of a form, name and secret.
type proofKey [sha256.Size]byte

// Login checks a user name and secret of HTTP Basic in every form of registry-protocol §4.3: users by name or e-mail
// address, with password or encrypted password; robots; and the tokens of $app, $oauthtoken and $token.
//
// A failure is Unauthenticated with Quay's message, TooMany during the back-off after failed logins or when too many
// passwords wait to be checked, or Unavailable.
func (s *Service) Login(ctx context.Context, username, secret string) (Principal, error) {
	return s.login(ctx, s.formOf(username), username, secret)
}

// SignIn checks a user's name or e-mail address and password as Login does, for the console: no other form counts, and
// the password may be plain whatever RequireEncryptedBasicAuth says. The principal's credential is Password.
func (s *Service) SignIn(ctx context.Context, username, password string) (Principal, error) {
	return s.login(ctx, userForm, username, password)
}

// OAuth checks the bearer token of an API request: an OAuth access token.
func (s *Service) OAuth(ctx context.Context, token string) (Principal, error) {
	return s.login(ctx, oauthForm, "$oauthtoken", token)
}

func (s *Service) formOf(username string) form {
	switch username {
	case "$app":
		return appForm
	case "$oauthtoken":
		return oauthForm
	case "$token":
		return accessForm
	}
	if strings.Contains(username, "+") && !strings.Contains(username, "@") {
		return robotForm
	}
	if s.options.RequireEncryptedBasicAuth {
		return userEncryptedForm
	}
	return userForm
}

// login trusts a proof of the last minute as long as its account still has the revision it was made under, so that in
// the steady state a login asks neither the database nor bcrypt.
func (s *Service) login(ctx context.Context, f form, username, secret string) (Principal, error) {
	key := s.keyOf(f, username, secret)
	for range 2 {
		made, err := s.proofs.Get(ctx, key, func(ctx context.Context) (proof, error) {
			return s.verify(ctx, f, username, secret)
		})
		if err != nil {
			return Principal{}, err
		}
		p, err := s.holder(ctx, made)
		if err == nil {
			s.uses.record(made)
			return p, nil
		}
		if !problem.Is(err, problem.Unauthenticated) {
			return Principal{}, err
		}
		s.proofs.Forget(key) // the secret has changed: the next round says why
	}
	return Principal{}, problem.New(problem.Unauthenticated, "The credentials were changed while they were checked")
}

// holder is whom a proof speaks for, now.
func (s *Service) holder(ctx context.Context, made proof) (Principal, error) {
	p, err := s.Current(ctx, made.credential, made.reference, made.rev)
	if err == nil || !problem.Is(err, problem.Unauthenticated) {
		return p, err
	}
	// The proof may be younger than what is remembered of the account.
	r, err := s.reload(ctx, made.credential, made.reference)
	if err != nil {
		return Principal{}, err
	}
	return r.under(made.rev, s.now())
}

func (s *Service) verify(ctx context.Context, f form, username, secret string) (proof, error) {
	if !storable(username) {
		username = "" // nobody has such a name, nor this one
	}
	switch f {
	case robotForm:
		return s.verifyRobot(ctx, username, secret)
	case appForm:
		return s.verifyAppToken(ctx, secret)
	case oauthForm:
		return s.verifyOAuthToken(ctx, secret)
	case accessForm:
		return s.verifyAccessToken(ctx, secret)
	}
	return s.verifyUser(ctx, f, username, secret)
}

func (s *Service) keyOf(f form, username, secret string) (key proofKey) {
	mac := hmac.New(sha256.New, s.proofKey)
	head := binary.BigEndian.AppendUint64([]byte{byte(f)}, uint64(len(username)))
	mac.Write(head)
	mac.Write([]byte(username))
	mac.Write([]byte(secret))
	mac.Sum(key[:0])
	return key
}

// unauthenticated is a refusal with a text for the client.
func unauthenticated(format string, args ...any) error {
	return problem.New(problem.Unauthenticated, format, args...).WithCode("UNAUTHORIZED")
}
