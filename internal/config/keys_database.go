package config

import (
	"time"

	"github.com/longshore-registry/longshore/internal/secret"
)

func databaseKeys() []Key {
	return []Key{
		used("DB_URI", databaseURI(), "", func(c *Config) *secret.String { return &c.Database.URI },
			"Database: postgresql:// (also postgresql+psycopg2://) or sqlite:///. Unset, SQLite in the data folder. MySQL is refused: longshore import, which comes with a later version, moves it to PostgreSQL.", inQuay("a SQLite test file")),
		group(Used, "DB_CONNECTION_ARGS", "Options of database connections; each is a row of its own."),
		accepted("DB_CONNECTION_ARGS.threadlocals", boolean(), "true", "A switch of Quay's database library."),
		accepted("DB_CONNECTION_ARGS.autorollback", boolean(), "true", "A switch of Quay's database library."),
		group(Accepted, "DB_CONNECTION_ARGS.ssl", "TLS of MySQL connections."),
		accepted("DB_CONNECTION_ARGS.ssl.ca", text(), "", "MySQL's certificate authority; MySQL itself is refused."),
		used("DB_CONNECTION_ARGS.sslmode", enum("disable", "allow", "prefer", "require", "verify-ca", "verify-full"), "", func(c *Config) *string { return &c.Database.SSLMode },
			"How PostgreSQL connections use TLS; verify-ca and verify-full need sslrootcert or database.pem in the bundle."),
		used("DB_CONNECTION_ARGS.sslrootcert", text(), "", func(c *Config) *string { return &c.Database.RootCert },
			"File of the database's certificate authority; a path that is not here is looked for in the bundle by its last part."),
		used("DB_CONNECTION_ARGS.sslcert", text(), "", func(c *Config) *string { return &c.Database.Cert },
			"File of the client certificate, found like sslrootcert."),
		used("DB_CONNECTION_ARGS.sslkey", text(), "", func(c *Config) *string { return &c.Database.Key },
			"File of the client certificate's key, found like sslrootcert."),
		used("DB_CONNECTION_ARGS.connect_timeout", seconds(1), "10", func(c *Config) *time.Duration { return &c.Database.ConnectTimeout },
			"How long connecting to the database may take, in seconds."),
		used("DB_CONNECTION_ARGS.max_connections", integer(1, 10_000), "", func(c *Config) *int { return &c.Database.MaxConnections },
			"Most connections a process opens to PostgreSQL; unset, the program chooses."),
		accepted("DB_CONNECTION_ARGS.stale_timeout", anything(), "", "When Quay's pool drops an idle connection; ours checks them itself."),
		accepted("DB_CONNECTION_ARGS.timeout", anything(), "", "How long Quay waits for a connection of its pool; here at most two seconds."),
		accepted("DB_CONNECTION_ARGS.keepalives", anything(), "", "TCP keep-alive of database connections, always on here."),
		accepted("DB_CONNECTION_ARGS.keepalives_*", anything(), "", "Pace of that."),
		used("DB_CONNECTION_ARGS.options", text(), "", func(c *Config) *string { return &c.Database.Options },
			"Options for the PostgreSQL server, as libpq takes them."),
		accepted("DB_CONNECTION_ARGS.charset", text(), "", "Character set of MySQL connections; PostgreSQL and SQLite use UTF-8."),
		warns("DB_READ_REPLICAS", anything(), "", "Replicas that answer reads in place of the primary."),
		accepted("DB_CONNECTION_POOLING", boolean(), "true", "Connections are always pooled here.", since("3.12")),
		used("ALLOW_PULLS_WITHOUT_STRICT_LOGGING", boolean(), "false", func(c *Config) *bool { return &c.ActionLog.PullsWithout },
			"A pull succeeds although its log entry cannot be kept, which is when the spool is full; off, it gets 503."),
		used("ALLOW_WITHOUT_STRICT_LOGGING", boolean(), "false", func(c *Config) *bool { return &c.ActionLog.AllWithout },
			"The same for pulls and sign-ins. A change and its entry are always one transaction.", since("3.12")),
	}
}
