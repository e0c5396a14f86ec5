package manifest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

func TestSteps(t *testing.T) {
	layers := []manifest.Descriptor{{Digest: digest.SHA256.Of([]byte("1")), Size: 1}, {Digest: digest.SHA256.Of([]byte("2")), Size: 2}}
	bare := []manifest.Step{{Layer: &layers[0]}, {Layer: &layers[1]}}
	tests := map[string]struct {
		config string
		want   []manifest.Step
	}{
		"a history is told from its beginning, steps without layer included": {
			`{"history":[{"created":"2027-01-02T03:04:05Z","created_by":"ADD x","author":"a"},
				{"created_by":"[\"sh\",\"-c\",\"y\"]","empty_layer":true,"comment":"c"},{}]}`,
			[]manifest.Step{
				{Layer: &layers[0], Command: []string{"ADD x"}, Author: "a", Created: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)},
				{Command: []string{"sh", "-c", "y"}, Comment: "c"}, {Layer: &layers[1]},
			}},
		"without a history the layers are told":          {`{}`, bare},
		"a history of too few layers is left aside":      {`{"history":[{}]}`, bare},
		"a history of too many layers is left aside":     {`{"history":[{},{},{}]}`, bare},
		"what is no config is left aside":                {`[1]`, bare},
		"members of a wrong type are as if not there":    {`{"history":[{"created":5,"created_by":[],"author":{}},{"comment":1}]}`, bare},
		"a command that is JSON of another kind is text": {`{"history":[{"created_by":"[1]"},{}]}`, []manifest.Step{{Layer: &layers[0], Command: []string{"[1]"}}, {Layer: &layers[1]}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, manifest.Steps(layers, []byte(tt.config)), cmp.Comparer(func(a, b digest.Digest) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}
