package config

import (
	"os"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/config/document"
)

// FuzzLoad holds for any file: judging it ends, the report can be printed, and what may start has usable values.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"editor", "operator", "unbuilt", "wrong"} {
		data, err := os.ReadFile("testdata/" + name + "/config.yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, seed := range []string{
		"", "{}", "[]", "A: &a\n  b: *a\n", "DISTRIBUTED_STORAGE_CONFIG: {a: [S3Storage, {}], b: []}", "DB_CONNECTION_ARGS: {ssl: {ca: x}, sslmode: 1}",
		"PROXY_COUNT: yes", "CORS_ORIGIN: {}", "A_LOGIN_CONFIG: 1\n_LOGIN_CONFIG: {}", "TAG_EXPIRATION_OPTIONS: []", "SSL_PROTOCOLS: []",
		"LOGS_MODEL: splunk\nLOGS_MODEL_CONFIG: {producer: x, other: {}}", "DB_URI: 'sqlite:////'", "SERVER_HOSTNAME: '%'", "BRANDING: {a: [/static/x]}",
		"V2_PAGINATION_SIZE: 4611686018427387904", "REGISTRY_JWT_AUTH_MAX_FRESH_S: 9223372036854775807",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := newLoader(nil)
		root, problems := document.Parse(data)
		if fields, ok := l.document("config.yaml", root, problems); ok {
			l.run(fields)
		}
		l.report.sort()
		if err := l.report.Print(&strings.Builder{}); err != nil {
			t.Fatal(err)
		}
		if !l.report.OK() {
			return
		}
		c := l.config
		if c.Registry.PageSize < 1 || c.Registry.PageSize > 1000 || c.Registry.MaxBlobSize < 0 || len(c.TLS.Protocols) == 0 || c.Login.TokenMaxAge <= 0 || c.Tags.Window < 0 {
			t.Fatalf("started with %+v", c)
		}
		for _, location := range c.Storage.Locations {
			if location.Driver != localStorage || location.Path == "" {
				t.Fatalf("started with the location %+v", location)
			}
		}
	})
}
