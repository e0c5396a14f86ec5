package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/overview"
)

// repositoriesPerPage is the size of a page of the list of repositories.
const repositoriesPerPage = 100

type listRepositoriesInput struct {
	Namespace    string `query:"namespace" maxLength:"255" doc:"only this namespace"`
	Starred      bool   `query:"starred" doc:"only the caller's starred ones"`
	Public       bool   `query:"public" doc:"public ones too"`
	LastModified bool   `query:"last_modified" doc:"with the time of the last push"`
	Popularity   bool   `query:"popularity" doc:"with the popularity"`
	Kind         string `query:"repo_kind" default:"image" enum:"image,application"`
	NextPage     string `query:"next_page" maxLength:"1024" doc:"from the page before"`
}

// repositoryItem is an entry of the list. is_starred is there for signed-in callers, the last two when asked for.
type repositoryItem struct {
	Namespace    string   `json:"namespace"`
	Name         string   `json:"name"`
	Description  string   `json:"description"`
	IsPublic     bool     `json:"is_public"`
	Kind         string   `json:"kind"`
	State        string   `json:"state"`
	IsStarred    *bool    `json:"is_starred,omitempty"`
	LastModified **int64  `json:"last_modified,omitempty" doc:"Unix seconds, null without a tag"`
	Popularity   *float64 `json:"popularity,omitempty"`
}

type listRepositoriesOutput struct {
	Body struct {
		Repositories []repositoryItem `json:"repositories"`
		NextPage     string           `json:"next_page,omitempty"`
	}
}

// listRepositories lists what the caller may read. It demands a filter, as Quay does, so that nobody asks for
// everything by accident.
func (a *API) listRepositories(ctx context.Context, c *Call, in *listRepositoriesInput) (*listRepositoriesOutput, error) {
	if in.Namespace == "" && !in.Starred && !in.Public {
		return nil, invalidRequest("namespace, starred or public are required for this API call")
	}
	if in.Starred && c.Principal.IsAnonymous() {
		return nil, abort(http.StatusBadRequest, "Only signed-in users have starred repositories")
	}
	var after overview.Position
	if in.NextPage != "" {
		if err := a.pages.decode("listRepos", in.NextPage, &after); err != nil {
			return nil, err
		}
	}
	filter, err := a.repositoryFilter(ctx, c, in)
	if err != nil {
		return nil, err
	}
	out := &listRepositoriesOutput{}
	list, next, err := a.repositoryPage(ctx, "listRepos", filter, after)
	if err != nil {
		return nil, err
	}
	out.Body.NextPage = next
	out.Body.Repositories = make([]repositoryItem, 0, len(list))
	for _, r := range list {
		out.Body.Repositories = append(out.Body.Repositories, in.item(c, r))
	}
	return out, nil
}

// repositoryPage reads a page of a list of repositories and gives the token for the next one, empty on the last.
func (a *API) repositoryPage(ctx context.Context, operation string, f overview.Filter, after overview.Position) ([]overview.Repository, string, error) {
	list, err := a.options.Lists.Repositories(ctx, f, after, repositoriesPerPage+1, a.options.Clock())
	if err != nil || len(list) <= repositoriesPerPage {
		return list, "", err
	}
	list = list[:repositoriesPerPage]
	next, err := a.pages.encode(operation, list[len(list)-1].Position)
	return list, next, err
}

// viewer is whose repositories a caller sees besides the public ones; 0 for a token without repo:read, which sees what
// anybody sees.
func viewer(c *Call) int64 {
	if c.Principal.Credential == identity.OAuthToken && !c.Principal.Scopes.Has(identity.ScopeRepoRead) {
		return 0
	}
	return c.Principal.Account.ID
}

// repositoryFilter is empty, so that nothing is found, for an unknown namespace. What was starred and cannot be read any
// more is left out.
func (a *API) repositoryFilter(ctx context.Context, c *Call, in *listRepositoriesInput) (overview.Filter, error) {
	f := overview.Filter{
		Public: in.Public, Application: in.Kind == "application", ViewerID: viewer(c), Modified: in.LastModified, Popularity: in.Popularity,
		StarsOf: c.Principal.Account.ID,
	}
	if in.Starred {
		f.StarredBy, f.Public = c.Principal.Account.ID, true
	}
	if in.Namespace == "" {
		return f, nil
	}
	namespace, err := a.namespace(ctx, in.Namespace)
	if err != nil || namespace.ID == 0 {
		return overview.Filter{}, err
	}
	f.NamespaceID = namespace.ID
	if viewer(c) != 0 {
		f.All, err = a.may(ctx, c.Principal, access.InspectNamespace, accountObject(namespace))
	}
	return f, err
}

func (in *listRepositoriesInput) item(c *Call, r overview.Repository) repositoryItem {
	item := repositoryItem{
		Namespace: r.Namespace, Name: r.Name, Description: r.Description, IsPublic: r.Public, Kind: in.Kind, State: stateName(r.State),
	}
	if !c.Principal.IsAnonymous() {
		item.IsStarred = &r.Starred
	}
	if in.LastModified {
		var at *int64
		if !r.LastModified.IsZero() {
			at = new(int64)
			*at = r.LastModified.Unix()
		}
		item.LastModified = &at
	}
	if in.Popularity {
		popularity := float64(r.Popularity)
		item.Popularity = &popularity
	}
	return item
}
