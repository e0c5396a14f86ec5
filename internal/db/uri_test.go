package db

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/longshore-registry/longshore/internal/problem"
)

func TestParseURI(t *testing.T) {
	for uri, want := range map[string]Address{
		"sqlite:///longshore.db":                 {Path: "longshore.db"},
		"sqlite:////var/lib/l/longshore.db":      {Path: "/var/lib/l/longshore.db"},
		"sqlite:///./a/../b.db":                  {Path: "b.db"},
		"sqlite:////data/100%25.db":              {Path: "/data/100%25.db"}, // Quay does not decode it either
		"/var/lib/longshore.db":                  {Path: "/var/lib/longshore.db"},
		"longshore.db":                           {Path: "longshore.db"},
		" sqlite:///x.db\n":                      {Path: "x.db"},
		"postgresql://u:p@h/d":                   {Dialect: PostgreSQL, Host: "h", User: "u", password: "p", Name: "d"},
		"postgres://u@h:5433/d":                  {Dialect: PostgreSQL, Host: "h", Port: "5433", User: "u", Name: "d"},
		"postgresql+psycopg2://u:p@h/d":          {Dialect: PostgreSQL, Host: "h", User: "u", password: "p", Name: "d"},
		"POSTGRESQL://u:p@h/d":                   {Dialect: PostgreSQL, Host: "h", User: "u", password: "p", Name: "d"},
		"postgresql://u%40x:p%2F%3A%40%25@h/d":   {Dialect: PostgreSQL, Host: "h", User: "u@x", password: "p/:@%", Name: "d"},
		"postgresql://u:100%@h/d":                {Dialect: PostgreSQL, Host: "h", User: "u", password: "100%", Name: "d"},
		"postgresql://u:a%zz%41@h/d":             {Dialect: PostgreSQL, Host: "h", User: "u", password: "a%zzA", Name: "d"},
		"postgresql://u:p@ss@h/d":                {Dialect: PostgreSQL, Host: "h", User: "u", password: "p@ss", Name: "d"},
		"postgresql://u:p/a?s@h/d":               {Dialect: PostgreSQL, Host: "h", User: "u", password: "p/a?s", Name: "d"},
		"postgresql://u:p:q#r@h/d":               {Dialect: PostgreSQL, Host: "h", User: "u", password: "p:q#r", Name: "d"},
		"postgresql://u:p@[::1]:5433/d":          {Dialect: PostgreSQL, Host: "::1", Port: "5433", User: "u", password: "p", Name: "d"},
		"postgresql://u:p@[::1]/d":               {Dialect: PostgreSQL, Host: "::1", User: "u", password: "p", Name: "d"},
		"postgresql:///d":                        {Dialect: PostgreSQL, Name: "d"},
		"postgresql://h":                         {Dialect: PostgreSQL, Host: "h"},
		"postgresql://u@/d?host=/run/postgresql": {Dialect: PostgreSQL, Host: "/run/postgresql", User: "u", Name: "d"},
	} {
		got, err := ParseURI(uri)
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		options := cmp.Options{cmp.AllowUnexported(Address{}), cmpopts.IgnoreFields(Address{}, "params")}
		if diff := cmp.Diff(want, got, options); diff != "" {
			t.Errorf("%s: -want +got\n%s", uri, diff)
		}
	}
}

func TestRefusedURIs(t *testing.T) {
	for uri, part := range map[string]string{
		"":                                  "is empty",
		"longshore":                         "no scheme",
		"host=h password=secret dbname=d":   "no scheme",
		"sqlite://":                         "no SQLite file",
		"sqlite:///":                        "no SQLite file",
		"sqlite:///:memory:":                "no SQLite file",
		"sqlite://relative.db":              "no SQLite file",
		"sqlite:////var/lib/":               "a folder",
		"oracle://u:secret@h/d":             `"oracle"`,
		"postgresql://u:secret@h:port/d":    "port",
		"postgresql://u:secret@h:0/d":       "port",
		"postgresql://u:secret@h:70000/d":   "port",
		"postgresql://u:secret@::1/d":       "host",
		"postgresql://u:sec%00ret@h/d":      "NUL",
		"mysql://u:secret@h/d":              "longshore import",
		"mysql+pymysql://u:secret@h/d":      "later version",
		"MySQL+PyMySQL://u:secret@h/d?x=y":  "longshore import",
		"mariadb+pymysql://u:secret@h:33/d": "longshore import",
	} {
		_, err := ParseURI(uri)
		if !problem.Is(err, problem.Invalid) || !strings.Contains(fmt.Sprint(err), part) {
			t.Errorf("%s: got %v, want an error with %q", uri, err, part)
		}
		if strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: the error shows the password: %v", uri, err)
		}
	}
}

