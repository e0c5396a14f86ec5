package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/longshore-registry/longshore/internal/config"
)

func TestTheCommittedFilesAreCurrent(t *testing.T) {
	files, err := generate("intro.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("../../../docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("docs/%s is not what the table says; run go generate ./internal/config (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheSchemaHasEveryKeyWithAType(t *testing.T) {
	text, err := config.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]struct {
			Type       any            `json:"type"`
			Enum       []any          `json:"enum"`
			Kind       string         `json:"x-longshore-kind"`
			Properties map[string]any `json:"properties"`
		} `json:"properties"`
		Patterns map[string]any `json:"patternProperties"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"SERVER_HOSTNAME", "CREATE_NAMESPACE_ON_PUSH", "CREATE_ORGANIZATION_ON_PUSH", "REGISTRY_STATE", "DB_CONNECTION_ARGS"} {
		p, ok := schema.Properties[name]
		if !ok || p.Kind == "" || p.Type == nil && p.Enum == nil {
			t.Errorf("%s: in the schema %v, as %+v", name, ok, p)
		}
	}
	if _, ok := schema.Properties["DB_CONNECTION_ARGS"].Properties["sslmode"]; !ok {
		t.Error("DB_CONNECTION_ARGS has no sslmode")
	}
	if _, ok := schema.Patterns["^.+_LOGIN_CONFIG$"]; !ok {
		t.Error("there is no pattern for *_LOGIN_CONFIG")
	}
}
