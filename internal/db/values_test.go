package db_test

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

type kind uint8

// String would be stored in place of the number by a driver that prefers it.
func (k kind) String() string { return "kind" }

type label string

// values makes a table with one column of each type that the schema uses.
func values(t *testing.T, d *db.DB) {
	t.Helper()
	text := map[db.Dialect]string{
		db.SQLite:     "CREATE TABLE v (i INTEGER, s INTEGER, t TEXT, b BLOB) STRICT",
		db.PostgreSQL: `CREATE TABLE v (i BIGINT, s SMALLINT, t TEXT COLLATE "C", b BYTEA)`,
	}
	if _, err := d.Exec(t.Context(), text[d.Dialect()]); err != nil {
		t.Fatal(err)
	}
}

func insert(t *testing.T, d *db.DB, args ...any) {
	t.Helper()
	if n, err := d.Exec(t.Context(), "INSERT INTO v (i, s, t, b) VALUES ($1, $2, $3, $4)", args...); err != nil || n != 1 {
		t.Fatalf("insert of %v: %d rows, %v", args, n, err)
	}
}

func TestValuesComeBackAsTheyWent(t *testing.T) {
	sum := digest.SHA512.Of([]byte("content"))
	text, number := "pointer", int64(-1)
	cases := map[string]struct {
		args []any
		want values4
	}{
		"basic types":                    {[]any{int64(1) << 62, int64(3), "ü\x01", []byte{0, 255}}, values4{1 << 62, 3, "ü\x01", "\x00\xff"}},
		"integers of other Go types":     {[]any{7, kind(2), label("l"), []byte("x")}, values4{7, 2, "l", "x"}},
		"booleans":                       {[]any{true, false, "", []byte("x")}, values4{1, 0, "", "x"}},
		"pointers":                       {[]any{&number, uint16(9), &text, []byte("x")}, values4{-1, 9, "pointer", "x"}},
		"a digest":                       {[]any{1, 2, "d", sum}, values4{1, 2, "d", string(sum.Bytes())}},
		"empty bytes, which are no NULL": {[]any{1, 2, "e", []byte{}}, values4{1, 2, "e", ""}},
		"nullable types":                 {[]any{sql.NullInt64{Int64: 5, Valid: true}, sql.NullInt32{Int32: 6, Valid: true}, sql.NullString{String: "n", Valid: true}, []byte("x")}, values4{5, 6, "n", "x"}},
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		values(t, d)
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				if _, err := d.Exec(t.Context(), "DELETE FROM v"); err != nil {
					t.Fatal(err)
				}
				insert(t, d, c.args...)
				var got values4
				var b []byte
				if err := d.QueryRow(t.Context(), "SELECT i, s, t, b FROM v").Scan(&got.I, &got.S, &got.T, &b); err != nil {
					t.Fatal(err)
				}
				got.B = string(b)
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
				if n := len(column(t, d, "SELECT t FROM v WHERE i IS NULL OR s IS NULL OR t IS NULL OR b IS NULL")); n != 0 {
					t.Error("something is NULL in the database")
				}
			})
		}
	})
}

type values4 struct {
	I, S int64
	T, B string
}

func TestNullFitsWhatCanBeNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		values(t, d)
		var none *int64
		insert(t, d, none, sql.NullInt64{}, nil, digest.Digest{})
		var (
			i  = new(int64)
			s  = sql.NullInt64{Valid: true}
			tx = sql.NullString{Valid: true}
			dg = digest.SHA256.Of(nil)
		)
		row := d.QueryRow(t.Context(), "SELECT i, s, t, b FROM v WHERE b IS NULL")
		if err := row.Scan(&i, &s, &tx, &dg); err != nil {
			t.Fatal(err)
		}
		if i != nil || s.Valid || tx.Valid || !dg.IsZero() {
			t.Errorf("got %v %v %v %v", i, s, tx, dg)
		}
		var b []byte
		var ptr *string
		if err := d.QueryRow(t.Context(), "SELECT b, t FROM v").Scan(&b, &ptr); err != nil || b != nil || ptr != nil {
			t.Errorf("got %v %v %v", b, ptr, err)
		}
		var plain int64
		if err := d.QueryRow(t.Context(), "SELECT i FROM v").Scan(&plain); err == nil {
			t.Error("NULL was read into an int64")
		}
	})
}

