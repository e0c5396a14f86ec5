package registry

import (
	"strings"

	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// NameOptions says which repository names exist.
type NameOptions struct {
	Extended bool   // FEATURE_EXTENDED_REPOSITORY_NAMES: names of several segments
	Library  string // LIBRARY_NAMESPACE, the namespace of names without one; empty when FEATURE_LIBRARY_SUPPORT is off
}

const (
	minNamespace = 2   // bytes
	maxNamespace = 255 // bytes
	maxName      = 255 // bytes, of everything after the namespace
	maxTag       = 128 // bytes
)

// ParseName splits a path such as "acme/team/app" into its namespace, the first segment, and the repository's name,
// which is all the rest. Repository.Path is its inverse. Errors are NAME_INVALID, in Quay's words.
func ParseName(path string, o NameOptions) (namespace, name string, err error) {
	namespace, name, nested := strings.Cut(path, "/")
	if !nested {
		namespace, name = o.Library, path
	}
	if namespace == "" && !nested {
		return "", "", nameInvalid("A namespace must be specified explicitly")
	}
	if !validNamespace(namespace) || !validName(name) {
		return "", "", nameInvalid("Invalid repository name: %s", clip(path))
	}
	if !o.Extended && strings.Contains(name, "/") {
		return "", "", nameInvalid("Nested repositories are not supported. Found: %s", clip(path))
	}
	return namespace, name, nil
}

// ValidName reports whether a repository can have the name, which is without its namespace.
func (o NameOptions) ValidName(name string) bool {
	return validName(name) && (o.Extended || !strings.Contains(name, "/"))
}

// validNamespace is ^([a-z0-9]+(?:[._-][a-z0-9]+)*)$ of 2 to 255 bytes.
func validNamespace(s string) bool {
	if len(s) < minNamespace || len(s) > maxNamespace {
		return false
	}
	separator := true // as if one stood before: a name begins with a letter or digit
	for i := range len(s) {
		switch c := s[i]; {
		case lowerAlphanumeric(c):
			separator = false
		case (c == '.' || c == '_' || c == '-') && !separator:
			separator = true
		default:
			return false
		}
	}
	return !separator
}

// validName is ^[a-z0-9][._a-z0-9-]*(/[a-z0-9][._a-z0-9-]*)*$ of at most 255 bytes: no segment is empty or begins
// with a dot.
func validName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for segment := range strings.SplitSeq(s, "/") {
		if segment == "" || !lowerAlphanumeric(segment[0]) {
			return false
		}
		for i := range len(segment) {
			if c := segment[i]; !lowerAlphanumeric(c) && c != '.' && c != '_' && c != '-' {
				return false
			}
		}
	}
	return true
}

func lowerAlphanumeric(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// ValidTag reports whether s is a tag: [A-Za-z0-9_][A-Za-z0-9_.-]{0,127} (distribution-spec v1.1.1, "Pulling
// manifests").
func ValidTag(s string) bool {
	if s == "" || len(s) > maxTag {
		return false
	}
	for i := range len(s) {
		c := s[i]
		word := lowerAlphanumeric(c) || 'A' <= c && c <= 'Z' || c == '_'
		if !word && (i == 0 || c != '.' && c != '-') {
			return false
		}
	}
	return true
}

// ParseReference reads a tag or a digest. What has a colon is meant as a digest: DIGEST_INVALID, 400, when it is none.
// Anything else that is no tag names nothing: NotFound with TAG_INVALID, since Quay answers 404 on every method.
func ParseReference(s string) (Reference, error) {
	if strings.Contains(s, ":") {
		d, err := digest.Parse(s)
		if err != nil {
			return Reference{}, problem.Wrap(err, problem.Invalid, "%s", err.Error()).WithCode("DIGEST_INVALID")
		}
		return Reference{Digest: d}, nil
	}
	if !ValidTag(s) {
		return Reference{}, tagInvalid(problem.NotFound, s)
	}
	return Reference{Tag: s}, nil
}

// String gives the form ParseReference reads.
func (r Reference) String() string {
	if r.Digest.IsZero() {
		return r.Tag
	}
	return r.Digest.String()
}
