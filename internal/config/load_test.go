package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func findings(list []Finding) string {
	var lines []string
	for _, f := range list {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

func TestWithoutAFileTheDefaultsAreInEffect(t *testing.T) {
	c, report := Load(Source{})
	if findings(report.Errors)+findings(report.Refusals)+findings(report.Warnings)+findings(report.Ignored) != "" || len(report.Files) != 0 {
		t.Errorf("there is something to say about nothing: %+v", report)
	}
	day := 24 * time.Hour
	want := Config{
		Server: Server{IPVersion: "IPv4", CORSOrigins: []string{"*"}, BrowserCallsXHR: true, InstanceKeyName: "quay", InstanceKeyLife: 2 * time.Hour, InstanceKeyRenew: 55 * time.Minute,
			UnapprovedKeyLife: day, ExpiredKeyLife: 7 * day, UserEvents: true},
		TLS:      TLS{Protocols: []string{"TLSv1.2", "TLSv1.3"}},
		Database: Database{ConnectTimeout: 10 * time.Second},
		Accounts: Accounts{SuperUsersOn: true, SuperUsers: []string{}, ReadOnlySuperUsers: []string{}, RobotsWhitelist: []string{}, FederationAudiences: []string{}, DirectApplications: []string{}, AnonymousAccess: true,
			PublicNamespaces: []string{}, RequireTeamInvite: true, AssignTokens: true, FindByPart: true, TrackLastAccess: true, LastAccessEvery: time.Minute,
			Registration: true, BlockedDomains: []string{}},
		Login:   Login{Direct: true, AppTokens: true, TokenMaxAge: 3660 * time.Second, CodeLife: 30 * time.Minute},
		Session: Session{Timeout: 31 * day, Permanent: true, CookieName: "_csrf_token", FreshLoginFor: 10 * time.Minute},
		Registry: Registry{Advertised: true, BlockedDockers: "<1.6.0", PageSize: 50, MaxBlobSize: 20 << 30, NestedNames: true, Library: true,
			LibraryNamespace: "library", Referrers: true, PushProtection: time.Hour, ReservedLabels: []string{}},
		Artifacts:     Artifacts{OCI: true, Helm: true},
		Push:          Push{PrivateRepositories: true},
		Tags:          Tags{Window: 14 * day, WindowChoices: []time.Duration{0, day, 7 * day, 14 * day, 28 * day}, ChangeWindow: true, LabelMinimum: time.Hour, LabelMaximum: 728 * day, Purge: true},
		Mail:          Mail{Port: 587, StartTLS: true, Sender: "admin@example.com"},
		ActionLog:     ActionLog{Logins: true, Silent: []string{}, SilentPulls: []string{}, Export: true, Counts: true, InnerHosts: []string{}},
		Observability: Observability{MetricsPrefix: "quay"},
	}
	if diff := cmp.Diff(&want, c); diff != "" {
		t.Error(diff)
	}
}

func TestTheEditorsFileStartsWithoutComplaint(t *testing.T) {
	c, report := Load(Source{Path: "testdata/editor"})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	if c.Server.Hostname != "quay.example.org" || c.Server.Scheme != "https" || !c.Database.Postgres() || c.Mail.Enabled || !c.Session.CookieSecure {
		t.Errorf("%+v", c)
	}
	const key = "30060361640793187613697366923211113205676925445650250274752125083971638376224"
	if got := c.Keys.DatabaseSecret.Reveal(); got != key {
		t.Errorf("DATABASE_SECRET_KEY is %q, want %q", got, key)
	}
	if diff := cmp.Diff([]Location{{"default", "LocalStorage", "/datastorage/registry"}}, c.Storage.Locations); diff != "" {
		t.Error(diff)
	}
}

func TestWhatValuesMean(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		get  func(*Config) any
		want any
	}{
		"yes is true":                              {"FEATURE_SPARSE_INDEX: yes", func(c *Config) any { return c.Registry.SparseIndex }, true},
		"off is false":                             {"FEATURE_REFERRERS_API: off", func(c *Config) any { return c.Registry.Referrers }, false},
		"a key of digits keeps them":               {"SECRET_KEY: 12345678901234567890123456789012345678901", func(c *Config) any { return c.Keys.Secret.Reveal() }, "12345678901234567890123456789012345678901"},
		"a quoted key keeps leading zeros":         {"SECRET_KEY: '0012'", func(c *Config) any { return c.Keys.Secret.Reveal() }, "0012"},
		"null is unset":                            {"V2_PAGINATION_SIZE: ~", func(c *Config) any { return c.Registry.PageSize }, 50},
		"an empty host name is unset":              {"SERVER_HOSTNAME: ''", func(c *Config) any { return c.Server.Hostname }, ""},
		"a host name with a port":                  {"SERVER_HOSTNAME: quay.example.org:8443", func(c *Config) any { return c.Server.Hostname }, "quay.example.org:8443"},
		"an address in brackets is a host":         {"SERVER_HOSTNAME: '[::1]:8443'", func(c *Config) any { return c.Server.Hostname }, "[::1]:8443"},
		"durations in seconds":                     {"PUSH_TEMP_TAG_EXPIRATION_SEC: 60", func(c *Config) any { return c.Registry.PushProtection }, time.Minute},
		"m is minutes":                             {"FRESH_LOGIN_TIMEOUT: 90m", func(c *Config) any { return c.Session.FreshLoginFor }, 90 * time.Minute},
		"sizes are powers of two":                  {"MAXIMUM_LAYER_SIZE: 500M", func(c *Config) any { return c.Registry.MaxBlobSize }, int64(500 << 20)},
		"PROXY_COUNT false is none":                {"PROXY_COUNT: false", func(c *Config) any { return c.Server.Proxies }, Proxies{0, true}},
		"PROXY_COUNT 0 is none":                    {"PROXY_COUNT: 0", func(c *Config) any { return c.Server.Proxies }, Proxies{0, true}},
		"PROXY_COUNT 2":                            {"PROXY_COUNT: 2", func(c *Config) any { return c.Server.Proxies }, Proxies{2, true}},
		"readonly":                                 {"REGISTRY_STATE: readonly", func(c *Config) any { return c.Server.ReadOnly }, true},
		"one origin is a list of one":              {"CORS_ORIGIN: https://a", func(c *Config) any { return c.Server.CORSOrigins }, []string{"https://a"}},
		"several origins":                          {"CORS_ORIGIN: [https://a, https://b]", func(c *Config) any { return c.Server.CORSOrigins }, []string{"https://a", "https://b"}},
		"an allow-list that is not set":            {"", func(c *Config) any { return c.Artifacts.Allowed }, map[string][]string(nil)},
		"an empty allow-list is set":               {"ALLOWED_OCI_ARTIFACT_TYPES: {}", func(c *Config) any { return c.Artifacts.Allowed }, map[string][]string{}},
		"an allow-list without layers":             {"ALLOWED_OCI_ARTIFACT_TYPES: {a/b: null}", func(c *Config) any { return c.Artifacts.Allowed }, map[string][]string{"a/b": {}}},
		"an allow-list that is to be ignored":      {"ALLOWED_OCI_ARTIFACT_TYPES: {a/b: [c/d]}\nIGNORE_UNKNOWN_MEDIATYPES: true", func(c *Config) any { return c.Artifacts.Allowed }, map[string][]string(nil)},
		"the alias of CREATE_NAMESPACE_ON_PUSH":    {"CREATE_ORGANIZATION_ON_PUSH: true", func(c *Config) any { return c.Push.CreateNamespaces }, true},
		"both names of it, when they agree":        {"CREATE_ORGANIZATION_ON_PUSH: true\nCREATE_NAMESPACE_ON_PUSH: yes", func(c *Config) any { return c.Push.CreateNamespaces }, true},
		"the alias of FEATURE_HELM_OCI_SUPPORT":    {"FEATURE_EXPERIMENTAL_HELM_OCI_SUPPORT: false", func(c *Config) any { return c.Artifacts.Helm }, false},
		"mail without a server is off":             {"FEATURE_MAILING: true", func(c *Config) any { return c.Mail.Enabled }, false},
		"mail with a server is on":                 {"MAIL_SERVER: smtp\nSERVER_HOSTNAME: quay.example.org", func(c *Config) any { return c.Mail.Enabled }, true},
		"mail that is switched off":                {"MAIL_SERVER: smtp\nFEATURE_MAILING: false", func(c *Config) any { return c.Mail.Enabled }, false},
		"an outer proxy speaks https":              {"EXTERNAL_TLS_TERMINATION: true", func(c *Config) any { return c.Server.Scheme }, "https"},
		"without anything links follow requests":   {"", func(c *Config) any { return c.Server.Scheme }, ""},
		"broken TLS versions are left out":         {"SSL_PROTOCOLS: [TLSv1, TLSv1.2]", func(c *Config) any { return c.TLS.Protocols }, []string{"TLSv1.2"}},
		"a very long page is cut":                  {"V2_PAGINATION_SIZE: 5000", func(c *Config) any { return c.Registry.PageSize }, 1000},
		"IPv6 only":                                {"FEATURE_LISTEN_IP_VERSION: IPv6", func(c *Config) any { return c.Server.Network() }, "tcp6"},
		"both IP versions":                         {"FEATURE_LISTEN_IP_VERSION: dual-stack", func(c *Config) any { return c.Server.Network() }, "tcp"},
		"SQLAlchemy's driver names are understood": {"DB_URI: postgresql+psycopg2://u@h/d\nSECRET_KEY: a\nDATABASE_SECRET_KEY: b", func(c *Config) any { return c.Database.Postgres() }, true},
		"locations are read in the order of preference": {
			"DISTRIBUTED_STORAGE_CONFIG: {a: [LocalStorage, {storage_path: /a}], b: [LocalStorage, {storage_path: /b}]}\nDISTRIBUTED_STORAGE_PREFERENCE: [b]",
			func(c *Config) any { return c.Storage.Locations }, []Location{{"b", "LocalStorage", "/b"}, {"a", "LocalStorage", "/a"}}},
		"JSON is a configuration too": {"{\"V2_PAGINATION_SIZE\": 7}", func(c *Config) any { return c.Registry.PageSize }, 7},
	} {
		t.Run(name, func(t *testing.T) {
			config, report := loadText(t, c.text)
			if err := report.Err(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, c.get(config)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestErrorsNameFileLineKeyWhatWasFoundAndWhatIsAllowed(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"mail without a host name": {"MAIL_SERVER: smtp", "config.yaml:1: MAIL_SERVER: found smtp without SERVER_HOSTNAME; allowed: with it"},
		"a sender that is none":    {"SERVER_HOSTNAME: a\nMAIL_SERVER: smtp\nMAIL_DEFAULT_SENDER: nobody", `config.yaml:3: MAIL_DEFAULT_SENDER: found "nobody"; allowed: an e-mail address`},
		"links that never work":    {"SERVER_HOSTNAME: a\nMAIL_SERVER: smtp\nUSER_RECOVERY_TOKEN_LIFETIME: 0s", "config.yaml:3: USER_RECOVERY_TOKEN_LIFETIME: found 0; allowed: a duration above 0"},
		"a quoted boolean":         {"\nFEATURE_REFERRERS_API: 'yes'", `config.yaml:2: FEATURE_REFERRERS_API: found the text "yes"; allowed: true or false, without quotes`},
		"a number for a text":      {"LIBRARY_NAMESPACE: 5", "config.yaml:1: LIBRARY_NAMESPACE: found 5; allowed: small letters"},
		"a text for a number":      {"V2_PAGINATION_SIZE: many", `config.yaml:1: V2_PAGINATION_SIZE: found the text "many"; allowed: a whole number of at least 1`},
		"a number too large":       {"V2_PAGINATION_SIZE: 99999999999999999999", "found 99999999999999999999; allowed: a whole number"},
		"a fraction":               {"V2_PAGINATION_SIZE: 5.0", "found 5.0; allowed: a whole number"},
		"an item on its own line":  {"SUPER_USERS:\n- a\n- [b]", "config.yaml:3: SUPER_USERS: found a list; allowed: a text"},
		"a null item":              {"SUPER_USERS: [a, null]", "SUPER_USERS: found nothing; allowed: a text"},
		"an empty duration":        {"SESSION_TIMEOUT: ''", `SESSION_TIMEOUT: found the text ""; allowed: a whole number and w, d`},
		"a map for a secret":       {"SECRET_KEY: {a: b}", "SECRET_KEY: found a map; allowed: a text or a whole number"},
		"a text for arguments":     {"DB_CONNECTION_ARGS: none", `DB_CONNECTION_ARGS: found the text "none"; allowed: a map`},
		"a boolean for a host":     {"SERVER_HOSTNAME: no", "SERVER_HOSTNAME: found false; allowed: a host name"},
		"a path in a host":         {"SERVER_HOSTNAME: quay/registry", "SERVER_HOSTNAME: found the text"},
		"a port too large":         {"SERVER_HOSTNAME: quay:70000", "SERVER_HOSTNAME: found the text"},
		"a key given twice":        {"A: 1\nA: 2", "config.yaml:2: key A is given twice; it was given on line 1 already"},
		"a tab":                    {"A:\n\tB: 1", "config.yaml:2: a tab where YAML wants blanks"},
		"a list at the top":        {"- A", "config.yaml:1: found a list; allowed: a map of keys to values"},
		"a SQLite without a file":  {"DB_URI: 'sqlite://'", "DB_URI: found a text that is not a database URI"},
		"a database without URI":   {"DB_URI: quay", "DB_URI: found a text that is not a database URI; allowed: a text: postgresql://"},
		"two names that disagree":  {"CREATE_ORGANIZATION_ON_PUSH: true\nCREATE_NAMESPACE_ON_PUSH: no", "config.yaml:2: CREATE_NAMESPACE_ON_PUSH: found false; allowed: the value of CREATE_ORGANIZATION_ON_PUSH on line 1"},
		"a default no option":      {"DEFAULT_TAG_EXPIRATION: 3w", "config.yaml:1: DEFAULT_TAG_EXPIRATION: the default 3w is not among the options 0s, 1d, 1w, 2w, 4w"},
		"options without default":  {"TAG_EXPIRATION_OPTIONS: [1d]", "config.yaml:1: TAG_EXPIRATION_OPTIONS: the default 2w is not among the options 1d"},
		"crossed bounds":           {"LABELED_EXPIRATION_MINIMUM: 2w\nLABELED_EXPIRATION_MAXIMUM: 1w", "LABELED_EXPIRATION_MINIMUM: found 2w; allowed: at most LABELED_EXPIRATION_MAXIMUM, which is 1w"},
		"http behind TLS":          {"EXTERNAL_TLS_TERMINATION: true\nPREFERRED_URL_SCHEME: http", "config.yaml:2: PREFERRED_URL_SCHEME: found http with EXTERNAL_TLS_TERMINATION"},
		"https without TLS":        {"PREFERRED_URL_SCHEME: https", "PREFERRED_URL_SCHEME: found https without ssl.cert and ssl.key"},
		"no TLS version left":      {"SSL_PROTOCOLS: [TLSv1]", "SSL_PROTOCOLS: no version is left; allowed: TLSv1.2, TLSv1.3 or both"},
		"no way to sign in":        {"FEATURE_DIRECT_LOGIN: false", "FEATURE_DIRECT_LOGIN: found false; allowed: true"},
		"an undefined location":    {"DISTRIBUTED_STORAGE_CONFIG: {a: [LocalStorage, {storage_path: /a}]}\nDISTRIBUTED_STORAGE_PREFERENCE: [b]", `config.yaml:2: DISTRIBUTED_STORAGE_PREFERENCE: found the location "b", which DISTRIBUTED_STORAGE_CONFIG does not define; allowed: a`},
		"secrets for PostgreSQL":   {"DB_URI: postgresql://u:p@h/d", "config.yaml: DATABASE_SECRET_KEY: is missing; PostgreSQL needs it"},
		"a missing authority":      {"DB_URI: postgresql://h/d\nSECRET_KEY: a\nDATABASE_SECRET_KEY: b\nDB_CONNECTION_ARGS: {sslmode: verify-full}", "DB_CONNECTION_ARGS.sslmode: found verify-full without a certificate authority"},
		"a missing file":           {"DB_URI: postgresql://h/d\nSECRET_KEY: a\nDATABASE_SECRET_KEY: b\nDB_CONNECTION_ARGS: {sslcert: /nowhere/c.pem}", "DB_CONNECTION_ARGS.sslcert: there is no file /nowhere/c.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			_, report := loadText(t, c.text)
			if got := findings(report.Errors); !strings.Contains(got, c.want) {
				t.Errorf("errors:\n%s\nwant: %s", got, c.want)
			}
			if err := report.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Err() = %v", err)
			}
		})
	}
}

func TestMySQLIsRefusedWithTheWayOut(t *testing.T) {
	for _, uri := range []string{"mysql://u:hunter2@h/d", "mysql+pymysql://u:hunter2@h/d", "mariadb://u:hunter2@h/d"} {
		_, report := loadText(t, "DB_URI: "+uri)
		got := findings(report.Refusals)
		if !strings.Contains(got, "config.yaml:1: DB_URI") || !strings.Contains(got, "longshore import") || !strings.Contains(got, "later version") || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %q", uri, got)
		}
	}
}

func TestSQLiteNeedsNoSecrets(t *testing.T) {
	c, report := loadText(t, "DB_URI: sqlite:///quay.db\nSETUP_COMPLETE: true")
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	if c.Database.Postgres() || c.Keys.Secret.IsSet() {
		t.Errorf("%+v", c)
	}
}

func TestUnknownKeysAreWarningsWithTheNearestKnownOne(t *testing.T) {
	for unknown, want := range map[string]string{
		"FEATURE_HELM_OCI_SUPORT":     "FEATURE_HELM_OCI_SUPPORT",
		"create_private_repo_on_push": "CREATE_PRIVATE_REPO_ON_PUSH",
		"SERVER_HOST":                 "",
		"TAG_EXPIRATION_OPTION":       "TAG_EXPIRATION_OPTIONS",
		"CREATE_ORGANISATION_ON_PUSH": "CREATE_ORGANIZATION_ON_PUSH",
		"XYZ":                         "",
		"DB_CONNECTION_ARGS.sslmode":  "DB_CONNECTION_ARGS",
	} {
		_, report := loadText(t, "\n"+unknown+": 1")
		text := "config.yaml:2: " + unknown + ": unknown key, without effect"
		if want != "" {
			text += "; the nearest known key is " + want
		}
		if got := findings(report.Warnings); want != "" && got != text || !report.OK() || !strings.HasPrefix(got, "config.yaml:2: "+unknown+": unknown key") {
			t.Errorf("%s: %q, want %q", unknown, got, text)
		}
	}
}

func TestWhatIsMissingHereIsNotDemanded(t *testing.T) {
	for name, text := range map[string]string{
		"Redis that Quay demands":        "BUILDLOGS_REDIS: {}\nUSER_EVENTS_REDIS: null",
		"gate off":                       "FEATURE_REPO_MIRROR: false\nREPO_MIRROR_INTERVAL: 30",
		"v1 pushes that nobody may make": "FEATURE_RESTRICTED_V1_PUSH: true\nV1_PUSH_WHITELIST: []",
		"logins that are not recorded":   "ACTION_LOG_AUDIT_LOGINS: false",
		"Quay's own pictures":            "BRANDING: {logo: /static/img/a.svg, footer_url: null}\nENTERPRISE_LOGO_URL: /static/img/b.png\nREGISTRY_TITLE: Red Hat Quay",
		"an empty provider":              "GITHUB_LOGIN_CONFIG: {}\nACME_LOGIN_CONFIG: {}",
		"an empty threshold":             "ACTION_LOG_ROTATION_THRESHOLD: ''",
	} {
		_, report := loadText(t, text)
		if got := findings(report.Errors) + findings(report.Refusals) + findings(report.Warnings) + findings(report.Ignored); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestIgnoreValidationPassesContradictionsOnly(t *testing.T) {
	_, report := loadText(t, "DEFAULT_TAG_EXPIRATION: 3w", "IGNORE_VALIDATION=true")
	if got := findings(report.Warnings); !report.OK() || !strings.Contains(got, "passed because of IGNORE_VALIDATION") {
		t.Errorf("errors %v, warnings %s", report.Errors, got)
	}
	for _, text := range []string{"V2_PAGINATION_SIZE: x", "FEATURE_QUOTA_MANAGEMENT: true", "DB_URI: postgresql://h/d"} {
		if _, report := loadText(t, text, "IGNORE_VALIDATION=true"); report.OK() {
			t.Errorf("%s is passed", text)
		}
	}
}

func TestTheEnvironmentOverridesTheFile(t *testing.T) {
	dir := t.TempDir()
	stack := filepath.Join(dir, "stack")
	if err := os.Mkdir(stack, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(stack, "config.yaml")
	write(t, file, "V2_PAGINATION_SIZE: 10\nLIBRARY_NAMESPACE: lib\nDISTRIBUTED_STORAGE_CONFIG: {a: [LocalStorage, {storage_path: /a}], b: [LocalStorage, {storage_path: /b}]}\nLOGGING_LEVEL: ERROR\n")
	c, report := Load(Source{Lookup: environment([]string{
		"QUAYCONF=" + dir, `QUAY_OVERRIDE_CONFIG={"V2_PAGINATION_SIZE": 20, "LIBRARY_NAMESPACE": null}`, "QUAY_DISTRIBUTED_STORAGE_PREFERENCE= b  a ",
		"DEBUGLOG=true", "QUAY_SERVICES=web=true",
	})})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	if c.Registry.PageSize != 20 || c.Registry.LibraryNamespace != "library" || c.Storage.Locations[0].ID != "b" || c.Observability.LogLevel.String() != "DEBUG" {
		t.Errorf("%+v", c)
	}
	if diff := cmp.Diff([]string{file, "QUAY_OVERRIDE_CONFIG", "QUAY_DISTRIBUTED_STORAGE_PREFERENCE"}, report.Files); diff != "" {
		t.Error(diff)
	}
	if got := findings(report.Warnings); !strings.Contains(got, "QUAY_SERVICES: has no effect; --roles") {
		t.Error(got)
	}
}

func TestErrorsInTheEnvironmentNameIt(t *testing.T) {
	for override, want := range map[string]string{
		`{"V2_PAGINATION_SIZE": "x"}`: `QUAY_OVERRIDE_CONFIG:1: V2_PAGINATION_SIZE: found the text "x"`,
		`{"V2_PAGINATION_SIZE": `:     "QUAY_OVERRIDE_CONFIG:1: not readable as JSON",
		`V2_PAGINATION_SIZE: 1`:       "QUAY_OVERRIDE_CONFIG:1: not readable as JSON",
		`[]`:                          "QUAY_OVERRIDE_CONFIG:1: found a list; allowed: a map",
	} {
		_, report := Load(Source{Lookup: environment([]string{"QUAY_OVERRIDE_CONFIG=" + override})})
		if got := findings(report.Errors); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", override, got, want)
		}
	}
	_, report := Load(Source{Lookup: environment([]string{"QUAY_DISTRIBUTED_STORAGE_PREFERENCE=a"})})
	if got := findings(report.Errors); !strings.Contains(got, `QUAY_DISTRIBUTED_STORAGE_PREFERENCE: DISTRIBUTED_STORAGE_PREFERENCE: found the location "a"`) {
		t.Error(got)
	}
}

func TestAFileThatCannotBeReadIsAnError(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{"a missing file": filepath.Join(dir, "no.yaml"), "a folder without config.yaml": dir} {
		_, report := Load(Source{Path: path})
		if got := findings(report.Errors); !strings.Contains(got, dir) || !strings.Contains(got, "cannot be read: no such file") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestNoSecretIsEverReported(t *testing.T) {
	var text strings.Builder
	for i, k := range newTable().rows {
		if !k.Secret() || strings.Contains(k.Name, ".") {
			continue
		}
		name := strings.ReplaceAll(k.Name, "*", fmt.Sprintf("X%d", i))
		fmt.Fprintf(&text, "%s: [hunter2, {hunter2: hunter2}]\n", name)
	}
	for name, config := range map[string]string{
		"in lists": text.String(), "as texts": strings.ReplaceAll(text.String(), "[hunter2, {hunter2: hunter2}]", "hunter2"),
		"in database URIs": "DB_URI: postgres+x://u:hunter2@h/d\n", "in unknown databases": "DB_URI: oracle://u:hunter2@h/d", "in no URI": "DB_URI: hunter2",
		"under unknown keys": "SOME_PASSWORD: hunter2",
	} {
		c, report := loadText(t, config)
		var out strings.Builder
		if err := report.Print(&out); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%v %+v %#v", report.Err(), *c, c)
		if strings.Contains(out.String(), "hunter2") {
			t.Errorf("%s: shown in\n%s", name, out.String())
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
