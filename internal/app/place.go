package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/config"
	blobfiles "github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// place is where an installation's configuration and data are; every command that touches an installation has it.
type place struct {
	Config string `help:"config.yaml, or the folder that holds it (Quay's bundle)." placeholder:"PATH"`
	Data   string `help:"Folder of the embedded database, blobs and generated keys." default:"data" placeholder:"FOLDER"`
}

// installation is a configuration that was accepted, with what it leaves to the program filled in.
type installation struct {
	config *config.Config
	report *config.Report
	data   string
	log    *slog.Logger
	seams  seams
}

// load reads the configuration. Whatever it refuses ends the command with exitConfig, naming file, line and key.
func (l place) load(p Program) (*installation, error) {
	c, report := config.Load(config.Source{Path: l.Config, Lookup: p.Getenv})
	if err := report.Err(); err != nil {
		return nil, codedError{code: exitConfig, cause: err}
	}
	data, err := filepath.Abs(l.Data)
	if err != nil {
		return nil, err
	}
	seams, err := newSeams(p)
	return &installation{config: c, report: report, data: data, log: newLogger(p.Stderr, c.Observability.LogLevel), seams: seams}, err
}

// prepare makes the data folder, so that its name is on disk before anything is acknowledged that lies in it, and fills in the keys and the storage location that the configuration leaves out.
func (i *installation) prepare() error {
	if err := blobfiles.MakeFolder(private{i.seams.fileSystem()}, i.data); err != nil {
		return problem.Wrap(err, problem.Unavailable, "the data folder cannot be made: choose another with --data")
	}
	if err := fillKeys(&i.config.Keys, i.data); err != nil {
		return err
	}
	if len(i.config.Storage.Locations) == 0 {
		i.config.Storage.Locations = []config.Location{{ID: "default", Driver: "LocalStorage", Path: filepath.Join(i.data, "storage")}}
	}
	return nil
}

// private makes folders that only this program's user may enter.
type private struct{ blobfiles.FileSystem }

// Mkdir makes a folder.
func (private) Mkdir(name string) error { return os.Mkdir(name, 0o700) }

// openDatabase opens the configured database, or the embedded one in the data folder. beside lets a command work
// next to a running server.
func (i *installation) openDatabase(ctx context.Context, beside bool) (*db.DB, error) {
	d := i.config.Database
	uri := d.URI.Reveal()
	if uri == "" {
		uri = "sqlite:///" + filepath.Join(i.data, "longshore.db")
	}
	args := map[string]any{}
	for name, value := range map[string]string{"sslmode": d.SSLMode, "sslrootcert": d.RootCert, "sslcert": d.Cert, "sslkey": d.Key, "options": d.Options} {
		if value != "" {
			args[name] = value
		}
	}
	if d.ConnectTimeout > 0 {
		args["connect_timeout"] = int(d.ConnectTimeout.Seconds())
	}
	if d.MaxConnections > 0 {
		args["max_connections"] = d.MaxConnections
	}
	return db.Open(ctx, db.Options{URI: uri, Args: args, Dir: i.data, Bundle: i.config.Bundle.Dir, Logger: i.log, Beside: beside, Watch: i.seams.watch})
}

// identityOptions are the identity service's options as configured.
func (i *installation) identityOptions(database *db.DB, log *audit.Log) identity.Options {
	c := i.config
	lastAccessed := c.Accounts.LastAccessEvery
	if !c.Accounts.TrackLastAccess {
		lastAccessed = -1
	}
	return identity.Options{
		DB: database, SecretKey: c.Keys.Secret.Reveal(), DatabaseSecretKey: c.Keys.DatabaseSecret.Reveal(),
		DefaultTagWindow: c.Tags.Window, AppTokens: c.Login.AppTokens, RequireEncryptedBasicAuth: c.Login.EncryptedOnly,
		RobotsDisallow: c.Accounts.RobotsOff, RobotsWhitelist: c.Accounts.RobotsWhitelist,
		ReservedNames: append(append([]string{}, c.Accounts.SuperUsers...), c.Accounts.ReadOnlySuperUsers...),
		SharedEmail:   c.Accounts.SharedEmail,
		CodeLife:      c.Login.CodeLife, Federation: i.federation(),
		Audit: log, AuditLogins: c.ActionLog.Logins,
		LastAccessed: lastAccessed, Clock: i.seams.now, Log: i.log,
	}
}

// withIdentity runs a command that changes accounts, beside a running server or without one.
func (l place) withIdentity(ctx context.Context, p Program, do func(*identity.Service) error) error {
	return l.withInstallation(ctx, p, func(_ *installation, s *parts) error { return do(s.identity) })
}

// withInstallation runs a command on the database and the accounts, beside a running server or without one. What it
// changes is recorded.
func (l place) withInstallation(ctx context.Context, p Program, do func(*installation, *parts) error) error {
	i, err := l.load(p)
	if err != nil {
		return err
	}
	if err := i.prepare(); err != nil {
		return err
	}
	s := &parts{}
	if s.db, err = i.openDatabase(ctx, true); err != nil {
		return err
	}
	defer s.close(ctx)
	if s.db.CheckSchema(ctx) != nil {
		if err := s.db.Migrate(ctx); err != nil {
			return err
		}
	}
	if s.log, err = i.openLog(ctx, s.db, 0); err != nil {
		return err
	}
	if s.identity, err = identity.NewService(i.identityOptions(s.db, s.log)); err != nil {
		return err
	}
	return do(i, s)
}

// spoolReserve is set aside on the data folder's disk, so that pulls can be recorded when it is full.
const spoolReserve = 64 << 20

// openLog opens the action log. Its spools lie in the data folder, one for each process. reserve is how much room on the
// disk is set aside for it.
func (i *installation) openLog(ctx context.Context, database *db.DB, reserve int64) (*audit.Log, error) {
	c := i.config.ActionLog
	return audit.Open(ctx, audit.Options{
		DB: database, Dir: filepath.Join(i.data, "audit"), Retention: c.Retention, DropPulls: c.PullsWithout || c.AllWithout,
		DropNotes: c.AllWithout, Silent: c.Silent, SilentPulls: c.SilentPulls, MaxPages: c.MaxPages, CountPulls: i.config.Tags.CountPulls,
		ReadOnly: i.config.Server.ReadOnly, Clock: i.seams.now, Log: i.log,
		SpoolBytes: i.seams.spoolBytes, SpoolReserve: reserve, SpoolCall: i.seams.spool,
	})
}

type migrateCommand struct{ place }

// Run migrates the database. Several may run at once: one works, the others wait.
func (c migrateCommand) Run(ctx context.Context, p Program) error {
	i, err := c.load(p)
	if err != nil {
		return err
	}
	if err := i.prepare(); err != nil {
		return err
	}
	database, err := i.openDatabase(ctx, false)
	if err != nil {
		return err
	}
	defer database.Close()
	if err := database.Migrate(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "the database is at the schema of longshore %s\n", version)
	return err
}

type configCommand struct {
	Check configCheckCommand `cmd:"" help:"List what a configuration would refuse, warn about and ignore."`
}

type configCheckCommand struct {
	File string `arg:"" help:"config.yaml, or the folder that holds it."`
}

// Run prints the report; the exit code says whether the program would start.
func (c configCheckCommand) Run(p Program) error {
	_, report := config.Load(config.Source{Path: c.File, Lookup: p.Getenv})
	if err := report.Print(p.Stdout); err != nil {
		return err
	}
	if err := report.Err(); err != nil {
		return codedError{code: exitConfig, quiet: true, cause: err}
	}
	return nil
}
