package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/overview"
	"github.com/longshore-registry/longshore/internal/registry"
)

func (a *API) repositoryRoutes() []*route {
	const one = "/api/v1/repository/{repository}"
	return []*route{{
		Method: http.MethodPost, Path: "/api/v1/repository", ID: "createRepo", Summary: "Create a repository", Status: http.StatusCreated,
		Need: need{onNamespace, access.CreateRepository, identity.ScopeRepoCreate}, Handler: handle(a.createRepository),
	}, {
		Method: http.MethodGet, Path: "/api/v1/repository", ID: "listRepos", Summary: "Repositories that the caller may read",
		Need: everybody(), Handler: handle(a.listRepositories),
	}, {
		Method: http.MethodGet, Path: one, ID: "getRepo", Summary: "A repository with its newest tags",
		Need: repository(access.Pull, identity.ScopeRepoRead), Handler: handle(a.getRepository),
	}, {
		Method: http.MethodPut, Path: one, ID: "updateRepo", Summary: "Change a repository's description",
		Need: repository(access.ChangeSettings, identity.ScopeRepoWrite), Handler: handle(a.updateRepository),
	}, {
		Method: http.MethodDelete, Path: one, ID: "deleteRepository", Summary: "Delete a repository",
		Need: repository(access.Administer, identity.ScopeRepoAdmin), Handler: handle(a.deleteRepository),
	}, {
		Method: http.MethodPost, Path: one + "/changevisibility", ID: "changeRepoVisibility", Summary: "Make a repository public or private",
		Need: repository(access.Administer, identity.ScopeRepoAdmin), Handler: handle(a.changeVisibility),
	}}
}

type createRepositoryInput struct {
	Body struct {
		Repository  string  `json:"repository" minLength:"1" maxLength:"255" doc:"name without the namespace"`
		Visibility  string  `json:"visibility" enum:"public,private"`
		Description string  `json:"description" maxLength:"100000"`
		Namespace   string  `json:"namespace,omitempty" maxLength:"255" doc:"default: the caller's own"`
		Kind        *string `json:"repo_kind,omitempty" nullable:"true" enum:"image,application"`
	}
}

func (in *createRepositoryInput) namespace() string { return in.Body.Namespace }

type createRepositoryOutput struct {
	Body struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
		Kind      string `json:"kind"`
	}
}

func (a *API) createRepository(ctx context.Context, c *Call, in *createRepositoryInput) (*createRepositoryOutput, error) {
	if in.Body.Kind != nil && *in.Body.Kind == "application" {
		return nil, invalidRequest("repo_kind: application repositories are no longer made, only image")
	}
	created, err := a.options.Registry.CreateRepository(ctx, registry.NewRepository{
		NamespaceID: c.Namespace.ID, Name: in.Body.Repository, Public: in.Body.Visibility == "public",
		Description: in.Body.Description, CreatorID: c.Principal.Account.ID,
	})
	if err != nil {
		return nil, asInvalid(err)
	}
	out := &createRepositoryOutput{}
	out.Body.Namespace, out.Body.Name, out.Body.Kind = created.Namespace, created.Name, "image"
	return out, nil
}

type getRepositoryInput struct {
	IncludeTags  bool `query:"includeTags" default:"true" doc:"the newest 500 tags"`
	IncludeStats bool `query:"includeStats" doc:"pulls and pushes by day"`
}

type repositoryTag struct {
	Name           string  `json:"name"`
	ImageID        *string `json:"image_id" doc:"always null: Docker v1 identifiers are not kept"`
	Size           *int64  `json:"size"`
	LastModified   string  `json:"last_modified"`
	Expiration     string  `json:"expiration,omitempty"`
	ManifestDigest string  `json:"manifest_digest"`
}

type repositoryView struct {
	Namespace      string                   `json:"namespace"`
	Name           string                   `json:"name"`
	Kind           string                   `json:"kind"`
	Description    string                   `json:"description"`
	IsPublic       bool                     `json:"is_public"`
	IsOrganization bool                     `json:"is_organization"`
	IsStarred      bool                     `json:"is_starred"`
	StatusToken    string                   `json:"status_token"`
	TrustEnabled   bool                     `json:"trust_enabled"`
	TagExpirationS int64                    `json:"tag_expiration_s"`
	IsFreeAccount  bool                     `json:"is_free_account"`
	State          string                   `json:"state"`
	CanWrite       bool                     `json:"can_write"`
	CanAdmin       bool                     `json:"can_admin"`
	Tags           map[string]repositoryTag `json:"tags,omitzero"`
	Stats          []repositoryStat         `json:"stats,omitzero"`
}

