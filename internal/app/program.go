// Package app is the composition root: it reads the command line and the configuration, builds every other package
// from them, and runs the command. It is the only importer of all others.
//
// Exit codes: 0 the command did what it was asked; 1 it failed; 2 the command line is wrong; 3 the configuration was
// refused; 4 doctor found something that will not work.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/longshore-registry/longshore/internal/problem"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitConfig  = 3
	exitUnwell  = 4
	description = `A container registry that speaks Quay, in one program.

Examples:
  longshore serve                                  serve on 127.0.0.1:8080 with data in ./data
  longshore serve --config /conf/stack             serve with Quay's configuration bundle
  longshore user create alice --email a@ex.org     make a user, the password is asked for
  longshore config check config.yaml               what would be refused, warned about, ignored
  longshore doctor --config /conf/stack            what a new installation gets wrong
  source <(longshore completion bash)              complete commands and flags

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 configuration refused, 4 doctor found a fault.`
)

// version is set by the linker.
var version = "dev"

// Program is one run of the command with everything it takes from its surroundings.
type Program struct {
	Self   string // how the program was called
	Args   []string
	Getenv func(string) (string, bool)
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// commandLine is the grammar of the command line, in kong's terms.
type commandLine struct {
	Serve      serveCommand      `cmd:"" help:"Run the registry: /v2, the API and background work in one process."`
	Migrate    migrateCommand    `cmd:"" help:"Bring the database to this program's schema and stop."`
	Config     configCommand     `cmd:"" help:"Look at a configuration."`
	User       userCommand       `cmd:"" help:"Make and change users from the command line."`
	Explain    explainCommand    `cmd:"" help:"Say why an account may or may not do something."`
	Doctor     doctorCommand     `cmd:"" help:"Check what a new installation gets wrong: storage, database, public URL, clock, TLS files."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
	Completion completionCommand `cmd:"" help:"Print a completion script for a shell."`
}

// Run executes the command line and returns the exit code.
func (p Program) Run(ctx context.Context) int {
	var line commandLine
	exited := -1
	parser, err := kong.New(&line,
		kong.Name("longshore"), kong.Description(description), kong.Writers(p.Stdout, p.Stderr),
		kong.Exit(func(code int) { exited = code }), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		return p.fail(err)
	}
	command, err := parser.Parse(p.Args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintf(p.Stderr, "longshore: %v\nTry: longshore --help\n", err)
		return exitUsage
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return p.fail(command.Run(p, parser))
}

// codedError is an error that asks for an exit code of its own. Its text has been printed when quiet.
type codedError struct {
	code  int
	quiet bool
	cause error
}

func (e codedError) Error() string { return e.cause.Error() }
func (e codedError) Unwrap() error { return e.cause }

// fail prints an error and gives its exit code.
func (p Program) fail(err error) int {
	if err == nil {
		return exitOK
	}
	code, quiet := exitFailed, false
	var coded codedError
	if errors.As(err, &coded) {
		code, quiet = coded.code, coded.quiet
	}
	if !quiet {
		message := err.Error()
		if known := problem.From(err); known.Kind != problem.Internal {
			message = known.Error()
		}
		fmt.Fprintf(p.Stderr, "longshore: %s\n", message)
	}
	return code
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(p Program) error {
	_, err := fmt.Fprintf(p.Stdout, "longshore %s\n", version)
	return err
}
