package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// object is a piece of a JSON document that is built by hand.
type object = map[string]any

// swagger is the document of /api/v1/discovery but for what depends on the request.
type swagger struct {
	paths       object // operations for everybody who writes clients
	all         object // those of consoles too
	definitions object
}

type discoveryInput struct {
	Internal bool `query:"internal" doc:"also what only consoles call"`
}

type discoveryOutput struct{ Body map[string]any }

// getDiscovery describes the API as Swagger 2.0 with Quay's extensions (rest-api §23).
func (a *API) getDiscovery(_ context.Context, c *Call, in *discoveryInput) (*discoveryOutput, error) {
	s, err := a.swagger()
	if err != nil {
		return nil, err
	}
	paths := s.paths
	if in.Internal {
		paths = s.all
	}
	scopes := object{}
	for _, scope := range scopeDescriptions() {
		scopes[scope[0]] = scope[1]
	}
	return &discoveryOutput{object{
		"swagger": "2.0", "host": c.Record.Host, "basePath": "/", "schemes": []string{c.Record.Scheme},
		"info": object{"title": "Longshore", "version": a.options.Version, "description": "The registry's API, compatible with Quay's."},
		"securityDefinitions": object{oauthScheme: object{
			"type": "oauth2", "flow": "implicit", "authorizationUrl": c.Record.URL(authorizePath), "scopes": scopes,
		}},
		"paths": paths, "definitions": s.definitions, "tags": tagsOf(paths),
	}}, nil
}

const (
	oauthScheme   = "oauth2_implicit"
	errorSchema   = "ApiError"
	openAPIPrefix = "#/components/schemas/"
)

// scopeDescriptions are the OAuth scopes with what they allow.
func scopeDescriptions() [][2]string {
	return [][2]string{
		{"org:admin", "Administer organizations, teams and robots"}, {"repo:admin", "Administer repositories"},
		{"repo:create", "Create repositories"}, {"repo:read", "See repositories"}, {"repo:write", "Change repositories"},
		{"super:user", "Administer the registry"}, {"user:admin", "Administer the own account"}, {"user:read", "See the own account"},
	}
}

// internal reports whether only consoles call the operation: what is about a session, and the superuser panel.
func (r *route) internal() bool {
	return r.Need.on == onRegistry || r.Need.on == onFirstRun || r.Need.on == onNothing && r.changes()
}

// buildSwagger makes the document from the rows and from what huma made of them.
func (a *API) buildSwagger() (*swagger, error) {
	s := &swagger{paths: object{}, all: object{}, definitions: object{errorSchema: errorDefinition()}}
	for name, schema := range a.huma.OpenAPI().Components.Schemas.Map() {
		converted, err := swaggerSchema(schema)
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
		s.definitions[name] = converted
	}
	for _, id := range slices.Sorted(maps.Keys(a.rows)) {
		r := a.rows[id]
		if r.Off != 0 || !strings.HasPrefix(r.Path, prefix) {
			continue
		}
		op, err := swaggerOperation(r)
		if err != nil {
			return nil, fmt.Errorf("operation %s: %w", id, err)
		}
		a.addOperation(s.all, r, op)
		if !r.internal() {
			a.addOperation(s.paths, r, op)
		}
	}
	return s, nil
}

func (a *API) addOperation(paths object, r *route, op object) {
	item, ok := paths[r.Path].(object)
	if !ok {
		item = object{"x-name": resourceName(r.Path), "x-path": r.Path, "x-tag": tagOf(r.Path)}
		if twin := strings.Replace(r.Path, "/organization/{orgname}/", "/user/", 1); twin != r.Path && a.hasPath(twin) {
			item["x-user-related"] = resourceName(twin)
		}
		paths[r.Path] = item
	}
	item[strings.ToLower(r.Method)] = op
}

func (a *API) hasPath(path string) bool {
	return slices.ContainsFunc(a.table.entries, func(e *entry) bool { return e.pattern.source == path })
}

// tagOf groups operations: by what stands behind a repository or an organization, else by the first word.
func tagOf(path string) string {
	words := strings.Split(strings.Trim(strings.TrimPrefix(path, prefix), "/"), "/")
	if len(words) > 2 && (words[1] == "{"+repositoryVariable+"}" || words[1] == "{orgname}") {
		return words[2]
	}
	return words[0]
}

