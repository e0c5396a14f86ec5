package config

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/longshore-registry/longshore/internal/config/document"
)

// loadText loads a configuration from a text and, where given, "NAME=value" of the environment.
func loadText(t *testing.T, text string, env ...string) (*Config, *Report) {
	t.Helper()
	l := newLoader(environment(env))
	root, problems := document.Parse([]byte(text))
	if fields, ok := l.document("config.yaml", root, problems); ok {
		l.run(fields)
	}
	l.report.sort()
	return l.config, l.report
}

func environment(env []string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, e := range env {
			if value, ok := strings.CutPrefix(e, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
}

func TestEveryKeyHasExactlyOneRowAndOneKind(t *testing.T) {
	rows := newTable().rows
	claimed := map[string]string{}
	for _, k := range rows {
		for _, name := range append([]string{k.Name}, k.Aliases...) {
			if other, twice := claimed[name]; twice {
				t.Errorf("%s is claimed by %s and %s", name, other, k.Name)
			}
			claimed[name] = k.Name
		}
		if k.Kind < Used || k.Kind > Warns {
			t.Errorf("%s has the kind %d", k.Name, k.Kind)
		}
		if k.Means == "" || !strings.HasSuffix(k.Means, ".") {
			t.Errorf("%s: the meaning %q is not a sentence", k.Name, k.Means)
		}
		if strings.HasPrefix(k.Name, "FEATURE_") && k.Name != "FEATURE_LISTEN_IP_VERSION" && k.TypeName() != "boolean" {
			t.Errorf("%s is of type %s, but features are booleans", k.Name, k.TypeName())
		}
	}
}

func TestEveryKeyThatQuayDocumentsHasARowWithQuaysDefault(t *testing.T) {
	f, err := os.Open("testdata/quay-keys.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	table, seen := newTable(), map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, want, _ := strings.Cut(lines.Text(), " ")
		if name == "#" {
			continue
		}
		row, known := table.find(name)
		if !known {
			t.Errorf("%s has no row", name)
			continue
		}
		seen[row.Name] = true
		got := row.Default
		if row.Quay != "" {
			got = row.Quay
		}
		if got != want {
			t.Errorf("%s: Quay's default is given as %q, want %q", name, got, want)
		}
	}
	for _, row := range table.rows {
		if !seen[row.Name] {
			t.Errorf("%s is in the table, but not in testdata/quay-keys.txt", row.Name)
		}
	}
}

func TestDefaultsAreValuesOfTheirKeys(t *testing.T) {
	table := newTable()
	for _, k := range table.rows {
		n, ok := table.defaults[k.Name]
		if ok != (k.Default != "") {
			t.Fatalf("%s: the default %q cannot be read", k.Name, k.Default)
		}
		if !ok {
			continue
		}
		r := newReader(k.typ)
		k.typ.canonical(r, n)
		for _, w := range r.wrongs {
			t.Errorf("%s: the default is wrong: %s", k.Name, w.text)
		}
	}
}

func TestConditionsLeadToOtherKeys(t *testing.T) {
	table := newTable()
	for _, k := range table.rows {
		steps := 0
		for row := k; row.gate.key != ""; steps++ {
			next, known := table.find(row.gate.key)
			if !known || steps > 3 {
				t.Errorf("%s: the condition on %s is unknown or a circle", k.Name, row.gate.key)
				break
			}
			row = next
		}
		if k.Kind != Used && (k.notice != "" || k.deprecated) {
			t.Errorf("%s is not used, so its notice is never given", k.Name)
		}
	}
}

// samples are values other than the default for keys where none can be made from the default.
func samples() map[string]string {
	return map[string]string{
		"SERVER_HOSTNAME": "quay.example.org", "PREFERRED_URL_SCHEME": "http", "SSL_PROTOCOLS": "[TLSv1.3]", "SSL_CIPHERS": "[AES128-SHA]",
		"PROXY_COUNT": "2", "FEATURE_LISTEN_IP_VERSION": "IPv6", "REGISTRY_STATE": "readonly", "SECRET_KEY": "1234", "DATABASE_SECRET_KEY": "1234",
		"SESSION_COOKIE_NAME": "session", "CORS_ORIGIN": "https://example.org", "ENABLE_HEALTH_DEBUG_SECRET": "x",
		"LOGGING_LEVEL": "ERROR", "PROMETHEUS_NAMESPACE": "other",
		"INSTANCE_SERVICE_KEY_SERVICE": "other", "DB_URI": "sqlite:///other.db", "DB_CONNECTION_ARGS.sslmode": "require",
		"DB_CONNECTION_ARGS.sslrootcert": "ca.pem", "DB_CONNECTION_ARGS.sslcert": "c.pem", "DB_CONNECTION_ARGS.sslkey": "k.pem",
		"DB_CONNECTION_ARGS.max_connections": "7", "DB_CONNECTION_ARGS.options": "-c x=y", "DISTRIBUTED_STORAGE_CONFIG": "{a: [LocalStorage, {storage_path: /a}]}",
		"DISTRIBUTED_STORAGE_PREFERENCE": "[b]", "MAXIMUM_LAYER_SIZE": "1M", "LIBRARY_NAMESPACE": "other", "BLACKLIST_V2_SPEC": "<2",
		"ALLOWED_OCI_ARTIFACT_TYPES": "{}", "MAIL_SERVER": "smtp", "MAIL_PASSWORD": "x", "MAIL_USERNAME": "x", "MAIL_DEFAULT_SENDER": "a@b.c", "APP_SPECIFIC_TOKEN_EXPIRATION": "1h", "BLACKLISTED_EMAIL_DOMAINS": "[a.b]", "RESTRICTED_USERS_WHITELIST": "[a]", "OCI_NAMESPACE_WHITELIST": "[a]",
		"V22_NAMESPACE_BLACKLIST": "[a]", "ACTION_LOG_MAX_PAGE": "7", "TAG_EXPIRATION_OPTIONS": "[2w]", "DEFAULT_TAG_EXPIRATION": "1w",
	}
}

// companions are what a key needs beside it.
func companions() map[string]string {
	return map[string]string{
		"FEATURE_MAILING":                "MAIL_SERVER: smtp\nSERVER_HOSTNAME: quay.example.org\n",
		"MAIL_SERVER":                    "SERVER_HOSTNAME: quay.example.org\n",
		"DISTRIBUTED_STORAGE_PREFERENCE": "DISTRIBUTED_STORAGE_CONFIG: {a: [LocalStorage, {storage_path: /a}], b: [LocalStorage, {storage_path: /b}]}\n",
	}
}

func sample(k Key) string {
	if s, ok := samples()[k.Name]; ok {
		return s
	}
	switch {
	case k.Default == "true":
		return "false"
	case k.Default == "false":
		return "true"
	case k.TypeName() == "duration":
		return "3h"
	case strings.HasPrefix(k.TypeName(), "list of"):
		return "[other]"
	}
	return "7"
}

// with is a configuration that sets one key, nested where its name has dots.
func with(name, value string) string {
	parts := strings.Split(name, ".")
	var b strings.Builder
	for i, p := range parts {
		fmt.Fprintf(&b, "%s%s:", strings.Repeat("  ", i), p)
		if i < len(parts)-1 {
			b.WriteByte('\n')
		}
	}
	return b.String() + " " + value + "\n"
}

func TestEveryUsedKeyIsReadIntoTheConfig(t *testing.T) {
	for _, k := range newTable().rows {
		if k.group {
			continue
		}
		if (k.Kind == Used) != (k.bind != nil) {
			t.Errorf("%s: kind %s, bound %v", k.Name, k.Kind, k.bind != nil)
		}
		if k.Kind != Used {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			before, _ := loadText(t, companions()[k.Name])
			for _, name := range append([]string{k.Name}, k.Aliases...) {
				after, report := loadText(t, companions()[k.Name]+with(name, sample(k)), "IGNORE_VALIDATION=1")
				if err := report.Err(); err != nil {
					t.Fatal(err)
				}
				if cmp.Equal(before, after) {
					t.Errorf("%s: %s changes nothing", name, sample(k))
				}
			}
		})
	}
}

func TestDefaultsWrittenOutChangeNothing(t *testing.T) {
	groups := map[string]string{}
	var text strings.Builder
	for _, k := range newTable().rows {
		if k.Default == "" {
			continue
		}
		if parent := parentOf(k.Name); parent != "" {
			groups[parent] += "  " + strings.TrimPrefix(k.Name, parent+".") + ": " + k.Default + "\n"
			continue
		}
		fmt.Fprintf(&text, "%s: %s\n", k.Name, k.Default)
	}
	for parent, entries := range groups {
		fmt.Fprintf(&text, "%s:\n%s", parent, entries)
	}
	c, report := loadText(t, text.String())
	if diff := cmp.Diff(Default(), c); diff != "" {
		t.Error(diff)
	}
	for _, f := range slices.Concat(report.Errors, report.Refusals, report.Warnings, report.Ignored) {
		if f.Key != "FEATURE_HELM_OCI_SUPPORT" && f.Key != "FEATURE_MAILING" {
			t.Errorf("a default is objected to: %s", f)
		}
	}
}

func TestNullsAndFeaturesSwitchedOffChangeNothing(t *testing.T) {
	want := Default()
	for _, k := range newTable().rows {
		if strings.ContainsAny(k.Name, "*.") {
			continue
		}
		c, report := loadText(t, k.Name+": null\n")
		if diff := cmp.Diff(want, c); diff != "" || len(report.Errors)+len(report.Refusals)+len(report.Warnings)+len(report.Ignored) > 0 {
			t.Errorf("%s: null has an effect: %+v %s", k.Name, report, diff)
		}
		if !strings.HasPrefix(k.Name, "FEATURE_") || k.Kind == Used {
			continue
		}
		_, report = loadText(t, k.Name+": false\n")
		if len(report.Errors)+len(report.Refusals)+len(report.Warnings) > 0 {
			t.Errorf("%s: false is objected to: %+v", k.Name, report)
		}
	}
}

// Whatever a missing feature is asked for, something is said about it.
func TestNoKeyOfAMissingFeatureIsPassedOverInSilence(t *testing.T) {
	for _, k := range newTable().rows {
		if k.group || k.Kind == Used || strings.Contains(k.Name, "*") {
			continue
		}
		value := sample(k)
		switch name := k.TypeName(); {
		case strings.HasPrefix(name, "one of"):
			choices := strings.Split(strings.TrimPrefix(name, "one of "), ", ")
			value = choices[len(choices)-1]
		case name == "boolean" && k.Default == "":
			value = "true"
		case name == "map":
			value = "{a: b}"
		case name == "URL":
			value = "https://example.org"
		case name == "text" || strings.HasPrefix(name, "host"):
			value = "other"
		case k.Name == "KEYSTONE_AUTH_VERSION":
			value = "3"
		}
		_, report := loadText(t, with(k.Name, value))
		if len(report.Errors) > 0 {
			t.Errorf("%s: %s: %v", k.Name, value, report.Errors)
		}
		said := len(report.Refusals) + len(report.Warnings) + len(report.Ignored)
		if said != 1 && len(k.harmless) == 0 {
			t.Errorf("%s: %s: %d findings, want one: %+v", k.Name, value, said, report)
		}
		if k.Kind == Refuses && k.gate.key == "" && len(k.harmless) == 0 && report.OK() {
			t.Errorf("%s: %s does not refuse", k.Name, value)
		}
	}
}
