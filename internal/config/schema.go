package config

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/longshore-registry/longshore/internal/config/document"
)

// JSONSchema is the schema of config.yaml for editors. Unknown keys are allowed, as they are for the program.
func JSONSchema() ([]byte, error) {
	root := object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "Configuration of Longshore: Quay's config.yaml",
		"type":        "object",
		"description": "Generated from the table in internal/config. Null counts as not given.",
	}
	for _, c := range Chapters() {
		for _, k := range c.Keys {
			put(root, strings.Split(k.Name, "."), k)
		}
	}
	text, err := json.MarshalIndent(root, "", "  ")
	return append(text, '\n'), err
}

// put adds a row's schema under the maps its name leads into. The rows of maps come before those of their entries.
func put(into object, path []string, k Key) {
	name, where := path[0], "properties"
	if strings.Contains(name, "*") {
		where, name = "patternProperties", "^"+strings.ReplaceAll(regexp.QuoteMeta(name), `\*`, ".+")+"$"
	}
	if len(path) == 1 {
		add(into, where, name, keySchema(k))
		for _, a := range k.Aliases {
			add(into, where, a, keySchema(k))
		}
		return
	}
	put(into[where].(object)[name].(object), path[1:], k)
}

func add(into object, where, name string, schema object) {
	if into[where] == nil {
		into[where] = object{}
	}
	into[where].(object)[name] = schema
}

func keySchema(k Key) object {
	s := object{"description": k.Meaning(), "x-longshore-kind": k.Kind.String()}
	for name, value := range k.Schema() {
		if name == "pattern" && k.Kind != Used {
			continue // Quay's configuration tool writes empty texts
		}
		s[name] = orNull(name, value)
	}
	if k.Default != "" {
		if root, problems := document.Parse([]byte("default: " + k.Default)); len(problems) == 0 {
			s["default"] = root.Get("default").Value()
		}
	}
	if k.Deprecated() {
		s["deprecated"] = true
	}
	if k.TypeName() == "secret" {
		s["writeOnly"] = true
	}
	return s
}

// orNull lets null through wherever a type or a choice would keep it out.
func orNull(name string, value any) any {
	switch v := value.(type) {
	case string:
		if name == "type" {
			return []string{v, "null"}
		}
	case []string:
		if name == "type" {
			return append([]string{"null"}, v...)
		}
		if name == "enum" {
			choices := []any{}
			for _, choice := range v {
				choices = append(choices, choice)
			}
			return append(choices, nil)
		}
	}
	return value
}
