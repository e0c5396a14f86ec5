//go:build e2e

package crash

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// table is what a run shows.
type table struct {
	title string
	lines []string
	start time.Time
}

// add notes what came of a crash.
func (b *table) add(point string, acknowledged, read int, ready time.Duration, ok bool) {
	outcome := "nothing lost"
	if !ok {
		outcome = "FAILED"
	}
	b.row(point, fmt.Sprintf("%d", acknowledged), fmt.Sprintf("%d", read), ready.Round(time.Millisecond).String(), outcome)
}

func (b *table) row(cells ...string) { b.lines = append(b.lines, strings.Join(cells, "\t")) }

// print shows the table, also in the report of make e2e.
func (b *table) print(t *testing.T) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "\n%s: %d\n", b.title, len(b.lines))
	for _, line := range b.lines {
		fmt.Fprintln(w, line)
	}
	_ = w.Flush()
	t.Log(text.String())
	name := os.Getenv("LONGSHORE_E2E_REPORT")
	if name == "" {
		return
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = file.WriteString(text.String())
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Error(err)
	}
}
