package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/oauth"
)

func (a *API) applicationRoutes() []*route {
	const list = "/api/v1/organization/{orgname}/applications"
	const one = list + "/{client_id}"
	shown, managed := organization(access.InspectNamespace), organization(access.AdministerNamespace)
	return []*route{
		{Method: http.MethodGet, Path: list, ID: "getOrganizationApplications", Summary: "An organization's OAuth applications", Need: shown, Handler: handle(a.listApplications)},
		{Method: http.MethodPost, Path: list, ID: "createOrganizationApplication", Summary: "Make an OAuth application", Status: http.StatusOK, Need: managed, Handler: handle(a.createApplication)},
		{Method: http.MethodGet, Path: one, ID: "getOrganizationApplication", Summary: "An OAuth application", Need: shown, Handler: handle(a.getApplication)},
		{Method: http.MethodPut, Path: one, ID: "updateOrganizationApplication", Summary: "Change an OAuth application", Need: managed, Handler: handle(a.putApplication)},
		{Method: http.MethodDelete, Path: one, ID: "deleteOrganizationApplication", Summary: "Delete an OAuth application with its tokens", Need: managed, Handler: handle(a.deleteApplication)},
		{Method: http.MethodPost, Path: one + "/resetclientsecret", ID: "resetOrganizationApplicationClientSecret", Summary: "Give an OAuth application a new secret", Status: http.StatusOK, Need: managed, Handler: handle(a.resetApplication)},
		{Method: http.MethodGet, Path: "/api/v1/app/{client_id}", ID: "getApplicationInformation", Summary: "What everybody may know of an OAuth application", Need: everybody(), Handler: handle(a.describeApplication)},
	}
}

// applicationView is an application. Secret, redirect address and mail are for administrators; others, who may look at
// the organization without changing it, see null.
type applicationView struct {
	Name           string  `json:"name"`
	Description    string  `json:"description"`
	ApplicationURI string  `json:"application_uri"`
	ClientID       string  `json:"client_id"`
	ClientSecret   *string `json:"client_secret"`
	RedirectURI    *string `json:"redirect_uri"`
	AvatarEmail    *string `json:"avatar_email"`
}

type applicationOutput struct{ Body applicationView }

type applicationsOutput struct {
	Body struct {
		Applications []applicationView `json:"applications"`
	}
}

func newApplicationView(p oauth.Application, admin bool) applicationView {
	v := applicationView{Name: p.Name, Description: p.Description, ApplicationURI: p.ApplicationURI, ClientID: p.ClientID}
	if !admin {
		return v
	}
	v.RedirectURI = &p.RedirectURI
	if p.Secret != "" {
		v.ClientSecret = &p.Secret
	}
	if p.AvatarEmail != "" {
		v.AvatarEmail = &p.AvatarEmail
	}
	return v
}

func (a *API) listApplications(ctx context.Context, c *Call, _ *struct{}) (*applicationsOutput, error) {
	admin, err := a.may(ctx, c.Principal, access.AdministerNamespace, accountObject(c.Organization))
	if err != nil {
		return nil, err
	}
	list, err := a.options.OAuth.Applications(ctx, c.Organization.ID)
	out := &applicationsOutput{}
	out.Body.Applications = make([]applicationView, 0, len(list))
	for _, p := range list {
		out.Body.Applications = append(out.Body.Applications, newApplicationView(p, admin))
	}
	return out, err
}

func (a *API) getApplication(ctx context.Context, c *Call, _ *struct{}) (*applicationOutput, error) {
	admin, err := a.may(ctx, c.Principal, access.AdministerNamespace, accountObject(c.Organization))
	if err != nil {
		return nil, err
	}
	p, err := a.options.OAuth.Application(ctx, c.Organization.ID, c.Path.Variable("client_id"))
	if err != nil {
		return nil, err
	}
	return &applicationOutput{newApplicationView(p, admin)}, nil
}

