package rest

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/overview"
)

const (
	foundPerSort = 10 // results of each sort in find/all
	foundPage    = 10 // results of a page of find/repositories
	foundPages   = 10
)

func (a *API) searchRoutes() []*route {
	return []*route{{
		Method: http.MethodGet, Path: "/api/v1/find/all", ID: "conductSearch", Summary: "Repositories, users, organizations, teams and robots by a part of their name",
		Need: everybody(), Handler: handle(a.findAll),
	}, {
		Method: http.MethodGet, Path: "/api/v1/find/repositories", ID: "conductRepoSearch", Summary: "Repositories by a part of their name",
		Need: everybody(), Handler: handle(a.findRepositories),
	}}
}

// foundAccount is a user, an organization or a robot in an answer.
type foundAccount struct {
	Title     string  `json:"title" enum:"user,org,robot"`
	Kind      string  `json:"kind" enum:"user,organization,robot"`
	Avatar    avatar  `json:"avatar"`
	Name      string  `json:"name"`
	Score     float64 `json:"score"`
	Href      string  `json:"href"`
	ShortName string  `json:"short_name,omitempty"`
}

type foundTeam struct {
	Kind         string       `json:"kind" enum:"team"`
	Name         string       `json:"name"`
	Organization foundAccount `json:"organization"`
	Avatar       avatar       `json:"avatar"`
	Score        float64      `json:"score"`
	Href         string       `json:"href"`
}

// foundRepository is a repository in an answer; the last three when its usage was asked for.
type foundRepository struct {
	Kind         string       `json:"kind" enum:"repository,application"`
	Title        string       `json:"title" enum:"repo,app"`
	Namespace    foundAccount `json:"namespace"`
	Name         string       `json:"name"`
	Description  string       `json:"description"`
	IsPublic     bool         `json:"is_public"`
	Score        float64      `json:"score"`
	Href         string       `json:"href"`
	LastModified *int64       `json:"last_modified,omitempty" doc:"Unix seconds"`
	Stars        *int64       `json:"stars,omitempty"`
	Popularity   *float64     `json:"popularity,omitempty"`
}

// pathOf is the console's path of something.
func pathOf(parts ...string) string {
	return (&url.URL{Path: "/" + strings.Join(parts, "/")}).EscapedPath()
}

func newFoundAccount(f overview.FoundAccount) foundAccount {
	v := foundAccount{
		Title: "user", Kind: "user", Name: f.Name, Score: float64(f.Rank), Href: pathOf("user", f.Name),
		Avatar: accountAvatar(identity.Account{Kind: f.Kind, Name: f.Name, Email: f.Email}),
	}
	switch f.Kind {
	case identity.Organization:
		v.Title, v.Kind, v.Href = "org", "organization", pathOf("organization", f.Name)
	case identity.Robot:
		namespace, short, _ := strings.Cut(f.Name, "+")
		v.Title, v.Kind, v.ShortName = "robot", "robot", short
		v.Href = pathOf("organization", namespace) + "?tab=robots&showRobot=" + url.QueryEscape(f.Name)
	}
	return v
}

func newFoundTeam(f overview.FoundTeam) foundTeam {
	return foundTeam{
		Kind: "team", Name: f.Name, Organization: newFoundAccount(f.Organization), Avatar: newAvatar(f.Name, "", "team"),
		Score: float64(f.Rank), Href: pathOf("organization", f.Organization.Name, "teams", f.Name),
	}
}

func newFoundRepository(f overview.FoundRepository, usage bool) foundRepository {
	v := foundRepository{
		Kind: "repository", Title: "repo", Namespace: newFoundAccount(f.Owner), Name: f.Name, Description: f.Description,
		IsPublic: f.Public, Score: float64(f.Rank), Href: pathOf("repository", f.Owner.Name, f.Name),
	}
	if f.Application {
		v.Kind, v.Title, v.Href = "application", "app", pathOf("application", f.Owner.Name, f.Name)
	}
	if usage {
		popularity := float64(f.Popularity)
		v.Stars, v.Popularity = &f.Stars, &popularity
		if !f.LastModified.IsZero() {
			at := f.LastModified.Unix()
			v.LastModified = &at
		}
	}
	return v
}

