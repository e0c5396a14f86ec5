package rest

import (
	"context"
	"net/http"
	"slices"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

func (a *API) superUserRoutes() []*route {
	const users, one = "/api/v1/superuser/users/", "/api/v1/superuser/users/{username}"
	all := []*route{
		{Method: http.MethodGet, Path: users, ID: "listAllUsers", Summary: "All users", Need: inspectors(), Handler: handle(a.listUsers)},
		{Method: http.MethodPost, Path: users, ID: "createInstallUser", Summary: "Make a user with a password made here", Need: superusers(), MaxBody: smallBody, Handler: handle(a.createUserBySuper)},
		{Method: http.MethodGet, Path: one, ID: "getInstallUser", Summary: "A user", Need: inspectors(), Handler: handle(a.getSuperUserView)},
		{Method: http.MethodPut, Path: one, ID: "changeInstallUser", Summary: "Change a user", Need: superusers(), MaxBody: smallBody, Handler: handle(a.updateUserBySuper)},
		{Method: http.MethodDelete, Path: one, ID: "deleteInstallUser", Summary: "Delete a user with all that is in its namespace", Need: superusers(), Handler: handle(a.deleteUserBySuper)},
		{Method: http.MethodPost, Path: "/api/v1/superusers/users/{username}/sendrecovery", ID: "sendInstallUserRecoveryEmail", Summary: "Send a user a mail to set a new password", Need: superusers(), Handler: handle(a.recoverUserBySuper)},
	}
	if !a.options.Mailing {
		all[len(all)-1].Off = http.StatusMethodNotAllowed
	}
	return a.superPanel(all)
}

// superPanel makes rows of the superuser panel demand a fresh login, and switches them off with FEATURE_SUPER_USERS.
func (a *API) superPanel(all []*route) []*route {
	for _, r := range all {
		r.FreshLogin = true
		if !a.options.Access.Policy().SuperUsersEnabled {
			r.Off = http.StatusNotFound
			if r.changes() {
				r.Off = http.StatusMethodNotAllowed
			}
		}
	}
	return all
}

// superUserView is a user as superusers see it.
type superUserView struct {
	Kind              string `json:"kind" enum:"user"`
	Name              string `json:"name"`
	Username          string `json:"username"`
	Email             string `json:"email"`
	Verified          bool   `json:"verified"`
	Avatar            avatar `json:"avatar"`
	SuperUser         bool   `json:"super_user"`
	Enabled           bool   `json:"enabled"`
	ReadOnlySuperUser bool   `json:"global_readonly_super_user"`
	EncryptedPassword string `json:"encrypted_password,omitempty" doc:"only when a password was set"`
}

func (a *API) superUserView(ctx context.Context, u identity.Account) (superUserView, error) {
	super, err := a.isSuperUser(ctx, u)
	return superUserView{
		Kind: "user", Name: u.Name, Username: u.Name, Email: u.Email, Verified: u.Verified, Avatar: accountAvatar(u),
		SuperUser: super, Enabled: u.Enabled, ReadOnlySuperUser: a.isReadOnlySuperUser(u),
	}, err
}

// isSuperUser reports whether an account is a superuser's, whoever asks.
func (a *API) isSuperUser(ctx context.Context, u identity.Account) (bool, error) {
	return a.options.Access.IsSuperUser(ctx, identity.Principal{Account: u})
}

func (a *API) isReadOnlySuperUser(u identity.Account) bool {
	return u.Kind == identity.User && slices.Contains(a.options.Access.Policy().ReadOnlySuperUsers, u.Name)
}

// PanelPage is how the panel's lists are asked for; it is exported so that the parameters of a struct that holds it are
// found.
type PanelPage struct {
	Limit    int    `query:"limit" minimum:"1" maximum:"100" doc:"at most so many; without it all at once"`
	NextPage string `query:"next_page" maxLength:"1024" doc:"from the page before"`
}

// page reads one account more than is shown, to know whether there is another page.
func (p PanelPage) page(a *API, operation string) (identity.Page, error) {
	var page identity.Page
	if p.Limit > 0 {
		page.Limit = p.Limit + 1
	}
	if p.NextPage == "" {
		return page, nil
	}
	return page, a.pages.decode(operation, p.NextPage, &page.After)
}

// cut drops the one account more and gives the token of the next page.
func (p PanelPage) cut(a *API, operation string, list []identity.Account) ([]identity.Account, string, error) {
	if p.Limit == 0 || len(list) <= p.Limit {
		return list, "", nil
	}
	next, err := a.pages.encode(operation, list[p.Limit-1].Name)
	return list[:p.Limit], next, err
}

type listUsersInput struct {
	PanelPage
	Disabled bool `query:"disabled" default:"true" doc:"disabled users too"`
}

type listUsersOutput struct {
	Body struct {
		Users    []superUserView `json:"users"`
		NextPage string          `json:"next_page,omitempty"`
	}
}

func (a *API) listUsers(ctx context.Context, _ *Call, in *listUsersInput) (*listUsersOutput, error) {
	page, err := in.page(a, "listAllUsers")
	if err != nil {
		return nil, err
	}
	page.Enabled = !in.Disabled
	users, err := a.options.Identity.UserPage(ctx, page)
	if err != nil {
		return nil, err
	}
	out := &listUsersOutput{}
	if users, out.Body.NextPage, err = in.cut(a, "listAllUsers", users); err != nil {
		return nil, err
	}
	out.Body.Users = make([]superUserView, 0, len(users))
	for _, u := range users {
		view, err := a.superUserView(ctx, u)
		if err != nil {
			return nil, err
		}
		out.Body.Users = append(out.Body.Users, view)
	}
	return out, nil
}

type createUserBySuperInput struct {
	Body struct {
		Username string `json:"username" maxLength:"255"`
		Email    string `json:"email,omitempty" maxLength:"254" doc:"required when the registry sends mail"`
	}
}

type createUserBySuperOutput struct {
	Body struct {
		Username          string `json:"username"`
		Email             string `json:"email"`
		Password          string `json:"password"`
		EncryptedPassword string `json:"encrypted_password"`
	}
}

// createUserBySuper makes a user. Where mail is sent the user has to confirm the address before signing in.
func (a *API) createUserBySuper(ctx context.Context, _ *Call, in *createUserBySuperInput) (*createUserBySuperOutput, error) {
	switch {
	case !a.options.DatabaseAuth:
		return nil, invalidRequest("Cannot create a user in a non-database auth system")
	case a.options.Mailing && in.Body.Email == "":
		return nil, invalidRequest("Email address is required")
	}
	out := &createUserBySuperOutput{}
	out.Body.Username, out.Body.Email, out.Body.Password = in.Body.Username, in.Body.Email, identity.NewPassword()
	made, err := a.options.Identity.CreateUser(ctx, identity.NewUser{
		Name: in.Body.Username, Email: in.Body.Email, Password: out.Body.Password, Verified: !a.options.Mailing, Trusted: true,
	})
	if err != nil {
		return nil, asInvalid(err)
	}
	if a.options.Mailing {
		code, err := a.options.Identity.ConfirmationCode(ctx, made.ID)
		if err != nil {
			return nil, err
		}
		if err := a.askToConfirm(ctx, identity.Registered{Account: made, Code: code}); err != nil {
			return nil, err
		}
	}
	out.Body.EncryptedPassword, err = a.options.Identity.EncryptPassword(out.Body.Password)
	return out, err
}

type superUserOutput struct{ Body superUserView }

func (a *API) getSuperUserView(ctx context.Context, c *Call, _ *struct{}) (*superUserOutput, error) {
	found, err := a.user(ctx, c.Path.Variable("username"))
	if err != nil {
		return nil, err
	}
	view, err := a.superUserView(ctx, found)
	return &superUserOutput{view}, err
}

// ordinaryUser is a user that superusers may change: no superuser.
func (a *API) ordinaryUser(ctx context.Context, c *Call, refusal string) (identity.Account, error) {
	found, err := a.user(ctx, c.Path.Variable("username"))
	if err != nil {
		return found, err
	}
	super, err := a.isSuperUser(ctx, found)
	if err == nil && super {
		return found, invalidRequest("%s", refusal)
	}
	return found, err
}

type updateUserBySuperInput struct {
	Body struct {
		Password  *string `json:"password,omitempty" maxLength:"1024"`
		Email     *string `json:"email,omitempty" maxLength:"254" doc:"counts as confirmed"`
		Enabled   *bool   `json:"enabled,omitempty"`
		SuperUser *bool   `json:"superuser,omitempty" doc:"cannot be changed here: see SUPER_USERS"`
	}
}

// updateUserBySuper makes all changes or none. Its answer tells whether the user was enabled before, as Quay's does.
func (a *API) updateUserBySuper(ctx context.Context, c *Call, in *updateUserBySuperInput) (*superUserOutput, error) {
	if !a.options.DatabaseAuth {
		return nil, invalidRequest("Cannot change a user in a non-database auth system")
	}
	before, err := a.ordinaryUser(ctx, c, "Cannot update a superuser")
	if err != nil {
		return nil, err
	}
	b := in.Body
	if b.SuperUser != nil && *b.SuperUser {
		return nil, invalidRequest("superuser: superusers are named by SUPER_USERS in the configuration, which the registry does not write")
	}
	updated, err := a.options.Identity.UpdateUser(ctx, before.ID, identity.UserChanges{
		Password: b.Password, Email: b.Email, Enabled: b.Enabled, BySuper: true,
	})
	if err != nil {
		return nil, asInvalid(err)
	}
	view, err := a.superUserView(ctx, updated)
	if err != nil {
		return nil, err
	}
	view.Enabled = before.Enabled
	if b.Password != nil {
		view.EncryptedPassword, err = a.options.Identity.EncryptPassword(*b.Password)
	}
	return &superUserOutput{view}, err
}

// deleteUserBySuper deletes a user even where an organization is left without an administrator: a superuser can take it
// over.
func (a *API) deleteUserBySuper(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	found, err := a.ordinaryUser(ctx, c, "Cannot delete a superuser")
	if err != nil {
		return nil, err
	}
	err = a.options.Identity.DeleteUser(ctx, found.ID, true)
	if problem.Is(err, problem.NotFound) {
		return nil, notFound()
	}
	return nil, asInvalid(err)
}

type emailOutput struct {
	Body struct {
		Email string `json:"email"`
	}
}

func (a *API) recoverUserBySuper(ctx context.Context, c *Call, _ *struct{}) (*emailOutput, error) {
	if !a.options.DatabaseAuth {
		return nil, invalidRequest("Cannot recover a user in a non-database auth system")
	}
	found, err := a.ordinaryUser(ctx, c, "Cannot send a recovery mail to a superuser")
	if err != nil {
		return nil, err
	}
	if found.Email == "" {
		return nil, invalidRequest("The user %s has no e-mail address", found.Name)
	}
	if err := a.sendRecovery(ctx, found); err != nil {
		return nil, asInvalid(err)
	}
	out := &emailOutput{}
	out.Body.Email = found.Email
	return out, nil
}
