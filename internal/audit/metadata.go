package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/longshore-registry/longshore/internal/problem"
)

// Field is one member of an entry's metadata, under Quay's name for it.
type Field struct {
	Name  string
	value string
	form  form
}

type form uint8

const (
	text   form = iota
	number      // and whatever else is JSON as it stands
)

// Text is a field with a string.
func Text(name, value string) Field { return Field{Name: name, value: value} }

// Bool is a field with true or false.
func Bool(name string, value bool) Field {
	return Field{Name: name, value: strconv.FormatBool(value), form: number}
}

// Int is a field with a number.
func Int(name string, value int64) Field {
	return Field{Name: name, value: strconv.FormatInt(value, 10), form: number}
}

// JSON is a field with a value that encoding/json can write.
func JSON(name string, value any) (Field, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return Field{}, problem.Wrap(err, problem.Internal, "the metadata field %q cannot be written", name)
	}
	return Field{Name: name, value: string(bytes.TrimSpace(b.Bytes())), form: number}, nil
}

// Fields turns a map into fields, in the order of their names.
func Fields(values map[string]any) ([]Field, error) {
	fields := make([]Field, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		f, err := field(name, values[name])
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func field(name string, value any) (Field, error) {
	switch v := value.(type) {
	case string:
		return Text(name, v), nil
	case bool:
		return Bool(name, v), nil
	case fmt.Stringer:
		return Text(name, v.String()), nil
	}
	return JSON(name, value)
}

// appendMetadata adds the JSON object of fields to b, and the further fields that are not among them. Texts are cut to
// the limit; 0 is none.
func appendMetadata(b []byte, fields, further []Field, limit int) []byte {
	b = append(b, '{')
	for i := range fields {
		b = appendField(b, &fields[i], limit)
	}
	for i := range further {
		if !named(fields, further[i].Name) {
			b = appendField(b, &further[i], limit)
		}
	}
	return append(b, '}')
}

func named(fields []Field, name string) bool {
	for i := range fields {
		if fields[i].Name == name {
			return true
		}
	}
	return false
}

func appendField(b []byte, f *Field, limit int) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(appendQuoted(b, f.Name), ':')
	if f.form == number {
		return append(b, f.value...)
	}
	return appendQuoted(b, cut(f.value, limit))
}

// cut shortens s to at most limit bytes of whole characters.
func cut(s string, limit int) string {
	if limit <= 0 || len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// appendQuoted adds s as a JSON string. What is no UTF-8 becomes U+FFFD.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c < ' ' || c == '"' || c == '\\' || c == 0x7f {
			b = append(b, s[start:i]...)
			if c == '"' || c == '\\' {
				b = append(b, '\\', c)
			} else {
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			start = i + 1
		}
		i++
	}
	return append(append(b, s[start:]...), '"')
}