// resourceName is the resource's name for generated clients: tag, and the words of the path.
func resourceName(path string) string {
	name := ""
	for _, word := range strings.FieldsFunc(strings.TrimPrefix(path, prefix), func(r rune) bool { return strings.ContainsRune("/{}_-.", r) }) {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	return "api." + tagOf(path) + "." + name
}

func tagsOf(paths object) []object {
	names := map[string]bool{}
	for path := range paths {
		names[tagOf(path)] = true
	}
	tags := []object{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		tags = append(tags, object{"name": name, "description": "Operations on " + name})
	}
	return tags
}

func swaggerOperation(r *route) (object, error) {
	parameters, err := swaggerParameters(r)
	if err != nil {
		return nil, err
	}
	responses, err := swaggerResponses(r)
	if err != nil {
		return nil, err
	}
	op := object{
		"operationId": r.ID, "summary": r.Summary, "description": r.Summary, "tags": []string{tagOf(r.Path)},
		"produces": []string{"application/json"}, "parameters": parameters, "responses": responses, "security": []object{},
	}
	if r.schema() != nil {
		op["consumes"] = []string{"application/json"}
	}
	if r.Need.on != onNothing {
		op["security"] = []object{{oauthScheme: []string{r.Need.scope.String()}}}
	}
	if r.FreshLogin {
		op["x-requires-fresh-login"] = true
	}
	if r.internal() {
		op["x-internal"] = true
	}
	return op, nil
}

func swaggerParameters(r *route) ([]object, error) {
	all := []object{}
	for _, p := range r.op.Parameters {
		if p.In != "path" && p.In != "query" && p.In != "header" {
			continue
		}
		schema, err := swaggerSchema(p.Schema)
		if err != nil {
			return nil, err
		}
		delete(schema, "x-nullable")
		schema["name"], schema["in"], schema["required"] = p.Name, p.In, p.Required
		if p.Description != "" {
			schema["description"] = p.Description
		}
		all = append(all, schema)
	}
	if body := r.schema(); body != nil {
		schema, err := swaggerSchema(body)
		if err != nil {
			return nil, err
		}
		all = append(all, object{"name": "body", "in": "body", "required": true, "description": "Request body contents.", "schema": schema})
	}
	return all, nil
}

func swaggerResponses(r *route) (object, error) {
	all := object{}
	for status, text := range map[int]string{
		http.StatusBadRequest: "Bad Request", http.StatusUnauthorized: "Session required", http.StatusForbidden: "Unauthorized access", http.StatusNotFound: "Not found",
	} {
		all[strconv.Itoa(status)] = object{"description": text, "schema": object{"$ref": "#/definitions/" + errorSchema}}
	}
	for status, response := range r.op.Responses {
		if status == "default" {
			continue
		}
		answer := object{"description": cmp.Or(response.Description, "Successful invocation")}
		if media := response.Content["application/json"]; media != nil && media.Schema != nil {
			schema, err := swaggerSchema(media.Schema)
			if err != nil {
				return nil, err
			}
			answer["schema"] = schema
		}
		all[status] = answer
	}
	return all, nil
}

func errorDefinition() object {
	text := func(doc string) object { return object{"type": "string", "description": doc} }
	return object{"type": "object", "required": []string{"status", "type", "title"}, "properties": object{
		"status": object{"type": "integer", "description": "Status code of the answer."},
		"type":   text("Address of the error type's description."), "detail": text("What is wrong, for people."),
		"title": text("What is wrong, for programs."), "error_type": text("The same as title."), "error_message": text("The same as detail."),
	}}
}

// swaggerSchema turns a schema of JSON Schema 2020-12 into one of Swagger 2.0, which knows fewer words.
func swaggerSchema(schema *huma.Schema) (object, error) {
	text, err := json.Marshal(schema)
	if err != nil {
		return nil, err
	}
	var whole object
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, err
	}
	return older(whole), nil
}

// schemaWords are the words that mean the same in both.
func schemaWords() []string {
	return []string{
		"description", "default", "format", "enum", "minimum", "maximum", "multipleOf", "minLength", "maxLength", "pattern",
		"minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "required", "title", "readOnly",
	}
}

func older(schema object) object {
	if ref, ok := schema["$ref"].(string); ok {
		return object{"$ref": "#/definitions/" + strings.TrimPrefix(ref, openAPIPrefix)}
	}
	out := object{}
	for _, word := range schemaWords() {
		if value, ok := schema[word]; ok {
			out[word] = value
		}
	}
	switch t := schema["type"].(type) {
	case string:
		out["type"] = t
	case []any: // a type, or null
		for _, one := range t {
			if one == "null" {
				out["x-nullable"] = true
			} else {
				out["type"] = one
			}
		}
	}
	if items, ok := schema["items"].(object); ok {
		out["items"] = older(items)
	}
	if properties, ok := schema["properties"].(object); ok {
		converted := object{}
		for name, property := range properties {
			if property, ok := property.(object); ok {
				converted[name] = older(property)
			}
		}
		out["properties"] = converted
	}
	switch more := schema["additionalProperties"].(type) {
	case bool:
		out["additionalProperties"] = more
	case object:
		out["additionalProperties"] = older(more)
	}
	return out
}
