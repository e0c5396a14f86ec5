// Package registry keeps repositories, manifests, tags with their history, labels and referrers.
//
// It knows nothing of HTTP. A manifest is stored once, by digest, with the exact bytes that were pushed; a repository
// that holds it has a row of its own. A push of a manifest with its tags, blob references and labels is one hard
// transaction: after a failure nothing of it is there, after success all of it is.
package registry

import (
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
)

// Repository is a named collection of manifests in a namespace. Nested names are flat: "a" and "a/b" share nothing.
type Repository struct {
	ID               int64
	NamespaceID      int64
	Namespace        string
	NamespaceKind    identity.Kind
	NamespaceEnabled bool
	Name             string // everything after the namespace
	Public           bool
	Application      bool // an app-registry repository of an imported Quay
	State            access.State
	MirrorRobotID    int64  // in the state Mirror: the account that alone pushes; 0 for nobody
	StatusToken      string // shows the badge of a private repository
	Trusted          bool   // content trust was switched on in an imported Quay
	Description      string
	TagWindow        time.Duration // the namespace's time machine
	CreatedAt        time.Time
}

// Path is "namespace/name".
func (r Repository) Path() string { return r.Namespace + "/" + r.Name }

// Object is the repository as package access sees it.
func (r Repository) Object() access.Object {
	return access.Object{
		NamespaceID: r.NamespaceID, Namespace: r.Namespace, NamespaceKind: r.NamespaceKind, NamespaceEnabled: r.NamespaceEnabled,
		RepositoryID: r.ID, Name: r.Name, Public: r.Public, State: r.State, Application: r.Application,
		MirrorRobotID: r.MirrorRobotID,
	}
}

// Manifest is a stored manifest or index.
type Manifest struct {
	ID           int64
	Digest       digest.Digest
	MediaType    string
	Bytes        []byte // exactly as pushed; nil where a list does not need them
	Size         int64
	Subject      digest.Digest
	ArtifactType string
	ConfigType   string
	LayersSize   int64 // bytes, compressed; 0 for an index
	Stale        bool  // the tag pointed at it when the database last answered, which is away now
}

// Reference names a manifest in a repository by tag or by digest; exactly one is set.
type Reference struct {
	Tag    string
	Digest digest.Digest
}

// Tag is a period in which a name pointed at a manifest.
type Tag struct {
	Name      string
	Digest    digest.Digest
	MediaType string
	Size      int64 // bytes of the layers, compressed; 0 for an index
	Start     time.Time
	End       time.Time // closed periods: when it ended; live ones: when it expires; zero for never
	Live      bool
	Reversion bool // the period was begun by a restore
	Immutable bool // always false while immutable tags are switched off
	IsIndex   bool
}

// Descriptor is an entry of a referrers list (image-spec v1.1, descriptor.md).
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}
