package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

func (a *API) tagRoutes() []*route {
	return []*route{{
		Method: http.MethodGet, Path: "/api/v1/repository/{repository}/tag/", ID: "listRepoTags", Summary: "Tags with their history, newest first",
		Need: repository(access.Pull, identity.ScopeRepoRead), Images: true, Long: true, Handler: handle(a.listTags),
	}, {
		Method: http.MethodDelete, Path: "/api/v1/repository/{repository}/tag/{tag}", ID: "deleteFullTag", Summary: "End a tag; the history keeps it",
		Need: repository(access.Push, identity.ScopeRepoWrite), Images: true, Handler: handle(a.deleteTag),
	}}
}

// tagView is a period in which a name pointed at a manifest.
type tagView struct {
	Name           string  `json:"name"`
	Reversion      bool    `json:"reversion" doc:"the period was begun by a restore"`
	StartTS        int64   `json:"start_ts,omitempty" doc:"Unix seconds"`
	EndTS          int64   `json:"end_ts,omitempty" doc:"Unix seconds: the end, or for a live tag when it expires"`
	ManifestDigest string  `json:"manifest_digest"`
	IsManifestList bool    `json:"is_manifest_list"`
	DockerImageID  *string `json:"docker_image_id" doc:"always null: Docker v1 identifiers are not kept"`
	ImageID        *string `json:"image_id" doc:"always null"`
	Size           *int64  `json:"size" doc:"null for lists"`
	LastModified   string  `json:"last_modified,omitempty" doc:"RFC 822 date"`
	Expiration     string  `json:"expiration,omitempty" doc:"RFC 822 date"`
	Immutable      *bool   `json:"immutable,omitempty" doc:"where tags can be immutable"`
	*childrenView
}

// childrenView is what a list adds. It is left out where a page has named childLimit manifests of others.
type childrenView struct {
	IsSparse        bool            `json:"is_sparse" doc:"some of its manifests are not here"`
	ChildCount      int             `json:"child_manifest_count"`
	PresentCount    int             `json:"present_child_count"`
	ChildrenPresent map[string]bool `json:"child_manifests_presence" doc:"by digest"`
}

func newTagView(t registry.Tag) tagView {
	v := tagView{
		Name: t.Name, Reversion: t.Reversion, ManifestDigest: t.Digest.String(), IsManifestList: t.IsIndex,
		StartTS: t.Start.Unix(), LastModified: rfc822(t.Start),
	}
	if !t.IsIndex {
		v.Size = &t.Size
	}
	if !t.End.IsZero() {
		v.EndTS, v.Expiration = t.End.Unix(), rfc822(t.End)
	}
	return v
}

type listTagsInput struct {
	SpecificTag string `query:"specificTag" maxLength:"255" doc:"only this tag"`
	Filter      string `query:"filter_tag_name" maxLength:"255" doc:"like:part or eq:name"`
	OnlyActive  bool   `query:"onlyActiveTags" doc:"without the history"`
	Limit       int    `query:"limit" default:"50" doc:"1 to 100"`
	Page        int    `query:"page" default:"1" doc:"from 1"`
}

type listTagsOutput struct {
	Body struct {
		Tags          []tagView `json:"tags"`
		Page          int       `json:"page"`
		HasAdditional bool      `json:"has_additional"`
	}
}

func (a *API) listTags(ctx context.Context, c *Call, in *listTagsInput) (*listTagsOutput, error) {
	filter, err := in.filter()
	if err != nil {
		return nil, err
	}
	tags, more, err := a.options.Registry.TagHistory(ctx, c.Repository, filter)
	if err != nil {
		return nil, err
	}
	out := &listTagsOutput{}
	out.Body.Page, out.Body.HasAdditional = filter.Page, more
	out.Body.Tags, err = a.tagViews(ctx, c.Repository, tags)
	return out, err
}

// childLimit is how many manifests of lists a page of tags names in all, each as often as it comes, and how many are
// looked up for it. A list of the most manifests that can be pushed fits, alone: with specificTag and limit=1 each can
// be seen.
const childLimit = 10_000

// tagViews shows tags; the manifests of all their lists take one query.
func (a *API) tagViews(ctx context.Context, r registry.Repository, tags []registry.Tag) ([]tagView, error) {
	var lists []digest.Digest
	for _, t := range tags {
		if t.IsIndex && !slices.Contains(lists, t.Digest) {
			lists = append(lists, t.Digest)
		}
	}
	children, err := a.options.Registry.ChildPresence(ctx, r, lists, childLimit)
	if err != nil {
		return nil, err
	}
	described := make(map[digest.Digest]*childrenView, len(children)) // once for all the tags and periods of a list
	for d, of := range children {
		described[d] = newChildrenView(of)
	}
	left := childLimit
	views := make([]tagView, 0, len(tags))
	for _, t := range tags {
		v := newTagView(t)
		if a.options.Immutable {
			v.Immutable = &t.Immutable
		}
		if of := described[t.Digest]; of != nil && of.ChildCount <= left {
			left -= of.ChildCount
			v.childrenView = of
		}
		views = append(views, v)
	}
	return views, nil
}

func newChildrenView(children map[digest.Digest]bool) *childrenView {
	v := &childrenView{ChildCount: len(children), ChildrenPresent: make(map[string]bool, len(children))}
	for d, present := range children {
		v.ChildrenPresent[d.String()] = present
		if present {
			v.PresentCount++
		}
	}
	v.IsSparse = v.PresentCount < v.ChildCount
	return v
}

// filter clamps page and limit as Quay does and reads filter_tag_name.
func (in *listTagsInput) filter() (registry.TagFilter, error) {
	f := registry.TagFilter{
		Name: in.SpecificTag, OnlyLive: in.OnlyActive, Page: max(in.Page, 1), Limit: min(max(in.Limit, 1), 100),
	}
	if in.Filter == "" {
		return f, nil
	}
	operation, value, _ := strings.Cut(in.Filter, ":")
	switch {
	case value == "":
	case operation == "like":
		f.Like = value
		return f, nil
	case operation == "eq":
		f.Name = value
		return f, nil
	}
	return f, invalidRequest("filter_tag_name: %q is neither like:<part> nor eq:<name>", in.Filter)
}

func (a *API) deleteTag(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	err := a.options.Registry.DeleteTag(ctx, c.Repository, c.Path.Variable("tag"))
	if problem.Is(err, problem.NotFound) {
		return nil, notFound()
	}
	return nil, err
}

// tagLimit is how many tags the view of a repository carries.
const tagLimit = 500

// liveTags gives the newest live tags for the view of a repository.
func (a *API) liveTags(ctx context.Context, r registry.Repository) ([]registry.Tag, error) {
	tags, _, err := a.options.Registry.TagHistory(ctx, r, registry.TagFilter{OnlyLive: true, Page: 1, Limit: tagLimit})
	return tags, err
}
