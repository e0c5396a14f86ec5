package rest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
)

func TestKeepKnown(t *testing.T) {
	schema := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{
		"name":  {Type: huma.TypeString},
		"free":  {Type: huma.TypeObject},
		"inner": {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"id": {Type: huma.TypeInteger}}}},
	}}
	for _, test := range []struct{ name, body, want string }{
		{"a known member stays", `{"name":"a"}`, `{"name":"a"}`},
		{"an unknown member goes", `{"name":"a","admin":true}`, `{"name":"a"}`},
		{"a member in another case goes", `{"Name":"b","NAME":"c","name":"a"}`, `{"name":"a"}`},
		{"the last of two equal members stays", `{"name":"a","name":5}`, `{"name":5}`},
		{"unknown members go inside of lists", `{"inner":[{"id":1,"ID":2,"x":3}]}`, `{"inner":[{"id":1}]}`},
		{"a free object stays whole", `{"free":{"Any":{"thing":[1]}}}`, `{"free":{"Any":{"thing":[1]}}}`},
		{"a large number stays exact", `{"name":12345678901234567890}`, `{"name":12345678901234567890}`},
		{"a value that is no object stays, to be refused by type", `[1]`, `[1]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			value, err := decode([]byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(keepKnown(value, schema, nil))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"what is no JSON", `{"a":}`, "the request body is not JSON: invalid character '}' looking for beginning of value at byte 5"},
		{"NUL in a string", `{"a":"b\u0000"}`, "the request body has a NUL character in a string"},
		{"half a value", `{"a":"b`, "the request body is not JSON: it ends in the middle of a value"},
		{"a second value", `{} {}`, "the request body has more than one JSON value"},
		{"one level too many", strings.Repeat("[", maxNesting+1) + strings.Repeat("]", maxNesting+1), "the request body nests deeper than 32 levels"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := decode([]byte(test.body))
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	if _, err := decode([]byte(strings.Repeat("[", maxNesting) + strings.Repeat("]", maxNesting))); err != nil {
		t.Errorf("%d levels are refused: %v", maxNesting, err)
	}
}
