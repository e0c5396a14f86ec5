package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ParseJSON reads a JSON document. The Node is nil when there are problems.
func ParseJSON(data []byte) (*Node, []Problem) {
	if len(data) > MaxBytes {
		return nil, []Problem{{Text: fmt.Sprintf("%d bytes; at most %d are allowed", len(data), MaxBytes)}}
	}
	d := jsonReader{data: data, line: 1, tokens: json.NewDecoder(bytes.NewReader(data))}
	d.tokens.UseNumber()
	n := d.value(0)
	if n != nil && len(d.problems) == 0 {
		if _, err := d.tokens.Token(); !errors.Is(err, io.EOF) {
			d.fail("more text after the JSON value; one value is allowed")
		}
	}
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	return n, nil
}

type jsonReader struct {
	data     []byte
	tokens   *json.Decoder
	offset   int // up to here line is counted
	line     int
	problems []Problem
}

func (d *jsonReader) fail(format string, args ...any) {
	d.problems = append(d.problems, Problem{Line: d.line, Text: fmt.Sprintf(format, args...)})
}

// next is the next token; d.line is the line it ends on.
func (d *jsonReader) next() (json.Token, bool) {
	token, err := d.tokens.Token()
	end := min(int(d.tokens.InputOffset()), len(d.data))
	d.line += bytes.Count(d.data[d.offset:end], []byte{'\n'})
	d.offset = end
	if err != nil {
		d.fail("not readable as JSON: %s", reason(err))
		return nil, false
	}
	return token, true
}

func reason(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends too early"
	}
	return err.Error()
}

// value reads one value; nil means that reading cannot go on.
func (d *jsonReader) value(depth int) *Node {
	token, ok := d.next()
	if !ok {
		return nil
	}
	if depth > maxDepth {
		d.fail("nested deeper than %d levels", maxDepth)
		return nil
	}
	n := &Node{Line: d.line}
	switch t := token.(type) {
	case bool:
		n.Shape, n.Text = Bool, fmt.Sprint(t)
	case string:
		n.Shape, n.Text = Text, t
	case json.Number:
		n.Shape, n.Text = Int, t.String()
		if strings.ContainsAny(n.Text, ".eE") {
			n.Shape = Float
		}
	case json.Delim:
		if t == '[' {
			return d.list(n, depth)
		}
		return d.object(n, depth)
	}
	return n
}

func (d *jsonReader) list(n *Node, depth int) *Node {
	n.Shape = List
	for d.tokens.More() {
		item := d.value(depth + 1)
		if item == nil {
			return nil
		}
		n.Items = append(n.Items, item)
	}
	_, ok := d.next()
	return n.orNil(ok)
}

func (d *jsonReader) object(n *Node, depth int) *Node {
	n.Shape = Map
	lines := map[string]int{}
	for d.tokens.More() {
		token, ok := d.next()
		name, isText := token.(string)
		if !ok {
			return nil
		}
		if !isText {
			d.fail("not readable as JSON: a key that is not a text")
			return nil
		}
		line := d.line
		value := d.value(depth + 1)
		if value == nil {
			return nil
		}
		if first, twice := lines[name]; twice {
			d.problems = append(d.problems, Problem{Line: line, Text: fmt.Sprintf("key %s is given twice; it was given on line %d already", name, first)})
			continue
		}
		lines[name] = line
		n.Fields = append(n.Fields, Field{Name: name, Line: line, Value: value})
	}
	_, ok := d.next()
	return n.orNil(ok)
}

func (n *Node) orNil(ok bool) *Node {
	if !ok {
		return nil
	}
	return n
}