// repositoryStat is a day's count of actions on a repository.
type repositoryStat struct {
	Date  string `json:"date"`
	Count int64  `json:"count"`
}

type repositoryOutput struct {
	Body repositoryView
}

func (a *API) getRepository(ctx context.Context, c *Call, in *getRepositoryInput) (*repositoryOutput, error) {
	r := c.Repository
	view := repositoryView{
		Namespace: r.Namespace, Name: r.Name, Kind: kindName(r), Description: r.Description, IsPublic: r.Public,
		IsOrganization: r.NamespaceKind == identity.Organization, TagExpirationS: int64(r.TagWindow.Seconds()),
		IsFreeAccount: true, State: stateName(r.State), TrustEnabled: r.Trusted,
	}
	if !r.Public {
		view.StatusToken = r.StatusToken
	}
	var err error
	if view.IsStarred, err = a.options.Registry.Starred(ctx, r, c.Principal.Account.ID); err != nil {
		return nil, err
	}
	if view.CanWrite, err = a.may(ctx, c.Principal, access.Push, r.Object()); err != nil {
		return nil, err
	}
	if view.CanAdmin, err = a.may(ctx, c.Principal, access.Administer, r.Object()); err != nil {
		return nil, err
	}
	if in.IncludeTags {
		if view.Tags, err = a.repositoryTags(ctx, r); err != nil {
			return nil, err
		}
	}
	if in.IncludeStats {
		if view.Stats, err = a.repositoryStats(ctx, r); err != nil {
			return nil, err
		}
	}
	return &repositoryOutput{view}, nil
}

func (a *API) repositoryTags(ctx context.Context, r registry.Repository) (map[string]repositoryTag, error) {
	tags, err := a.liveTags(ctx, r)
	if err != nil {
		return nil, err
	}
	views := make(map[string]repositoryTag, len(tags))
	for _, t := range tags {
		v := newTagView(t)
		views[t.Name] = repositoryTag{
			Name: v.Name, Size: v.Size, LastModified: v.LastModified, Expiration: v.Expiration, ManifestDigest: v.ManifestDigest,
		}
	}
	return views, nil
}

// statDays is how far back includeStats reaches.
const statDays = 92

// repositoryStats is the count of what was done on a repository on each of the last days, by UTC.
func (a *API) repositoryStats(ctx context.Context, r registry.Repository) ([]repositoryStat, error) {
	today := a.options.Clock().UTC()
	counts, err := a.options.Lists.Days(ctx, r.ID, today.AddDate(0, 0, 1-statDays))
	if err != nil {
		return nil, err
	}
	stats := make([]repositoryStat, 0, statDays)
	for back := statDays - 1; back >= 0; back-- {
		day := today.AddDate(0, 0, -back)
		stats = append(stats, repositoryStat{Date: day.Format("2006-01-02"), Count: counts[overview.DayOf(day)]})
	}
	return stats, nil
}

type updateRepositoryInput struct {
	Body struct {
		Description string `json:"description" maxLength:"100000"`
	}
}

func (a *API) updateRepository(ctx context.Context, c *Call, in *updateRepositoryInput) (*successOutput, error) {
	if err := a.options.Registry.SetDescription(ctx, c.Repository.ID, in.Body.Description); err != nil {
		return nil, err
	}
	return succeeded(), nil
}

func (a *API) deleteRepository(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	return nil, a.options.Registry.DeleteRepository(ctx, c.Repository.ID)
}

type visibilityInput struct {
	Body struct {
		Visibility string `json:"visibility" enum:"public,private"`
	}
}

func (a *API) changeVisibility(ctx context.Context, c *Call, in *visibilityInput) (*successOutput, error) {
	if err := a.options.Registry.SetVisibility(ctx, c.Repository.ID, in.Body.Visibility == "public"); err != nil {
		return nil, err
	}
	return succeeded(), nil
}

func kindName(r registry.Repository) string {
	if r.Application {
		return "application"
	}
	return "image"
}

func stateName(s access.State) string { return s.String() }
