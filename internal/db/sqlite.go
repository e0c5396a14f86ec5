package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"modernc.org/sqlite"

	"github.com/longshore-registry/longshore/internal/problem"
)

// Settings of every SQLite connection. The log is checkpointed by a goroutine of its own, never by a commit.
func commonPragmas() []string {
	return []string{
		"busy_timeout(5000)", "journal_mode(WAL)", "foreign_keys(1)", "wal_autocheckpoint(0)", "mmap_size(0)",
		"temp_store(MEMORY)", "trusted_schema(0)", "synchronous(FULL)",
	}
}

// Each connection has a page cache of its own, in KiB; a page takes twice its size in the allocator. Readers start with
// an empty one after each commit, and the file's pages lie in the kernel's memory anyway.
const (
	writerCache = "cache_size(-4096)"
	readerCache = "cache_size(-256)"
	readOnly    = "query_only(1)"
)

// sqliteEngine is a SQLite file: one connection that writes, some that read, one that checkpoints.
type sqliteEngine struct {
	path    string
	log     *slog.Logger
	lock    *fileLock // nil beside another process
	writing *sql.DB
	reading *sql.DB
	readers statements
	free    chan struct{} // a place for each connection that reads
	heavy   chan struct{} // for each that heavy queries may take
	writer  *writer
	checker *checkpointer
	stop    func() // ends checker
	once    sync.Once

	migrating sync.Mutex
}

func openSQLite(ctx context.Context, path string, o Options) (_ *sqliteEngine, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("database file: %w", err)
	}
	if err := createFile(path); err != nil {
		return nil, err
	}
	e := &sqliteEngine{path: path, log: o.Logger, stop: func() {}}
	defer func() {
		if err != nil {
			_ = e.close()
		}
	}()
	if !o.Beside {
		if e.lock, err = lockFile(path); err != nil {
			return nil, err
		}
	}
	if e.writing, err = openPool(path, 1, writerCache); err != nil {
		return nil, err
	}
	conn, err := e.writing.Conn(ctx)
	if err != nil {
		return nil, sqliteError(ctx, fmt.Errorf("database file %s: %w", path, err))
	}
	if e.reading, err = openPool(path, o.Readers, readerCache, readOnly); err != nil {
		return nil, err
	}
	e.readers.on = e.reading
	e.free, e.heavy = make(chan struct{}, o.Readers), make(chan struct{}, max(1, o.Readers/2))
	return e, e.start(ctx, conn, o)
}

// start runs the goroutines that own the writing and the checkpointing connection.
func (e *sqliteEngine) start(ctx context.Context, conn *sql.Conn, o Options) error {
	checking, err := openPool(e.path, 1, readerCache)
	if err != nil {
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	checker := newCheckpointer(checking, e.path+"-wal", max(o.LogBytes, defaultLogBytes), e.log)
	writer, err := newWriter(background, conn, e.log, checker)
	if err != nil {
		stop()
		_ = checking.Close()
		return sqliteError(ctx, err)
	}
	writer.watch = o.Watch
	if !o.Beside {
		writer.logBytes = o.LogBytes
	}
	e.stop, e.checker, e.writer = stop, checker, writer
	go checker.loop(background)
	go writer.loop()
	return nil
}

// openPool opens connections to the file; each gets the common settings and those named.
func openPool(path string, size int, pragmas ...string) (*sql.DB, error) {
	query := url.Values{"_dqs": {"0"}, "_defensive": {"1"}}
	for _, p := range append(commonPragmas(), pragmas...) {
		query.Add("_pragma", p)
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	connector, err := sqlite.NewConnector(name.String())
	if err != nil {
		return nil, fmt.Errorf("database file %s: %w", path, err)
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	return pool, nil
}

// createFile makes a new database file that only its owner can read: it holds password hashes.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		return f.Close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return problem.Wrap(err, problem.Invalid, "the folder of the database file %s does not exist", path)
	}
	return problem.Wrap(err, problem.Invalid, "the database file %s cannot be opened for writing", path)
}

func (e *sqliteEngine) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	values, err := driverArgs(args)
	if err != nil {
		return nil, err
	}
	release, err := e.acquire(ctx)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, queryTimeout)
	done := func() {
		cancel()
		release()
	}
	rows, err := e.readers.query(limited, query, values...)
	if err != nil {
		err = overtime(ctx, limited, err)
		done()
		return nil, sqliteError(ctx, err)
	}
	return &sqliteRows{ctx: ctx, rows: rows, limited: limited, done: done}, nil
}

// acquire waits for a connection that reads, at most acquireTimeout.
func (e *sqliteEngine) acquire(ctx context.Context) (release func(), err error) {
	places := []chan struct{}{e.free}
	if isHeavy(ctx) {
		places = []chan struct{}{e.heavy, e.free}
	}
	var taken []chan struct{}
	release = func() {
		for _, place := range taken {
			<-place
		}
	}
	limited, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	for _, place := range places {
		select {
		case place <- struct{}{}:
			taken = append(taken, place)
		case <-limited.Done():
			release()
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			return nil, unavailable(limited.Err(), "the database has no free connection")
		}
	}
	return release, nil
}

// overtime turns the error of what ran out of its own time into one that is not tried again.
func overtime(ctx, limited context.Context, err error) error {
	if ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
		return unavailable(errors.New(err.Error()), "the database does not answer in time")
	}
	return err
}

func (e *sqliteEngine) queryOnce(ctx context.Context, query string, args ...any) (Rows, error) {
	return e.Query(ctx, query, args...) // the plan never depends on arguments
}

func (e *sqliteEngine) QueryRow(ctx context.Context, query string, args ...any) Row {
	rows, err := e.Query(ctx, query, args...)
	return row{rows: rows, err: err}
}

func (e *sqliteEngine) transact(ctx context.Context, r request) error {
	return e.writer.run(ctx, r)
}

func (e *sqliteEngine) ping(ctx context.Context) error {
	return sqliteError(ctx, e.reading.PingContext(ctx))
}

// schemaDB opens one more connection that writes; it waits its turn at the file's own lock. Beside another process it
// takes the lock file for that long, so that no server works on a schema in change. Its steps are not synced one by one:
// the first acknowledged commit syncs them with itself, and a power cut before that only has them taken again.
func (e *sqliteEngine) schemaDB(context.Context) (*sql.DB, func() error, error) {
	e.migrating.Lock()
	var lock *fileLock
	if e.lock == nil {
		var err error
		if lock, err = lockFile(e.path); err != nil {
			e.migrating.Unlock()
			return nil, nil, err
		}
	}
	pool, err := openPool(e.path, 1, writerCache, "synchronous(NORMAL)")
	done := func() error {
		defer e.migrating.Unlock()
		if pool == nil {
			return lock.release()
		}
		return errors.Join(pool.Close(), lock.release())
	}
	if err != nil {
		return nil, nil, errors.Join(err, done())
	}
	return pool, done, nil
}

// close ends the goroutines, then the connections, last the lock: the log is then empty and the file complete.
func (e *sqliteEngine) close() error {
	var errs []error
	e.once.Do(func() {
		if e.writer != nil {
			e.writer.close()
		}
		e.stop()
		if e.checker != nil {
			errs = append(errs, e.checker.close())
		}
		e.readers.close()
		for _, pool := range []*sql.DB{e.reading, e.writing} {
			if pool != nil {
				errs = append(errs, pool.Close())
			}
		}
		errs = append(errs, e.lock.release())
	})
	return errors.Join(errs...)
}
