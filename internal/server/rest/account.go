package rest

import (
	"context"
	"errors"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

func (a *API) accountRoutes() []*route {
	own := account(access.AdministerAccount, identity.ScopeUserAdmin)
	noMail, noDatabase := 0, 0
	if !a.options.Mailing {
		noMail = http.StatusMethodNotAllowed
	}
	if !a.options.DatabaseAuth {
		noDatabase = http.StatusMethodNotAllowed
	}
	const user = "/api/v1/user"
	return []*route{
		{Method: http.MethodPut, Path: user + "/", ID: "changeUserDetails", Summary: "Change the own account", Need: own, FreshLogin: true, MaxBody: smallBody, Handler: handle(a.updateUser)},
		{Method: http.MethodDelete, Path: user + "/", ID: "deleteCurrentUser", Summary: "Delete the own account with all that is in it", Need: own, FreshLogin: true, Off: noDatabase, Handler: handle(a.deleteUser)},
		{Method: http.MethodGet, Path: "/api/v1/users/{username}", ID: "getUserInformation", Summary: "A user, as much of it as the caller may see", Need: everybody(), Handler: handle(a.getOtherUser)},
		{Method: http.MethodPost, Path: user + "/clientkey", ID: "generateUserClientKey", Summary: "The encrypted form of the own password", Need: own, MaxBody: smallBody, Handler: handle(a.clientKey)},
		{Method: http.MethodPost, Path: user + "/convert", ID: "convertUserToOrganization", Summary: "Make an organization of the own account", Need: own, Off: noDatabase, MaxBody: smallBody, Handler: handle(a.convertUser)},
		{Method: http.MethodPost, Path: "/api/v1/recovery", ID: "requestRecoveryEmail", Summary: "Ask for a mail to set a new password", Need: everybody(), Anonymous: true, Off: noMail, MaxBody: smallBody, Handler: handle(a.requestRecovery)},
		{Method: http.MethodPost, Path: "/api/v1/externallogin/{service_id}", ID: "retrieveExternalLoginAuthorizationUrl", Summary: "Where to sign in at another service", Need: everybody(), Anonymous: true, ReadOnlyOK: true, MaxBody: smallBody, Handler: handle(a.externalLogin)},
		{Method: http.MethodPost, Path: "/api/v1/detachexternal/{service_id}", ID: "detachExternalLogin", Summary: "End the link to a login service", Need: own, Handler: handle(a.detachLogin)},
	}
}

type updateUserInput struct {
	Body struct {
		Password       *string  `json:"password,omitempty" maxLength:"1024" doc:"ends all sessions but this one"`
		InvoiceEmail   *bool    `json:"invoice_email,omitempty"`
		Email          *string  `json:"email,omitempty" maxLength:"254" doc:"takes effect when it is confirmed, if the registry sends mail"`
		TagExpirationS *int64   `json:"tag_expiration_s,omitempty" minimum:"0" doc:"seconds, one of TAG_EXPIRATION_OPTIONS; ignored where FEATURE_CHANGE_TAG_EXPIRATION is off"`
		Username       *string  `json:"username,omitempty" maxLength:"255"`
		InvoiceAddress nullable `json:"invoice_email_address,omitempty"`
		GivenName      nullable `json:"given_name,omitempty"`
		FamilyName     nullable `json:"family_name,omitempty"`
		Company        nullable `json:"company,omitempty"`
		Location       nullable `json:"location,omitempty"`
	}
}

// updateUser makes all changes or none. A new address is asked to be confirmed before anything else is changed, since a
// mail is what can fail.
func (a *API) updateUser(ctx context.Context, c *Call, in *updateUserInput) (*userOutput, error) {
	who := c.Principal.Account
	changes, err := a.userChanges(ctx, who, in)
	if err != nil {
		return nil, err
	}
	code := ""
	if a.options.Mailing && changes.Email != nil {
		if code, err = a.askToChange(ctx, who, *changes.Email); err != nil {
			return nil, asInvalid(err)
		}
		changes.Email = nil
	}
	updated, err := a.options.Identity.UpdateUser(ctx, who.ID, changes)
	if err != nil {
		if code != "" {
			err = errors.Join(err, a.options.Identity.ForgetCode(ctx, code))
		}
		return nil, asInvalid(err)
	}
	if changes.Password != nil && c.Principal.Credential == identity.Session {
		if err := a.signIn(ctx, c, updated); err != nil {
			return nil, err
		}
	}
	c.Principal.Account = updated
	view, err := a.userView(ctx, c)
	return &userOutput{view}, err
}

// userChanges are what a body asks for. A name needs FEATURE_USER_RENAME or that the console asked for it, what says who
// somebody is FEATURE_USER_METADATA.
func (a *API) userChanges(ctx context.Context, who identity.Account, in *updateUserInput) (identity.UserChanges, error) {
	b := in.Body
	c := identity.UserChanges{
		Password: b.Password, InvoiceEmail: b.InvoiceEmail, InvoiceAddress: b.InvoiceAddress.change(), Unverified: !who.Verified,
	}
	if b.Email != nil && *b.Email != who.Email {
		c.Email = b.Email
	}
	var err error
	if c.TagWindow, err = a.tagWindow(b.TagExpirationS); err != nil {
		return c, err
	}
	if b.Username != nil {
		own, err := a.options.Identity.Details(ctx, who.ID)
		if err != nil {
			return c, err
		}
		asked := own.Asks(identity.PromptUsername)
		if *b.Username != who.Name && !asked && !a.options.Rename {
			return c, invalidRequest("username: found %q; the name of an account cannot be changed on this registry (FEATURE_USER_RENAME)", *b.Username)
		}
		if asked || *b.Username != who.Name {
			c.Name = b.Username
		}
	}
	for _, member := range []struct {
		name string
		sent nullable
		into *identity.Text
	}{
		{"given_name", b.GivenName, &c.GivenName}, {"family_name", b.FamilyName, &c.FamilyName},
		{"company", b.Company, &c.Company}, {"location", b.Location, &c.Location},
	} {
		switch {
		case a.options.Metadata:
			*member.into = member.sent.change()
		case member.sent.Text != "":
			return c, invalidRequest("%s: not kept on this registry (FEATURE_USER_METADATA)", member.name)
		}
	}
	return c, nil
}

// askToChange sends a code to a new address.
func (a *API) askToChange(ctx context.Context, who identity.Account, email string) (string, error) {
	code, err := a.options.Identity.AddressCode(ctx, who.ID, email)
	if err != nil {
		return "", err
	}
	if err := a.options.Mail.ChangeAddress(ctx, email, who.Name, a.link("/confirm", code), a.options.Identity.CodeLife()); err != nil {
		return "", a.takeBack(ctx, code, err)
	}
	return code, nil
}

// takeBack voids a code whose letter could not be sent.
func (a *API) takeBack(ctx context.Context, code string, cause error) error {
	if err := a.options.Identity.ForgetCode(context.WithoutCancel(ctx), code); err != nil {
		a.options.Log.Warn("a code whose mail could not be sent was not removed", "error", err)
	}
	return cause
}

func (a *API) deleteUser(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	if err := a.options.Identity.DeleteUser(ctx, c.Principal.Account.ID, false); err != nil {
		return nil, asMessage(err)
	}
	return nil, a.sessions.manager.Destroy(ctx)
}

// getOtherUser shows the caller's own account as /user/ does, and of others what everybody may know.
func (a *API) getOtherUser(ctx context.Context, c *Call, _ *struct{}) (*userOutput, error) {
	found, err := a.user(ctx, c.Path.Variable("username"))
	if err != nil {
		return nil, err
	}
	if found.ID == c.Principal.Account.ID {
		readable, err := a.may(ctx, c.Principal, access.ReadAccount, accountObject(found))
		if err != nil {
			return nil, err
		}
		if readable {
			view, err := a.userView(ctx, c)
			return &userOutput{view}, err
		}
	}
	return &userOutput{userView{Username: found.Name, Avatar: accountAvatar(found)}}, nil
}

// user is the user of a name; not found for organizations and robots.
func (a *API) user(ctx context.Context, name string) (identity.Account, error) {
	found, err := a.options.Identity.Account(ctx, name)
	if problem.Is(err, problem.NotFound) || err == nil && found.Kind != identity.User {
		return identity.Account{}, notFound()
	}
	return found, err
}

type keyOutput struct {
	Body struct {
		Key string `json:"key"`
	}
}

func (a *API) clientKey(ctx context.Context, c *Call, in *verifyInput) (*keyOutput, error) {
	who := c.Principal.Account
	p, err := a.options.Identity.SignIn(ctx, who.Name, in.Body.Password)
	if problem.Is(err, problem.Unauthenticated) || err == nil && p.Account.ID != who.ID {
		return nil, invalidRequest("Invalid Username or Password")
	}
	if err != nil {
		return nil, err
	}
	out := &keyOutput{}
	out.Body.Key, err = a.options.Identity.ClientKey(ctx, who.ID, in.Body.Password)
	return out, err
}

type convertInput struct {
	Body struct {
		AdminUser     string `json:"adminUser" maxLength:"255" doc:"a user who shall own the organization"`
		AdminPassword string `json:"adminPassword" maxLength:"1024" doc:"that user's password"`
		Plan          string `json:"plan,omitempty" maxLength:"255"`
	}
}

// convertUser makes an organization of the caller's account and signs its first owner in. A superuser's account stays
// one, as it does when another superuser wants to take it.
func (a *API) convertUser(ctx context.Context, c *Call, in *convertInput) (*successOutput, error) {
	super, err := a.isSuperUser(ctx, c.Principal.Account)
	if err != nil {
		return nil, err
	}
	if super {
		return nil, invalidRequest("Cannot convert a superuser")
	}
	p, err := a.options.Identity.SignIn(ctx, in.Body.AdminUser, in.Body.AdminPassword)
	switch {
	case problem.Is(err, problem.Unauthenticated):
		return nil, invalidRequest("adminUser: the name or the password is wrong").with("reason", "invaliduser")
	case err != nil:
		return nil, err
	case p.Account.ID == c.Principal.Account.ID:
		return nil, invalidRequest("adminUser: found the account itself; allowed: another user").with("reason", "invaliduser")
	case a.options.Mailing && !p.Account.Verified:
		return nil, signinRefused(false, "").with("needsEmailVerification", true).with("message", nil)
	}
	if _, err := a.options.Identity.ConvertUser(ctx, c.Principal.Account.ID, p.Account.ID); err != nil {
		return nil, asInvalid(err)
	}
	if c.Principal.Credential != identity.Session {
		return succeeded(), nil
	}
	if err := a.signIn(ctx, c, p.Account); err != nil {
		return nil, err
	}
	return succeeded(), nil
}

type externalLoginInput struct {
	Body struct {
		Kind string `json:"kind" enum:"login,attach,cli"`
	}
}

// externalLogin refuses: this version knows no login service.
func (a *API) externalLogin(_ context.Context, c *Call, _ *externalLoginInput) (*none, error) {
	return nil, invalidRequest("Unknown login service %q: none is configured", c.Path.Variable("service_id"))
}

// detachLogin ends a link that was taken over from a Quay.
func (a *API) detachLogin(ctx context.Context, c *Call, _ *struct{}) (*successOutput, error) {
	if err := a.options.Identity.DetachLogin(ctx, c.Principal.Account.ID, c.Path.Variable("service_id")); err != nil {
		return nil, err
	}
	return succeeded(), nil
}

// change is what the member asks for; an empty text removes like null.
func (n nullable) change() identity.Text {
	if n.Text == "" {
		return identity.Text{Set: n.Sent}
	}
	return identity.Text{Set: n.Sent, Value: &n.Text}
}
