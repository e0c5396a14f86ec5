package manifest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

// hexDigest is a digest that differs with n.
func hexDigest(n int) string { return digest.SHA256.Of(fmt.Append(nil, n)).String() }

func descriptor(mediaType string, n int, size int64) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, hexDigest(n), size)
}

const (
	gzipLayer   = "application/vnd.oci.image.layer.v1.tar+gzip"
	dockerLayer = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

func ociManifest(extra string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]%s}`, manifest.OCIManifest,
		descriptor(manifest.OCIConfig, 1, 10), descriptor(gzipLayer, 2, 20), extra)
}

func ociIndex(extra string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]%s}`, manifest.OCIIndex,
		descriptor(manifest.OCIManifest, 3, 30), extra)
}

func parse(doc, contentType string) (*manifest.Document, error) {
	return manifest.Parse([]byte(doc), contentType, manifest.Limits{}.WithDefaults())
}

func mustDigest(t *testing.T, s string) digest.Digest {
	t.Helper()
	d, err := digest.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAcceptedDocuments(t *testing.T) {
	bare := strings.NewReplacer(fmt.Sprintf(`"mediaType":%q,"config"`, manifest.OCIManifest), `"config"`,
		fmt.Sprintf(`"mediaType":%q,"manifests"`, manifest.OCIIndex), `"manifests"`)
	docker := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s],"subject":{"odd":1}}`, manifest.DockerManifest,
		descriptor(manifest.DockerConfig, 1, 10), descriptor(dockerLayer, 2, 20))
	tests := []struct {
		name, doc, contentType string
		mediaType              string
		kind                   manifest.Kind
	}{
		{"an OCI manifest", ociManifest(""), manifest.OCIManifest, manifest.OCIManifest, manifest.Image},
		{"an OCI manifest without Content-Type", ociManifest(""), "", manifest.OCIManifest, manifest.Image},
		{"an OCI manifest sent as application/json", ociManifest(""), "application/json", manifest.OCIManifest, manifest.Image},
		{"a Content-Type with parameters and capitals", ociManifest(""), "Application/vnd.oci.image.manifest.v1+JSON; charset=utf-8", manifest.OCIManifest, manifest.Image},
		{"an OCI manifest known by its shape", bare.Replace(ociManifest("")), manifest.OCIManifest, manifest.OCIManifest, manifest.Image},
		{"an OCI index", ociIndex(""), manifest.OCIIndex, manifest.OCIIndex, manifest.Index},
		{"an OCI index known by its shape", bare.Replace(ociIndex("")), "", manifest.OCIIndex, manifest.Index},
		{"an index of an index", strings.ReplaceAll(ociIndex(""), manifest.OCIManifest, manifest.OCIIndex), manifest.OCIIndex, manifest.OCIIndex, manifest.Index},
		{"an empty index", fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[]}`, manifest.OCIIndex), manifest.OCIIndex, manifest.OCIIndex, manifest.Index},
		{"an index whose empty list is null", fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":null}`, manifest.OCIIndex), manifest.OCIIndex, manifest.OCIIndex, manifest.Index},
		{"a Docker manifest, whose subject means nothing", docker, manifest.DockerManifest, manifest.DockerManifest, manifest.DockerImage},
		{"a Docker list", strings.ReplaceAll(ociIndex(""), manifest.OCIIndex, manifest.DockerList), manifest.DockerList, manifest.DockerList, manifest.DockerIndex},
		{"an artifact", strings.ReplaceAll(ociManifest(`,"artifactType":"application/x.thing"`), manifest.OCIConfig, manifest.EmptyJSON), "", manifest.OCIManifest, manifest.OtherArtifact},
		{"unknown members", ociManifest(`,"org.example.x":{"deep":[1,2,{"y":null}]},"Layer":1`), "", manifest.OCIManifest, manifest.Image},
		{"null where members are optional", ociManifest(`,"subject":null,"annotations":null,"artifactType":null`), "", manifest.OCIManifest, manifest.Image},
		{"blanks around the document", " \n" + ociManifest("") + "\t\n", "", manifest.OCIManifest, manifest.Image},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := parse(tt.doc, tt.contentType)
			if err != nil {
				t.Fatal(err)
			}
			if d.MediaType != tt.mediaType || d.Kind != tt.kind {
				t.Errorf("got type %s kind %d, want %s kind %d", d.MediaType, d.Kind, tt.mediaType, tt.kind)
			}
		})
	}
}

