package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// swaggerCheck collects what breaks the rules of Swagger 2.0 (OpenAPI Specification 2.0, "Schema").
type swaggerCheck struct {
	t    *testing.T
	root object
}

func (c *swaggerCheck) wrong(where, format string, args ...any) {
	c.t.Helper()
	c.t.Errorf("%s: %s", where, fmt.Sprintf(format, args...))
}

// only reports members that an object of the specification does not have; extensions begin with x-.
func (c *swaggerCheck) only(where string, o object, allowed string) {
	for name := range o {
		if !strings.HasPrefix(name, "x-") && !slices.Contains(strings.Fields(allowed), name) {
			c.wrong(where, "there is no member %s", name)
		}
	}
}

const itemWords = "type format items default maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems enum multipleOf collectionFormat"

func (c *swaggerCheck) schema(where string, v any) {
	s, ok := v.(object)
	if !ok {
		c.wrong(where, "is no object")
		return
	}
	if ref, ok := s["$ref"].(string); ok {
		name, local := strings.CutPrefix(ref, "#/definitions/")
		definitions, _ := c.root["definitions"].(object)
		if _, there := definitions[name]; !local || !there {
			c.wrong(where, "%s leads nowhere", ref)
		}
		return
	}
	c.only(where, s, itemWords+" title description maxProperties minProperties required properties additionalProperties allOf discriminator readOnly xml externalDocs example")
	if t, there := s["type"]; there {
		if name, text := t.(string); !text || !slices.Contains([]string{"array", "boolean", "integer", "number", "object", "string"}, name) {
			c.wrong(where, "type is %v", t)
		}
	}
	if s["type"] == "array" && s["items"] == nil {
		c.wrong(where, "an array without items")
	}
	properties, _ := s["properties"].(object)
	for name, p := range properties {
		c.schema(where+"."+name, p)
	}
	required, _ := s["required"].([]any)
	for _, name := range required {
		if _, there := properties[name.(string)]; !there {
			c.wrong(where, "requires %v, which it does not have", name)
		}
	}
	if s["items"] != nil {
		c.schema(where+"[]", s["items"])
	}
	if more, ok := s["additionalProperties"].(object); ok {
		c.schema(where+"{}", more)
	}
}

func (c *swaggerCheck) parameters(where, path string, list any) {
	inPath, bodies, seen := map[string]bool{}, 0, map[string]bool{}
	all, ok := list.([]any)
	if !ok {
		c.wrong(where, "has no parameters")
	}
	for _, one := range all {
		p := one.(object)
		name, in := p["name"].(string), p["in"].(string)
		at := where + " " + name
		if seen[in+name] {
			c.wrong(at, "is there twice")
		}
		seen[in+name] = true
		if in == "body" {
			bodies++
			c.only(at, p, "name in description required schema")
			c.schema(at, p["schema"])
			continue
		}
		c.only(at, p, itemWords+" name in description required allowEmptyValue")
		if !slices.Contains([]any{"string", "number", "integer", "boolean", "array"}, p["type"]) {
			c.wrong(at, "type is %v", p["type"])
		}
		switch in {
		case "path":
			inPath[name] = true
			if p["required"] != true {
				c.wrong(at, "is in the path and not required")
			}
		case "query", "header":
		default:
			c.wrong(at, "is in %s", in)
		}
	}
	if bodies > 1 {
		c.wrong(where, "has %d bodies", bodies)
	}
	for _, match := range regexp.MustCompile(`\{([^}]+)\}`).FindAllStringSubmatch(path, -1) {
		if !inPath[match[1]] {
			c.wrong(where, "{%s} has no parameter", match[1])
		}
		delete(inPath, match[1])
	}
	for name := range inPath {
		c.wrong(where, "%s is not in the path", name)
	}
}

