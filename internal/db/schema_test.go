package db_test

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// schema describes tables in one line a column, index or foreign key.
type schema map[string][]string

// tables lists ours; goose's own differ, and so do those of the search by parts of names, which SQLite makes itself.
func tables(t *testing.T, d *db.DB) []string {
	t.Helper()
	query := "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'goose%' AND name NOT LIKE 'search!_%' ESCAPE '!' ORDER BY name"
	if d.Dialect() == db.PostgreSQL {
		query = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND table_name NOT LIKE 'goose%' ORDER BY 1"
	}
	names := column(t, d, query)
	sort.Strings(names) // information_schema sorts by the database's locale
	return names
}

const sqliteColumns = `SELECT name || ' ' ||
	CASE type WHEN 'INTEGER' THEN 'number' WHEN 'TEXT' THEN 'text' WHEN 'BLOB' THEN 'bytes' ELSE type END ||
	CASE WHEN "notnull" = 1 OR pk > 0 THEN ' not null' ELSE '' END ||
	COALESCE(' default ' || dflt_value, '') FROM pragma_table_info($1) ORDER BY cid`

const postgresColumns = `SELECT column_name || ' ' ||
	CASE data_type WHEN 'bigint' THEN 'number' WHEN 'smallint' THEN 'number' WHEN 'text' THEN 'text' WHEN 'bytea' THEN 'bytes' ELSE data_type END ||
	CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END ||
	COALESCE(' default ' || replace(column_default, '::text', ''), '') FROM information_schema.columns
	WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position`

// An index is its columns, whether it is unique, and whether it is partial. PostgreSQL's indexes of parts of names are
// left out: SQLite has tables for that.
const sqliteIndexes = `SELECT CASE l.origin WHEN 'pk' THEN 'key' WHEN 'u' THEN 'unique' ELSE CASE l."unique" WHEN 1 THEN 'unique' ELSE 'index' END END ||
	' (' || (SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno)) || ')' ||
	CASE l.partial WHEN 1 THEN ' partial' ELSE '' END FROM pragma_index_list($1) l
	UNION ALL SELECT 'key (' || name || ')' FROM pragma_table_info($1) WHERE pk = 1 AND type = 'INTEGER'
	AND NOT EXISTS (SELECT 1 FROM pragma_index_list($1) WHERE origin = 'pk')`

const postgresIndexes = `SELECT CASE WHEN i.indisprimary THEN 'key' WHEN i.indisunique THEN 'unique' ELSE 'index' END || ' (' ||
	(SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (col, n)
	 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.col WHERE k.n <= i.indnkeyatts) || ')' ||
	CASE WHEN i.indpred IS NOT NULL THEN ' partial' ELSE '' END
	FROM pg_index i JOIN pg_class ix ON ix.oid = i.indexrelid JOIN pg_am am ON am.oid = ix.relam AND am.amname = 'btree'
	WHERE i.indrelid = CAST($1 AS text)::regclass`

const sqliteForeign = `SELECT 'foreign (' || group_concat("from", ', ') || ') ' || "table" || ' (' || group_concat("to", ', ') || ') ' || on_delete
	FROM (SELECT * FROM pragma_foreign_key_list($1) ORDER BY id, seq) GROUP BY id`

const postgresForeign = `SELECT 'foreign (' || (SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM unnest(c.conkey) WITH ORDINALITY AS k (col, n)
		JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.col) || ') ' || c.confrelid::regclass || ' (' ||
	(SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM unnest(c.confkey) WITH ORDINALITY AS k (col, n)
		JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.col) || ') ' ||
	CASE c.confdeltype WHEN 'a' THEN 'NO ACTION' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE c.confdeltype::text END
	FROM pg_constraint c WHERE c.contype = 'f' AND c.conrelid = CAST($1 AS text)::regclass`

