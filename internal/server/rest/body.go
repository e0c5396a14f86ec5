package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/intake"
)

// maxNesting is how deep objects and arrays of a body may stand in one another.
const maxNesting = 32

// readBody reads a JSON body within the row's limit and keeps only the members that its schema knows, spelled exactly
// so. What is validated is therefore what is bound: encoding/json alone would also take members in another case, and
// a member given twice would be checked as one value and bound as the other.
func (x *exchange) readBody(ctx context.Context, schemas huma.Registry) error {
	x.body = http.NoBody
	schema := x.route.schema()
	if schema == nil {
		return nil
	}
	raw, err := x.call.Record.Intake.Read(ctx, x.r.Body, intake.Body{
		Name: "request body", Account: payer(x.call.Principal), Announced: x.r.ContentLength, Limit: x.maxBody(),
	})
	if errors.Is(err, intake.ErrSlow) {
		return abort(http.StatusRequestTimeout, "%s", problem.From(err).Message)
	}
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	if sent := x.r.Header.Get("Content-Type"); !isJSON(sent) {
		return invalidRequest("Missing JSON body: the Content-Type is %q, send application/json", sent)
	}
	value, err := decode(raw)
	if err != nil {
		return err
	}
	value = keepKnown(value, schema, schemas)
	if err := checkTypes("body", value, schema, schemas); err != nil {
		return err
	}
	known, err := json.Marshal(value)
	x.body = bytes.NewReader(known)
	return err
}

// maxBody is the limit of this request's body in bytes: the row's, and for nobody in particular a small one, whatever
// the row.
func (x *exchange) maxBody() int64 {
	if x.call.Principal.IsAnonymous() {
		return min(x.route.maxBody(), smallBody)
	}
	return x.route.maxBody()
}

// payer is the account whose request it is, empty for nobody's.
func payer(p identity.Principal) string {
	if p.IsAnonymous() {
		return ""
	}
	return p.Account.Name
}

// isJSON takes application/json, anything with the suffix +json, and no type at all.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

func decode(raw []byte) (any, error) {
	if err := checkTokens(raw); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, notJSON(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, invalidRequest("the request body has more than one JSON value")
	}
	return value, nil
}

func checkTokens(raw []byte) error {
	depth := 0
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return notJSON(err)
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > maxNesting {
			return invalidRequest("the request body nests deeper than %d levels", maxNesting)
		}
		if text, ok := token.(string); ok && !storable(text) {
			return invalidRequest("the request body has a NUL character in a string")
		}
	}
}

// storable reports whether a text can be stored: PostgreSQL keeps neither NUL nor bytes that are no UTF-8.
func storable(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

func notJSON(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return invalidRequest("the request body is not JSON: %s at byte %d", syntax, syntax.Offset)
	}
	return invalidRequest("the request body is not JSON: it ends in the middle of a value")
}

// checkTypes refuses what the validation of schemas lets pass: null for a member that may be left out but has a type,
// and numbers that no number of a computer can hold.
func checkTypes(at string, value any, schema *huma.Schema, schemas huma.Registry) error {
	for schema != nil && schema.Ref != "" {
		schema = schemas.SchemaFromRef(schema.Ref)
	}
	switch v := value.(type) {
	case nil:
		if schema != nil && schema.Type != "" && !schema.Nullable {
			return invalidRequest("%s: expected %s, found null", at, schema.Type)
		}
	case json.Number:
		if _, err := v.Float64(); err != nil {
			return invalidRequest("%s: the number is out of range", at)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if err := checkTypes(at+"."+name, v[name], propertyOf(schema, name), schemas); err != nil {
				return err
			}
		}
	case []any:
		for i, item := range v {
			if err := checkTypes(fmt.Sprintf("%s[%d]", at, i), item, itemsOf(schema), schemas); err != nil {
				return err
			}
		}
	}
	return nil
}

func propertyOf(schema *huma.Schema, name string) *huma.Schema {
	if schema == nil {
		return nil
	}
	return schema.Properties[name]
}

func itemsOf(schema *huma.Schema) *huma.Schema {
	if schema == nil {
		return nil
	}
	return schema.Items
}

// keepKnown drops what the schema does not name. A schema without properties is a free object and keeps everything.
func keepKnown(value any, schema *huma.Schema, schemas huma.Registry) any {
	for schema != nil && schema.Ref != "" {
		schema = schemas.SchemaFromRef(schema.Ref)
	}
	if schema == nil {
		return value
	}
	switch v := value.(type) {
	case map[string]any:
		if len(schema.Properties) == 0 {
			return v
		}
		kept := make(map[string]any, len(schema.Properties))
		for name, property := range schema.Properties {
			if member, ok := v[name]; ok {
				kept[name] = keepKnown(member, property, schemas)
			}
		}
		return kept
	case []any:
		for i := range v {
			v[i] = keepKnown(v[i], schema.Items, schemas)
		}
	}
	return value
}

// schemaFailure puts huma's findings about a request into one sentence that names each field and its rule. The values
// that were sent are left out: one may be a password.
func schemaFailure(model *huma.ErrorModel) *failure {
	text := model.Detail
	if model.Detail == "request body is required" {
		text = "Missing JSON body"
	}
	for i, detail := range model.Errors {
		if i == 0 {
			text = ""
		} else {
			text += "; "
		}
		text += fieldText(detail)
	}
	return invalidRequest("%s", text)
}

func fieldText(detail *huma.ErrorDetail) string {
	if detail == nil {
		return "invalid request"
	}
	if detail.Location == "" {
		return detail.Message
	}
	return fmt.Sprintf("%s: %s", detail.Location, detail.Message)
}
