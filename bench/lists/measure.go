package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/longshore-registry/longshore/bench/figure"
)

// measure prints a row for each page and says how many miss their target.
func (o options) measure(ctx context.Context, small, large *installation) (missed int, err error) {
	out := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	defer out.Flush()
	fmt.Fprintln(out, "page\tsmall ms\tlarge ms\tratio\ttarget\t")
	for _, p := range rows() {
		if !o.match.MatchString(p.name) && !o.match.MatchString(p.path) {
			continue
		}
		mark, err := o.row(ctx, out, p, small, large)
		if err != nil {
			return missed, fmt.Errorf("%s: %w", p.name, err)
		}
		if mark {
			missed++
		}
		_ = out.Flush()
	}
	return missed, nil
}

func (o options) row(ctx context.Context, out *tabwriter.Writer, p page, small, large *installation) (missed bool, err error) {
	further := p.pages
	if p.large != 0 {
		further = p.large
	}
	inLarge, err := large.turn(ctx, p, further)
	if err != nil {
		return false, err
	}
	inSmall := ""
	if !p.only {
		if inSmall, err = small.turn(ctx, p, p.pages); err != nil {
			return false, err
		}
	}
	var of [2][]float64
	paths := []func() string{p.paths(inSmall), p.paths(inLarge)}
	for round := range o.rounds + 1 {
		for i, x := range []*installation{small, large} {
			if i == 0 && p.only {
				continue
			}
			if round == 0 {
				if err := x.warm(ctx, p.who, paths[i]); err != nil {
					return false, err
				}
				continue
			}
			ms, err := x.time(ctx, p.who, paths[i], o.span)
			if err != nil {
				return false, err
			}
			of[i] = append(of[i], ms)
		}
	}
	missed = p.missed(of[0], of[1])
	mark, before := "", "-"
	if missed {
		mark = "MISSED"
	}
	if len(of[0]) > 0 {
		before = figure.Spread(of[0])
	}
	fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", p.name, before, figure.Spread(of[1]), figure.Ratio(of[1], of[0]), p.target(), mark)
	return missed, nil
}

// warm asks for a page until PostgreSQL, which plans a statement anew for its first five times on each connection, has
// come to its plan on all ten.
func (i *installation) warm(ctx context.Context, who caller, path func() string) error {
	const times = 80
	for range times {
		if _, err := i.read(ctx, who, path()); err != nil {
			return err
		}
	}
	return nil
}

// time is the median time of a page in ms, asked for at least three times.
func (i *installation) time(ctx context.Context, who caller, path func() string, span time.Duration) (float64, error) {
	var each []float64
	for begin := time.Now(); len(each) < 3 || time.Since(begin) < span; {
		asked, start := path(), time.Now()
		if _, err := i.read(ctx, who, asked); err != nil {
			return 0, err
		}
		each = append(each, float64(time.Since(start).Microseconds())/1000)
	}
	return figure.Median(each), nil
}

// missed says whether a page costs more than it may by every bound that it has.
func (p page) missed(small, large []float64) bool {
	quotient, ok := figure.Quotient(large, small)
	if p.ratio > 0 && ok && quotient <= p.ratio {
		return false
	}
	if p.most > 0 && figure.Median(large) <= float64(p.most.Microseconds())/1000 {
		return false
	}
	return p.ratio > 0 || p.most > 0
}

func (p page) target() string {
	text := ""
	if p.ratio > 0 {
		text = fmt.Sprintf("≤ %g", p.ratio)
	}
	if p.most > 0 {
		if text != "" {
			text += " or "
		}
		text += fmt.Sprintf("≤ %d ms", p.most.Milliseconds())
	}
	if text == "" {
		return "whole list"
	}
	return text
}