func describe(t *testing.T, d *db.DB) schema {
	t.Helper()
	columns, indexes, foreign := sqliteColumns, sqliteIndexes, sqliteForeign
	if d.Dialect() == db.PostgreSQL {
		columns, indexes, foreign = postgresColumns, postgresIndexes, postgresForeign
	}
	s := schema{}
	for _, table := range tables(t, d) {
		s[table] = column(t, d, columns, table)
		for _, query := range []string{indexes, foreign} {
			more := column(t, d, query, table)
			sort.Strings(more)
			s[table] = append(s[table], more...)
		}
	}
	return s
}

func TestBothDatabasesHaveOneSchema(t *testing.T) {
	sqlite := describe(t, dbtest.Open(t, dbtest.SQLite))
	if len(sqlite) < 50 {
		t.Fatalf("only %d tables were found", len(sqlite))
	}
	for _, kind := range []dbtest.Kind{dbtest.PostgreSQL, dbtest.PostgreSQLICU} {
		t.Run(string(kind), func(t *testing.T) {
			if diff := cmp.Diff(sqlite, describe(t, dbtest.Open(t, kind))); diff != "" {
				t.Errorf("-sqlite +%s\n%s", kind, diff)
			}
		})
	}
}

// Without an index on the referring side, the removal of a row reads the whole table that may refer to it.
func TestEveryForeignKeyHasAnIndex(t *testing.T) {
	for table, lines := range describe(t, dbtest.Open(t, dbtest.SQLite)) {
		for _, line := range lines {
			inner, ok := strings.CutPrefix(line, "foreign (")
			if !ok || strings.Contains(line, ") storage_location (") { // locations stay
				continue
			}
			columns, _, _ := strings.Cut(inner, ")")
			if !slices.ContainsFunc(lines, func(other string) bool {
				for _, kind := range []string{"key (", "unique (", "index ("} {
					if rest, ok := strings.CutPrefix(other, kind); ok && (strings.HasPrefix(rest, columns+")") || strings.HasPrefix(rest, columns+",")) {
						return true
					}
				}
				return false
			}) {
				t.Errorf("%s: %s has no index", table, line)
			}
		}
	}
}

func TestIndexedTextIsBytewise(t *testing.T) {
	d := dbtest.Open(t, dbtest.PostgreSQLICU)
	wrong := column(t, d, `SELECT i.indrelid::regclass || '.' || a.attname FROM pg_index i
		JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
		JOIN pg_collation l ON l.oid = a.attcollation WHERE l.collname <> 'C'`)
	if len(wrong) > 0 {
		t.Errorf("these columns are indexed and not COLLATE \"C\": %v", wrong)
	}
}

func TestLargeTablesAreCleanedEarly(t *testing.T) {
	d := dbtest.Open(t, dbtest.PostgreSQL)
	got := column(t, d, "SELECT relname || ' ' || array_to_string(reloptions, ',') FROM pg_class WHERE relname IN ('tag', 'blob_ref', 'upload', 'review', 'manifest', 'tag_history') ORDER BY relname COLLATE \"C\"")
	want := []string{
		"blob_ref autovacuum_vacuum_scale_factor=0.01", "manifest autovacuum_vacuum_insert_scale_factor=0.01",
		"review autovacuum_vacuum_scale_factor=0.01", "tag autovacuum_vacuum_scale_factor=0.01",
		"tag_history autovacuum_vacuum_insert_scale_factor=0.01", "upload autovacuum_vacuum_scale_factor=0.01",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	var compression string
	if err := d.QueryRow(t.Context(), "SELECT attcompression::text FROM pg_attribute WHERE attrelid = 'manifest_content'::regclass AND attname = 'bytes'").Scan(&compression); err != nil || compression != "l" {
		t.Errorf("manifests are compressed with %q, %v", compression, err)
	}
}

func TestIdentifiersAreNeverGivenOutTwice(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var last int64
		for i := range 3 {
			var id int64
			if err := d.Hard(t.Context(), "insert", insertID(fmt.Sprint("l", i), &id)); err != nil {
				t.Fatal(err)
			}
			if id <= last {
				t.Errorf("%d was given after %d", id, last)
			}
			last = id
			if _, err := d.Exec(t.Context(), "DELETE FROM storage_location"); err != nil {
				t.Fatal(err)
			}
		}
	})
}
