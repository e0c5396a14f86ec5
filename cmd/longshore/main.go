// Command longshore is a container registry that speaks Quay. See longshore --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/longshore-registry/longshore/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Program{Self: os.Args[0], Args: os.Args[1:], Getenv: os.LookupEnv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}.Run(ctx)
	stop()
	os.Exit(code)
}
