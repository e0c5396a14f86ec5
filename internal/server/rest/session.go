package rest

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// defaultCookieName is Quay's default of SESSION_COOKIE_NAME; despite its name it is not the CSRF token.
const defaultCookieName = "_csrf_token"

// anonymousLife is how long a session lives in which nobody has signed in: it holds no more than a CSRF token.
const anonymousLife = time.Hour

// Cookie is how sessions are kept in the client.
type Cookie struct {
	Name       string        // SESSION_COOKIE_NAME; empty: defaultCookieName
	Secure     bool          // SESSION_COOKIE_SECURE; over https the cookie is secure anyway
	Persistent bool          // FEATURE_PERMANENT_SESSIONS: the cookie outlives the browser
	Life       time.Duration // SESSION_TIMEOUT; 0: 31 days
}

const defaultLife = 31 * 24 * time.Hour

// What a session holds. Its values are of types that gob knows without being told.
const (
	keyUser  = "user"  // uuid of the signed-in user, whose id is under identity.SessionAccount
	keyRev   = "rev"   // int64: the account's AccessRev when it signed in
	keyLogin = "login" // int64: Unix seconds of the last time the password was entered
	keyCSRF  = "csrf"
)

// sessions keeps who is signed in by cookie, in the database, so that any replica can answer.
type sessions struct {
	manager *scs.SessionManager
	cookie  Cookie
	clock   func() time.Time
}

func newSessions(o Options) *sessions {
	cookie := o.Cookie
	if cookie.Name == "" {
		cookie.Name = defaultCookieName
	}
	if cookie.Life <= 0 {
		cookie.Life = defaultLife
	}
	manager := scs.New()
	manager.Lifetime = cookie.Life
	manager.Store = o.Identity.Sessions()
	return &sessions{manager: manager, cookie: cookie, clock: o.Clock}
}

// cookieOf is the value of the session's cookie, empty without one.
func (s *sessions) cookieOf(r *http.Request) string {
	cookie, err := r.Cookie(s.cookie.Name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// csrfToken is the session's CSRF token, made when there is none yet. It makes an anonymous session a short one.
func (s *sessions) csrfToken(ctx context.Context) string {
	if token := s.manager.GetString(ctx, keyCSRF); token != "" {
		return token
	}
	if !s.manager.Exists(ctx, keyUser) {
		s.manager.SetDeadline(ctx, s.clock().Add(anonymousLife))
	}
	return s.renewCSRF(ctx)
}

func (s *sessions) renewCSRF(ctx context.Context) string {
	token := rand.Text() + rand.Text()
	s.manager.Put(ctx, keyCSRF, token)
	return token
}

// matches compares a CSRF token that was sent with the session's.
func (s *sessions) matches(ctx context.Context, sent string) bool {
	want := s.manager.GetString(ctx, keyCSRF)
	return want != "" && subtle.ConstantTimeCompare([]byte(sent), []byte(want)) == 1
}

// principal is who is signed in. A session whose account is gone, disabled, or changed its password since is nobody's.
func (s *sessions) principal(ctx context.Context, resolve *identity.Service, fresh time.Duration) (identity.Principal, error) {
	uuid := s.manager.GetString(ctx, keyUser)
	if uuid == "" {
		return identity.Principal{}, nil
	}
	p, err := resolve.Current(ctx, identity.Session, uuid, s.manager.GetInt64(ctx, keyRev))
	if problem.Is(err, problem.Unauthenticated) {
		return identity.Principal{}, nil
	}
	p.FreshUntil = time.Unix(s.manager.GetInt64(ctx, keyLogin), 0).Add(fresh)
	return p, err
}

// signIn makes the session the user's, under a new identifier and with a new CSRF token, so that nothing an attacker
// may have planted before goes on to work. The new CSRF token is told in X-Next-CSRF-Token.
func (a *API) signIn(ctx context.Context, c *Call, user identity.Account) error {
	s := a.sessions
	revision, err := a.options.Identity.SessionRevision(ctx, user.ID)
	if err != nil {
		return err
	}
	if err := s.manager.RenewToken(ctx); err != nil {
		return err
	}
	now := s.clock()
	s.manager.SetDeadline(ctx, now.Add(s.cookie.Life))
	s.manager.Put(ctx, identity.SessionAccount, user.ID)
	s.manager.Put(ctx, identity.SessionRevision, revision)
	s.manager.Put(ctx, keyUser, user.UUID)
	s.manager.Put(ctx, keyRev, user.AccessRev)
	s.manager.Put(ctx, keyLogin, now.Unix())
	c.nextCSRF = s.renewCSRF(ctx)
	return nil
}

// signOut ends all sessions of the caller, on every device, and this one in any case. A token does it with the scope of
// the own account.
func (a *API) signOut(ctx context.Context, c *Call) error {
	if !c.Principal.IsAnonymous() {
		may, err := a.may(ctx, c.Principal, access.AdministerAccount, accountObject(c.Principal.Account))
		if err != nil {
			return err
		}
		if !may {
			return unauthorized()
		}
		if err := a.options.Identity.EndSessions(ctx, c.Principal.Account.ID); err != nil {
			return err
		}
	}
	return a.sessions.manager.Destroy(ctx)
}

// keepSession stores what the handler changed in the session and tells the client its cookie.
func (a *API) keepSession(ctx context.Context, x *exchange) error {
	s := a.sessions
	switch s.manager.Status(ctx) {
	case scs.Modified:
		token, expiry, err := s.manager.Commit(ctx)
		if err != nil {
			return err
		}
		x.setCookie(s, token, expiry)
	case scs.Destroyed:
		x.setCookie(s, "", time.Unix(1, 0))
	}
	if x.call.nextCSRF != "" {
		x.w.Header().Set("X-Next-CSRF-Token", x.call.nextCSRF)
	}
	return nil
}

func (x *exchange) setCookie(s *sessions, token string, expiry time.Time) {
	cookie := &http.Cookie{
		Name: s.cookie.Name, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: s.cookie.Secure || x.call.Record.Scheme == "https",
	}
	switch {
	case token == "":
		cookie.Expires, cookie.MaxAge = expiry, -1
	case s.cookie.Persistent:
		cookie.Expires = expiry.UTC()
		cookie.MaxAge = int(expiry.Sub(s.clock()).Seconds())
	}
	http.SetCookie(x.w, cookie)
}
