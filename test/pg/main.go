// Command pg runs another command with two PostgreSQL servers for its tests:
//
//	go run ./test/pg -- go test ./...
//
// One compares text bytewise, the other as people do. Their addresses are in LONGSHORE_TEST_POSTGRES and
// LONGSHORE_TEST_POSTGRES_ICU, so that all packages' tests share them. They end with the command, whose exit code is
// that of this one: 125 when the servers do not start, 127 when the command does not. ("go run" itself turns every code
// but 0 into 1.)
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/db/pgcluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pg:", err)
	}
	os.Exit(code)
}

const (
	exitServers = 125
	exitCommand = 127
)

func run(ctx context.Context, args []string) (code int, err error) {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return exitCommand, errors.New("no command: go run ./test/pg -- go test ./...")
	}
	servers, err := start(ctx)
	defer func() {
		for _, s := range servers {
			if s != nil {
				err = errors.Join(err, s.Stop())
			}
		}
	}()
	if err != nil {
		return exitServers, err
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(os.Environ(), dbtest.EnvPostgreSQL+"="+servers[0].URI, dbtest.EnvPostgreSQLICU+"="+servers[1].URI)
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	if err != nil {
		return exitCommand, err
	}
	return 0, nil
}

// start starts both servers at once.
func start(ctx context.Context) ([]*pgcluster.Cluster, error) {
	servers := make([]*pgcluster.Cluster, 2)
	var group errgroup.Group
	for i, collation := range []pgcluster.Collation{pgcluster.C, pgcluster.ICU} {
		group.Go(func() (err error) {
			servers[i], err = pgcluster.Start(ctx, collation)
			return err
		})
	}
	return servers, group.Wait()
}
