package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

func (a *API) superOrganizationRoutes() []*route {
	const all, one = "/api/v1/superuser/organizations/", "/api/v1/superuser/organizations/{name}"
	return a.superPanel([]*route{
		{Method: http.MethodGet, Path: all, ID: "listAllOrganizations", Summary: "All organizations", Need: inspectors(), Handler: handle(a.listAllOrganizations)},
		{Method: http.MethodPut, Path: one, ID: "changeOrganization", Summary: "Give an organization another name", Need: superusers(), MaxBody: smallBody, Handler: handle(a.renameOrganization)},
		{Method: http.MethodDelete, Path: one, ID: "deleteOrganizationBySuperuser", Summary: "Delete an organization with all that is in it", Need: superusers(), Handler: handle(a.deleteOrganizationBySuper)},
		{Method: http.MethodPost, Path: "/api/v1/superuser/takeownership/{namespace}", ID: "takeOwnership", Summary: "Become an owner of a namespace", Need: superusers(), Handler: handle(a.takeOwnership)},
	})
}

// superOrganizationView is an organization as superusers see it.
type superOrganizationView struct {
	Name   string `json:"name"`
	Email  string `json:"email"`
	Avatar avatar `json:"avatar"`
}

func newSuperOrganizationView(o identity.Account) superOrganizationView {
	return superOrganizationView{o.Name, o.Email, accountAvatar(o)}
}

type listAllOrganizationsOutput struct {
	Body struct {
		Organizations []superOrganizationView `json:"organizations"`
		NextPage      string                  `json:"next_page,omitempty"`
	}
}

func (a *API) listAllOrganizations(ctx context.Context, _ *Call, in *PanelPage) (*listAllOrganizationsOutput, error) {
	page, err := in.page(a, "listAllOrganizations")
	if err != nil {
		return nil, err
	}
	organizations, err := a.options.Identity.OrganizationPage(ctx, page)
	if err != nil {
		return nil, err
	}
	out := &listAllOrganizationsOutput{}
	if organizations, out.Body.NextPage, err = in.cut(a, "listAllOrganizations", organizations); err != nil {
		return nil, err
	}
	out.Body.Organizations = make([]superOrganizationView, 0, len(organizations))
	for _, o := range organizations {
		out.Body.Organizations = append(out.Body.Organizations, newSuperOrganizationView(o))
	}
	return out, nil
}

// anyOrganization is the organization of a name, whoever asks.
func (a *API) anyOrganization(ctx context.Context, name string) (identity.Account, error) {
	found, err := a.namespace(ctx, name)
	if err == nil && found.Kind != identity.Organization {
		return found, notFound()
	}
	return found, err
}

type renameOrganizationInput struct {
	Body struct {
		Name *string `json:"name,omitempty" maxLength:"255" doc:"the new one"`
	}
}

type superOrganizationOutput struct{ Body superOrganizationView }

func (a *API) renameOrganization(ctx context.Context, c *Call, in *renameOrganizationInput) (*superOrganizationOutput, error) {
	found, err := a.anyOrganization(ctx, c.Path.Variable("name"))
	if err != nil {
		return nil, err
	}
	if in.Body.Name != nil {
		if found, err = a.options.Identity.RenameOrganization(ctx, found.ID, *in.Body.Name); err != nil {
			return nil, asInvalid(err)
		}
	}
	return &superOrganizationOutput{newSuperOrganizationView(found)}, nil
}

func (a *API) deleteOrganizationBySuper(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	found, err := a.anyOrganization(ctx, c.Path.Variable("name"))
	if err != nil {
		return nil, err
	}
	err = a.options.Identity.DeleteOrganization(ctx, found.ID)
	if problem.Is(err, problem.NotFound) {
		return nil, notFound()
	}
	return nil, err
}

type namespaceOutput struct {
	Body struct {
		Namespace string `json:"namespace"`
	}
}

// takeOwnership makes the caller an owner. A superuser's own account is nobody's to take.
func (a *API) takeOwnership(ctx context.Context, c *Call, _ *struct{}) (*namespaceOutput, error) {
	found, err := a.namespace(ctx, c.Path.Variable("namespace"))
	if err != nil {
		return nil, err
	}
	if found.ID == 0 {
		return nil, notFound()
	}
	super, err := a.isSuperUser(ctx, found)
	if err != nil {
		return nil, err
	}
	if super {
		return nil, invalidRequest("Cannot take ownership of a superuser's namespace")
	}
	if _, err := a.options.Identity.TakeOwnership(ctx, found.ID, c.Principal.Account); err != nil {
		return nil, asInvalid(err)
	}
	out := &namespaceOutput{}
	out.Body.Namespace = found.Name
	return out, nil
}
