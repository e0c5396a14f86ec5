package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

func (a *API) organizationRoutes() []*route {
	return []*route{{
		Method: http.MethodPost, Path: "/api/v1/organization/", ID: "createOrganization", Summary: "Create an organization", Status: http.StatusCreated,
		Need: account(access.CreateOrganization, identity.ScopeUserAdmin), Handler: handle(a.createOrganization),
	}, {
		Method: http.MethodGet, Path: "/api/v1/organization/{orgname}", ID: "getOrganization", Summary: "An organization, as much of it as the caller may see",
		Need: everybody(), Handler: handle(a.getOrganization),
	}, {
		Method: http.MethodDelete, Path: "/api/v1/organization/{orgname}", ID: "deleteOrganization", Summary: "Delete an organization with all that is in it",
		Need: organization(access.AdministerNamespace), FreshLogin: true, Handler: handle(a.deleteOrganization),
	}, {
		Method: http.MethodPut, Path: "/api/v1/organization/{orgname}", ID: "changeOrganizationDetails", Summary: "Change an organization's settings",
		Need: organization(access.AdministerNamespace), Handler: handle(a.changeOrganization),
	}}
}

type createOrganizationInput struct {
	Body struct {
		Name         string  `json:"name" maxLength:"255"`
		Email        string  `json:"email,omitempty" maxLength:"254"`
		ContactEmail *string `json:"contact_email,omitempty" nullable:"true" maxLength:"254" doc:"wins over email"`
	}
}

type textOutput struct{ Body string }

func (a *API) createOrganization(ctx context.Context, c *Call, in *createOrganizationInput) (*textOutput, error) {
	email := in.Body.Email
	if in.Body.ContactEmail != nil {
		email = *in.Body.ContactEmail
	}
	if _, err := a.options.Identity.CreateOrganization(ctx, in.Body.Name, email, c.Principal.Account.ID); err != nil {
		return nil, asInvalid(err)
	}
	return &textOutput{"Created"}, nil
}

// organizationView is an organization. Members also see its teams, administrators its settings.
type organizationView struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Avatar   avatar `json:"avatar"`
	IsAdmin  bool   `json:"is_admin"`
	IsMember bool   `json:"is_member"`
	*organizationTeams
	*organizationSettings
}

type organizationTeams struct {
	Teams        map[string]teamView `json:"teams"`
	OrderedTeams []string            `json:"ordered_teams" doc:"in the order in which they were made"`
}

type organizationSettings struct {
	InvoiceEmail        bool    `json:"invoice_email"`
	InvoiceEmailAddress *string `json:"invoice_email_address"`
	TagExpirationS      int64   `json:"tag_expiration_s"`
	IsFreeAccount       bool    `json:"is_free_account"`
}

type teamView struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Role        string `json:"role" enum:"member,creator,admin"`
	Avatar      avatar `json:"avatar"`
	CanView     bool   `json:"can_view"`
	RepoCount   int    `json:"repo_count"`
	MemberCount int    `json:"member_count"`
	IsSynced    bool   `json:"is_synced"`
}

type organizationOutput struct{ Body organizationView }

func (a *API) getOrganization(ctx context.Context, c *Call, _ *struct{}) (*organizationOutput, error) {
	o, err := a.namespace(ctx, c.Path.Variable("orgname"))
	if err != nil {
		return nil, err
	}
	if o.Kind != identity.Organization {
		return nil, notFound()
	}
	view, err := a.organizationView(ctx, c, o)
	if err != nil {
		return nil, err
	}
	return &organizationOutput{view}, nil
}

// organizationView is as much of an organization as the caller may see.
func (a *API) organizationView(ctx context.Context, c *Call, o identity.Account) (organizationView, error) {
	view := organizationView{Name: o.Name, Avatar: newAvatar(o.Name, "", "org")}
	object := accountObject(o)
	var err error
	if view.IsAdmin, err = a.may(ctx, c.Principal, access.AdministerNamespace, object); err != nil {
		return view, err
	}
	if view.IsMember, err = a.may(ctx, c.Principal, access.ViewNamespace, object); err != nil {
		return view, err
	}
	if view.IsMember {
		if view.organizationTeams, err = a.organizationTeams(ctx, c, o, view.IsAdmin); err != nil {
			return view, err
		}
	}
	if view.IsAdmin {
		view.Email, view.Avatar = o.Email, accountAvatar(o)
		view.organizationSettings, err = a.organizationSettings(ctx, o)
	}
	return view, err
}

func (a *API) organizationSettings(ctx context.Context, o identity.Account) (*organizationSettings, error) {
	s, err := a.options.Identity.OrganizationSettings(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	view := &organizationSettings{InvoiceEmail: s.InvoiceEmail, TagExpirationS: int64(s.TagWindow.Seconds()), IsFreeAccount: true}
	if s.InvoiceAddress != "" {
		view.InvoiceEmailAddress = &s.InvoiceAddress
	}
	return view, nil
}

func (a *API) deleteOrganization(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	err := a.options.Identity.DeleteOrganization(ctx, c.Organization.ID)
	if problem.Is(err, problem.NotFound) {
		return nil, notFound()
	}
	return nil, err
}

func (a *API) organizationTeams(ctx context.Context, c *Call, o identity.Account, admin bool) (*organizationTeams, error) {
	teams, err := a.options.Lists.Teams(ctx, o.ID, c.Principal.Account.ID)
	if err != nil {
		return nil, err
	}
	view := &organizationTeams{Teams: make(map[string]teamView, len(teams)), OrderedTeams: make([]string, 0, len(teams))}
	for _, t := range teams {
		view.OrderedTeams = append(view.OrderedTeams, t.Name)
		view.Teams[t.Name] = teamView{
			Name: t.Name, Description: t.Description, Role: t.Role.String(), Avatar: newAvatar(t.Name, "", "team"),
			CanView: admin || t.Mine, RepoCount: t.Repositories, MemberCount: t.Members,
		}
	}
	return view, nil
}
