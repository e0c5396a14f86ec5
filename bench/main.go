// Command bench measures registries side by side and prints ratios to a bare reference server.
//
// The reference (package reference) and bin/longshore are started with empty folders; any other server is given by
// URL and, for its CPU, memory and disk, process id and folder:
//
//	bench -rounds 7 -rows 'manifest' -server zot=http://127.0.0.1:5001,pid=4711,data=/tmp/zot
//
// Each round measures every server in turn, so that a machine whose speed drifts slows all alike. A figure is the
// median of the rounds, with the lowest and highest in brackets. What a row pushed is removed from the folders after
// each round, behind the servers' backs, so that the disk holds little more than one round.
//
// Longshore runs with its action log on, so that every row that pulls a manifest is one with pull logging, and strict:
// a pull that cannot be recorded fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"time"

	"github.com/longshore-registry/longshore/bench/reference"
)

var (
	errSkip   = errors.New("not applicable")
	errEnough = errors.New("time is up")
)

// quiet is how long the servers rest before their memory is measured a second time.
const quiet = 15 * time.Second

// server is one registry under measurement.
type server struct {
	name     string
	pid      int
	client   *client
	data     string // folder of its blobs; empty if not known
	database int    // pid of the database's first process; 0 if it has none of its own
	ready    time.Duration
	again    func() (time.Duration, error) // ends and starts it, and tells how long the latter took; nil if it is not ours

	prepared map[*preparation]bool
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "reference" {
		os.Exit(serveReference(os.Args[2], os.Args[3]))
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func serveReference(folder, listen string) int {
	handler, err := reference.New(folder, true)
	if err == nil {
		err = http.ListenAndServe(listen, handler)
	}
	fmt.Fprintln(os.Stderr, "bench reference:", err)
	return 1
}

func run() error {
	b := bench{}
	flag.IntVar(&b.rounds, "rounds", 7, "rounds, at least seven for figures to quote")
	flag.DurationVar(&b.span, "span", time.Second, "how long an operation is repeated in a round")
	only := flag.String("rows", ".", "regular expression of rows to measure")
	flag.StringVar(&b.program, "longshore", "bin/longshore", "the program to measure")
	flag.StringVar(&b.dsn, "postgres", "", "also measure it on this PostgreSQL database, which must be empty")
	flag.IntVar(&b.postmaster, "postgres-pid", 0, "that server's first process, for the database's CPU")
	flag.BoolVar(&b.unlogged, "unlogged", false, "also measure it without a record of pulls")
	flag.BoolVar(&b.abuse, "abuse", false, "measure what abuse costs others, in place of the rows")
	var others []string
	flag.Func("server", "another server: name=URL[,pid=N][,user=U,password=P][,data=FOLDER]", func(s string) error { others = append(others, s); return nil })
	flag.Parse()
	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if b.folder, err = os.MkdirTemp("", "longshore-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.folder)
	defer b.halt()
	if err := b.startAll(ctx, others); err != nil {
		return err
	}
	for _, s := range b.servers {
		fmt.Printf("%s: first answer after %d ms; idle %s\n", s.name, s.ready.Milliseconds(), s.memory())
	}
	if b.abuse {
		return b.abuseAll(ctx)
	}
	if err := b.measureAll(ctx, match); err != nil {
		return err
	}
	atOnce := make([]string, len(b.servers))
	for i, s := range b.servers {
		atOnce[i] = s.memory()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(quiet):
	}
	for i, s := range b.servers {
		fmt.Printf("%s: after load %s; %v later %s\n", s.name, atOnce[i], quiet, s.memory())
	}
	fmt.Printf("disk: %.1f GB at most\n", float64(b.mostDisk)/1e9)
	for _, s := range b.servers {
		if s.again == nil {
			continue
		}
		took, err := s.again()
		if err != nil {
			return err
		}
		fmt.Printf("%s: started again with its data, first answer after %d ms\n", s.name, took.Milliseconds())
	}
	return nil
}

func (s *server) memory() string {
	anonymous, resident := memory(s.pid)
	return fmt.Sprintf("%.1f MB anonymous, %.1f MB resident", float64(anonymous)/1e6, float64(resident)/1e6)
}
