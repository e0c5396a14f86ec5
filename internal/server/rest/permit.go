package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

// permit decides a route's permission and gives the call its object. It is the only place that does. The object is
// looked up first, but what is missing is told only to callers whose rights reach it: without rights a missing
// object and a foreign one look the same.
func (a *API) permit(ctx context.Context, r *route, c *Call, namespace string) error {
	switch r.Need.on {
	case onNothing:
		return nil
	case onAccount:
		return a.require(ctx, r, c, accountObject(c.Principal.Account))
	case onRegistry:
		c.registryWide = true
		return a.require(ctx, r, c, access.Object{})
	case onOrganization:
		return a.permitOrganization(ctx, r, c)
	case onNamespace:
		return a.permitNamespace(ctx, r, c, namespace)
	case onRepository:
		return a.permitRepository(ctx, r, c)
	case onFirstRun:
		return a.permitFirstRun(ctx, r, c)
	}
	return problem.New(problem.Internal, "route %s has no permission", r.ID)
}

func (a *API) permitOrganization(ctx context.Context, r *route, c *Call) error {
	found, err := a.namespace(ctx, c.Path.Variable("orgname"))
	if err != nil {
		return err
	}
	if err := a.require(ctx, r, c, accountObject(found)); err != nil {
		return err
	}
	if found.Kind != identity.Organization {
		return notFound()
	}
	c.Organization = found
	return nil
}

func (a *API) permitNamespace(ctx context.Context, r *route, c *Call, name string) error {
	if c.Principal.IsAnonymous() {
		return unauthenticated()
	}
	if name == "" {
		name = c.Principal.Account.Name
	}
	found, err := a.namespace(ctx, name)
	if err != nil {
		return err
	}
	if err := a.require(ctx, r, c, accountObject(found)); err != nil {
		return err
	}
	if found.ID == 0 {
		return notFound()
	}
	c.Namespace = found
	return nil
}

func (a *API) permitRepository(ctx context.Context, r *route, c *Call) error {
	found, object, err := a.repository(ctx, c.Path)
	if err != nil {
		return err
	}
	if err := a.require(ctx, r, c, object); err != nil {
		return err
	}
	if found.ID == 0 {
		return notFound()
	}
	c.Repository = found
	return nil
}

// permitFirstRun lets everybody in while there is nobody who could have a right.
func (a *API) permitFirstRun(ctx context.Context, r *route, c *Call) error {
	if some, err := a.options.Identity.HasUsers(ctx); err != nil || !some {
		return err
	}
	return a.require(ctx, r, c, access.Object{})
}

// namespace finds the account that owns a namespace; the zero account when there is none of that name.
func (a *API) namespace(ctx context.Context, name string) (identity.Account, error) {
	found, err := a.options.Identity.Account(ctx, name)
	if problem.Is(err, problem.NotFound) || err == nil && found.Kind == identity.Robot {
		return identity.Account{}, nil
	}
	return found, err
}

// repository finds the repository that a path names. When it is missing the object still tells the namespace, so that
// its owner learns that nothing is there.
func (a *API) repository(ctx context.Context, path Path) (registry.Repository, access.Object, error) {
	found, err := a.options.Registry.Repository(ctx, path.Namespace, path.Name)
	if err == nil {
		return found, found.Object(), nil
	}
	if !problem.Is(err, problem.NotFound) && !problem.Is(err, problem.Invalid) {
		return found, access.Object{}, err
	}
	owner, err := a.namespace(ctx, path.Namespace)
	object := accountObject(owner)
	object.Name = path.Name
	return registry.Repository{}, object, err
}

// require asks package access, without a cache, and gives a refusal its status. A row that is not about images also
// stands on application repositories; switched-off pushes do not concern the API.
func (a *API) require(ctx context.Context, r *route, c *Call, o access.Object) error {
	decision, err := a.options.Access.Fresh(ctx, c.Principal, r.Need.action, o)
	if err != nil {
		return err
	}
	switch decision.Denial {
	case access.Granted, access.PushesOff:
		return nil
	case access.ApplicationRepository:
		if !r.Images {
			return nil
		}
		return abort(http.StatusNotImplemented, "This operation is for images, the repository holds application packages")
	case access.ReadOnlyRegistry:
		if r.ReadOnlyOK || !r.changes() { // reading the own account asks for the right to administer it
			return nil
		}
		return problem.New(problem.ReadOnly, readOnlyText)
	case access.RepositoryState:
		return abort(http.StatusServiceUnavailable, "Repository is in read only or mirror mode: %d", o.State)
	case access.Missing:
		return notFound()
	}
	if c.Principal.IsAnonymous() {
		return unauthenticated()
	}
	if r.Aborts {
		return abort(http.StatusForbidden, "Unauthorized")
	}
	return unauthorized()
}

// may asks about a further action, for what an answer shows: a right counts even while the registry is read-only. The
// facts are those that the route's permission was just decided by, else at most half a minute old.
func (a *API) may(ctx context.Context, p identity.Principal, action access.Action, o access.Object) (bool, error) {
	decision, err := a.options.Access.Check(ctx, p, action, o)
	switch decision.Denial {
	case access.Granted, access.ReadOnlyRegistry, access.PushesOff:
		return err == nil, err
	}
	return false, err
}

func accountObject(a identity.Account) access.Object {
	return access.Object{NamespaceID: a.ID, Namespace: a.Name, NamespaceKind: a.Kind, NamespaceEnabled: a.Enabled}
}