// seeker is who looks for something, as package access decides: who may see any repository, or inspect any namespace,
// may see those that do not exist.
func (a *API) seeker(ctx context.Context, p identity.Principal, accountID int64) (s overview.Seeker, err error) {
	s.AccountID = accountID
	if accountID == 0 {
		return s, nil
	}
	any := access.Object{NamespaceID: -1, Namespace: "*", NamespaceKind: identity.Organization, NamespaceEnabled: true}
	if s.AllNamespaces, err = a.may(ctx, p, access.InspectNamespace, any); err != nil {
		return s, err
	}
	any.Name = "*"
	s.AllRepositories, err = a.may(ctx, p, access.Pull, any)
	return s, err
}

type findAllInput struct {
	Query string `query:"query" maxLength:"1024" doc:"a part of a name; shorter than three characters: its beginning"`
}

type findAllOutput struct {
	Body struct {
		Results []any `json:"results" doc:"the best first"`
	}
}

// findAll looks for everything. Nobody in particular finds public repositories only; teams and robots are found in
// namespaces that the caller belongs to.
func (a *API) findAll(ctx context.Context, c *Call, in *findAllInput) (*findAllOutput, error) {
	out := &findAllOutput{}
	out.Body.Results = []any{}
	s, err := a.seeker(ctx, c.Principal, viewer(c))
	if err != nil {
		return nil, err
	}
	type scored struct {
		score float64
		view  any
	}
	var found []scored
	teams, err := a.options.Lists.FindTeams(ctx, s, 0, in.Query, foundPerSort)
	if err != nil {
		return nil, err
	}
	for _, t := range teams {
		found = append(found, scored{float64(t.Rank), newFoundTeam(t)})
	}
	accounts, err := a.findAccounts(ctx, s, in.Query)
	if err != nil {
		return nil, err
	}
	for _, x := range accounts {
		found = append(found, scored{float64(x.Rank), newFoundAccount(x)})
	}
	repositories, err := a.options.Lists.FindRepositories(ctx, s, in.Query, 0, foundPerSort, a.options.Clock())
	if err != nil {
		return nil, err
	}
	for _, r := range repositories {
		found = append(found, scored{float64(r.Rank), newFoundRepository(r, false)})
	}
	slices.SortStableFunc(found, func(x, y scored) int { return cmp.Compare(y.score, x.score) })
	for _, f := range found {
		out.Body.Results = append(out.Body.Results, f.view)
	}
	return out, nil
}

// findAccounts finds robots, then users and organizations, for who is signed in.
func (a *API) findAccounts(ctx context.Context, s overview.Seeker, query string) ([]overview.FoundAccount, error) {
	if s.AccountID == 0 {
		return nil, nil
	}
	robots, err := a.options.Lists.FindRobots(ctx, s, 0, query, foundPerSort)
	if err != nil {
		return nil, err
	}
	people, err := a.options.Lists.FindPeople(ctx, query, !a.options.PartialNames, foundPerSort)
	return append(robots, people...), err
}

type findRepositoriesInput struct {
	Query string `query:"query" maxLength:"1024"`
	Page  int    `query:"page" default:"1" doc:"1 to 10"`
	Usage bool   `query:"includeUsage" doc:"with last_modified, stars and popularity"`
}

type findRepositoriesOutput struct {
	Body struct {
		Results       []foundRepository `json:"results"`
		HasAdditional bool              `json:"has_additional"`
		Page          int               `json:"page"`
		PageSize      int               `json:"page_size"`
		StartIndex    int               `json:"start_index"`
	}
}

func (a *API) findRepositories(ctx context.Context, c *Call, in *findRepositoriesInput) (*findRepositoriesOutput, error) {
	s, err := a.seeker(ctx, c.Principal, viewer(c))
	if err != nil {
		return nil, err
	}
	out := &findRepositoriesOutput{}
	out.Body.Page, out.Body.PageSize = min(max(in.Page, 1), foundPages), foundPage
	out.Body.StartIndex = (out.Body.Page - 1) * foundPage
	list, err := a.options.Lists.FindRepositories(ctx, s, in.Query, out.Body.StartIndex, foundPage+1, a.options.Clock())
	if err != nil {
		return nil, err
	}
	if len(list) > foundPage {
		list, out.Body.HasAdditional = list[:foundPage], out.Body.Page < foundPages
	}
	out.Body.Results = make([]foundRepository, 0, len(list))
	for _, r := range list {
		out.Body.Results = append(out.Body.Results, newFoundRepository(r, in.Usage))
	}
	return out, nil
}
