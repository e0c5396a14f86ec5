package rest

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"net/http"
	"strings"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

func (a *API) registrationRoutes() []*route {
	off := 0
	if !a.options.Registration.Open || !a.options.DirectLogin || !a.options.DatabaseAuth {
		off = http.StatusMethodNotAllowed
	}
	return []*route{{
		Method: http.MethodPost, Path: "/api/v1/user/", ID: "createNewUser", Summary: "Make an account for oneself", Off: off,
		Need: everybody(), MaxBody: smallBody, Anonymous: true, Handler: handle(a.createUser),
	}}
}

// SetupCode is what the first user of an empty registry needs who does not ask from the machine itself. It follows from
// SECRET_KEY, so that it is the same on every replica; the program prints it at start while there is no user.
func SetupCode(secret []byte) (string, error) {
	const size = 16
	raw, err := hkdf.Key(sha256.New, secret, nil, "longshore set-up code", size)
	if err != nil {
		return "", err
	}
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw), nil
}

type createUserInput struct {
	Body struct {
		Username   string `json:"username" maxLength:"255"`
		Password   string `json:"password" maxLength:"1024" doc:"at least 8 characters without white space"`
		Email      string `json:"email,omitempty" maxLength:"254" doc:"required when the registry sends mail"`
		InviteCode string `json:"invite_code,omitempty" maxLength:"255" doc:"from an invitation into a team"`
		SetupCode  string `json:"setup_code,omitempty" maxLength:"64" doc:"for the first user of an empty registry"`
		Recaptcha  string `json:"recaptcha_response,omitempty" maxLength:"4096"`
	}
}

// createUserOutput is the new user's view, or that the address has to be confirmed first.
type createUserOutput struct {
	Body struct {
		*userView
		AwaitingVerification bool `json:"awaiting_verification,omitempty"`
	}
}

// createUser makes an account for whoever asks and signs them in, unless they have to confirm their address first.
func (a *API) createUser(ctx context.Context, c *Call, in *createUserInput) (*createUserOutput, error) {
	first, err := a.firstUser(ctx, c, in.Body.SetupCode)
	if err != nil {
		return nil, err
	}
	if a.options.Mailing && in.Body.Email == "" {
		return nil, invalidRequest("Email address is required")
	}
	if domain, blocked := a.options.Registration.blocks(in.Body.Email); blocked {
		return nil, invalidRequest("Accounts with addresses of %s are not accepted by this registry", domain)
	}
	made, err := a.options.Identity.Register(ctx, identity.Registration{
		NewUser: identity.NewUser{Name: in.Body.Username, Email: in.Body.Email, Password: in.Body.Password},
		First:   first, Invite: in.Body.InviteCode, InviteOnly: a.options.Registration.InviteOnly,
		Confirm: a.options.Mailing, Prompts: a.firstPrompts(),
	})
	if err != nil {
		return nil, registrationRefused(err)
	}
	out := &createUserOutput{}
	if made.Code != "" {
		out.Body.AwaitingVerification = true
		return out, a.askToConfirm(ctx, made)
	}
	if err := a.signIn(ctx, c, made.Account); err != nil {
		return nil, err
	}
	c.Principal = identity.Principal{Credential: identity.Session, Account: made.Account}
	view, err := a.userView(ctx, c)
	out.Body.userView = &view
	return out, err
}

// firstUser says whether the caller may be the first user. While there is none, only somebody on this machine may, or
// who knows the set-up code, and a forwarded address proves nothing; with the code an account is made as the first one or not at all.
func (a *API) firstUser(ctx context.Context, c *Call, code string) (bool, error) {
	if code != "" {
		if subtle.ConstantTimeCompare([]byte(strings.ToUpper(code)), []byte(a.setup)) != 1 {
			return false, message(http.StatusForbidden, "The set-up code is wrong: it was printed when the registry started")
		}
		return true, nil
	}
	some, err := a.options.Identity.HasUsers(ctx)
	if err != nil || some {
		return false, err
	}
	if c.Record.OnMachine() {
		return true, nil
	}
	return false, message(http.StatusForbidden, "This registry has no user yet: send the set-up code that was printed when it started as setup_code")
}

func registrationRefused(err error) error {
	if problem.Is(err, problem.Forbidden) {
		return message(http.StatusForbidden, "%s", problem.From(err).Message)
	}
	return asInvalid(err)
}

// firstPrompts is what the console shall ask a new user.
func (a *API) firstPrompts() []string {
	if !a.options.Metadata {
		return nil
	}
	return []string{identity.PromptName, identity.PromptCompany}
}

// askToConfirm sends the letter with the code. When it cannot be sent the account is taken back: its owner would have no
// way in, and the name would be lost.
func (a *API) askToConfirm(ctx context.Context, made identity.Registered) error {
	err := a.options.Mail.Confirm(ctx, made.Email, made.Name, a.link("/confirm", made.Code), a.options.Identity.CodeLife())
	if err == nil {
		return nil
	}
	if undo := a.options.Identity.DeleteUser(context.WithoutCancel(ctx), made.ID, true); undo != nil {
		a.options.Log.Warn("an account whose mail could not be sent was not removed", "account", made.Name, "error", undo)
	}
	return asInvalid(err)
}

// link is the address of a page for a code, as it stands in a mail.
func (a *API) link(path, code string) string { return a.options.Links + path + "?code=" + code }

// blocks reports whether an address lies in a blocked domain or below one, and which.
func (r Registration) blocks(email string) (domain string, blocked bool) {
	_, host, _ := strings.Cut(email, "@")
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, domain := range r.BlockedDomains {
		domain = strings.ToLower(strings.Trim(domain, "."))
		if domain != "" && (host == domain || strings.HasSuffix(host, "."+domain)) {
			return domain, true
		}
	}
	return "", false
}
