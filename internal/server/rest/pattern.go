package rest

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// repositoryVariable is the one variable of a pattern that takes more than one segment: namespace/name[/more].
const repositoryVariable = "repository"

// maxPathLength bounds what is parsed; the longest legitimate path is a 255-byte namespace and name with a tag.
const maxPathLength = 4096

// pattern is a path of the route table in Quay's notation: literal segments, {variables} of one segment, and at most
// one {repository}. A final slash is part of it.
type pattern struct {
	source string
	before []segment
	after  []segment // behind {repository}
	nested bool      // has {repository}
	slash  bool
}

type segment struct {
	text     string // the literal, or the variable's name
	variable bool
}

func parsePattern(source string) pattern {
	p := pattern{source: source, slash: strings.HasSuffix(source, "/")}
	for part := range strings.SplitSeq(strings.Trim(source, "/"), "/") {
		name, variable := strings.CutPrefix(part, "{")
		name = strings.TrimSuffix(name, "}")
		switch {
		case variable && name == repositoryVariable:
			p.nested = true
		case p.nested:
			p.after = append(p.after, segment{name, variable})
		default:
			p.before = append(p.before, segment{name, variable})
		}
	}
	return p
}

// fixed is how many segments stand outside the repository's name.
func (p pattern) fixed() int { return len(p.before) + len(p.after) }

func (p pattern) literals() int {
	n := 0
	for _, s := range p.before {
		if !s.variable {
			n++
		}
	}
	for _, s := range p.after {
		if !s.variable {
			n++
		}
	}
	return n
}

// Path is what a request's path says, parsed once for router, permission and handler.
type Path struct {
	Namespace string // of {repository}: its first segment
	Name      string // of {repository}: everything after the first segment
	variables map[string]string
}

// Variable is the value of a pattern's variable; {repository} is "namespace/name".
func (p Path) Variable(name string) string { return p.variables[name] }

// requestPath is a request's path in unescaped segments. A segment may hold a slash that was sent as %2F.
type requestPath struct {
	segments []string
	slash    bool
}

// parsePath splits the path as it was sent. It refuses what no route has: empty segments, bytes that are no text,
// more than maxPathLength.
func parsePath(escaped string) (requestPath, bool) {
	if len(escaped) > maxPathLength || !strings.HasPrefix(escaped, "/") {
		return requestPath{}, false
	}
	trimmed, slash := strings.CutSuffix(escaped[1:], "/")
	parts := strings.Split(trimmed, "/")
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil || text == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			return requestPath{}, false
		}
		parts[i] = text
	}
	return requestPath{segments: parts, slash: slash}, true
}

// match binds a path to the pattern. What stands between the fixed segments is the repository's name and must hold a
// namespace and a name; a segment with an escaped slash can only be part of it. Without the final slash that the
// pattern has, a path still matches: the caller redirects.
func (p pattern) match(path requestPath) (Path, bool) {
	segments := path.segments
	if path.slash && !p.slash || len(segments) < p.fixed() || !p.nested && len(segments) != p.fixed() {
		return Path{}, false
	}
	end := len(segments) - len(p.after)
	if !agree(p.before, segments) || !agree(p.after, segments[end:]) {
		return Path{}, false
	}
	found := Path{variables: map[string]string{}}
	bind(p.before, segments, found.variables)
	bind(p.after, segments[end:], found.variables)
	if p.nested {
		whole := strings.Join(segments[len(p.before):end], "/")
		namespace, name, ok := strings.Cut(whole, "/")
		if !ok || namespace == "" || name == "" {
			return Path{}, false
		}
		found.Namespace, found.Name = namespace, name
		found.variables[repositoryVariable] = whole
	}
	return found, true
}

func agree(pattern []segment, values []string) bool {
	for i, s := range pattern {
		if strings.Contains(values[i], "/") || !s.variable && s.text != values[i] {
			return false
		}
	}
	return true
}

func bind(pattern []segment, values []string, variables map[string]string) {
	for i, s := range pattern {
		if s.variable {
			variables[s.text] = values[i]
		}
	}
}
