package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

func (a *API) tagChangeRoutes() []*route {
	const one = "/api/v1/repository/{repository}/tag/{tag}"
	writer := repository(access.Push, identity.ScopeRepoWrite)
	reader := repository(access.Pull, identity.ScopeRepoRead)
	return []*route{{
		Method: http.MethodPut, Path: one, ID: "changeTag", Summary: "Point a tag at a manifest, let it expire, keep it from changing", Status: http.StatusCreated,
		Need: writer, Images: true, Handler: handle(a.changeTag),
	}, {
		Method: http.MethodPost, Path: one + "/restore", ID: "restoreTag", Summary: "Point a tag at a manifest that the history has",
		Need: writer, Images: true, Handler: handle(a.restoreTag),
	}, {
		Method: http.MethodPost, Path: one + "/expire", ID: "removeTagFromTimemachine", Summary: "Remove a tag, or its past, so that it cannot be restored",
		Need: writer, Images: true, Handler: handle(a.purgeTag), Off: offUnless(a.options.PurgeTags, http.StatusMethodNotAllowed),
	}, {
		Method: http.MethodGet, Path: one + "/images", ID: "listTagImages", Summary: "Docker v1 images of a tag: gone since Quay 3.7",
		Need: reader, Images: true, Handler: handle(switchedOff), Off: http.StatusNotFound,
	}}
}

// offUnless is the status of a route whose feature is switched off.
func offUnless(on bool, status int) int {
	if on {
		return 0
	}
	return status
}

// moment is a time in Unix seconds that may be null, and of which it matters whether it was sent.
type moment struct {
	sent bool
	at   time.Time // zero for null
}

// maxMoment is the end of the year 9999 in Unix seconds.
const maxMoment = 253402300799

// UnmarshalJSON reads seconds or null.
func (m *moment) UnmarshalJSON(b []byte) error {
	m.sent, m.at = true, time.Time{}
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	var seconds float64
	if err := json.Unmarshal(b, &seconds); err != nil {
		return err
	}
	seconds = math.Min(math.Max(seconds, 0), maxMoment)
	m.at = time.UnixMilli(int64(seconds * 1000)).UTC()
	return nil
}

// Schema documents and checks the member.
func (moment) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Nullable: true, Description: "Unix seconds, null for never"}
}

type changeTagInput struct {
	Body struct {
		Digest     *string `json:"manifest_digest,omitempty" nullable:"true" maxLength:"200" doc:"of a manifest of the repository"`
		Image      *string `json:"image,omitempty" nullable:"true" maxLength:"200" doc:"a Docker v1 image, as in Quay 3.6: there is none"`
		Expiration moment  `json:"expiration,omitempty"`
		Immutable  *bool   `json:"immutable,omitempty" nullable:"true" doc:"where tags can be immutable"`
	}
}

// changeTag answers a change. Who may write may make a tag immutable, to make it free again takes an administrator.
func (a *API) changeTag(ctx context.Context, c *Call, in *changeTagInput) (*textOutput, error) {
	change := registry.TagChange{By: c.Principal.Account.Name}
	if in.Body.Expiration.sent {
		change.Expires = &in.Body.Expiration.at
	}
	if a.options.Immutable && in.Body.Immutable != nil {
		change.Immutable = in.Body.Immutable
		if !*change.Immutable {
			if may, err := a.may(ctx, c.Principal, access.Administer, c.Repository.Object()); err != nil || !may {
				return nil, forbiddenOr(err)
			}
		}
	}
	if in.Body.Digest != nil {
		d, err := digest.Parse(*in.Body.Digest)
		if err != nil {
			return nil, notFound()
		}
		change.Digest = d
	} else if in.Body.Image != nil {
		return nil, notFound()
	}
	if err := a.options.Registry.ChangeTag(ctx, c.Repository, c.Path.Variable("tag"), change); err != nil {
		return nil, tagFailure(err)
	}
	return &textOutput{"Updated"}, nil
}

func forbiddenOr(err error) error {
	if err != nil {
		return err
	}
	return unauthorized()
}

// tagFailure gives what is wrong with a change the shapes that Quay has: a bad name is an abort, a broken rule a
// message.
func tagFailure(err error) error {
	switch {
	case problem.HasCode(err, "TAG_INVALID"):
		return abort(http.StatusBadRequest, "%s", problem.From(err).Message)
	case problem.Is(err, problem.Invalid):
		return message(http.StatusBadRequest, "%s", problem.From(err).Message)
	}
	return err
}

type restoreTagInput struct {
	Body struct {
		Digest *string `json:"manifest_digest,omitempty" nullable:"true" maxLength:"200" doc:"required"`
		Image  *string `json:"image,omitempty" nullable:"true" maxLength:"200" doc:"a Docker v1 image, as in Quay 3.6: there is none"`
	}
}

type emptyObjectOutput struct{ Body struct{} }

func (a *API) restoreTag(ctx context.Context, c *Call, in *restoreTagInput) (*emptyObjectOutput, error) {
	if in.Body.Digest == nil {
		if in.Body.Image != nil {
			return nil, notFound()
		}
		return nil, invalidRequest("Missing manifest_digest")
	}
	d, err := digest.Parse(*in.Body.Digest)
	if err != nil {
		return nil, notFound()
	}
	if err := a.options.Registry.RestoreTag(ctx, c.Repository, c.Path.Variable("tag"), d, c.Principal.Account.Name); err != nil {
		return nil, tagFailure(err)
	}
	return &emptyObjectOutput{}, nil
}

type purgeTagInput struct {
	Body struct {
		Digest   *string `json:"manifest_digest,omitempty" nullable:"true" maxLength:"200"`
		Children bool    `json:"include_submanifests,omitempty" doc:"a list's manifests too, unless something else keeps them"`
		Live     bool    `json:"is_alive,omitempty" doc:"the live tag, instead of its past periods with the digest"`
	}
}

func (a *API) purgeTag(ctx context.Context, c *Call, in *purgeTagInput) (*textOutput, error) {
	p := registry.Purge{Live: in.Body.Live, Children: in.Body.Children, By: c.Principal.Account.Name}
	if in.Body.Digest == nil && !p.Live {
		return nil, invalidRequest("manifest_digest required when is_alive set to false")
	}
	if in.Body.Digest != nil {
		var err error
		if p.Digest, err = digest.Parse(*in.Body.Digest); err != nil {
			return nil, notFound()
		}
	}
	if err := a.options.Registry.PurgeTag(ctx, c.Repository, c.Path.Variable("tag"), p); err != nil {
		return nil, tagFailure(err)
	}
	return &textOutput{""}, nil
}
