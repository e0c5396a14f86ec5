package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v4"
)

const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

func parseYAML(data []byte) (*Node, []Problem) {
	root, problem := compose(data)
	if problem != nil {
		return nil, []Problem{*problem}
	}
	if root == nil {
		return &Node{Shape: Map, Line: 1}, nil
	}
	c := converter{scalars: newScalars()}
	n := c.convert(root, 0)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	if n.Shape == Null {
		return &Node{Shape: Map, Line: 1}, nil
	}
	return n, nil
}

// compose gives the only document of the data, nil when there is none.
func compose(data []byte) (*yaml.Node, *Problem) {
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithV4Defaults())
	if err != nil {
		return nil, syntax(data, err)
	}
	var first, second yaml.Node
	if err := loader.Load(&first); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, syntax(data, err)
	}
	if err := loader.Load(&second); err == nil {
		return nil, &Problem{Line: second.Line, Text: "a second document starts here; one is allowed"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntax(data, err)
	}
	if first.Kind == yaml.DocumentNode {
		if len(first.Content) == 0 {
			return nil, nil
		}
		return first.Content[0], nil
	}
	return &first, nil
}

// syntax turns the library's error into a problem with its line.
func syntax(data []byte, err error) *Problem {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return &Problem{Text: "not readable as YAML: " + err.Error()}
	}
	p := &Problem{Line: load.Mark.Line, Text: "not readable as YAML: " + load.Message}
	if at(data, load.Mark.Line, load.Mark.Column) == '\t' {
		p.Text = "a tab where YAML wants blanks; indentation is made of blanks only"
	}
	return p
}

// at is the byte at a line and column, both counted from 1; 0 when there is none.
func at(data []byte, line, column int) byte {
	for ; line > 1; line-- {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			return 0
		}
		data = data[end+1:]
	}
	if line < 1 || column < 1 || column > len(data) {
		return 0
	}
	return data[column-1]
}

// converter makes our tree of the library's.
type converter struct {
	scalars  scalars
	nodes    int
	problems []Problem
	full     bool
}

func (c *converter) fail(line int, format string, args ...any) *Node {
	c.problems = append(c.problems, Problem{Line: line, Text: fmt.Sprintf(format, args...)})
	return &Node{Line: line}
}

func (c *converter) convert(n *yaml.Node, depth int) *Node {
	c.nodes++
	if c.full {
		return &Node{Line: n.Line}
	}
	if depth > maxDepth || c.nodes > maxNodes {
		c.full = true
		return c.fail(n.Line, "nested deeper than %d levels or more than %d values, aliases counted each time", maxDepth, maxNodes)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return c.convert(n.Alias, depth+1)
	case yaml.SequenceNode:
		out := &Node{Shape: List, Line: n.Line}
		for _, item := range n.Content {
			out.Items = append(out.Items, c.convert(item, depth+1))
		}
		return out
	case yaml.MappingNode:
		return c.mapping(n, depth)
	default:
		return c.scalar(n)
	}
}

func (c *converter) mapping(n *yaml.Node, depth int) *Node {
	out := &Node{Shape: Map, Line: n.Line}
	lines := map[string]int{}
	var merged []Field
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			c.fail(key.Line, "a key that is not a word")
			continue
		}
		if key.Value == "<<" && key.Style&quoted == 0 {
			merged = append(merged, c.merge(value, depth)...)
			continue
		}
		if first, twice := lines[key.Value]; twice {
			c.fail(key.Line, "key %s is given twice; it was given on line %d already", key.Value, first)
			continue
		}
		lines[key.Value] = key.Line
		out.Fields = append(out.Fields, Field{Name: key.Value, Line: key.Line, Value: c.convert(value, depth+1)})
	}
	for _, f := range merged {
		if _, given := lines[f.Name]; !given {
			lines[f.Name] = f.Line
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}

// merge gives the fields that "<<" brings in: of one map, or of several of which the first wins.
func (c *converter) merge(n *yaml.Node, depth int) []Field {
	from := c.convert(n, depth+1)
	switch from.Shape {
	case Map:
		return from.Fields
	case List:
		var fields []Field
		for _, item := range from.Items {
			fields = append(fields, item.Fields...)
		}
		return fields
	}
	c.fail(n.Line, "<< needs a map or a list of maps, found %s", from.Kind())
	return nil
}

func (c *converter) scalar(n *yaml.Node) *Node {
	if n.Style&quoted != 0 && n.Style&yaml.TaggedStyle == 0 {
		return &Node{Shape: Text, Text: n.Value, Line: n.Line}
	}
	shape, text := c.scalars.read(n.Value)
	if n.Style&yaml.TaggedStyle != 0 {
		want, known := map[string]Shape{"!!str": Text, "!!bool": Bool, "!!int": Int, "!!float": Float, "!!null": Null}[n.ShortTag()]
		if want == Text {
			return &Node{Shape: Text, Text: n.Value, Line: n.Line}
		}
		if !known || want != shape {
			return c.fail(n.Line, "the value does not fit its tag %s, or the tag is not allowed here", n.Tag)
		}
	}
	return &Node{Shape: shape, Text: text, Line: n.Line}
}