func TestEverythingNeededIsRead(t *testing.T) {
	doc := ociManifest(fmt.Sprintf(`,"artifactType":"application/x.thing","subject":%s,"annotations":{"a":"1"}`, descriptor(manifest.OCIManifest, 9, 90)))
	got, err := parse(doc, "")
	if err != nil {
		t.Fatal(err)
	}
	want := &manifest.Document{
		MediaType: manifest.OCIManifest, Kind: manifest.Image,
		Config:       manifest.Descriptor{MediaType: manifest.OCIConfig, Digest: mustDigest(t, hexDigest(1)), Size: 10},
		Layers:       []manifest.Descriptor{{MediaType: gzipLayer, Digest: mustDigest(t, hexDigest(2)), Size: 20}},
		Subject:      mustDigest(t, hexDigest(9)),
		ArtifactType: "application/x.thing",
		Annotations:  map[string]string{"a": "1"},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(digest.Digest{})); diff != "" {
		t.Error(diff)
	}
	if got.LayersSize() != 20 {
		t.Errorf("LayersSize %d, want 20", got.LayersSize())
	}
}

func TestRefusedDocuments(t *testing.T) {
	layer := descriptor(gzipLayer, 2, 20)
	replaceLayer := func(with string) string { return strings.Replace(ociManifest(""), layer, with, 1) }
	tests := []struct {
		name, doc, contentType string
		kind                   problem.Kind
		want                   string // in the detail's message
	}{
		{"an unknown Content-Type", ociManifest(""), "text/plain", problem.UnsupportedMedia, "manifest schema version not supported: the Content-Type is 'text/plain'"},
		{"a Content-Type that names another type", ociManifest(""), manifest.OCIIndex, problem.Invalid, "the Content-Type is 'application/vnd.oci.image.index.v1+json', the document is 'application/vnd.oci.image.manifest.v1+json'"},
		{"a Docker manifest that does not say so", strings.Replace(ociManifest(""), fmt.Sprintf(`"mediaType":%q,`, manifest.OCIManifest), "", 1), manifest.DockerManifest, problem.Invalid, "the document is 'application/vnd.oci.image.manifest.v1+json'"},
		{"schema 1 by Content-Type", `{}`, manifest.DockerSigned1, problem.UnsupportedMedia, "Docker schema 1 manifests cannot be pushed any more"},
		{"schema 1 by mediaType", strings.Replace(ociManifest(""), manifest.OCIManifest, manifest.DockerSchema1, 1), "", problem.UnsupportedMedia, "Docker schema 1"},
		{"schema 1 by shape", `{"schemaVersion":1,"name":"a/b","tag":"t","fsLayers":[]}`, "application/json", problem.UnsupportedMedia, "Docker schema 1"},
		{"an unknown mediaType", strings.Replace(ociManifest(""), manifest.OCIManifest, "application/vnd.oci.artifact.manifest.v1+json", 1), "", problem.UnsupportedMedia, "the mediaType is 'application/vnd.oci.artifact.manifest.v1+json'"},
		{"a manifest that is an index too", ociManifest(`,"manifests":[]`), "", problem.Invalid, "must not have the member 'manifests'"},
		{"a manifest with a null list of manifests", ociManifest(`,"manifests":null`), "", problem.Invalid, "must not have the member 'manifests'"},
		{"an index with layers", ociIndex(`,"layers":[]`), "", problem.Invalid, "must not have the member 'layers'"},
		{"an index with a config", ociIndex(`,"config":{}`), "", problem.Invalid, "must not have the member 'config'"},
		{"a manifest with the layers of schema 1", ociManifest(`,"fsLayers":[]`), "", problem.Invalid, "must not have the member 'fsLayers'"},
		{"no type and both shapes", fmt.Sprintf(`{"schemaVersion":2,"layers":[],"config":%s,"manifests":[]}`, layer), "", problem.Invalid, "must not have the member"},
		{"no type and no shape", `{"schemaVersion":2}`, "", problem.Invalid, "without a mediaType it must have config and layers, or manifests"},
		{"a member twice", ociManifest(`,"layers":[]`), "", problem.Invalid, "the member 'layers' stands twice in one object"},
		{"a member twice by an escape", ociManifest(`,"l\u0061yers":[]`), "", problem.Invalid, "the member 'layers' stands twice"},
		{"a member twice in a descriptor", replaceLayer(layer[:len(layer)-1] + `,"size":20}`), "", problem.Invalid, "the member 'size' stands twice"},
		{"an annotation twice", ociManifest(`,"annotations":{"a":"1","a":"2"}`), "", problem.Invalid, "the member 'a' stands twice"},
		{"a member in another case beside it", ociManifest(`,"MediaType":"x/y"`), "", problem.Invalid, "the member 'MediaType' of the document differs from 'mediaType' only in case"},
		{"a member in another case alone", ociIndex(`,"Subject":{}`), "", problem.Invalid, "differs from 'subject' only in case"},
		{"a member spelt with a long s", ociManifest(`,"layerſ":[]`), "", problem.Invalid, "differs from 'layers' only in case"},
		{"a descriptor's member in another case", replaceLayer(layer[:len(layer)-1] + `,"Digest":"x"}`), "", problem.Invalid, "the member 'Digest' of layers[0] differs from 'digest' only in case"},
		{"a platform's member in another case", strings.Replace(ociIndex(""), `"size":30`, `"size":30,"platform":{"OS":"linux"}`, 1), "", problem.Invalid, "the member 'OS' of manifests[0].platform"},
		{"schemaVersion 3", strings.Replace(ociManifest(""), `"schemaVersion":2`, `"schemaVersion":3`, 1), "", problem.Invalid, "schemaVersion is 3, expected 2"},
		{"schemaVersion as text", strings.Replace(ociManifest(""), `"schemaVersion":2`, `"schemaVersion":"2"`, 1), "", problem.Invalid, "schemaVersion is not a whole number"},
		{"no schemaVersion", strings.Replace(ociManifest(""), `"schemaVersion":2,`, ``, 1), "", problem.Invalid, "schemaVersion is missing"},
		{"no config", fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"layers":[]}`, manifest.OCIManifest), "", problem.Invalid, "config is missing"},
		{"a null config", fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"layers":[],"config":null}`, manifest.OCIManifest), "", problem.Invalid, "config is missing"},
		{"no layers", fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s}`, manifest.OCIManifest, layer), "", problem.Invalid, "layers is missing"},
		{"a layer that is no object", replaceLayer(`"x"`), "", problem.Invalid, "layers[0] is not an object"},
		{"a null layer", replaceLayer(`null`), "", problem.Invalid, "layers[0] is not an object"},
		{"a layer without type", replaceLayer(strings.Replace(layer, gzipLayer, "", 1)), "", problem.Invalid, "layers[0].mediaType is missing"},
		{"a layer's type without subtype", replaceLayer(strings.Replace(layer, gzipLayer, "gzip", 1)), "", problem.Invalid, "layers[0].mediaType 'gzip' is not a media type"},
		{"a type with a control character", replaceLayer(strings.Replace(layer, gzipLayer, `a/b\u0000`, 1)), "", problem.Invalid, "is not a media type"},
		{"a layer without size", replaceLayer(strings.Replace(layer, `,"size":20`, "", 1)), "", problem.Invalid, "layers[0].size is missing"},
		{"a negative size", replaceLayer(strings.Replace(layer, `:20}`, ":-1}", 1)), "", problem.Invalid, "invalid layer size: layers[0].size is -1"},
		{"a size beyond all storage", replaceLayer(strings.Replace(layer, `:20}`, ":9000000000000000000}", 1)), "", problem.Invalid, "invalid layer size"},
		{"a broken size", replaceLayer(strings.Replace(layer, `:20}`, ":20.5}", 1)), "", problem.Invalid, "layers[0].size is not a whole number"},
		{"a short digest", replaceLayer(strings.Replace(layer, hexDigest(2), "sha256:abc", 1)), "", problem.Invalid, "layers[0].digest: digest"},
		{"an unknown algorithm", replaceLayer(strings.Replace(layer, "sha256:", "md5:", 1)), "", problem.Invalid, "use sha256 or sha512"},
		{"a subject without digest", ociManifest(`,"subject":{"mediaType":"a/b","size":1}`), "", problem.Invalid, "subject.digest is missing"},
		{"an artifactType that is none", ociManifest(`,"artifactType":"thing"`), "", problem.Invalid, "artifactType 'thing' is not a media type"},
		{"an annotation that is no text", ociManifest(`,"annotations":{"a":1}`), "", problem.Invalid, "annotations is not an object of strings"},
		{"a null annotation", ociManifest(`,"annotations":{"a":null}`), "", problem.Invalid, "'a' is not a string"},
		{"urls that are no list", replaceLayer(layer[:len(layer)-1] + `,"urls":"http://x"}`), "", problem.Invalid, "layers[0].urls is not an array"},
		{"an array", `[]`, "", problem.Invalid, "it is not a JSON object"},
		{"a string", `"x"`, "", problem.Invalid, "it is not a JSON object"},
		{"nothing", ``, "", problem.Invalid, "malformed manifest data: unexpected end"},
		{"half a document", ociManifest("")[:40], "", problem.Invalid, "malformed manifest data: unexpected end"},
		{"two documents", ociManifest("") + ociManifest(""), "", problem.Invalid, "there is more after the document's end"},
		{"a byte that is no UTF-8", ociManifest(",\"x\":\"\xff\""), "", problem.Invalid, "it is not valid UTF-8"},
		{"a byte order mark", "\ufeff" + ociManifest(""), "", problem.Invalid, "malformed manifest data"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.doc, tt.contentType)
			wantRefusal(t, err, tt.kind, tt.want)
		})
	}
}

func wantRefusal(t *testing.T, err error, kind problem.Kind, want string) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	p := problem.From(err)
	detail, _ := p.Detail.(manifest.Detail)
	if p.Kind != kind || p.Code != "MANIFEST_INVALID" || !strings.Contains(detail.Message, want) {
		t.Errorf("got kind %d code %s %q\nwant kind %d MANIFEST_INVALID with %q", p.Kind, p.Code, detail.Message, kind, want)
	}
	if !strings.HasPrefix(p.Message, "manifest invalid") {
		t.Errorf("message %q does not begin with Quay's", p.Message)
	}
}

func TestLimitsHoldOnePast(t *testing.T) {
	l := manifest.Limits{Bytes: 1000, Depth: 5, Values: 60, Descriptors: 2, AnnotationKey: 4, AnnotationValue: 6, URLs: 2}
	layers := func(n int) string {
		return strings.Replace(ociManifest(""), descriptor(gzipLayer, 2, 20), strings.Join(repeat(descriptor("a/b", 2, 20), n), ","), 1)
	}
	urls := func(n int) string {
		return strings.Replace(ociManifest(""), `"size":20`, `"size":20,"urls":[`+strings.Join(repeat(`"u"`, n), ",")+`]`, 1)
	}
	deep := func(n int) string {
		return ociManifest(`,"x":` + strings.Repeat("[", n) + strings.Repeat("]", n))
	}
	long := func(n int) string { return ociManifest("") + strings.Repeat(" ", n-len(ociManifest(""))) }
	many := func(n int) string { return ociManifest(`,"x":[` + strings.Join(repeat("1", n), ",") + `]`) }
	note := func(key, value int) string {
		return ociManifest(fmt.Sprintf(`,"annotations":{%q:%q}`, strings.Repeat("k", key), strings.Repeat("v", value)))
	}
	tests := []struct {
		name, fits, over, want string
	}{
		{"bytes", long(1000), long(1001), "it has 1001 bytes: at most 1000 are allowed"},
		{"descriptors", layers(2), layers(3), "layers has 3 entries: at most 2 are allowed"},
		{"urls", urls(2), urls(3), "layers[0].urls has 3 entries: at most 2 are allowed"},
		{"depth", deep(4), deep(5), "it is nested more than 5 deep"},
		{"values", many(31), many(32), "it has more than 60 JSON values"},
		{"annotation keys", note(4, 1), note(5, 1), "the key 'kkkkk' has 5 bytes: at most 4 are allowed"},
		{"annotation values", note(1, 6), note(1, 7), "the value of 'k' has 7 bytes: at most 6 are allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := manifest.Parse([]byte(tt.fits), "", l); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			_, err := manifest.Parse([]byte(tt.over), "", l)
			wantRefusal(t, err, problem.TooLarge, tt.want)
		})
	}
}

func repeat(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

func TestConfigLabels(t *testing.T) {
	tests := []struct {
		name, config string
		want         map[string]string
	}{
		{"labels of an image config", `{"config":{"Labels":{"a":"1"}}}`, map[string]string{"a": "1"}},
		{"no labels", `{"architecture":"amd64"}`, nil},
		{"null", `{"config":null}`, nil},
		{"no JSON", `cipher text`, nil},
		{"labels of a wrong type", `{"config":{"Labels":{"a":1}}}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, manifest.ConfigLabels([]byte(tt.config))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLabelTypeIsJSONForObjectsAndArraysOnly(t *testing.T) {
	for value, want := range map[string]string{
		`{"a":1}`: "application/json", ` [1]`: "application/json", `1`: "text/plain", `"a"`: "text/plain", `{a}`: "text/plain", ``: "text/plain",
	} {
		if got := manifest.LabelType(value); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

func TestAnnotationsOfAStoredDocument(t *testing.T) {
	for doc, want := range map[string]map[string]string{
		ociManifest(`,"annotations":{"a":"1"}`): {"a": "1"}, ociManifest(""): nil, `{"schemaVersion":1}`: nil, `broken`: nil,
	} {
		if diff := cmp.Diff(want, manifest.Annotations([]byte(doc))); diff != "" {
			t.Errorf("%s: %s", doc, diff)
		}
	}
	if !json.Valid([]byte(ociManifest(""))) {
		t.Error("the test's own document is broken")
	}
}
