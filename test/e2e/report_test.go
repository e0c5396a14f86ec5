//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// report is the table that the zoo prints in the end.
type report struct{ rows []*row }

// row is what one client did over one transport.
type row struct {
	client, transport string
	passed            map[cell]bool
	took              time.Duration
	missing           string
}

func (r *report) row(client, transport string) *row {
	made := &row{client: client, transport: transport, passed: map[cell]bool{}}
	r.rows = append(r.rows, made)
	return made
}

func (r *row) run(t *testing.T, name cell, check func(*testing.T)) {
	r.passed[name] = t.Run(string(name), check)
}

func (r *row) timed(started time.Time) { r.took = time.Since(started) }

// print prints ✓ for what worked, ✗ for what failed and the number of a reason for what the client cannot do.
func (r *report) print(t *testing.T) {
	var out strings.Builder
	var reasons []string
	number := map[string]int{}
	table := tabwriter.NewWriter(&out, 0, 4, 1, ' ', 0)
	fmt.Fprintf(table, "client\tover\t%s\ttime\n", join(allCells()))
	for _, row := range r.rows {
		fmt.Fprintf(table, "%s\t%s", row.client, row.transport)
		for _, name := range allCells() {
			why, never := reason(row.client, name)
			passed, ran := row.passed[name]
			switch {
			case never:
				if number[why] == 0 {
					reasons = append(reasons, why)
					number[why] = len(reasons)
				}
				fmt.Fprintf(table, "\t%d", number[why])
			case passed:
				fmt.Fprint(table, "\t✓")
			case ran:
				fmt.Fprint(table, "\t✗")
			default:
				fmt.Fprint(table, "\t-")
			}
		}
		fmt.Fprintf(table, "\t%.1f s", row.took.Seconds())
		if row.missing != "" {
			fmt.Fprintf(table, " (missing: %s)", row.missing)
		}
		fmt.Fprintln(table)
	}
	table.Flush()
	for i, why := range reasons {
		fmt.Fprintf(&out, "%3d  %s\n", i+1, why)
	}
	announce(t, out.String())
}

func join(cells []cell) string {
	var names []string
	for _, c := range cells {
		names = append(names, string(c))
	}
	return strings.Join(names, "\t")
}