func (c *swaggerCheck) operation(where, path string, op, scopes object, ids map[string]bool) {
	c.only(where, op, "tags summary description externalDocs operationId consumes produces parameters responses schemes deprecated security")
	id, _ := op["operationId"].(string)
	if id == "" || ids[id] {
		c.wrong(where, "operationId %q is empty or not the only one", id)
	}
	ids[id] = true
	c.parameters(where, path, op["parameters"])
	responses, _ := op["responses"].(object)
	success, failures := 0, 0
	for status, r := range responses {
		response := r.(object)
		c.only(where+" "+status, response, "description schema headers examples")
		if text, _ := response["description"].(string); text == "" {
			c.wrong(where+" "+status, "has no description")
		}
		if response["schema"] != nil {
			c.schema(where+" "+status, response["schema"])
		}
		if status < "400" {
			success++
		} else if s, _ := response["schema"].(object); s["$ref"] == "#/definitions/ApiError" {
			failures++
		}
	}
	if success == 0 || failures == 0 {
		c.wrong(where, "%d answers of success, %d with ApiError", success, failures)
	}
	security, ok := op["security"].([]any)
	if !ok {
		c.wrong(where, "says nothing about security")
	}
	for _, one := range security {
		for name, list := range one.(object) {
			if name != "oauth2_implicit" {
				c.wrong(where, "security %s is not defined", name)
			}
			for _, scope := range list.([]any) {
				if scopes[scope.(string)] == nil {
					c.wrong(where, "scope %v is not defined", scope)
				}
			}
		}
	}
}

// document checks the whole and gives the operations.
func (c *swaggerCheck) document() map[string]object {
	c.only("the document", c.root, "swagger info host basePath schemes consumes produces paths definitions parameters responses securityDefinitions security tags externalDocs")
	info, _ := c.root["info"].(object)
	if c.root["swagger"] != "2.0" || info["title"] == nil || info["version"] == nil || c.root["basePath"] != "/" {
		c.wrong("the document", "swagger %v, info %v, basePath %v", c.root["swagger"], info, c.root["basePath"])
	}
	definitions, _ := c.root["definitions"].(object)
	for name, d := range definitions {
		c.schema(name, d)
	}
	security := c.root["securityDefinitions"].(object)["oauth2_implicit"].(object)
	if security["type"] != "oauth2" || security["flow"] != "implicit" || security["authorizationUrl"] == "" {
		c.wrong("securityDefinitions", "%v", security)
	}
	ids, all := map[string]bool{}, map[string]object{}
	for path, v := range c.root["paths"].(object) {
		item := v.(object)
		c.only(path, item, "get put post delete options head patch parameters")
		if !strings.HasPrefix(path, "/") || item["x-name"] == nil || item["x-path"] != path || item["x-tag"] == nil {
			c.wrong(path, "x-name %v, x-path %v, x-tag %v", item["x-name"], item["x-path"], item["x-tag"])
		}
		for method, op := range item {
			if strings.HasPrefix(method, "x-") {
				continue
			}
			c.operation(method+" "+path, path, op.(object), security["scopes"].(object), ids)
			all[op.(object)["operationId"].(string)] = op.(object)
		}
	}
	return all
}

func TestDiscovery(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	ask := func(t *testing.T, query string) (object, map[string]object) {
		a := (&client{w: w, header: http.Header{}}).do(http.MethodGet, "/api/v1/discovery"+query, "", header("User-Agent", "Mozilla/5.0"))
		wantStatus(t, "the document", a, 200)
		var root object
		if err := json.Unmarshal([]byte(a.body), &root); err != nil {
			t.Fatal(err)
		}
		check := &swaggerCheck{t: t, root: root}
		return root, check.document()
	}
	t.Run("for clients", func(t *testing.T) {
		root, operations := ask(t, "")
		if operations["signinUser"] != nil || operations["getChangeLog"] != nil || operations["getRepoBuilds"] != nil {
			t.Error("it has what only consoles call, or what is switched off")
		}
		if operations["deleteOrganization"]["x-requires-fresh-login"] != true {
			t.Error("it does not say what needs a fresh login")
		}
		if root["host"] != "registry.test" {
			t.Errorf("host %v", root["host"])
		}
		robots := root["paths"].(object)["/api/v1/organization/{orgname}/robots"].(object)
		twin := root["paths"].(object)["/api/v1/user/robots"].(object)
		if robots["x-user-related"] == nil || robots["x-user-related"] != twin["x-name"] {
			t.Errorf("the user's side of an organization's robots is %v, want %v", robots["x-user-related"], twin["x-name"])
		}
	})
	t.Run("for consoles", func(t *testing.T) {
		_, operations := ask(t, "?internal=true")
		for id, r := range w.api.rows {
			if there := operations[id] != nil; there != (r.Off == 0 && strings.HasPrefix(r.Path, prefix)) {
				t.Errorf("%s is in it: %v", id, there)
			}
		}
		if operations["signinUser"]["x-internal"] != true || operations["listRepos"]["x-internal"] != nil {
			t.Error("it does not tell what only consoles call")
		}
	})
}
