package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

func (a *API) manifestRoutes() []*route {
	const one = "/api/v1/repository/{repository}/manifest/{manifestref}"
	reader := repository(access.Pull, identity.ScopeRepoRead)
	return []*route{{
		Method: http.MethodGet, Path: one, ID: "getRepoManifest", Summary: "A manifest with its layers",
		Need: reader, Images: true, Long: true, Handler: handle(a.getManifest),
	}, {
		Method: http.MethodGet, Path: "/api/v1/repository/{repository}/image/", ID: "listRepositoryImages", Summary: "Docker v1 images: gone since Quay 3.7",
		Need: reader, Images: true, Handler: handle(switchedOff), Off: http.StatusNotFound,
	}, {
		Method: http.MethodGet, Path: "/api/v1/repository/{repository}/image/{image_id}", ID: "getImage", Summary: "A Docker v1 image: gone since Quay 3.7",
		Need: reader, Images: true, Handler: handle(switchedOff), Off: http.StatusNotFound,
	}}
}

// manifestView is a manifest. The bytes are sent as text, as they were pushed.
type manifestView struct {
	Digest               string       `json:"digest"`
	IsManifestList       bool         `json:"is_manifest_list"`
	ManifestData         string       `json:"manifest_data"`
	ConfigMediaType      *string      `json:"config_media_type"`
	Layers               *[]layerView `json:"layers" doc:"from the base up; null for lists"`
	Image                *struct{}    `json:"image" doc:"always null: Docker v1 images are not kept"`
	LayersCompressedSize int64        `json:"layers_compressed_size" doc:"bytes; 0 for lists"`
}

type layerView struct {
	Index           int       `json:"index"`
	CompressedSize  int64     `json:"compressed_size"`
	IsRemote        bool      `json:"is_remote"`
	URLs            *[]string `json:"urls"`
	Command         *[]string `json:"command"`
	Comment         *string   `json:"comment"`
	Author          *string   `json:"author"`
	BlobDigest      string    `json:"blob_digest"`
	CreatedDatetime *string   `json:"created_datetime" doc:"RFC 822 date"`
}

type manifestOutput struct{ Body manifestView }

func (a *API) getManifest(ctx context.Context, c *Call, _ *struct{}) (*manifestOutput, error) {
	d, err := manifestDigest(c)
	if err != nil {
		return nil, err
	}
	m, err := a.options.Registry.ManifestDetail(ctx, c.Repository, d)
	if err != nil {
		return nil, err
	}
	view := manifestView{
		Digest: m.Digest.String(), IsManifestList: m.Index, ManifestData: string(m.Bytes), LayersCompressedSize: m.LayersSize,
		ConfigMediaType: orNull(m.ConfigType),
	}
	if !m.Index {
		layers := make([]layerView, len(m.Steps))
		for i, s := range m.Steps {
			layers[i] = newLayerView(i, s)
		}
		view.Layers = &layers
	}
	return &manifestOutput{view}, nil
}

// manifestDigest reads the path's digest; what is none names no manifest.
func manifestDigest(c *Call) (digest.Digest, error) {
	d, err := digest.Parse(c.Path.Variable("manifestref"))
	if err != nil {
		return digest.Digest{}, notFound()
	}
	return d, nil
}

func newLayerView(i int, s manifest.Step) layerView {
	layer := manifest.EmptyLayer()
	if s.Layer != nil {
		layer = *s.Layer
	}
	v := layerView{
		Index: i, CompressedSize: layer.Size, BlobDigest: layer.Digest.String(), IsRemote: layer.Foreign() && len(layer.URLs) > 0,
		Comment: orNull(s.Comment), Author: orNull(s.Author), CreatedDatetime: rfc822OrNull(s.Created),
	}
	if len(layer.URLs) > 0 {
		v.URLs = &layer.URLs
	}
	if len(s.Command) > 0 {
		v.Command = &s.Command
	}
	return v
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
