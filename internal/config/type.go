package config

import (
	"fmt"
	"strings"

	"github.com/longshore-registry/longshore/internal/config/document"
	"github.com/longshore-registry/longshore/internal/secret"
)

// valueType is how the values of a key are read, described and put into the JSON schema.
type valueType[T any] struct {
	name    string         // in the documentation's Type column
	allowed string         // in errors: what would have been right
	schema  map[string]any // JSON schema of a value that is not null
	secret  bool           // found values are not shown
	read    func(r *reader, n *document.Node) T
}

// anyType is a valueType when it does not matter what it reads into.
type anyType interface {
	describe() description
	// canonical reads the value and writes it so that equal values are equal texts.
	canonical(r *reader, n *document.Node) string
}

type description struct {
	name, allowed string
	schema        map[string]any
	secret        bool
}

func (t valueType[T]) describe() description {
	return description{t.name, t.allowed, t.schema, t.secret}
}

func (t valueType[T]) canonical(r *reader, n *document.Node) string {
	value := t.read(r, n)
	if s, ok := any(value).(secret.String); ok {
		return s.Reveal()
	}
	return fmt.Sprint(value)
}

// reader collects what is wrong with one value.
type reader struct {
	description
	wrongs []wrong
}

type wrong struct {
	line int
	text string
}

func newReader(t anyType) *reader { return &reader{description: t.describe()} }

// wrong notes that n is not what the key allows.
func (r *reader) wrong(n *document.Node) { r.wrongf(n, "%s", r.allowed) }

// wrongf notes that n is not what is allowed at its place.
func (r *reader) wrongf(n *document.Node, allowed string, args ...any) {
	r.wrongs = append(r.wrongs, wrong{n.Line, fmt.Sprintf("found %s; allowed: %s", r.found(n), fmt.Sprintf(allowed, args...))})
}

// found describes n for an error, without its value when that is a secret.
func (r *reader) found(n *document.Node) string {
	if r.secret {
		return n.Kind()
	}
	return n.Describe()
}

// field reads n with another type and keeps what is wrong with it.
func field[T any](r *reader, t valueType[T], n *document.Node) T {
	inner := newReader(t)
	value := t.read(inner, n)
	r.wrongs = append(r.wrongs, inner.wrongs...)
	return value
}

// quoteList writes names for people: a, b or c.
func quoteList(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
