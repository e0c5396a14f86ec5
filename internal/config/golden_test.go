package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/longshore-registry/longshore/internal/config"
)

// UPDATE_GOLDEN=1 go test ./internal/config writes the golden files anew.
func TestReportsReadAsTheirGoldenFiles(t *testing.T) {
	for _, name := range []string{"editor", "operator", "unbuilt", "wrong"} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			_, report := config.Load(config.Source{Path: filepath.Join("testdata", name)})
			if err := report.Print(&out); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name, "report.golden")
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(out.String(), "hunter2") {
				t.Error("the report shows a secret")
			}
		})
	}
}
