// Package manifest reads manifests and indexes, strictly and within limits, and knows which of them a registry takes.
//
// A document's media type is decided by its bytes: the mediaType member, else the shape. What two readers could
// understand differently is refused: a document that is manifest and index at once, members named twice, and names
// that differ from a known member only in case, since some readers ignore case and others do not. Everything else
// that is unknown is let through unread, and the bytes are never changed.
//
// Sources: OCI image-spec v1.1.1 (manifest.md, image-index.md, descriptor.md), Docker's image manifest version 2,
// schema 2.
package manifest

import (
	"github.com/longshore-registry/longshore/internal/digest"
)

// The media types of manifests.
const (
	OCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	OCIIndex       = "application/vnd.oci.image.index.v1+json"
	DockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	DockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	DockerSchema1  = "application/vnd.docker.distribution.manifest.v1+json"
	DockerSigned1  = "application/vnd.docker.distribution.manifest.v1+prettyjws"
)

// The media types of configs that are told apart.
const (
	OCIConfig    = "application/vnd.oci.image.config.v1+json"
	DockerConfig = "application/vnd.docker.container.image.v1+json"
	EmptyJSON    = "application/vnd.oci.empty.v1+json"
	HelmConfig   = "application/vnd.cncf.helm.config.v1+json"
)

// Kind says what a document is. Its values are stored and never change.
type Kind uint8

// The kinds.
const (
	Image         Kind = 1 // OCI image manifest whose config is an image's
	Index         Kind = 2 // OCI image index
	DockerImage   Kind = 3 // Docker schema 2
	DockerIndex   Kind = 4 // Docker manifest list
	SchemaOne     Kind = 5 // Docker schema 1: never parsed, only served
	OtherArtifact Kind = 6 // OCI image manifest with any other config
)

// IsIndex reports whether documents of the kind name manifests rather than blobs.
func (k Kind) IsIndex() bool { return k == Index || k == DockerIndex }

// Descriptor names content (image-spec v1.1.1, descriptor.md).
type Descriptor struct {
	MediaType string
	Digest    digest.Digest
	Size      int64    // bytes
	URLs      []string // where else the content is; nil for none
}

// Foreign reports whether the descriptor is of a layer that may not be distributed: with URLs it needs no blob here.
func (d Descriptor) Foreign() bool {
	switch d.MediaType {
	case "application/vnd.docker.image.rootfs.foreign.diff.tar",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd":
		return true
	}
	return false
}

// Document is a parsed manifest or index.
type Document struct {
	MediaType    string
	Kind         Kind
	Config       Descriptor   // zero for an index
	Layers       []Descriptor // nil for an index
	Manifests    []Descriptor // nil for a manifest
	Subject      digest.Digest
	ArtifactType string // the member; empty when absent
	Annotations  map[string]string
}

// LayersSize is what the layers take compressed, in bytes, 0 for an index.
func (d *Document) LayersSize() int64 {
	var sum int64
	for _, layer := range d.Layers {
		sum += layer.Size
	}
	return sum
}