func TestTargetsOfOtherTypes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		values(t, d)
		sum := digest.SHA256.Of([]byte("content"))
		insert(t, d, 40, 1, "text", sum)
		var (
			i         int
			k         kind
			yes       bool
			l         label
			anything  any
			nullable  sql.NullBool
			got       digest.Digest
			small     int16
			text      []byte
			intString *int64
		)
		row := d.QueryRow(t.Context(), "SELECT i, s, s, t, s, s, b, s, t, i FROM v WHERE b = $1 AND s = $2 AND t = $3", sum, kind(1), label("text"))
		if err := row.Scan(&i, &k, &yes, &l, &anything, &nullable, &got, &small, &text, &intString); err != nil {
			t.Fatal(err)
		}
		if i != 40 || k != 1 || !yes || l != "text" || anything != int64(1) || !nullable.Bool || got != sum || small != 1 ||
			string(text) != "text" || *intString != 40 {
			t.Errorf("got %v %v %v %v %T %v %v %v %q %v", i, uint8(k), yes, l, anything, nullable, got, small, text, *intString)
		}
	})
}

func TestRefusedArguments(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		values(t, d)
		for name, arg := range map[string]any{"a slice": []string{"a"}, "a struct": struct{ A int }{1}} {
			if _, err := d.Exec(t.Context(), "INSERT INTO v (t) VALUES ($1)", arg); err == nil {
				t.Errorf("%s was taken", name)
			}
		}
	})
}

func TestTextThatPostgreSQLCannotStoreIsRefusedOnBoth(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, text := range []any{"a\x00b", "\xff", label("\xc3")} {
			err := d.QueryRow(t.Context(), "SELECT id FROM storage_location WHERE name = $1", text).Scan(new(int64))
			if !problem.Is(err, problem.Invalid) {
				t.Errorf("%q: got %v", text, err)
			}
		}
	})
}

func TestParametersMayRepeatAndComeInAnyOrder(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		values(t, d)
		insert(t, d, 1, 2, "x", []byte("y"))
		var n int
		query := "SELECT count(*) FROM v WHERE t = $3 AND s = $2 AND i = $1 AND i = $1 AND s = $2"
		if err := d.QueryRow(t.Context(), query, 1, 2, "x").Scan(&n); err != nil || n != 1 {
			t.Errorf("got %d, %v", n, err)
		}
	})
}

func TestTextIsComparedBytewise(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, name := range []string{"b", "B", "a-b", "a_b", "ab", "é"} {
			if _, err := d.Exec(t.Context(), "INSERT INTO storage_location (name) VALUES ($1)", name); err != nil {
				t.Fatal(err)
			}
		}
		got := column(t, d, "SELECT name FROM storage_location ORDER BY name")
		if diff := cmp.Diff([]string{"B", "a-b", "a_b", "ab", "b", "é"}, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func column(t *testing.T, q db.Queryer, query string, args ...any) []string {
	t.Helper()
	rows, err := q.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestConstraintErrorsAreTold(t *testing.T) {
	const blob = "INSERT INTO blob (digest, size, created_ms) VALUES ($1, 1, 1)"
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		sum := digest.SHA256.Of([]byte("a"))
		if _, err := d.Exec(t.Context(), blob, sum); err != nil {
			t.Fatal(err)
		}
		_, unique := d.Exec(t.Context(), blob, sum)
		_, primary := d.Exec(t.Context(), "INSERT INTO blob (id, digest, size, created_ms) VALUES (1, $1, 1, 1)", digest.SHA256.Of(nil))
		_, link := d.Exec(t.Context(), "INSERT INTO blob_ref (repo_id, blob_id, manifest_id) VALUES (1, 1, 1), (1, 1, 1)")
		_, foreign := d.Exec(t.Context(), "INSERT INTO blob_ref (repo_id, blob_id, manifest_id) VALUES (1, 99, 1)")
		_, check := d.Exec(t.Context(), "INSERT INTO team (organization_id, name, role) VALUES (NULL, 'x', 1)")
		for name, c := range map[string]struct {
			err             error
			unique, foreign bool
		}{
			"unique index": {unique, true, false}, "primary key": {primary, true, false}, "primary key of a link": {link, true, false},
			"foreign key": {foreign, false, true}, "not null": {check, false, false}, "no error": {nil, false, false},
		} {
			if got := db.IsUnique(c.err); got != c.unique {
				t.Errorf("%s: IsUnique is %v: %v", name, got, c.err)
			}
			if got := db.IsForeignKey(c.err); got != c.foreign {
				t.Errorf("%s: IsForeignKey is %v: %v", name, got, c.err)
			}
		}
		if err := d.QueryRow(t.Context(), "SELECT id FROM blob WHERE id = 99").Scan(new(int)); !errors.Is(err, db.ErrNoRows) {
			t.Errorf("no row: %v", err)
		}
	})
}
