// Command lists measures what the API's lists and searches cost in a large installation, as a ratio to the same page in
// a small one:
//
//	go run ./bench/lists -longshore bin/longshore -rounds 7 -rows 'tags'
//
// For each database it starts bin/longshore twice, on a small and on a large installation that it has put straight into
// the database, and asks both for the same pages over HTTP, in turn, so that a machine whose speed drifts slows both
// alike. PostgreSQL servers are its own, in temporary folders; so is everything else, and all of it is removed at the
// end. It takes some 3 GB of disk at most.
//
// A row that misses its target is marked, and the program then ends with 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"time"
)

var errMissed = errors.New("some rows miss their target")

type options struct {
	program   string
	rounds    int
	span      time.Duration
	match     *regexp.Regexp
	databases []string
	large     size
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "lists:", err)
		os.Exit(1)
	}
}

func run() error {
	o := options{large: large}
	flag.StringVar(&o.program, "longshore", "bin/longshore", "the program to measure")
	flag.IntVar(&o.rounds, "rounds", 7, "rounds, at least seven for figures to quote")
	flag.DurationVar(&o.span, "span", 200*time.Millisecond, "how long a page is asked for in a round, three times at least")
	rows := flag.String("rows", ".", "regular expression of rows to measure")
	database := flag.String("database", "", "sqlite or postgresql alone")
	flag.Parse()
	var err error
	if o.match, err = regexp.Compile(*rows); err != nil {
		return err
	}
	switch *database {
	case "":
		o.databases = []string{sqlite, postgresql}
	case sqlite, postgresql:
		o.databases = []string{*database}
	default:
		return fmt.Errorf("-database %q: sqlite and postgresql are allowed", *database)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	missed := 0
	for _, d := range o.databases {
		n, err := o.measureOn(ctx, d)
		if err != nil {
			return fmt.Errorf("%s: %w", d, err)
		}
		missed += n
	}
	if missed > 0 {
		return fmt.Errorf("%w: %d", errMissed, missed)
	}
	return nil
}

// measureOn builds both installations on one kind of database, measures and removes them.
func (o options) measureOn(ctx context.Context, database string) (missed int, err error) {
	folder, err := os.MkdirTemp("", "longshore-lists-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	var both [2]*installation
	for i, s := range []size{small, o.large} {
		both[i], err = install(ctx, o.program, folder, database, s)
		if both[i] != nil {
			defer both[i].end()
		}
		if err != nil {
			return 0, err
		}
		fmt.Printf("%s, %s: built in %s, %.1f MB\n", database, s.name, both[i].took.Round(time.Second), both[i].megabytes(ctx))
	}
	return o.measure(ctx, both[0], both[1])
}
