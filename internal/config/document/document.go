// Package document reads a configuration file into a tree that knows its lines.
//
// It reads YAML as Quay does, that is as PyYAML reads YAML 1.1: unquoted yes, no, on and off are booleans, 0o17 is a
// text and 017 an integer. Integers keep all their digits however many there are. JSON is read by JSON's own rules.
// A key that is given twice is a problem and never a silent choice between the two.
//
// The tree means nothing yet: which keys exist and what their values may be is package config's business.
package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Bounds on one document. Aliases count each time they are used.
const (
	MaxBytes = 1 << 20
	maxDepth = 64
	maxNodes = 100_000
)

// Shape is what a node is before anything is known about its key.
type Shape uint8

// The shapes.
const (
	Null Shape = iota
	Bool
	Int
	Float
	Text
	List
	Map
)

// Node is a value with the line it starts on, counted from 1.
type Node struct {
	Shape  Shape
	Text   string // scalars; "true" or "false" for Bool, decimal digits with an optional "-" for Int
	Line   int
	Items  []*Node // List
	Fields []Field // Map, in the order of the file
}

// Field is an entry of a Map.
type Field struct {
	Name  string
	Line  int
	Value *Node
}

// Problem says why a document, or a part of it, cannot be read. Line is 0 when it is unknown.
type Problem struct {
	Line int
	Text string
}

// Parse reads a document, JSON when it is valid JSON and YAML otherwise. An empty document is an empty Map. The Node
// is nil when there are problems.
func Parse(data []byte) (*Node, []Problem) {
	if len(data) > MaxBytes {
		return nil, []Problem{{Text: fmt.Sprintf("%d bytes; at most %d are allowed", len(data), MaxBytes)}}
	}
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(data) {
		return ParseJSON(data)
	}
	return parseYAML(data)
}

// Get is the value of a field, nil when the node has none of that name.
func (n *Node) Get(name string) *Node {
	for _, f := range n.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return nil
}

// Value is the node as encoding/json writes it: integers keep all their digits.
func (n *Node) Value() any {
	switch n.Shape {
	case Null:
		return nil
	case Bool:
		return n.Text == "true"
	case Int:
		return json.Number(n.Text)
	case Float:
		if json.Valid([]byte(n.Text)) {
			return json.Number(n.Text)
		}
	case List:
		items := make([]any, 0, len(n.Items))
		for _, i := range n.Items {
			items = append(items, i.Value())
		}
		return items
	case Map:
		fields := make(map[string]any, len(n.Fields))
		for _, f := range n.Fields {
			fields[f.Name] = f.Value.Value()
		}
		return fields
	}
	return n.Text
}

// IsEmpty reports whether the node holds nothing: null, an empty text, list or map.
func (n *Node) IsEmpty() bool {
	switch n.Shape {
	case Null:
		return true
	case Text:
		return n.Text == ""
	case List:
		return len(n.Items) == 0
	case Map:
		return len(n.Fields) == 0
	}
	return false
}

// Kind names the shape for people, without the value: "a list".
func (n *Node) Kind() string {
	switch n.Shape {
	case Null:
		return "nothing"
	case Bool:
		return "a boolean"
	case Int:
		return "an integer"
	case Float:
		return "a number with a fraction"
	case List:
		return "a list"
	case Map:
		return "a map"
	}
	return "a text"
}

// Describe names what was found for people, with the value when it is short: the text "true", 5, a list.
func (n *Node) Describe() string {
	switch n.Shape {
	case Bool, Int, Float:
		return shorten(n.Text)
	case Text:
		return "the text " + strconv.Quote(shorten(n.Text))
	}
	return n.Kind()
}

func shorten(text string) string {
	const most = 60
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}
