package distribution

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
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
	tags := registry.TagPage{JSON: "[]"}
	if p.size > 0 {
		if tags, err = q.options.Registry.TagPage(q.r.Context(), q.place.repository, p.last, p.size); err != nil {
			return err
		}
		if tags.More {
			linkNext(q.w, q.r, p.next(tags.Last))
		}
	}
	name, err := json.Marshal(q.target.path)
	if err != nil {
		return err
	}
	q.jsonText(http.StatusOK, slices.Concat([]byte(`{"name":`), name, []byte(`,"tags":`), []byte(tags.JSON), []byte("}")))
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
