package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/registry"
)

func (a *API) pullStatisticsRoutes() []*route {
	const one = "/api/v1/repository/{repository}"
	reader := repository(access.Pull, identity.ScopeRepoRead)
	off := offUnless(a.options.PullStatistics, http.StatusNotFound)
	return []*route{{
		Method: http.MethodGet, Path: one + "/tag/{tag}/pull_statistics", ID: "getTagPullStatistics", Summary: "How often a tag was pulled",
		Need: reader, Images: true, Handler: handle(a.tagPullStatistics), Off: off,
	}, {
		Method: http.MethodGet, Path: one + "/manifest/{manifestref}/pull_statistics", ID: "getManifestPullStatistics", Summary: "How often a manifest was pulled",
		Need: reader, Images: true, Handler: handle(a.manifestPullStatistics), Off: off,
	}}
}

type tagPullsOutput struct {
	Body struct {
		Name           string  `json:"tag_name"`
		Count          int64   `json:"tag_pull_count" doc:"pulls by this name, whatever it pointed at"`
		Last           *string `json:"last_tag_pull_date" doc:"RFC 822 date, null for never"`
		ManifestDigest string  `json:"current_manifest_digest"`
		ManifestCount  int64   `json:"manifest_pull_count" doc:"pulls of the manifest it points at, by any tag or by digest"`
		ManifestLast   *string `json:"last_manifest_pull_date" doc:"RFC 822 date, null for never"`
	}
}

func (a *API) tagPullStatistics(ctx context.Context, c *Call, _ *struct{}) (*tagPullsOutput, error) {
	name := c.Path.Variable("tag")
	m, err := a.options.Registry.Manifest(ctx, c.Repository, registry.Reference{Tag: name})
	if err != nil {
		return nil, err
	}
	byTag, pulled, err := a.options.Lists.Pulls(ctx, c.Repository.ID, name, m.Digest)
	if err != nil {
		return nil, err
	}
	out := &tagPullsOutput{}
	out.Body.Name, out.Body.Count, out.Body.Last = name, byTag.Count, rfc822OrNull(byTag.Last)
	out.Body.ManifestDigest, out.Body.ManifestCount, out.Body.ManifestLast = m.Digest.String(), pulled.Count, rfc822OrNull(pulled.Last)
	return out, nil
}

type manifestPullsOutput struct {
	Body struct {
		Digest string  `json:"manifest_digest"`
		Count  int64   `json:"manifest_pull_count" doc:"by any tag or by digest"`
		Last   *string `json:"last_manifest_pull_date" doc:"RFC 822 date, null for never"`
	}
}

func (a *API) manifestPullStatistics(ctx context.Context, c *Call, _ *struct{}) (*manifestPullsOutput, error) {
	d, err := manifestDigest(c)
	if err != nil {
		return nil, err
	}
	if _, err := a.options.Registry.Manifest(ctx, c.Repository, registry.Reference{Digest: d}); err != nil {
		return nil, err
	}
	_, pulled, err := a.options.Lists.Pulls(ctx, c.Repository.ID, "", d)
	if err != nil {
		return nil, err
	}
	out := &manifestPullsOutput{}
	out.Body.Digest, out.Body.Count, out.Body.Last = d.String(), pulled.Count, rfc822OrNull(pulled.Last)
	return out, nil
}
