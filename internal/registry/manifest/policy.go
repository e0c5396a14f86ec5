package manifest

import (
	"maps"
	"slices"
)

// Policy says which manifests a registry takes. The zero Policy takes every type.
type Policy struct {
	NoOCI     bool                // FEATURE_GENERAL_OCI_SUPPORT is off
	OCIFor    []string            // OCI_NAMESPACE_WHITELIST: namespaces that may use OCI documents although it is off
	NoSchema2 []string            // V22_NAMESPACE_BLACKLIST: namespaces of clients that only know schema 1
	Types     map[string][]string // ALLOWED_OCI_ARTIFACT_TYPES: config type to layer types; nil when not set
	NoHelm    bool                // FEATURE_HELM_OCI_SUPPORT is off: Helm's types are allowed by Types alone
}

// Check refuses a document that may not be pushed to a namespace.
//
// The allow-list is compared as Quay 3.6 does: the config's type with the keys, the type of each layer with the values
// of all keys, not only of its own. An artifact without config is told by its artifactType. An index names manifests
// that were checked when they were pushed.
func (p Policy) Check(namespace string, d *Document) error {
	if slices.Contains(p.NoSchema2, namespace) {
		return unsupported("the namespace %s is listed in V22_NAMESPACE_BLACKLIST, which leaves it no type that can be pushed", quote(namespace))
	}
	oci := d.MediaType == OCIManifest || d.MediaType == OCIIndex
	if oci && p.NoOCI && !slices.Contains(p.OCIFor, namespace) {
		return unsupported("%s needs FEATURE_GENERAL_OCI_SUPPORT, or the namespace %s in OCI_NAMESPACE_WHITELIST; allowed are %s",
			quote(d.MediaType), quote(namespace), list([]string{DockerManifest, DockerList}))
	}
	if p.Types == nil || d.Kind.IsIndex() {
		return nil
	}
	return p.checkTypes(d)
}

func (p Policy) checkTypes(d *Document) error {
	what, found := "the config's mediaType", d.Config.MediaType
	if found == EmptyJSON && d.ArtifactType != "" {
		what, found = "the artifactType", d.ArtifactType
	}
	if allowed := p.configTypes(d.MediaType); !slices.Contains(allowed, found) {
		return p.refuse(what, found, allowed)
	}
	allowed := p.layerTypes(d.MediaType)
	for _, layer := range d.Layers {
		if !slices.Contains(allowed, layer.MediaType) {
			return p.refuse("a layer's mediaType", layer.MediaType, allowed)
		}
	}
	return nil
}

func (p Policy) refuse(what, found string, allowed []string) error {
	return mismatch("%s %s is not one of %s (ALLOWED_OCI_ARTIFACT_TYPES)", what, quote(found), list(allowed))
}

// configTypes are the types a config may have, the built-in one first.
func (p Policy) configTypes(mediaType string) []string {
	if mediaType == DockerManifest {
		return []string{DockerConfig}
	}
	registered := slices.Collect(maps.Keys(p.Types))
	if !p.NoHelm {
		registered = append(registered, HelmConfig)
	}
	return merge([]string{OCIConfig}, registered)
}

// layerTypes are the types a layer may have, the built-in ones first.
func (p Policy) layerTypes(mediaType string) []string {
	if mediaType == DockerManifest {
		return []string{
			"application/vnd.docker.image.rootfs.diff.tar.gzip",
			"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
		}
	}
	var registered []string
	for _, types := range p.Types {
		registered = append(registered, types...)
	}
	if !p.NoHelm {
		registered = append(registered, "application/tar+gzip", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
	}
	return merge([]string{
		"application/vnd.oci.image.layer.v1.tar",
		"application/vnd.oci.image.layer.v1.tar+gzip",
		"application/vnd.oci.image.layer.v1.tar+zstd",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
	}, registered)
}

// merge appends what builtin has not, in order and once.
func merge(builtin, registered []string) []string {
	slices.Sort(registered)
	for _, t := range slices.Compact(registered) {
		if !slices.Contains(builtin, t) {
			builtin = append(builtin, t)
		}
	}
	return builtin
}
