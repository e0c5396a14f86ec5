package distribution

import (
	"context"
	"net/http"
	"strings"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/registry"
)

// listTags answers GET /v2/{name}/tags/list, in byte order of the names.
func (q *request) listTags() error {
	p, err := parsePage(q.r.URL.Query(), q.options.PageSize)
	if err != nil {
		return err
	}
	names := []string{}
	if p.size > 0 {
		found, more, err := q.options.Registry.TagNames(q.r.Context(), q.place.repository, p.last, p.size)
		if err != nil {
			return err
		}
		names = append(names, found...)
		if more {
			linkNext(q.w, q.r, p.next(names[len(names)-1]))
		}
	}
	q.json(http.StatusOK, struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{q.target.path, names})
	return nil
}

// catalog answers GET /v2/_catalog: the repositories that the caller can see, in byte order. It needs no scope.
func (q *request) catalog() error {
	ctx := q.r.Context()
	viewer, err := q.viewer(ctx)
	if err != nil {
		return err
	}
	p, err := parsePage(q.r.URL.Query(), q.options.PageSize)
	if err != nil {
		return err
	}
	names := []string{}
	if p.size > 0 {
		namespace, name, _ := strings.Cut(p.last, "/")
		list, more, err := q.options.Registry.Catalog(ctx, viewer, registry.CatalogEntry{Namespace: namespace, Name: name}, p.size)
		if err != nil {
			return err
		}
		for _, entry := range list {
			names = append(names, entry.Namespace+"/"+entry.Name)
		}
		if more {
			linkNext(q.w, q.r, p.next(names[len(names)-1]))
		}
	}
	q.json(http.StatusOK, map[string][]string{"repositories": names})
	return nil
}

// viewer says whose catalog it is. An OAuth token without the right to read repositories sees what everybody sees.
func (q *request) viewer(ctx context.Context) (registry.CatalogViewer, error) {
	v := registry.CatalogViewer{AccountID: q.principal.Account.ID, Public: q.options.PublicCatalog}
	if q.principal.Credential == identity.OAuthToken && !q.principal.Scopes.Has(identity.ScopeRepoRead) {
		v.AccountID = 0
		return v, nil
	}
	if q.principal.IsAnonymous() {
		return v, nil
	}
	super, err := q.options.Access.IsSuperUser(ctx, q.principal)
	v.All = super && q.options.Access.Policy().SuperUsersFullAccess
	return v, err
}
