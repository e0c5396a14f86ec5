package rest

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// omittable is a member of a body that may be left out or null, where the two mean different things.
type omittable[T any] struct {
	sent  bool
	value *T // nil for null
}

// UnmarshalJSON is called only when the member is there.
func (o *omittable[T]) UnmarshalJSON(text []byte) error {
	o.sent = true
	return json.Unmarshal(text, &o.value)
}

// Schema is that of the value, or null.
func (omittable[T]) Schema(r huma.Registry) *huma.Schema {
	s := *huma.SchemaFromType(r, reflect.TypeFor[T]())
	s.Nullable = true
	return &s
}
