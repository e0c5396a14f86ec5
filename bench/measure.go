package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"text/tabwriter"
	"time"

	"github.com/longshore-registry/longshore/bench/figure"
)

// bench is one run: what to measure, and how.
type bench struct {
	rounds     int
	span       time.Duration
	program    string
	dsn        string
	postmaster int
	unlogged   bool
	abuse      bool
	folder     string
	servers    []*server // the reference is first
	running    []*exec.Cmd
	mostDisk   int64 // bytes under the servers' folders, at most
}

type figures struct{ rate, cpu, database []float64 }

func (b *bench) measureAll(ctx context.Context, match *regexp.Regexp) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	defer out.Flush()
	fmt.Fprintln(out, "row\tserver\trate /s\tto reference\tserver CPU ms/op\tto reference\tdatabase CPU ms/op")
	for _, r := range rows() {
		if !match.MatchString(r.name) {
			continue
		}
		all := make([]figures, len(b.servers))
		for i, s := range b.servers {
			if err := s.prepare(ctx, r); err != nil {
				return fmt.Errorf("%s, set-up of %s: %w", s.name, r.name, err)
			}
			all[i] = figures{}
		}
		for range b.rounds {
			for i, s := range b.servers {
				if err := b.measure(ctx, r, s, &all[i]); err != nil {
					return fmt.Errorf("%s, %s: %w", s.name, r.name, err)
				}
			}
		}
		for i, s := range b.servers {
			f := all[i]
			if len(f.rate) == 0 {
				continue
			}
			database := "-"
			if s.database != 0 {
				database = figure.Spread(f.database)
			}
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.name, s.name, figure.Spread(f.rate), figure.Ratio(f.rate, all[0].rate),
				figure.Spread(f.cpu), figure.Ratio(f.cpu, all[0].cpu), database)
		}
		_ = out.Flush()
	}
	return nil
}

// prepare runs what a row needs to find, once for each server, and the row's own warming up.
func (s *server) prepare(ctx context.Context, r row) error {
	if p := r.needs; p != nil && !s.prepared[p] {
		if err := p.run(ctx, s.client); err != nil {
			return err
		}
		s.prepared[p] = true
	}
	if r.warm != nil {
		return r.warm(ctx, s.client)
	}
	return nil
}

// measure runs one round of a row on one server.
func (b *bench) measure(ctx context.Context, r row, s *server, f *figures) error {
	start, before, databaseBefore := time.Now(), cpuTime(s.pid), cpuOfFamily(s.database)
	ops, took, err := r.measure(ctx, s.client, b.span)
	if errors.Is(err, errSkip) {
		return nil
	}
	if err != nil {
		return err
	}
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(max(ops, 1)) }
	f.rate = append(f.rate, float64(ops)/took.Seconds())
	f.cpu = append(f.cpu, each(cpuTime(s.pid)-before))
	f.database = append(f.database, each(cpuOfFamily(s.database)-databaseBefore))
	if r.bytes == 0 {
		return nil
	}
	var disk int64
	for _, s := range b.servers {
		held, err := size(s.data)
		if err != nil {
			return err
		}
		disk += held
	}
	b.mostDisk = max(b.mostDisk, disk)
	return removeSince(s.data, start)
}
