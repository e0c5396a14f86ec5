package config_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/config"
)

// viewOf is what may be shown of a config.yaml.
func viewOf(t *testing.T, text string) config.View {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, report := config.Load(config.Source{Path: file})
	return report.View
}

// TestNoViewShowsASecret gives every key that is marked secret a value that is looked for: as a text, inside a map, and
// inside a list.
func TestNoViewShowsASecret(t *testing.T) {
	const needle = "hunter2"
	secrets := 0
	for _, chapter := range config.Chapters() {
		for _, key := range chapter.Keys {
			if !key.Secret() {
				continue
			}
			secrets++
			name := strings.ReplaceAll(key.Name, "*", "SOME")
			for _, value := range []string{`"` + needle + `"`, `{"a": "` + needle + `", "b": {"c": "` + needle + `"}}`, `["` + needle + `"]`, `"postgresql://u:` + needle + `@h/d"`} {
				line := name + ": " + value
				if parent, inner, nested := strings.Cut(name, "."); nested {
					line = parent + ": {" + inner + ": " + value + "}"
				}
				text, err := json.Marshal(viewOf(t, line+"\n"))
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(text), needle) {
					t.Errorf("%s shows its value: %s", line, text)
				}
			}
		}
	}
	if secrets < 20 {
		t.Errorf("only %d keys are secret: the walk is broken", secrets)
	}
}

func TestViews(t *testing.T) {
	v := viewOf(t, `
SERVER_HOSTNAME: registry.example.com
SECRET_KEY: hunter2
SECRET_KY: hunter2
FEATURE_REPO_MIRROR: false
FEATURE_USER_INITIALIZE: true
FEATURE_BUILD_SUPPORT: true
FEATURE_LISTEN_IP_VERSION: IPv6
REGISTRY_TITLE: Ours
BUILDLOGS_REDIS: {host: redis, password: hunter2, port: 6379}
DISTRIBUTED_STORAGE_CONFIG: {default: [LocalStorage, {storage_path: /data, secret_key: hunter2}]}
DB_CONNECTION_ARGS: {sslmode: require}
`)
	public := map[string]any{"SERVER_HOSTNAME": "registry.example.com", "AUTHENTICATION_TYPE": "Database", "REGISTRY_TITLE": "Ours", "FEATURE_REPO_MIRROR": false}
	if diff := cmp.Diff(public, v.Public); diff != "" {
		t.Errorf("for everybody: %s", diff)
	}
	for name, want := range map[string]any{
		"USER_INITIALIZE": true, "LISTEN_IP_VERSION": "IPv6", "DIRECT_LOGIN": true, // set, set, by default
		"BUILD_SUPPORT": false, "REPO_MIRROR": false, "QUOTA_MANAGEMENT": false, // missing in this version
	} {
		if got := v.Features[name]; got != want {
			t.Errorf("feature %s is %v, want %v", name, got, want)
		}
	}
	hidden := "[redacted]"
	for name, want := range map[string]any{
		"SECRET_KEY":                 hidden,
		"BUILDLOGS_REDIS":            map[string]any{"host": "redis", "password": hidden, "port": json.Number("6379")},
		"DISTRIBUTED_STORAGE_CONFIG": map[string]any{"default": []any{"LocalStorage", map[string]any{"storage_path": "/data", "secret_key": hidden}}},
		"DB_CONNECTION_ARGS":         map[string]any{"sslmode": "require"},
	} {
		if diff := cmp.Diff(want, v.Set[name]); diff != "" {
			t.Errorf("%s for superusers: %s", name, diff)
		}
	}
	if diff := cmp.Diff(map[string]any{"SECRET_KY": hidden}, v.Unknown); diff != "" {
		t.Errorf("what is no key: %s", diff)
	}
}

func TestTheEnvironmentsOverrideIsNotShown(t *testing.T) {
	_, report := config.Load(config.Source{Lookup: func(name string) (string, bool) {
		if name != "QUAY_OVERRIDE_CONFIG" {
			return "", false
		}
		return `{"SECRET_KEY": "hunter2"}`, true
	}})
	text, err := json.Marshal(report.View)
	if err != nil || strings.Contains(string(text), "hunter2") || report.View.Env["QUAY_OVERRIDE_CONFIG"] != "[redacted]" {
		t.Errorf("%s %v", text, err)
	}
}
