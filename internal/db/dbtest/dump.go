package dbtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
)

// Dumper gives a function that reads every row of every table that is there now: by the table's name, its rows in an
// order that depends on their values alone. Columns that skip names are left out, and tables that have no other.
func Dumper(t testing.TB, d *db.DB, skip func(table, column string) bool) func(testing.TB) map[string]string {
	t.Helper()
	statement := dumpStatement(t, d, skip)
	return func(t testing.TB) map[string]string {
		t.Helper()
		all := map[string]string{}
		each(t, d, statement, func(table, row string) { all[table] += row + "\n" })
		return all
	}
}

func dumpStatement(t testing.TB, d *db.DB, skip func(table, column string) bool) string {
	t.Helper()
	query := `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, ordinal_position`
	if d.Dialect() == db.SQLite {
		query = `SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1, c.cid`
	}
	columns := map[string][]string{}
	each(t, d, query, func(table, column string) {
		if !skip(table, column) {
			columns[table] = append(columns[table], fmt.Sprintf(`COALESCE(CAST(%q AS TEXT), '-')`, column))
		}
	})
	var parts []string
	for table, expressions := range columns {
		parts = append(parts, fmt.Sprintf(`SELECT '%s', %s FROM %s`, table, strings.Join(expressions, ` || ' ' || `), table))
	}
	return strings.Join(parts, " UNION ALL ") + " ORDER BY 1, 2"
}

// each calls fn for the rows of a query of two texts.
func each(t testing.TB, d *db.DB, query string, fn func(first, second string)) {
	t.Helper()
	rows, err := d.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var first, second string
		if err := rows.Scan(&first, &second); err != nil {
			t.Fatal(err)
		}
		fn(first, second)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
