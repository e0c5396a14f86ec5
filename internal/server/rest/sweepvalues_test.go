package rest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// badValue is a value that a schema forbids.
type badValue struct {
	name  string // what is wrong with it
	field string // the member that the error has to name
	value any
}

func (v badValue) json() string {
	text, err := json.Marshal(v.value)
	if err != nil {
		panic(err) // made of values that came out of JSON
	}
	return string(text)
}

// notOfType are values in JSON that a type does not take.
var notOfType = map[string][]string{
	huma.TypeString:  {`5`, `true`, `[]`, `{}`, `["x"]`},
	huma.TypeBoolean: {`"true"`, `1`, `0`, `[]`, `{}`},
	huma.TypeInteger: {`"5"`, `1.5`, `true`, `[]`, `{}`, `99999999999999999999999`, `1e400`, `-1e30`},
	huma.TypeNumber:  {`"5"`, `true`, `[]`, `{}`, `1e400`},
	huma.TypeArray:   {`{}`, `"x"`, `5`, `true`},
	huma.TypeObject:  {`[]`, `"x"`, `5`, `true`},
}

// schema follows references.
func (s *sweep) schema(schema *huma.Schema) *huma.Schema {
	for schema != nil && schema.Ref != "" {
		schema = s.w.api.huma.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
	}
	return schema
}

// badValues lists values that a schema forbids, each with one thing wrong in an otherwise good value.
func (s *sweep) badValues(schema *huma.Schema, good any) []badValue {
	schema = s.schema(schema)
	var all []badValue
	wrong := func(name, raw string) { all = append(all, badValue{name: name, value: json.RawMessage(raw)}) }
	for _, raw := range notOfType[schema.Type] {
		wrong(raw+" for "+schema.Type, raw)
	}
	if !schema.Nullable {
		wrong("null for "+schema.Type, "null")
	}
	if len(schema.Enum) > 0 {
		wrong("outside of the list", `"no-such-value"`)
		wrong("in another case", strconv.Quote(strings.ToLower(schema.Enum[0].(string))+" "))
	} else if schema.Type == huma.TypeString {
		wrong("too long", strconv.Quote(strings.Repeat("x", longest(schema)+1)))
	}
	if schema.MinLength != nil && *schema.MinLength > 0 {
		wrong("too short", `""`)
	}
	if schema.Minimum != nil {
		wrong("too small", strconv.FormatFloat(*schema.Minimum-1, 'f', -1, 64))
	}
	if schema.Maximum != nil {
		wrong("too large", strconv.FormatFloat(*schema.Maximum+1, 'f', -1, 64))
	}
	switch schema.Type {
	case huma.TypeObject:
		all = append(all, s.badMembers(schema, good)...)
	case huma.TypeArray:
		for _, v := range s.badValues(schema.Items, sample(s, schema.Items)) {
			all = append(all, badValue{"item: " + v.name, v.field, []any{v.value}})
		}
	}
	return all
}

// longest is how long a text may be: what has no limit of its own must have some, below what a body may hold.
func longest(schema *huma.Schema) int {
	if schema.MaxLength != nil {
		return *schema.MaxLength
	}
	return 300_000
}

// badMembers lists objects with one bad member, or without one that is required.
func (s *sweep) badMembers(schema *huma.Schema, good any) []badValue {
	object, ok := good.(map[string]any)
	if !ok {
		object, _ = sample(s, schema).(map[string]any)
	}
	var all []badValue
	for name, property := range schema.Properties {
		member, ok := object[name]
		if !ok {
			member = sample(s, property)
		}
		for _, v := range s.badValues(property, member) {
			changed := maps.Clone(object)
			changed[name] = v.value
			all = append(all, badValue{name + ": " + v.name, name, changed})
		}
	}
	for _, name := range schema.Required {
		changed := maps.Clone(object)
		delete(changed, name)
		all = append(all, badValue{"without " + name, name, changed})
	}
	slices.SortFunc(all, func(a, b badValue) int { return strings.Compare(a.name, b.name) })
	return all
}

// sample is a value that a schema allows.
func sample(s *sweep, schema *huma.Schema) any {
	schema = s.schema(schema)
	switch schema.Type {
	case huma.TypeObject:
		object := map[string]any{}
		for _, name := range schema.Required {
			object[name] = sample(s, schema.Properties[name])
		}
		return object
	case huma.TypeArray:
		return []any{}
	case huma.TypeBoolean:
		return true
	case huma.TypeInteger, huma.TypeNumber:
		return 1
	}
	if len(schema.Enum) > 0 {
		return schema.Enum[0]
	}
	return "x"
}

// badParameter lists values in a query that a parameter's schema forbids.
func badParameter(schema *huma.Schema) []string {
	values := []string{"%00", "%ff"}
	switch schema.Type {
	case huma.TypeInteger:
		values = append(values, "two", "1.5", "99999999999999999999999", "0x10", "1%2C2")
		if schema.Minimum != nil {
			values = append(values, strconv.FormatFloat(*schema.Minimum-1, 'f', -1, 64))
		}
		if schema.Maximum != nil {
			values = append(values, strconv.FormatFloat(*schema.Maximum+1, 'f', -1, 64))
		}
	case huma.TypeString:
		values = append(values, strings.Repeat("x", min(longest(schema), 10_000)+1))
		if len(schema.Enum) > 0 {
			values = append(values, "no-such-value")
		}
	}
	return values
}
