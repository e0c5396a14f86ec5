package rest

import (
	"context"
	"maps"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/secret"
	"github.com/longshore-registry/longshore/internal/server/record"
)

// siteRoutes are what a client learns about the registry before it signs in.
func (a *API) siteRoutes() []*route {
	return []*route{{
		Method: http.MethodGet, Path: "/config", ID: "getConfig", Summary: "What a console must know of the configuration",
		Need: everybody(), Anonymous: true, Browser: true, Handler: handle(a.getConfig),
	}, {
		Method: http.MethodGet, Path: "/api/v1/error/{error_type}", ID: "getErrorDescription", Summary: "What a type of error means",
		Need: everybody(), Anonymous: true, Browser: true, Handler: handle(a.getErrorDescription),
	}, {
		Method: http.MethodGet, Path: "/api/v1/discovery", ID: "discovery", Summary: "The API as Swagger 2.0",
		Need: everybody(), Anonymous: true, Browser: true, Handler: handle(a.getDiscovery),
	}, {
		Method: http.MethodGet, Path: "/api/v1/registry/capabilities", ID: "getRegistryCapabilities", Summary: "What kinds of content the registry takes",
		Need: everybody(), Anonymous: true, Handler: handle(a.getCapabilities),
	}, {
		Method: http.MethodGet, Path: "/health/enabledebug/{secret}", ID: "enableHealthDebug", Summary: "Let this session see what is unwell",
		Need: everybody(), Anonymous: true, Browser: true, Handler: handleWithHeaders(a.enableHealthDebug),
	}, {
		Method: http.MethodGet, Path: "/repository/{repository}/status", ID: "getBuildBadge", Summary: "A picture of how the last build went",
		Need: everybody(), Anonymous: true, Browser: true, Handler: handleWithHeaders(a.getBadge),
	}}
}

type configOutput struct {
	Body struct {
		Config        map[string]any `json:"config"`
		Features      map[string]any `json:"features"`
		OAuth         map[string]any `json:"oauth"`
		ExternalLogin []externalView `json:"external_login"`
		RegistryState string         `json:"registry_state" enum:"normal,readonly"`
		Recovery      bool           `json:"account_recovery_mode"`
		Version       string         `json:"version_number"`
	}
}

// externalView is a login service beside passwords; this version has none.
type externalView struct {
	ID     string         `json:"id"`
	Title  string         `json:"title"`
	Config map[string]any `json:"config"`
	Icon   string         `json:"icon"`
}

func (a *API) getConfig(context.Context, *Call, *struct{}) (*configOutput, error) {
	out := &configOutput{}
	b := &out.Body
	b.Config, b.Features = orEmpty(a.options.Config.Public), orEmpty(a.options.Config.Features)
	b.OAuth, b.ExternalLogin = map[string]any{}, []externalView{}
	b.RegistryState, b.Recovery, b.Version = "normal", a.options.RecoveryMode, "Longshore "+a.options.Version
	if a.options.Access.Policy().RegistryReadOnly {
		b.RegistryState = "readonly"
	}
	return out, nil
}

// orEmpty keeps null out of an answer.
func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return maps.Clone(m)
}

type capabilitiesOutput struct {
	Body struct {
		Sparse struct {
			Supported bool     `json:"supported"`
			Required  []string `json:"required_architectures"`
			Optional  bool     `json:"optional_architectures_allowed"`
		} `json:"sparse_manifests"`
		Mirror []string `json:"mirror_architectures"`
	}
}

func (a *API) getCapabilities(context.Context, *Call, *struct{}) (*capabilitiesOutput, error) {
	out := &capabilitiesOutput{}
	out.Body.Sparse.Supported, out.Body.Sparse.Optional, out.Body.Sparse.Required = a.options.SparseIndex, a.options.SparseIndex, []string{}
	out.Body.Mirror = []string{"amd64", "arm64", "ppc64le", "s390x"}
	return out, nil
}

const keyHealthDebug = "health"

type textBody struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// enableHealthDebug is for people who run the registry and have no account on it. The secret is in the path, as at
// Quay, so that the path is kept out of the log.
func (a *API) enableHealthDebug(ctx context.Context, c *Call, _ *struct{}) (*textBody, error) {
	c.Record.Path = "/health/enabledebug/…"
	want := a.options.HealthDebug
	if !want.IsSet() || !want.Equal(secret.New(c.Path.Variable("secret"))) {
		return nil, notFound()
	}
	a.sessions.manager.Put(ctx, keyHealthDebug, true)
	return &textBody{"text/plain; charset=utf-8", []byte("The health endpoints show this session what is unwell")}, nil
}

// SeesHealth reports whether who sends a request may be told what is unwell: a superuser, or a session that showed the
// secret. Whatever fails, a health endpoint still answers.
func (a *API) SeesHealth(r *http.Request) bool {
	ctx := r.Context()
	x := &exchange{r: r, call: &Call{Record: record.From(r.Context())}}
	ctx, err := a.authenticate(ctx, x)
	if err != nil {
		return false
	}
	if a.sessions.manager.GetBool(ctx, keyHealthDebug) {
		return true
	}
	if x.call.Principal.Account.Kind != identity.User {
		return false
	}
	seen, err := a.may(ctx, x.call.Principal, access.InspectRegistry, access.Object{})
	return err == nil && seen
}

type badgeInput struct {
	Token       string `query:"token" maxLength:"255" doc:"of a private repository"`
	IfNoneMatch string `header:"If-None-Match"`
}

type badgeOutput struct {
	Status      int
	ContentType string `header:"Content-Type"`
	ETag        string `header:"ETag"`
	Body        []byte
}

// getBadge says that nothing was built: this version builds nothing. A private repository's needs its token, the right
// to read it, or both are missing in the same way as the repository.
func (a *API) getBadge(ctx context.Context, c *Call, in *badgeInput) (*badgeOutput, error) {
	found, object, err := a.repository(ctx, c.Path)
	if err != nil {
		return nil, err
	}
	readable, err := a.may(ctx, c.Principal, access.Pull, object)
	if err != nil {
		return nil, err
	}
	if found.ID != 0 && !readable && in.Token != "" {
		if readable, err = a.options.Registry.IsBadgeToken(ctx, found.ID, in.Token); err != nil {
			return nil, err
		}
	}
	if !readable || found.ID == 0 {
		return nil, notFound()
	}
	const name = `"none"`
	if in.IfNoneMatch == name {
		return &badgeOutput{Status: http.StatusNotModified, ContentType: svg, ETag: name}, nil
	}
	return &badgeOutput{Status: http.StatusOK, ContentType: svg, ETag: name, Body: []byte(badge)}, nil
}

const svg = "image/svg+xml"

const badge = `<svg xmlns="http://www.w3.org/2000/svg" width="118" height="20" role="img" aria-label="container: none">` +
	`<rect width="118" height="20" rx="3" fill="#555"/><path d="M74 0h41a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H74z" fill="#9b9b9b"/>` +
	`<g fill="#fff" font-family="sans-serif" font-size="11" text-anchor="middle"><text x="37" y="14">container</text><text x="96" y="14">none</text></g></svg>
`
