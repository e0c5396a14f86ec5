package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
)

func (a *API) userRoutes() []*route {
	initializeOff := 0
	if !a.options.Initialize {
		initializeOff = http.StatusNotFound
	}
	return []*route{{
		Method: http.MethodGet, Path: "/api/v1/user/", ID: "getLoggedInUser", Summary: "The signed-in user",
		Need: everybody(), Anonymous: true, Handler: handle(a.getUser),
	}, {
		Method: http.MethodPost, Path: "/api/v1/user/initialize", ID: "initializeUser", Summary: "Make the first user of an empty registry",
		Need: everybody(), MaxBody: smallBody, Anonymous: true, NoCSRF: true, Messages: true, Off: initializeOff, Handler: handle(a.initializeUser),
	}}
}

// userView is a user as its owner sees it. The second half is there only for a caller that may administer the account.
type userView struct {
	Anonymous bool   `json:"anonymous"`
	Username  string `json:"username"`
	Avatar    avatar `json:"avatar"`
	*accountView
	*membershipView
	SuperUser         bool `json:"super_user,omitempty"`
	ReadOnlySuperUser bool `json:"global_readonly_super_user,omitempty"`
}

// membershipView is there for who may read the account.
type membershipView struct {
	Organizations []organizationItem `json:"organizations"`
}

type accountView struct {
	CanCreateRepo       bool     `json:"can_create_repo"`
	IsMe                bool     `json:"is_me"`
	Verified            bool     `json:"verified"`
	Email               string   `json:"email"`
	Logins              []login  `json:"logins"`
	InvoiceEmail        bool     `json:"invoice_email"`
	InvoiceEmailAddress *string  `json:"invoice_email_address"`
	PreferredNamespace  bool     `json:"preferred_namespace"`
	TagExpirationS      int64    `json:"tag_expiration_s"`
	Prompts             []string `json:"prompts"`
	Company             *string  `json:"company"`
	FamilyName          *string  `json:"family_name"`
	GivenName           *string  `json:"given_name"`
	Location            *string  `json:"location"`
	IsFreeAccount       bool     `json:"is_free_account"`
	HasPasswordSet      bool     `json:"has_password_set"`
}

// login is a link to an external login service.
type login struct {
	Service           string          `json:"service"`
	ServiceIdentifier string          `json:"service_identifier"`
	Metadata          json.RawMessage `json:"metadata" doc:"what the service told"`
}

type organizationItem struct {
	Name               string `json:"name"`
	Avatar             avatar `json:"avatar"`
	CanCreateRepo      bool   `json:"can_create_repo"`
	Public             bool   `json:"public"`
	IsOrgAdmin         bool   `json:"is_org_admin"`
	PreferredNamespace bool   `json:"preferred_namespace"`
}

type userOutput struct {
	Body userView
}

// getUser answers 401 to everybody who is not a user with the right to read the own account, also to a token without
// the scope: consoles ask this first to learn whether to show a login page.
func (a *API) getUser(ctx context.Context, c *Call, _ *struct{}) (*userOutput, error) {
	own := accountObject(c.Principal.Account)
	readable, err := a.may(ctx, c.Principal, access.ReadAccount, own)
	if err != nil {
		return nil, err
	}
	if !readable || c.Principal.Account.Kind != identity.User {
		return nil, unauthenticated().with("session_required", false)
	}
	view, err := a.userView(ctx, c)
	if err != nil {
		return nil, err
	}
	return &userOutput{view}, nil
}

func (a *API) userView(ctx context.Context, c *Call) (userView, error) {
	who := c.Principal.Account
	view := userView{Username: who.Name, Avatar: accountAvatar(who)}
	admin, err := a.may(ctx, c.Principal, access.AdministerAccount, accountObject(who))
	if err != nil {
		return view, err
	}
	if admin {
		if view.accountView, err = a.accountView(ctx, c); err != nil {
			return view, err
		}
	}
	organizations, err := a.organizationItems(ctx, who)
	if err != nil {
		return view, err
	}
	view.membershipView = &membershipView{organizations}
	view.ReadOnlySuperUser = a.isReadOnlySuperUser(who)
	view.SuperUser, err = a.options.Access.IsSuperUser(ctx, c.Principal)
	return view, err
}

func (a *API) accountView(ctx context.Context, c *Call) (*accountView, error) {
	who := c.Principal.Account
	user := c.Principal
	user.Credential = identity.Session // what the user may, whatever the scope of the token that asks
	create, err := a.may(ctx, user, access.CreateRepository, accountObject(who))
	if err != nil {
		return nil, err
	}
	own, err := a.options.Identity.Details(ctx, who.ID)
	if err != nil {
		return nil, err
	}
	view := &accountView{
		CanCreateRepo: create, IsMe: true, Verified: who.Verified, Email: who.Email, Logins: []login{},
		InvoiceEmail: own.InvoiceEmail, InvoiceEmailAddress: own.InvoiceAddress,
		TagExpirationS: int64(who.TagWindow.Seconds()), Prompts: append([]string{}, own.Prompts...),
		Company: own.Company, FamilyName: own.FamilyName, GivenName: own.GivenName, Location: own.Location,
		IsFreeAccount: true, HasPasswordSet: who.HasPassword,
	}
	for _, l := range own.Logins {
		view.Logins = append(view.Logins, login{l.Service, l.Subject, l.Metadata})
	}
	return view, nil
}

func (a *API) organizationItems(ctx context.Context, who identity.Account) ([]organizationItem, error) {
	memberships, err := a.options.Identity.Organizations(ctx, who.ID)
	if err != nil {
		return nil, err
	}
	items := make([]organizationItem, 0, len(memberships))
	for _, m := range memberships {
		items = append(items, organizationItem{
			Name: m.Account.Name, Avatar: accountAvatar(m.Account), CanCreateRepo: m.CanCreate, IsOrgAdmin: m.Admin,
			Public: slices.Contains(a.options.PublicNamespaces, m.Account.Name),
		})
	}
	return items, nil
}