func TestAnAddressShowsNoPassword(t *testing.T) {
	a, err := ParseURI("postgresql://user:hunter2@db.example.com:5433/quay?sslmode=require&sslpassword=hunter2")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := a.String(), "postgresql://user:[redacted]@db.example.com:5433/quay"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{a, &a, []Address{a}, struct{ A Address }{a}} {
			if got := fmt.Sprintf(verb, value); strings.Contains(got, "hunter2") || strings.Contains(got, "68756e74657232") {
				t.Errorf("%s of %T shows the password: %s", verb, value, got)
			}
		}
	}
}

func TestConnectionArgs(t *testing.T) {
	o := Options{Bundle: "testdata", Args: map[string]any{
		"threadlocals": true, "autorollback": true, "sslmode": "disable", "connect_timeout": 3, "sslrootcert": "",
		"max_connections": 7, "keepalives": 1, "charset": "utf8", "application_name": "it's \\ me",
	}}.withDefaults()
	a, err := ParseURI("postgresql://u:it's%20%5C@h/d?sslmode=verify-full&nonsense=1")
	if err != nil {
		t.Fatal(err)
	}
	hard, soft, err := poolConfigs(a, o)
	if err != nil {
		t.Fatal(err)
	}
	c := hard.ConnConfig
	if c.Password != `it's \` || c.RuntimeParams["application_name"] != `it's \ me` || c.ConnectTimeout.Seconds() != 3 || c.TLSConfig != nil {
		t.Errorf("password %q, name %q, timeout %v, TLS %v", c.Password, c.RuntimeParams["application_name"], c.ConnectTimeout, c.TLSConfig)
	}
	if hard.MaxConns != 7 || soft.MaxConns != 4 {
		t.Errorf("pools of %d and %d", hard.MaxConns, soft.MaxConns)
	}
	want := map[string]string{
		"application_name": `it's \ me`, "lock_timeout": "2000", "statement_timeout": "5000",
		"idle_in_transaction_session_timeout": "10000", "synchronous_commit": "off",
	}
	if diff := cmp.Diff(want, soft.ConnConfig.RuntimeParams); diff != "" {
		t.Errorf("settings of soft connections: -want +got\n%s", diff)
	}
	delete(want, "synchronous_commit")
	if diff := cmp.Diff(want, hard.ConnConfig.RuntimeParams); diff != "" {
		t.Errorf("settings of hard connections: -want +got\n%s", diff)
	}
}

func TestRefusedConnectionArgs(t *testing.T) {
	a, err := ParseURI("postgresql://u:hunter2@h/d")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key   string
		value any
		part  string
	}{
		"a list":              {"sslmode", []string{"require"}, "DB_CONNECTION_ARGS.sslmode"},
		"an unknown mode":     {"sslmode", "sometimes", "sslmode"},
		"no number":           {"connect_timeout", "soon", "timeout"},
		"a missing authority": {"sslrootcert", "conf/stack/database.pem", "database.pem"},
	} {
		o := Options{Args: map[string]any{"sslmode": "verify-full"}}.withDefaults()
		o.Args[c.key] = c.value
		_, _, err := poolConfigs(a, o)
		if !problem.Is(err, problem.Invalid) || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.part)
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	for _, seed := range []string{
		"", "sqlite:///a.db", "sqlite:////a/b", "postgresql://u:p@h:5432/d?sslmode=require", "postgres://[::1]/d", "x://", "://",
		"postgresql+psycopg2://u%40:%zz@h,i/d%20e?host=/run&a=b&=&x", "mysql+pymysql://u:p@h/d", "postgresql://u:p@@h/d", "a.sqlite3",
		"postgresql://:@:/?", "postgresql://u:p@[/d", "postgresql://u:p@h/d?host=%00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		const secret = "hunter2isnotintheinput"
		if strings.Contains(uri, secret) {
			return
		}
		a, err := ParseURI(uri)
		if err != nil {
			if !problem.Is(err, problem.Invalid) {
				t.Errorf("%q: %v is not of kind Invalid", uri, err)
			}
			return
		}
		if a.Dialect == SQLite && a.Path == "" {
			t.Errorf("%q: no path", uri)
		}
		if a.Dialect == PostgreSQL {
			a.password = secret
			if strings.Contains(fmt.Sprintf("%v %+v %#v %s %x", a, a, a, a, a), secret) {
				t.Errorf("%q: the password is shown", uri)
			}
			_, _, err := poolConfigs(a, Options{}.withDefaults()) // may refuse, must not show it
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%q: the password is shown: %v", uri, err)
			}
		}
	})
}
