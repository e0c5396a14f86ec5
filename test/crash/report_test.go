//go:build e2e

package crash

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// tables are what a run shows when all tests have ended.
var tables report

// report collects rows from tests that run at once.
type report struct {
	mu   sync.Mutex
	list []*table
}

// table is rows under one title, in the order in which they came, or by number.
type table struct {
	title, head string
	lines       []string
}

// row adds a row to the table with a title, which is made when there is none.
func (r *report) row(title, head string, cells ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := strings.Join(cells, "\t")
	for _, t := range r.list {
		if t.title == title {
			t.lines = append(t.lines, line)
			return
		}
	}
	r.list = append(r.list, &table{title: title, head: head, lines: []string{line}})
}

// print shows the tables, also in the report of make e2e.
func (r *report) print() error {
	var text strings.Builder
	for _, t := range r.list {
		fmt.Fprintf(&text, "\n%s: %d\n", t.title, len(t.lines))
		w := tabwriter.NewWriter(&text, 0, 4, 2, ' ', 0)
		for _, line := range append([]string{t.head}, t.lines...) {
			fmt.Fprintln(w, line)
		}
		_ = w.Flush()
	}
	name := os.Getenv("LONGSHORE_E2E_REPORT")
	if name == "" {
		fmt.Print(text.String())
		return nil
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text.String())
	return errors.Join(err, file.Close())
}

// crashed is a row of the table of crash points.
func crashed(database, point string, acknowledged, read int, ready time.Duration, ok bool) {
	outcome := "nothing lost"
	if !ok {
		outcome = "FAILED"
	}
	tables.row("crash points on "+database, "point\tacknowledged\tread back\tready after\toutcome",
		point, fmt.Sprint(acknowledged), fmt.Sprint(read), ready.Round(time.Millisecond).String(), outcome)
}

// outcome is a row of the table of faults, when the test succeeds.
func outcome(t *testing.T, seen string) {
	t.Helper()
	if !t.Failed() {
		tables.row("faults", "fault\tseen", strings.TrimPrefix(t.Name(), "Test"), seen)
	}
}
