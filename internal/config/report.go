package config

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/longshore-registry/longshore/internal/problem"
)

// Finding is one thing to say about a configuration. It never holds a secret.
type Finding struct {
	File string // path, or the name of the environment variable it is about
	Line int    // counted from 1; 0 when it is about something absent or the whole file
	Key  string // empty when it is about the whole file
	Text string
}

// String is "file:line: KEY: text".
func (f Finding) String() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
		}
		b.WriteString(": ")
	}
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	return b.String() + f.Text
}

// LogValue gives the parts to log/slog.
func (f Finding) LogValue() slog.Value {
	return slog.GroupValue(slog.String("file", f.File), slog.Int("line", f.Line), slog.String("key", f.Key), slog.String("text", f.Text))
}

// Report is what there is to say about a configuration, each list in the order of the files.
type Report struct {
	Files    []string  // what was read, in the order in which later ones win
	Errors   []Finding // wrong types, wrong values, values that contradict each other: the program does not start
	Refusals []Finding // values that ask for what this version lacks and must not be without: it does not start either
	Warnings []Finding // unknown keys, deprecated ones, missing features that only cost convenience
	Ignored  []Finding // set to something else than the default, without effect here
	View     View      // what others may see of it
}

// OK reports whether the program may start.
func (r *Report) OK() bool { return len(r.Errors)+len(r.Refusals) == 0 }

// Err is nil when the program may start, and else a *problem.Error of kind Invalid that names every error and refusal.
func (r *Report) Err() error {
	if r.OK() {
		return nil
	}
	var lines []string
	for _, f := range slices.Concat(r.Errors, r.Refusals) {
		lines = append(lines, f.String())
	}
	return problem.New(problem.Invalid, "the configuration does not allow a start:\n  %s", strings.Join(lines, "\n  "))
}

// Print writes the report for people: what refuses, what warns, what is ignored, and the verdict as the last line.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	for _, part := range []struct {
		one, many string
		findings  []Finding
	}{
		{"error", "errors", r.Errors},
		{"refusal (a feature this version lacks and must not be without)", "refusals (features this version lacks and must not be without)", r.Refusals},
		{"warning", "warnings", r.Warnings},
		{"key without effect here", "keys without effect here", r.Ignored},
	} {
		if len(part.findings) == 0 {
			continue
		}
		title := part.many
		if len(part.findings) == 1 {
			title = part.one
		}
		fmt.Fprintf(&b, "%d %s\n", len(part.findings), title)
		for _, f := range part.findings {
			fmt.Fprintf(&b, "  %s\n", f)
		}
		b.WriteByte('\n')
	}
	b.WriteString(r.verdict() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) verdict() string {
	what := "the built-in defaults"
	if len(r.Files) > 0 {
		what = strings.Join(r.Files, ", then ")
	}
	if r.OK() {
		return "longshore starts with " + what
	}
	return "longshore does not start with " + what
}

// sort puts the findings into the order of the files and their lines.
func (r *Report) sort() {
	for _, findings := range [][]Finding{r.Errors, r.Refusals, r.Warnings, r.Ignored} {
		slices.SortStableFunc(findings, func(a, b Finding) int {
			return cmp.Or(
				cmp.Compare(slices.Index(r.Files, a.File), slices.Index(r.Files, b.File)),
				cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
		})
	}
}
