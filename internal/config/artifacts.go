package config

import (
	"slices"
	"strings"
)

// artifacts says what a set allow-list keeps out, so that nobody is surprised by a client's error.
func (l *loader) artifacts() {
	const key = "ALLOWED_OCI_ARTIFACT_TYPES"
	a := &l.config.Artifacts
	if a.IgnoreUnknown {
		a.Allowed = nil
	}
	if a.Allowed == nil || !a.OCI || l.anyBad(key) {
		return
	}
	text := "artifacts that it does not name are refused at push"
	if out := a.keptOut(); len(out) > 0 {
		text += "; that keeps out " + strings.Join(out, ", ")
	}
	l.warnAt(key, "%s", text)
}

// commonArtifact is what a widespread client pushes: the config's media type, or the artifactType where the config is
// empty, and a layer's.
type commonArtifact struct{ name, config, layer string }

const (
	imageConfig = "application/vnd.oci.image.config.v1+json"
	imageLayer  = "application/vnd.oci.image.layer.v1.tar"
	helmConfig  = "application/vnd.cncf.helm.config.v1+json"
	helmLayer   = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	bundleType  = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

func commonArtifacts() []commonArtifact {
	return []commonArtifact{
		{"Helm charts", helmConfig, helmLayer},
		{"cosign signatures (.sig tags)", imageConfig, "application/vnd.dev.cosign.simplesigning.v1+json"},
		{"cosign bundles", bundleType, bundleType},
		{"cosign attestations (.att tags)", imageConfig, "application/vnd.dsse.envelope.v1+json"},
		{"BuildKit attestations", imageConfig, "application/vnd.in-toto+json"},
		{"Notation signatures", "application/vnd.cncf.notary.signature", "application/jose+json"},
		{"SPDX lists", imageConfig, "text/spdx+json"},
		{"CycloneDX lists", imageConfig, "application/vnd.cyclonedx+json"},
		{"what oras pushes without a type", "application/vnd.unknown.artifact.v1", imageLayer},
	}
}

// keptOut names the common artifacts that the allow-list refuses, by the rule of Quay 3.6: the config's type is among
// the keys and each layer's among all values, whichever key they belong to.
func (a Artifacts) keptOut() []string {
	configs := []string{imageConfig}
	layers := []string{imageLayer, imageLayer + "+gzip", imageLayer + "+zstd"}
	if a.Helm {
		configs, layers = append(configs, helmConfig), append(layers, helmLayer)
	}
	for config, with := range a.Allowed {
		configs, layers = append(configs, config), append(layers, with...)
	}
	var out []string
	for _, c := range commonArtifacts() {
		if !slices.Contains(configs, c.config) || !slices.Contains(layers, c.layer) {
			out = append(out, c.name)
		}
	}
	return out
}
