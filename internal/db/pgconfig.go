package db

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/longshore-registry/longshore/internal/problem"
)

// pgOption reports whether key is a libpq option that is passed on, from DB_CONNECTION_ARGS or the query string of DB_URI.
func pgOption(key string) bool {
	switch key {
	case "sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslsni", "sslnegotiation", "connect_timeout",
		"application_name", "options", "target_session_attrs", "channel_binding", "require_auth", "passfile",
		"service", "servicefile":
		return true
	}
	return false
}

// Limits of a request's connections. A transaction that waits longer than the lock timeout is started again.
const (
	pgLockTimeout      = "2000"  // ms
	pgStatementTimeout = "5000"  // ms
	pgIdleTimeout      = "10000" // ms
)

// pgSettings gives the libpq options of an address and DB_CONNECTION_ARGS; the arguments win.
func pgSettings(a Address, o Options) (map[string]string, error) {
	settings := map[string]string{"application_name": "longshore", "connect_timeout": "10"}
	for key, value := range a.params {
		if pgOption(key) {
			settings[key] = value
		}
	}
	for key, value := range o.Args {
		text, ok := scalar(value)
		switch {
		case !pgOption(key):
			continue
		case !ok:
			return nil, problem.New(problem.Invalid, "DB_CONNECTION_ARGS.%s is a %T: a string or a number is allowed", key, value)
		}
		settings[key] = text
	}
	for _, key := range []string{"sslrootcert", "sslcert", "sslkey"} {
		if file := settings[key]; file != "" && file != "system" {
			settings[key] = inBundle(file, o.Bundle)
			if _, err := os.Stat(settings[key]); err != nil {
				return nil, problem.Wrap(err, problem.Invalid, "DB_CONNECTION_ARGS.%s names %s, which cannot be read", key, file)
			}
		}
	}
	for key, value := range map[string]string{"host": a.Host, "port": a.Port, "user": a.User, "password": a.password, "database": a.Name} {
		if value != "" {
			settings[key] = value
		}
	}
	return settings, nil
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int, int64, uint64, float64, bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

func inBundle(file, bundle string) string {
	if _, err := os.Stat(file); err == nil || bundle == "" {
		return file
	}
	return filepath.Join(bundle, filepath.Base(file))
}

// pgConfig turns settings into pgx's configuration. Its errors hold no secret.
func pgConfig(a Address, settings map[string]string) (*pgxpool.Config, error) {
	var dsn strings.Builder
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for key, value := range settings {
		fmt.Fprintf(&dsn, "%s='%s' ", key, quote.Replace(value))
	}
	config, err := pgxpool.ParseConfig(dsn.String())
	if err != nil {
		return nil, problem.New(problem.Invalid, "DB_URI or DB_CONNECTION_ARGS for %s: %s", a, withoutSecrets(err, settings))
	}
	return config, nil
}

func withoutSecrets(err error, settings map[string]string) string {
	text := err.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 { // what stands before is the connection string
		text = text[i+3:]
	}
	for _, key := range []string{"password", "sslpassword"} {
		if settings[key] != "" {
			text = strings.ReplaceAll(text, settings[key], "[redacted]")
		}
	}
	return text
}

// poolConfigs gives the configurations of the hard and the soft pool.
func poolConfigs(a Address, o Options) (hard, soft *pgxpool.Config, err error) {
	settings, err := pgSettings(a, o)
	if err != nil {
		return nil, nil, err
	}
	hard, err = pgConfig(a, settings)
	if err != nil {
		return nil, nil, err
	}
	hard.MaxConns = int32(o.HardConns)
	if text, ok := scalar(o.Args["max_connections"]); ok {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return nil, nil, problem.New(problem.Invalid, "DB_CONNECTION_ARGS.max_connections is %q: a number from 1 is allowed", clip(text))
		}
		hard.MaxConns = max(2, int32(n))
	}
	if o.Pooler {
		hard.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
		hard.ConnConfig.StatementCacheCapacity = 0
		hard.ConnConfig.DescriptionCacheCapacity = 0
	} else {
		hard.ConnConfig.RuntimeParams["lock_timeout"] = pgLockTimeout
		hard.ConnConfig.RuntimeParams["statement_timeout"] = pgStatementTimeout
		hard.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = pgIdleTimeout
	}
	soft = hard.Copy()
	soft.MaxConns = int32(o.SoftConns)
	if !o.Pooler {
		soft.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	}
	return hard, soft, nil
}

// beginSQL starts a transaction. Behind a pooler the session's settings may be anybody's, so they are made local.
func beginSQL(pooler, hard bool) string {
	if !pooler {
		return "begin"
	}
	s := "begin; set local lock_timeout = " + pgLockTimeout + "; set local statement_timeout = " + pgStatementTimeout +
		"; set local idle_in_transaction_session_timeout = " + pgIdleTimeout
	if !hard {
		s += "; set local synchronous_commit = off"
	}
	return s
}
