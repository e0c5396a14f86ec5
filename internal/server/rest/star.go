package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/overview"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

func (a *API) starRoutes() []*route {
	return []*route{{
		Method: http.MethodGet, Path: "/api/v1/user/starred", ID: "listStarredRepos", Summary: "Repositories that the caller starred and may read",
		Need: account(access.ReadAccount, identity.ScopeUserRead), Handler: handle(a.listStarred),
	}, {
		Method: http.MethodPost, Path: "/api/v1/user/starred", ID: "createStar", Summary: "Star a repository", Status: http.StatusCreated,
		Need: account(access.AdministerAccount, identity.ScopeUserAdmin), Handler: handle(a.star),
	}, {
		Method: http.MethodDelete, Path: "/api/v1/user/starred/{repository}", ID: "deleteStar", Summary: "Take a star away",
		Need: account(access.AdministerAccount, identity.ScopeUserAdmin), Handler: handle(a.unstar),
	}}
}

type listStarredInput struct {
	NextPage string `query:"next_page" maxLength:"1024" doc:"from the page before"`
}

type starredItem struct {
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	Description string `json:"description"`
	IsPublic    bool   `json:"is_public"`
}

type listStarredOutput struct {
	Body struct {
		Repositories []starredItem `json:"repositories"`
		NextPage     string        `json:"next_page,omitempty"`
	}
}

func (a *API) listStarred(ctx context.Context, c *Call, in *listStarredInput) (*listStarredOutput, error) {
	var after overview.Position
	if in.NextPage != "" {
		if err := a.pages.decode("listStarredRepos", in.NextPage, &after); err != nil {
			return nil, err
		}
	}
	id := c.Principal.Account.ID
	list, next, err := a.repositoryPage(ctx, "listStarredRepos", overview.Filter{StarredBy: id, ViewerID: viewer(c), Public: true}, after)
	if err != nil {
		return nil, err
	}
	out := &listStarredOutput{}
	out.Body.NextPage = next
	out.Body.Repositories = make([]starredItem, 0, len(list))
	for _, r := range list {
		out.Body.Repositories = append(out.Body.Repositories, starredItem{r.Namespace, r.Name, r.Description, r.Public})
	}
	return out, nil
}

type starInput struct {
	Body struct {
		Namespace  string `json:"namespace" maxLength:"255"`
		Repository string `json:"repository" maxLength:"255"`
	}
}

type starOutput struct {
	Body *starredName
}

type starredName struct {
	Namespace  string `json:"namespace"`
	Repository string `json:"repository"`
}

// star answers 200 and null for a repository that does not exist, as Quay does, or that the caller may not read: the two
// look the same.
func (a *API) star(ctx context.Context, c *Call, in *starInput) (*starOutput, error) {
	r, err := a.readable(ctx, c, in.Body.Namespace, in.Body.Repository)
	if err != nil {
		return nil, err
	}
	if r.ID == 0 {
		c.status = http.StatusOK
		return &starOutput{}, nil
	}
	if err := a.options.Registry.Star(ctx, r, c.Principal.Account.ID); err != nil {
		return nil, err
	}
	return &starOutput{&starredName{r.Namespace, r.Name}}, nil
}

func (a *API) unstar(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	r, err := a.options.Registry.Repository(ctx, c.Path.Namespace, c.Path.Name)
	if problem.Is(err, problem.NotFound) || problem.Is(err, problem.Invalid) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return nil, a.options.Registry.Unstar(ctx, r, c.Principal.Account.ID)
}

// readable finds a repository that a body names, by package access; the zero Repository when there is none that the
// caller may read.
func (a *API) readable(ctx context.Context, c *Call, namespace, name string) (registry.Repository, error) {
	r, err := a.options.Registry.Repository(ctx, namespace, name)
	if problem.Is(err, problem.NotFound) || problem.Is(err, problem.Invalid) {
		return registry.Repository{}, nil
	}
	if err != nil {
		return registry.Repository{}, err
	}
	decision, err := a.options.Access.Fresh(ctx, c.Principal, access.Pull, r.Object())
	if err != nil || !decision.Allowed && decision.Denial != access.ApplicationRepository {
		return registry.Repository{}, err
	}
	return r, nil
}
