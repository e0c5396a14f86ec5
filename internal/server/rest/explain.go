package rest

import (
	"context"
	"net/http"
	"strings"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// explainRoutes are Longshore's own: why somebody can or cannot do something.
func (a *API) explainRoutes() []*route {
	return []*route{{
		Method: http.MethodGet, Path: "/api/v1/superuser/explain", ID: "explainAccess", Summary: "Why an account may or may not do something",
		Need: inspectors(), FreshLogin: true, ReadOnlyOK: true, Handler: handle(a.explainAccess),
	}, {
		Method: http.MethodGet, Path: "/api/v1/repository/{repository}/explain", ID: "explainRepoAccess", Summary: "Why an account may or may not do something on a repository",
		Need: repository(access.InspectRepository, identity.ScopeRepoAdmin), Handler: handle(a.explainRepoAccess),
	}}
}

type explainInput struct {
	User   string `query:"user" maxLength:"255" doc:"user or robot; empty: nobody is signed in"`
	Action string `query:"action" required:"true" maxLength:"32" doc:"pull, push, settings, admin, inspect; on a namespace create, view-namespace, admin-namespace, inspect-namespace"`
	Scope  string `query:"scope" maxLength:"255" doc:"OAuth scopes, for what a token of the account may do"`
	Object string `query:"object" maxLength:"512" doc:"namespace/repository, or a namespace; not for a repository's own form"`
}

type explainOutput struct {
	Body struct {
		User    string   `json:"user"`
		Action  string   `json:"action"`
		Object  string   `json:"object"`
		Allowed bool     `json:"allowed"`
		Reasons []string `json:"reasons" doc:"in the order in which they were considered"`
	}
}

func (a *API) explainAccess(ctx context.Context, _ *Call, in *explainInput) (*explainOutput, error) {
	if in.Object == "" {
		return nil, invalidRequest("object: the name of a namespace, or of a repository with its namespace, is missing")
	}
	var object access.Object
	var err error
	if namespace, name, ok := strings.Cut(in.Object, "/"); ok {
		_, object, err = a.repository(ctx, Path{Namespace: namespace, Name: name})
	} else {
		var owner identity.Account
		owner, err = a.namespace(ctx, in.Object)
		object = accountObject(owner)
	}
	if object.Namespace == "" {
		object.Namespace, _, _ = strings.Cut(in.Object, "/")
	}
	if err != nil {
		return nil, err
	}
	who, err := a.explained(ctx, in)
	if err != nil {
		return nil, err
	}
	return a.explain(ctx, in, in.Object, who, object, true)
}

// explainRepoAccess is for the repository's administrators. Who does not administer the namespace too gets no reason that
// tells of its teams, of super users or of the state of an account. A robot of another namespace is answered like one that does
// not exist, so that nobody learns the names of foreign robots.
func (a *API) explainRepoAccess(ctx context.Context, c *Call, in *explainInput) (*explainOutput, error) {
	who, err := a.explained(ctx, in)
	if err != nil {
		return nil, err
	}
	if who.Account.Kind == identity.Robot && who.Account.OwnerID != c.Repository.NamespaceID {
		return nil, invalidRequest("Invalid username: %s", in.User)
	}
	if action, err := access.ParseAction(in.Action); err == nil && !action.OnRepository() {
		return nil, invalidRequest("action: %s is not about a repository", in.Action)
	}
	object := c.Repository.Object()
	inside, err := a.may(ctx, c.Principal, access.InspectNamespace, object)
	if err != nil {
		return nil, err
	}
	return a.explain(ctx, in, c.Repository.Path(), who, object, inside)
}

// explained is for whom an explanation is asked.
func (a *API) explained(ctx context.Context, in *explainInput) (identity.Principal, error) {
	if in.User == "" {
		return identity.Principal{}, nil
	}
	who, err := a.options.Identity.Account(ctx, in.User)
	if problem.Is(err, problem.NotFound) || err == nil && who.Kind == identity.Organization {
		return identity.Principal{}, invalidRequest("Invalid username: %s", in.User)
	}
	if err != nil {
		return identity.Principal{}, err
	}
	p, err := access.Suppose(who, in.Scope)
	return p, asInvalid(err)
}

func (a *API) explain(ctx context.Context, in *explainInput, object string, who identity.Principal, o access.Object, inside bool) (*explainOutput, error) {
	action, err := access.ParseAction(in.Action)
	if err != nil {
		return nil, asInvalid(err)
	}
	reasons := a.options.Access.Outline
	if inside {
		reasons = a.options.Access.Explain
	}
	d, err := reasons(ctx, who, action, o)
	if err != nil {
		return nil, err
	}
	out := &explainOutput{}
	out.Body.User, out.Body.Action, out.Body.Object = in.User, in.Action, object
	out.Body.Allowed, out.Body.Reasons = d.Allowed, d.Reasons
	return out, nil
}
