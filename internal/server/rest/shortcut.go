package rest

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
)

// shortcutRoutes are the short addresses that people type (host/acme/app:v1), and the pages of the console that they
// lead to; until there is a console, plain ones stand there.
func (a *API) shortcutRoutes() []*route {
	row := func(path, id, summary string, h pageHandler) *route {
		return &route{Method: http.MethodGet, Path: path, ID: id, Summary: summary, Need: everybody(), Anonymous: true, Browser: true, Handler: page(h)}
	}
	return []*route{
		row("/{repository}", "redirectToRepository", "To the page of a repository, with :tag to that of a tag", a.redirectToRepository),
		row("/{namespace}", "redirectToNamespace", "To the page of a user or an organization", a.redirectToNamespace),
		row("/repository/{repository}", "repositoryPage", "How a repository is pulled", showPlace),
		row("/organization/{orgname}", "organizationPage", "That the console comes later", showPlace),
		row("/user/{username}", "userPage", "That the console comes later", showPlace),
	}
}

// IsReserved reports whether a path's first segment belongs to the registry itself, so that no namespace's short
// address begins with it: what package server keeps, what the API has outside /api, and what Quay has.
func IsReserved(first string) bool {
	return slices.Contains([]string{
		"v1", "v2", "api", "oauth", "oauth1", "oauth2", "keys", "realtime", "webhooks", "health", "status", "secscan", "static", "config",
		"csrf_token", ".well-known", "confirm", "recovery", "authrepoemail", "confirminvite", "signin", "exportedlogs", "logarchive", "buildlogs",
		"repository", "organization", "user", "_internal_ping", "robots.txt", "opensearch.xml", "favicon.ico",
	}, first)
}

// redirectToRepository sends who may read a repository to its page. A missing one and a foreign one look the same.
func (a *API) redirectToRepository(ctx context.Context, c *Call, x *exchange) error {
	path, tag := c.Path, ""
	path.Name, tag, _ = strings.Cut(path.Name, ":")
	found, object, err := a.repository(ctx, path)
	if err != nil {
		return err
	}
	readable, err := a.may(ctx, c.Principal, access.Pull, object)
	if err != nil {
		return err
	}
	if found.ID == 0 || !readable {
		return x.nothingHere()
	}
	target := url.URL{Path: "/repository/" + found.Path()}
	if tag != "" {
		target.RawQuery = url.Values{"tag": {tag}}.Encode()
	}
	x.redirect(target.String())
	return nil
}

// redirectToNamespace tells whether a name is taken, which is no secret where anybody may look around.
func (a *API) redirectToNamespace(ctx context.Context, c *Call, x *exchange) error {
	if c.Principal.IsAnonymous() && !a.options.Access.Policy().AnonymousAccess {
		return x.nothingHere()
	}
	owner, err := a.namespace(ctx, c.Path.Variable("namespace"))
	if err != nil {
		return err
	}
	switch owner.Kind {
	case identity.Organization:
		x.redirect((&url.URL{Path: "/organization/" + owner.Name}).String())
	case identity.User:
		x.redirect((&url.URL{Path: "/user/" + owner.Name}).String())
	default:
		return x.nothingHere()
	}
	return nil
}

func (x *exchange) nothingHere() error {
	return x.html(http.StatusNotFound, notePage, note{"Not found", "There is nothing here, or you may not see it."}, "")
}

// showPlace repeats what the address says: it looks nothing up, and so tells nothing.
func showPlace(_ context.Context, c *Call, x *exchange) error {
	v := struct{ Title, Pull string }{Title: c.Path.Variable("orgname") + c.Path.Variable("username") + c.Path.Variable(repositoryVariable)}
	if c.Path.Name != "" {
		v.Pull = c.Record.Host + "/" + c.Path.Namespace + "/" + c.Path.Name
		if tag := x.query.Get("tag"); tag != "" {
			v.Pull += ":" + tag
		}
	}
	return x.html(http.StatusOK, placePage, v, "")
}
