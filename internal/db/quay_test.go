package db_test

import (
	"bufio"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// auditMonth stands for the tables that the audit log makes as it goes; docs/quay-database.md lists its columns.
const auditMonth = "audit_YYYYMM"

// mapping is a row of docs/quay-database.md.
type mapping struct {
	line  int
	quay  []string // table.column or table.*
	ours  []string // table.column
	drops bool
}

func readMappings(t *testing.T) []mapping {
	t.Helper()
	f, err := os.Open("../../docs/quay-database.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	quoted := regexp.MustCompile("`([A-Za-z0-9_]+\\.(?:[A-Za-z0-9_]+|\\*))`")
	names := func(cell string) (all []string) {
		for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
			all = append(all, m[1])
		}
		return all
	}
	var rows []mapping
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		cells := strings.SplitN(strings.TrimPrefix(lines.Text(), "| "), " | ", 2)
		if len(cells) != 2 || !strings.HasPrefix(cells[0], "`") {
			continue
		}
		rows = append(rows, mapping{line: n, quay: names(cells[0]), ours: names(cells[1]), drops: strings.HasPrefix(cells[1], "*dropped*: ")})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// quayColumns gives each table.column that a Quay database can have.
func quayColumns(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/quay-columns.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		table, columns, ok := strings.Cut(line, ": ")
		if !ok {
			continue
		}
		for column := range strings.FieldsSeq(columns) {
			all = append(all, table+"."+column)
		}
	}
	return all
}

func TestEveryQuayColumnHasAPlaceOrAReason(t *testing.T) {
	known := quayColumns(t)
	if len(known) < 400 {
		t.Fatalf("only %d Quay columns were read", len(known))
	}
	mapped := map[string]bool{}
	for _, row := range readMappings(t) {
		for _, name := range row.quay {
			if mapped[name] {
				t.Errorf("line %d: %s is there twice", row.line, name)
			}
			mapped[name] = true
			table, all := strings.CutSuffix(name, "*")
			if !slices.ContainsFunc(known, func(k string) bool { return k == name || all && strings.HasPrefix(k, table) }) {
				t.Errorf("line %d: Quay has no %s", row.line, name)
			}
		}
		if len(row.quay) == 0 || len(row.ours) == 0 && !row.drops {
			t.Errorf("line %d says neither where %v goes nor why it is dropped", row.line, row.quay)
		}
	}
	for _, name := range known {
		table, _, _ := strings.Cut(name, ".")
		if !mapped[name] && !mapped[table+".*"] {
			t.Errorf("%s is not in docs/quay-database.md", name)
		}
	}
}

func TestEveryPlaceForAQuayColumnExists(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		there := map[string]bool{}
		for table, lines := range describe(t, d) {
			for _, line := range lines {
				column, _, _ := strings.Cut(line, " ")
				there[table+"."+column] = true
			}
		}
		for _, row := range readMappings(t) {
			for _, name := range row.ours {
				if table, _, _ := strings.Cut(name, "."); table != auditMonth && !there[name] {
					t.Errorf("line %d: there is no %s", row.line, name)
				}
			}
		}
	})
}
