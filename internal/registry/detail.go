package registry

import (
	"context"

	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

// Detail is a manifest with what its bytes, and its config's, tell about it.
type Detail struct {
	Manifest
	Index bool
	Steps []manifest.Step // how the image was made, its base first; nil for an index
}

// ManifestDetail reads a manifest and, of an image, its config. A config that is too large or was deleted is left out:
// then the steps are the layers. MANIFEST_UNKNOWN.
func (r *Registry) ManifestDetail(ctx context.Context, repo Repository, d digest.Digest) (Detail, error) {
	m, err := r.Manifest(ctx, repo, Reference{Digest: d})
	if err != nil {
		return Detail{}, err
	}
	doc, err := manifest.Parse(m.Bytes, "", r.limits.Manifest)
	if err != nil { // an imported one that today's rules refuse, such as Docker schema 1
		return Detail{Manifest: m, Steps: []manifest.Step{}}, nil //nolint:nilerr // its bytes are shown all the same
	}
	if doc.Kind.IsIndex() {
		return Detail{Manifest: m, Index: true}, nil
	}
	var config []byte
	if manifest.ImageConfig(doc.Config.MediaType) && doc.Config.Size <= r.limits.ConfigBytes {
		config, err = r.content.Bytes(ctx, repo.ID, doc.Config.Digest, r.limits.ConfigBytes)
		if err != nil && !problem.Is(err, problem.NotFound) && !problem.Is(err, problem.TooLarge) {
			return Detail{}, err
		}
	}
	return Detail{Manifest: m, Steps: manifest.Steps(doc.Layers, config)}, nil
}