type createApplicationInput struct {
	Body struct {
		Name           string  `json:"name" maxLength:"255"`
		RedirectURI    string  `json:"redirect_uri,omitempty" maxLength:"4096"`
		ApplicationURI string  `json:"application_uri,omitempty" maxLength:"4096"`
		Description    string  `json:"description,omitempty" maxLength:"4096"`
		AvatarEmail    *string `json:"avatar_email,omitempty" nullable:"true" maxLength:"254"`
	}
}

func (a *API) createApplication(ctx context.Context, c *Call, in *createApplicationInput) (*applicationOutput, error) {
	b := in.Body
	made, err := a.options.OAuth.CreateApplication(ctx, c.Organization.ID, oauth.Details{
		Name: b.Name, Description: b.Description, RedirectURI: b.RedirectURI, ApplicationURI: b.ApplicationURI, AvatarEmail: textOf(b.AvatarEmail),
	})
	if err != nil {
		return nil, asInvalid(err)
	}
	return &applicationOutput{newApplicationView(made, true)}, nil
}

type putApplicationInput struct {
	Body struct {
		Name           string  `json:"name" maxLength:"255"`
		RedirectURI    string  `json:"redirect_uri" maxLength:"4096"`
		ApplicationURI string  `json:"application_uri" maxLength:"4096"`
		Description    string  `json:"description,omitempty" maxLength:"4096"`
		AvatarEmail    *string `json:"avatar_email,omitempty" nullable:"true" maxLength:"254"`
	}
}

func (a *API) putApplication(ctx context.Context, c *Call, in *putApplicationInput) (*applicationOutput, error) {
	b := in.Body
	changed, err := a.options.OAuth.UpdateApplication(ctx, c.Organization.ID, c.Path.Variable("client_id"), oauth.Details{
		Name: b.Name, Description: b.Description, RedirectURI: b.RedirectURI, ApplicationURI: b.ApplicationURI, AvatarEmail: textOf(b.AvatarEmail),
	})
	if err != nil {
		return nil, invalidOnly(err)
	}
	return &applicationOutput{newApplicationView(changed, true)}, nil
}

// textOf is a member's text, empty for null.
func textOf(member *string) string {
	if member == nil {
		return ""
	}
	return *member
}

func (a *API) deleteApplication(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	return nil, a.options.OAuth.DeleteApplication(ctx, c.Organization.ID, c.Path.Variable("client_id"))
}

func (a *API) resetApplication(ctx context.Context, c *Call, _ *struct{}) (*applicationOutput, error) {
	p, err := a.options.OAuth.ResetSecret(ctx, c.Organization.ID, c.Path.Variable("client_id"))
	if err != nil {
		return nil, err
	}
	return &applicationOutput{newApplicationView(p, true)}, nil
}

type applicationInformation struct {
	Name         string           `json:"name"`
	Description  string           `json:"description"`
	URI          string           `json:"uri"`
	Avatar       avatar           `json:"avatar"`
	Organization organizationView `json:"organization"`
}

type applicationInformationOutput struct{ Body applicationInformation }

// describeApplication shows the organization as much as the caller may see of it. The namespace of an application that
// initialize made is a user's, of which nothing but the name is shown.
func (a *API) describeApplication(ctx context.Context, c *Call, _ *struct{}) (*applicationInformationOutput, error) {
	p, err := a.options.OAuth.Client(ctx, c.Path.Variable("client_id"))
	if err != nil {
		return nil, err
	}
	owner, err := a.options.Identity.AccountByID(ctx, p.OrganizationID)
	if err != nil {
		return nil, err
	}
	view := applicationInformation{Name: p.Name, Description: p.Description, URI: p.Link(), Avatar: newAvatar(p.Name, p.AvatarEmail, "app")}
	if view.Organization, err = a.ownerView(ctx, c, owner); err != nil {
		return nil, err
	}
	return &applicationInformationOutput{view}, nil
}

func (a *API) ownerView(ctx context.Context, c *Call, owner identity.Account) (organizationView, error) {
	if owner.Kind != identity.Organization {
		return organizationView{Name: owner.Name, Avatar: accountAvatar(owner)}, nil
	}
	return a.organizationView(ctx, c, owner)
}
