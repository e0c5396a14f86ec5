package db

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/longshore-registry/longshore/internal/problem"
)

// driverArgs brings arguments to the few types that both databases take alike: int64, float64, string, []byte, nil.
func driverArgs(args []any) ([]any, error) {
	out := make([]any, len(args))
	for i, a := range args {
		v, err := driverArg(a)
		if err != nil {
			return nil, fmt.Errorf("argument $%d: %w", i+1, err)
		}
		out[i] = v
	}
	return out, nil
}

func driverArg(a any) (any, error) {
	switch a := a.(type) {
	case nil, int64:
		return a, nil
	case string:
		return a, checkText(a)
	}
	v, err := driver.DefaultParameterConverter.ConvertValue(a)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case bool:
		return Bool(v), nil
	case []byte:
		if v == nil {
			return nil, nil
		}
	case string:
		return v, checkText(v)
	}
	return v, nil
}

// checkText refuses what PostgreSQL cannot store, with an error that a client may see, on SQLite too.
func checkText(s string) error {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return problem.New(problem.Invalid, "text holds a NUL character or is no UTF-8: %q", clip(s))
	}
	return nil
}

// row is a Row over Rows.
type row struct {
	rows Rows
	err  error
}

func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// boolTarget is a sql.Scanner that lets a *bool take 0 and 1 on PostgreSQL too.
type boolTarget struct{ to *bool }

func (b boolTarget) Scan(src any) error {
	var n sql.NullBool
	if err := n.Scan(src); err != nil {
		return err
	}
	if !n.Valid {
		return fmt.Errorf("cannot scan NULL into *bool")
	}
	*b.to = n.Bool
	return nil
}

// anyTarget is a sql.Scanner that gives *any the types of database/sql on PostgreSQL too.
type anyTarget struct{ to *any }

func (a anyTarget) Scan(src any) error {
	*a.to = src
	return nil
}
