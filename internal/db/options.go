package db

import (
	"context"
	"log/slog"
	"runtime"
)

// Options says which database to open and how. Only URI is required.
type Options struct {
	// URI is Quay's DB_URI: see ParseURI.
	URI string
	// Args is Quay's DB_CONNECTION_ARGS. Known to PostgreSQL: sslmode, sslrootcert, sslcert, sslkey, sslpassword,
	// connect_timeout (s), application_name, options, target_session_attrs, max_connections. Others are ignored.
	Args map[string]any
	// Dir is the folder that a relative SQLite path starts from; empty for the working directory.
	Dir string
	// Bundle is the configuration folder. A certificate file that is not where Args says is looked for there by its
	// base name, since Quay's paths are those inside its container.
	Bundle string
	// Logger takes what is worth an operator's attention; nil for none.
	Logger *slog.Logger

	// HardConns and SoftConns are the sizes of the PostgreSQL pools; 0 for 10 and 4.
	HardConns, SoftConns int
	// Pooler is for a transaction pooler such as PgBouncer in front of PostgreSQL: no prepared statement, session
	// setting or session lock is relied on.
	Pooler bool

	// Readers is the number of SQLite connections that read; 0 for a number between 2 and 8 by the processors.
	Readers int
	// LogBytes is the size the SQLite log is grown to in the first quiet moment, so that a commit overwrites blocks and
	// need not extend the file; 0 for 8 MiB, negative for no growing.
	LogBytes int64
	// Beside lets a command work on the SQLite file of a running server: the lock that names the owning process is
	// not taken.
	Beside bool

	// Watch is told when a transaction comes to a Moment, for tests that stop the program there; nil for nobody. An
	// error takes the place of what would follow: the transaction fails, or its outcome stays unknown to the caller.
	// The commit that several transactions share on SQLite is named Batch.
	Watch func(transaction string, m Moment) error
}

// Moment is a point in the life of a transaction.
type Moment string

// The moments. A batch has no beginning.
const (
	Begun     Moment = "begin"         // before its first statement
	Ready     Moment = "before-commit" // after its last one
	Committed Moment = "after-commit"  // before the caller is told
)

// Batch is the name of the commit that several transactions share.
const Batch = "batch"

const (
	defaultHardConns = 10
	defaultSoftConns = 4
	defaultLogBytes  = 8 << 20
)

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.HardConns <= 0 {
		o.HardConns = defaultHardConns
	}
	if o.SoftConns <= 0 {
		o.SoftConns = defaultSoftConns
	}
	if o.Readers <= 0 {
		o.Readers = max(2, min(8, 2*runtime.GOMAXPROCS(0)))
	}
	if o.LogBytes == 0 {
		o.LogBytes = defaultLogBytes
	}
	return o
}

// Open opens the database and makes sure that it answers. It changes no schema: see Migrate and CheckSchema.
func Open(ctx context.Context, o Options) (*DB, error) {
	address, err := ParseURI(o.URI)
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	d := &DB{dialect: address.Dialect, log: o.Logger, address: address, watch: o.Watch}
	if address.Dialect == PostgreSQL {
		d.engine, err = openPostgres(ctx, address, o)
	} else {
		d.sqlite, err = openSQLite(ctx, address.path(o.Dir), o)
		d.engine = d.sqlite
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// OnForeignCommit registers what to do when another process has changed the SQLite file: dropping caches. It is
// noticed at the next transaction and at most 250 ms late. On PostgreSQL it is never called: there other processes
// are the rule. It must be called before the first transaction, and fn must not use the database.
func (d *DB) OnForeignCommit(fn func()) {
	if d.sqlite != nil {
		d.sqlite.writer.onForeign(fn)
	}
}
