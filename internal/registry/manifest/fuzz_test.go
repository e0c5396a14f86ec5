package manifest_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

func seeds() []string {
	return []string{
		ociManifest(""), ociIndex(""), ociManifest(`,"annotations":{"a":"b"},"artifactType":"a/b"`),
		ociManifest(`,"subject":` + descriptor(manifest.OCIManifest, 4, 4)), ociManifest(`,"MediaType":"x/y"`),
		ociIndex(`,"layers":[]`), ociManifest(`,"layers":[]`), dockerImage(manifest.DockerConfig, dockerLayer),
		strings.ReplaceAll(ociIndex(""), manifest.OCIIndex, manifest.DockerList),
		strings.Replace(ociIndex(""), `"size":30`, `"size":30,"platform":{"os":"linux","architecture":"arm64"},"data":"e30="`, 1),
		`{"schemaVersion":1,"fsLayers":[]}`, `{"schemaVersion":2,"config":null,"layers":null}`, `{}`, `[]`, `{"a":{"b":[{}]}}`,
		ociManifest(`,"layerſ":[]`), ociManifest(`,"x":"\ud800"`),
	}
}

// FuzzManifest compares what is accepted with what the image specification's own types read: another reader of the
// same bytes must not see another image.
func FuzzManifest(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s), "")
		f.Add([]byte(s), manifest.OCIManifest)
	}
	limits := manifest.Limits{}.WithDefaults()
	f.Fuzz(func(t *testing.T, b []byte, contentType string) {
		before := bytes.Clone(b)
		d, err := manifest.Parse(b, contentType, limits)
		if !bytes.Equal(before, b) {
			t.Fatal("the bytes were changed")
		}
		if err != nil || d.Kind.IsIndex() {
			return
		}
		var m v1.Manifest
		if json.Unmarshal(b, &m) != nil {
			return // stricter than we are, about members that decide nothing here
		}
		if m.MediaType != "" && m.MediaType != d.MediaType {
			t.Errorf("mediaType: ours %q, theirs %q", d.MediaType, m.MediaType)
		}
		if m.Config.Digest.String() != d.Config.Digest.String() || m.Config.MediaType != d.Config.MediaType || m.Config.Size != d.Config.Size {
			t.Errorf("config: ours %v, theirs %v", d.Config, m.Config)
		}
		sameDescriptors(t, d.Layers, m.Layers)
		if d.MediaType == manifest.OCIManifest {
			sameSubject(t, d, m.Subject, m.ArtifactType)
		}
		var index v1.Index
		if json.Unmarshal(b, &index) == nil && index.Manifests != nil {
			t.Error("accepted as a manifest, readable as an index")
		}
	})
}

// FuzzIndex is FuzzManifest for indexes.
func FuzzIndex(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	limits := manifest.Limits{}.WithDefaults()
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := manifest.Parse(b, "", limits)
		if err != nil || !d.Kind.IsIndex() {
			return
		}
		var index v1.Index
		if json.Unmarshal(b, &index) != nil {
			return
		}
		sameDescriptors(t, d.Manifests, index.Manifests)
		if d.MediaType == manifest.OCIIndex {
			sameSubject(t, d, index.Subject, index.ArtifactType)
		}
		var m v1.Manifest
		if json.Unmarshal(b, &m) == nil && (m.Layers != nil || m.Config.Digest != "") {
			t.Error("accepted as an index, readable as a manifest")
		}
	})
}

func sameDescriptors(t *testing.T, ours []manifest.Descriptor, theirs []v1.Descriptor) {
	t.Helper()
	if len(ours) != len(theirs) {
		t.Fatalf("ours %d, theirs %d", len(ours), len(theirs))
	}
	for i := range ours {
		if ours[i].Digest.String() != theirs[i].Digest.String() || ours[i].Size != theirs[i].Size || ours[i].MediaType != theirs[i].MediaType {
			t.Errorf("descriptor %d: ours %v, theirs %v", i, ours[i], theirs[i])
		}
	}
}

func sameSubject(t *testing.T, d *manifest.Document, subject *v1.Descriptor, artifactType string) {
	t.Helper()
	theirs := ""
	if subject != nil {
		theirs = subject.Digest.String()
	}
	if d.Subject.String() != theirs || d.ArtifactType != artifactType {
		t.Errorf("subject and artifactType: ours %q %q, theirs %q %q", d.Subject, d.ArtifactType, theirs, artifactType)
	}
}
