package rest

import (
	"context"
	"net/http"
	"net/url"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

func (a *API) labelRoutes() []*route {
	const all = "/api/v1/repository/{repository}/manifest/{manifestref}/labels"
	reader, writer := repository(access.Pull, identity.ScopeRepoRead), repository(access.Push, identity.ScopeRepoWrite)
	return []*route{{
		Method: http.MethodGet, Path: all, ID: "listManifestLabels", Summary: "Labels of a manifest",
		Need: reader, Images: true, Long: true, Handler: handle(a.listLabels),
	}, {
		Method: http.MethodPost, Path: all, ID: "addManifestLabel", Summary: "Add a label to a manifest", Status: http.StatusCreated,
		Need: writer, Images: true, Handler: handle(a.addLabel),
	}, {
		Method: http.MethodGet, Path: all + "/{labelid}", ID: "getManifestLabel", Summary: "A label",
		Need: reader, Images: true, Handler: handle(a.getLabel),
	}, {
		Method: http.MethodDelete, Path: all + "/{labelid}", ID: "deleteManifestLabel", Summary: "Remove a label that the API set",
		Need: writer, Images: true, Handler: handle(a.deleteLabel),
	}}
}

type labelView struct {
	ID         string `json:"id"`
	Key        string `json:"key"`
	Value      string `json:"value"`
	SourceType string `json:"source_type" enum:"manifest,api,internal"`
	MediaType  string `json:"media_type"`
}

func newLabelView(l registry.Label) labelView {
	return labelView{ID: l.UUID, Key: l.Key, Value: l.Value, SourceType: l.Source.String(), MediaType: l.MediaType}
}

type listLabelsInput struct {
	Filter string `query:"filter" maxLength:"255" doc:"how the keys begin"`
}

type listLabelsOutput struct {
	Body struct {
		Labels []labelView `json:"labels"`
	}
}

func (a *API) listLabels(ctx context.Context, c *Call, in *listLabelsInput) (*listLabelsOutput, error) {
	d, err := manifestDigest(c)
	if err != nil {
		return nil, err
	}
	labels, err := a.options.Registry.Labels(ctx, c.Repository, d, in.Filter)
	if err != nil {
		return nil, err
	}
	out := &listLabelsOutput{}
	out.Body.Labels = make([]labelView, 0, len(labels))
	for _, l := range labels {
		out.Body.Labels = append(out.Body.Labels, newLabelView(l))
	}
	return out, nil
}

type addLabelInput struct {
	Body struct {
		Key       string  `json:"key"`
		Value     string  `json:"value" maxLength:"262144"`
		MediaType *string `json:"media_type" nullable:"true" doc:"text/plain, application/json, or null for what the value looks like"`
	}
}

type addLabelOutput struct {
	Body struct {
		Label labelView `json:"label"`
	}
}

func (a *API) addLabel(ctx context.Context, c *Call, in *addLabelInput) (*addLabelOutput, error) {
	d, err := manifestDigest(c)
	if err != nil {
		return nil, err
	}
	n := registry.NewLabel{Key: in.Body.Key, Value: in.Body.Value}
	if in.Body.MediaType != nil {
		n.MediaType = *in.Body.MediaType
		if n.MediaType == "" {
			return nil, message(http.StatusBadRequest, "media_type: a label is text/plain or application/json, or null")
		}
	}
	l, err := a.options.Registry.AddLabel(ctx, c.Repository, d, n)
	if err != nil {
		return nil, labelFailure(err)
	}
	c.location = c.Record.URL((&url.URL{
		Path: prefix + "repository/" + c.Repository.Path() + "/manifest/" + d.String() + "/labels/" + l.UUID,
	}).EscapedPath())
	out := &addLabelOutput{}
	out.Body.Label = newLabelView(l)
	return out, nil
}

// labelFailure answers a broken rule with a message, as Quay does.
func labelFailure(err error) error {
	if problem.Is(err, problem.Invalid) {
		return message(http.StatusBadRequest, "%s", problem.From(err).Message)
	}
	return err
}

type labelOutput struct{ Body labelView }

func (a *API) getLabel(ctx context.Context, c *Call, _ *struct{}) (*labelOutput, error) {
	d, err := manifestDigest(c)
	if err != nil {
		return nil, err
	}
	l, err := a.options.Registry.Label(ctx, c.Repository, d, c.Path.Variable("labelid"))
	if err != nil {
		return nil, err
	}
	return &labelOutput{newLabelView(l)}, nil
}

func (a *API) deleteLabel(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	d, err := manifestDigest(c)
	if err != nil {
		return nil, err
	}
	return nil, labelFailure(a.options.Registry.DeleteLabel(ctx, c.Repository, d, c.Path.Variable("labelid")))
}
