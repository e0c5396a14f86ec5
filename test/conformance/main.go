// Command conformance runs an OCI distribution conformance program against a fresh server with authentication on, and
// prints the program's counts.
//
//	go run ./test/conformance [-server bin/longshore] [-tls] [-out FOLDER] PROGRAM…
//
// PROGRAM is one that has been built already: the specification's `conformance` directory compiled as a test binary
// at v1.1.1, or as a program on the main branch. Which of the two it is, its build information tells. What it printed
// and its reports are kept in a sub-folder of FOLDER.
//
// The exit code is 0 when nothing failed and nothing was skipped beyond the four cases of v1.1.1 that exclude others.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	server := flags.String("server", "bin/longshore", "the `program` to test")
	secure := flags.Bool("tls", false, "serve TLS")
	out := flags.String("out", "", "`folder` for logs and reports, by default a new one in the system's temporary folder")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "conformance: name at least one built conformance program; see test/conformance/main.go")
		return 2
	}
	if *out == "" {
		folder, err := os.MkdirTemp("", "conformance-")
		if err != nil {
			fmt.Fprintln(os.Stderr, "conformance:", err)
			return 1
		}
		*out = folder
	}
	code := 0
	for _, program := range flags.Args() {
		result, err := conform(ctx, *server, program, filepath.Join(*out, filepath.Base(program)), *secure)
		if err != nil {
			fmt.Fprintf(os.Stderr, "conformance: %s: %v\n", program, err)
			code = 1
			continue
		}
		fmt.Println(result)
		if !result.good() {
			code = 1
		}
	}
	return code
}
