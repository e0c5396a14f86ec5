package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

func (a *API) sessionRoutes() []*route {
	off := 0
	if !a.options.DirectLogin {
		off = http.StatusMethodNotAllowed
	}
	return []*route{{
		Method: http.MethodPost, Path: "/api/v1/signin", ID: "signinUser", Summary: "Sign in and start a session", Off: off,
		Need: everybody(), MaxBody: smallBody, Anonymous: true, ReadOnlyOK: true, Handler: handle(a.signin),
	}, {
		Method: http.MethodPost, Path: "/api/v1/signin/verify", ID: "verifyUser", Summary: "Enter the password again",
		Need: account(access.AdministerAccount, identity.ScopeUserAdmin), MaxBody: smallBody, ReadOnlyOK: true, Handler: handle(a.verify),
	}, {
		Method: http.MethodPost, Path: "/api/v1/signout", ID: "logout", Summary: "End all sessions of the signed-in user",
		Need: everybody(), Anonymous: true, ReadOnlyOK: true, Handler: handle(a.signout),
	}, {
		Method: http.MethodGet, Path: "/csrf_token", ID: "getCSRFToken", Summary: "The session's CSRF token",
		Need: everybody(), Anonymous: true, Browser: true, Handler: handle(a.getCSRFToken),
	}}
}

type signinInput struct {
	Body struct {
		Username   string `json:"username" maxLength:"255" doc:"user name or e-mail address"`
		Password   string `json:"password" maxLength:"1024"`
		InviteCode string `json:"invite_code,omitempty" maxLength:"255"`
	}
}

type verifyInput struct {
	Body struct {
		Password string `json:"password" maxLength:"1024"`
	}
}

type success struct {
	Success bool `json:"success"`
}

type successOutput struct {
	Body success
}

func succeeded() *successOutput { return &successOutput{success{true}} }

type csrfTokenOutput struct {
	Body struct {
		Token string `json:"csrf_token"`
	}
}

func (a *API) signin(ctx context.Context, c *Call, in *signinInput) (*successOutput, error) {
	user, err := a.checkPassword(ctx, in.Body.Username, in.Body.Password)
	if err != nil {
		a.notSignedIn(c, in.Body.Username, err)
		return nil, err
	}
	if user, err = a.verifyByInvite(ctx, user, in.Body.InviteCode); err != nil {
		return nil, err
	}
	if a.options.Mailing && !user.Verified {
		return nil, signinRefused(false, "").with("needsEmailVerification", true).with("message", nil)
	}
	if err := a.signIn(ctx, c, user); err != nil {
		return nil, err
	}
	return succeeded(), a.signedIn(c, user)
}

// verifyByInvite confirms the address of a user who shows the code of an invitation that went there. Accepting the
// invitation is another step.
func (a *API) verifyByInvite(ctx context.Context, user identity.Account, code string) (identity.Account, error) {
	if !a.options.Mailing || user.Verified || code == "" || a.options.Access.Policy().RegistryReadOnly {
		return user, nil
	}
	return a.options.Identity.VerifyByInvite(ctx, code, user.ID)
}

func (a *API) verify(ctx context.Context, c *Call, in *verifyInput) (*successOutput, error) {
	user, err := a.checkPassword(ctx, c.Principal.Account.Name, in.Body.Password)
	if err != nil {
		return nil, err
	}
	if user.ID != c.Principal.Account.ID {
		return nil, unauthorized()
	}
	if err := a.signIn(ctx, c, user); err != nil {
		return nil, err
	}
	return succeeded(), nil
}

func (a *API) signout(ctx context.Context, c *Call, _ *struct{}) (*successOutput, error) {
	if err := a.signOut(ctx, c); err != nil {
		return nil, err
	}
	return succeeded(), nil
}

func (a *API) getCSRFToken(ctx context.Context, c *Call, _ *struct{}) (*csrfTokenOutput, error) {
	out := &csrfTokenOutput{}
	out.Body.Token = a.sessions.csrfToken(ctx)
	return out, nil
}

// checkPassword finds the user that a name or address and a password belong to. What tools log in with (robots,
// tokens) starts no session.
func (a *API) checkPassword(ctx context.Context, name, password string) (identity.Account, error) {
	p, err := a.options.Identity.SignIn(ctx, name, password)
	if problem.Is(err, problem.Unauthenticated) {
		return identity.Account{}, signinRefused(true, problem.From(err).Message)
	}
	return p.Account, err
}

func signinRefused(invalid bool, text string) *failure {
	return message(http.StatusForbidden, "%s", text).with("invalidCredentials", invalid).with("needsEmailVerification", false)
}
