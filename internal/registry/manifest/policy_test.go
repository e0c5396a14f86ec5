package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

// example is the configuration of mission.md's row R3.
func example() map[string][]string {
	return map[string][]string{
		manifest.OCIConfig:  {"application/vnd.dev.cosign.simplesigning.v1+json"},
		manifest.HelmConfig: {"application/tar+gzip"},
	}
}

func artifact(config, artifactType string, layers ...string) string {
	all := make([]string, len(layers))
	for i, l := range layers {
		all[i] = descriptor(l, i, 5)
	}
	extra := ""
	if artifactType != "" {
		extra = fmt.Sprintf(`,"artifactType":%q`, artifactType)
	}
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]%s}`, manifest.OCIManifest,
		descriptor(config, 9, 2), strings.Join(all, ","), extra)
}

func dockerImage(config, layer string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]}`, manifest.DockerManifest,
		descriptor(config, 1, 10), descriptor(layer, 2, 20))
}

func TestPolicy(t *testing.T) {
	const (
		signature = "application/vnd.dev.cosign.simplesigning.v1+json"
		chart     = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
		thing     = "application/x.thing"
	)
	set := manifest.Policy{Types: example()}
	noHelm := manifest.Policy{Types: map[string][]string{}, NoHelm: true}
	tests := []struct {
		name   string
		policy manifest.Policy
		doc    string
		kind   problem.Kind // with want
		want   string       // empty: accepted
	}{
		{"without a list every type passes", manifest.Policy{}, artifact(thing, "", thing), 0, ""},
		{"without a list Helm passes though its switch is off", manifest.Policy{NoHelm: true}, artifact(manifest.HelmConfig, "", chart), 0, ""},
		{"an image passes", set, ociManifest(""), 0, ""},
		{"a zstd layer passes", set, artifact(manifest.OCIConfig, "", "application/vnd.oci.image.layer.v1.tar+zstd"), 0, ""},
		{"a cosign signature passes", set, artifact(manifest.OCIConfig, "", signature), 0, ""},
		{"a chart passes", set, artifact(manifest.HelmConfig, "", chart), 0, ""},
		{"layer types are not tied to their config type", set, artifact(manifest.HelmConfig, "", signature), 0, ""},
		{"an unlisted config is refused", set, artifact(thing, "", gzipLayer), problem.Invalid,
			"failed to parse manifest: manifest data does not match schema: the config's mediaType 'application/x.thing' is not one of ['application/vnd.oci.image.config.v1+json', 'application/vnd.cncf.helm.config.v1+json'] (ALLOWED_OCI_ARTIFACT_TYPES)"},
		{"an unlisted layer is refused", set, artifact(manifest.OCIConfig, "", gzipLayer, thing), problem.Invalid, "a layer's mediaType 'application/x.thing' is not one of ['application/vnd.oci.image.layer.v1.tar', "},
		{"an encrypted layer is refused", set, artifact(manifest.OCIConfig, "", gzipLayer+"+encrypted"), problem.Invalid, "+encrypted' is not one of"},
		{"the artifactType stands in for an empty config", set, artifact(manifest.EmptyJSON, manifest.HelmConfig, chart), 0, ""},
		{"an unlisted artifactType is refused", set, artifact(manifest.EmptyJSON, thing, chart), problem.Invalid, "the artifactType 'application/x.thing' is not one of"},
		{"an empty config without artifactType is refused", set, artifact(manifest.EmptyJSON, "", chart), problem.Invalid, "the config's mediaType 'application/vnd.oci.empty.v1+json' is not one of"},
		{"an artifactType beside a real config counts for nothing", set, artifact(manifest.OCIConfig, thing, gzipLayer), 0, ""},
		{"an index is judged by its children", set, ociIndex(`,"artifactType":"application/x.thing"`), 0, ""},
		{"Helm passes with an empty list", manifest.Policy{Types: map[string][]string{}}, artifact(manifest.HelmConfig, "", chart), 0, ""},
		{"Helm is refused with its switch off", noHelm, artifact(manifest.HelmConfig, "", chart), problem.Invalid, "is not one of ['application/vnd.oci.image.config.v1+json'] "},
		{"a Docker image passes", noHelm, dockerImage(manifest.DockerConfig, dockerLayer), 0, ""},
		{"an artifact disguised as a Docker image is refused", set, dockerImage(thing, dockerLayer), problem.Invalid, "is not one of ['application/vnd.docker.container.image.v1+json']"},
		{"OCI is refused when it is off", manifest.Policy{NoOCI: true}, ociManifest(""), problem.UnsupportedMedia, "manifest schema version not supported: 'application/vnd.oci.image.manifest.v1+json' needs FEATURE_GENERAL_OCI_SUPPORT"},
		{"an OCI index is refused when OCI is off", manifest.Policy{NoOCI: true}, ociIndex(""), problem.UnsupportedMedia, "manifest schema version not supported"},
		{"Docker passes when OCI is off", manifest.Policy{NoOCI: true}, dockerImage(manifest.DockerConfig, dockerLayer), 0, ""},
		{"a listed namespace may use OCI when it is off", manifest.Policy{NoOCI: true, OCIFor: []string{"x", "acme"}}, ociManifest(""), 0, ""},
		{"a namespace of schema 1 clients takes no OCI", manifest.Policy{NoSchema2: []string{"acme"}}, ociManifest(""), problem.UnsupportedMedia, "V22_NAMESPACE_BLACKLIST"},
		{"a namespace of schema 1 clients takes no schema 2", manifest.Policy{NoSchema2: []string{"acme"}}, dockerImage(manifest.DockerConfig, dockerLayer), problem.UnsupportedMedia, "V22_NAMESPACE_BLACKLIST"},
		{"other namespaces are not concerned", manifest.Policy{NoSchema2: []string{"other"}}, ociManifest(""), 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := parse(tt.doc, "")
			if err != nil {
				t.Fatal(err)
			}
			err = tt.policy.Check("acme", d)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantRefusal(t, err, tt.kind, tt.want)
		})
	}
}

func TestRefusedNamesWhatCommonToolsPush(t *testing.T) {
	if got := (manifest.Policy{}).Refused(); got != nil {
		t.Errorf("without a list: %v", got)
	}
	want := []string{"Helm provenance files", "cosign attestations (.att tags)", "cosign bundles (referrers)", "BuildKit attestations", "notation signatures", "encrypted images"}
	if diff := cmp.Diff(want, (manifest.Policy{Types: example()}).Refused()); diff != "" {
		t.Error(diff)
	}
}
