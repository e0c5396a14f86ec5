package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/longshore-registry/longshore/internal/config/document"
	"github.com/longshore-registry/longshore/internal/secret"
)

// object is a piece of a JSON schema.
type object = map[string]any

// list is a list whose items have one type.
func list[T any](item valueType[T]) valueType[[]T] {
	return valueType[[]T]{
		name: "list of " + item.name, allowed: "a list, each item of it " + item.allowed, schema: object{"type": "array", "items": item.schema}, secret: item.secret,
		read: func(r *reader, n *document.Node) []T {
			if n.Shape != document.List {
				r.wrong(n)
				return nil
			}
			values := make([]T, 0, len(n.Items))
			for _, i := range n.Items {
				values = append(values, field(r, item, i))
			}
			return values
		},
	}
}

func texts() valueType[[]string] { return list(text()) }

// textOrTexts is a list of texts, or one text that stands for a list of one.
func textOrTexts() valueType[[]string] {
	return valueType[[]string]{
		name: "text or list of text", allowed: "a text or a list of texts",
		schema: object{"type": []string{"string", "array"}, "items": text().schema},
		read: func(r *reader, n *document.Node) []string {
			switch n.Shape {
			case document.Text:
				return []string{n.Text}
			case document.List:
				return texts().read(r, n)
			}
			r.wrong(n)
			return nil
		},
	}
}

// proxyCount is a number of proxies; false stands for none.
func proxyCount() valueType[Proxies] {
	return valueType[Proxies]{
		name: "integer or false", allowed: "a whole number of at least 0, or false for none", schema: object{"type": []string{"integer", "boolean"}, "minimum": 0},
		read: func(r *reader, n *document.Node) Proxies {
			if n.Shape == document.Bool && n.Text == "false" {
				return Proxies{Set: true}
			}
			whole := count()
			whole.allowed = r.allowed
			return Proxies{Count: field(r, whole, n), Set: true}
		},
	}
}

// namespaceName follows the rule for names of users and organizations.
func namespaceName() valueType[string] {
	return matching("name", `^[a-z0-9]+([._-][a-z0-9]+)*$`,
		"small letters and digits, with single dots, dashes or underscores between them")
}

// versionRange is what Quay compares a Docker client's version with: "<1.6.0", several with commas between.
func versionRange() valueType[string] {
	const one = `(==|<=|<|>=|>|!=)?[0-9]+(\.[0-9]+){0,2}`
	return matching("version range", `^`+one+`(,`+one+`)*$`, "a range of versions such as <1.6.0")
}

// artifactTypes maps media types of configs to lists of media types of layers.
func artifactTypes() valueType[map[string][]string] {
	const pattern = `^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*$`
	mediaType := matching("media type", pattern, "a media type such as application/vnd.cncf.helm.config.v1+json")
	is := regexp.MustCompile(pattern)
	return valueType[map[string][]string]{
		name: "map of media type to list of media type", allowed: "a map of config media types to lists of layer media types",
		schema: object{"type": "object", "additionalProperties": object{"type": []string{"array", "null"}, "items": mediaType.schema}},
		read: func(r *reader, n *document.Node) map[string][]string {
			if n.Shape != document.Map {
				r.wrong(n)
				return nil
			}
			types := make(map[string][]string, len(n.Fields))
			for _, f := range n.Fields {
				if !is.MatchString(f.Name) {
					r.wrongs = append(r.wrongs, wrong{f.Line, "found the key " + f.Name + "; allowed: " + mediaType.allowed})
				}
				layers := []string{}
				if f.Value.Shape != document.Null {
					layers = field(r, list(mediaType), f.Value)
				}
				types[f.Name] = layers
			}
			return types
		},
	}
}

// databaseURI is checked for its form only; which databases this version has is decided later.
func databaseURI() valueType[secret.String] {
	return valueType[secret.String]{
		name: "secret", secret: true, schema: object{"type": "string"},
		allowed: "a text: postgresql://user:password@host:port/name or sqlite:///file",
		read: func(r *reader, n *document.Node) secret.String {
			if n.Shape != document.Text {
				r.wrong(n)
				return secret.String{}
			}
			scheme, rest, ok := strings.Cut(n.Text, "://")
			switch {
			case !ok || rest == "":
				r.wrongs = append(r.wrongs, wrong{n.Line, "found a text that is not a database URI; allowed: " + r.allowed})
			case !slices.Contains([]string{"postgresql", "postgres", "mysql", "mariadb", "sqlite"}, baseScheme(scheme)):
				r.wrongs = append(r.wrongs, wrong{n.Line, "found the database " + scheme + "; allowed: " + r.allowed})
			case scheme == "sqlite" && (!strings.HasPrefix(rest, "/") || rest == "/"):
				r.wrongs = append(r.wrongs, wrong{n.Line, "found sqlite:// without a file; allowed: sqlite:///relative/file or sqlite:////absolute/file"})
			}
			return secret.New(n.Text)
		},
	}
}

// baseScheme is a database scheme without its Python driver: postgresql of postgresql+psycopg2.
func baseScheme(scheme string) string {
	base, _, _ := strings.Cut(strings.ToLower(scheme), "+")
	return base
}

const localStorage = "LocalStorage"

// otherDrivers are Quay's storage drivers that this version lacks.
func otherDrivers() []string {
	return []string{
		"S3Storage", "CloudFrontedS3Storage", "RadosGWStorage", "RHOCSStorage", "GoogleCloudStorage", "AzureStorage", "SwiftStorage",
		"CloudFlareStorage", "MultiCDNStorage", "IBMCloudStorage", "STSS3Storage", "AkamaiS3Storage",
	}
}

// storageLocations reads {id: [driver, {arguments}]}. Arguments of drivers that this version lacks are not looked at.
func storageLocations() valueType[[]Location] {
	return valueType[[]Location]{
		name: "map of id to [driver, arguments]", allowed: "a map of location ids to [driver, {arguments}]",
		schema: object{"type": "object", "additionalProperties": object{"type": "array", "prefixItems": []any{
			object{"enum": append([]string{localStorage}, otherDrivers()...)}, object{"type": "object"}}, "minItems": 2, "maxItems": 2}},
		read: func(r *reader, n *document.Node) []Location {
			if n.Shape != document.Map {
				r.wrong(n)
				return nil
			}
			var locations []Location
			for _, f := range n.Fields {
				locations = append(locations, readLocation(r, f))
			}
			return locations
		},
	}
}

func readLocation(r *reader, f document.Field) Location {
	l := Location{ID: f.Name}
	v := f.Value
	if v.Shape != document.List || len(v.Items) != 2 || v.Items[0].Shape != document.Text || v.Items[1].Shape != document.Map {
		r.wrongs = append(r.wrongs, wrong{v.Line, "location " + f.Name + ": found " + v.Kind() + "; allowed: a list of a driver's name and a map of its arguments"})
		return l
	}
	l.Driver = v.Items[0].Text
	if slices.Contains(otherDrivers(), l.Driver) {
		return l
	}
	if l.Driver != localStorage {
		r.wrongs = append(r.wrongs, wrong{v.Items[0].Line, "location " + f.Name + ": found the driver " + strconv.Quote(l.Driver) + "; allowed: " +
			quoteList(append([]string{localStorage}, otherDrivers()...))})
		return l
	}
	path := v.Items[1].Get("storage_path")
	if path == nil || path.Shape != document.Text || path.Text == "" {
		r.wrongs = append(r.wrongs, wrong{v.Items[1].Line, "location " + f.Name + ": LocalStorage needs storage_path, the folder of the blobs"})
		return l
	}
	l.Path = path.Text
	return l
}
