package distribution

import (
	"strings"

	"github.com/longshore-registry/longshore/internal/problem"
)

// maxScopes bounds what one token may be asked for. Clients ask for one scope, and one more for each mount source.
const maxScopes = 64

// scope is one thing that a token is asked for.
type scope struct {
	resource string // "repository" or "registry"
	name     string // as requested, with this registry's host name if the client wrote it
	path     string // name without the host name; empty for the registry
	push     bool
	pull     bool
	admin    bool // "*"
}

// parseScopes reads every scope parameter. A parameter may hold several scopes between spaces (RFC 6749, section 3.3).
func parseScopes(params []string, host string) ([]scope, error) {
	var scopes []scope
	for _, param := range params {
		for _, text := range strings.Fields(param) {
			if len(scopes) == maxScopes {
				return nil, problem.New(problem.Invalid, "more than %d scopes are requested for one token", maxScopes).WithCode("INVALID_REQUEST")
			}
			s, err := parseScope(text, host)
			if err != nil {
				return nil, err
			}
			scopes = append(scopes, s)
		}
	}
	return scopes, nil
}

// parseScope reads
//
//	repository:[<host>/][segment/]*segment:action[,action]*
//	registry:catalog:*
//
// where a segment is [.A-Za-z0-9_-]+ and an action push, pull or *. Other actions, such as the "delete" that some
// clients add, are well formed and never granted: deleting needs push. The catalog needs no scope, but clients ask.
func parseScope(text, host string) (scope, error) {
	resource, rest, _ := strings.Cut(text, ":")
	at := strings.LastIndexByte(rest, ':')
	if at < 1 {
		return scope{}, badScope(text)
	}
	s := scope{resource: resource, name: rest[:at]}
	for action := range strings.SplitSeq(rest[at+1:], ",") {
		switch {
		case action == "push":
			s.push = true
		case action == "pull":
			s.pull = true
		case action == "*":
			s.admin = true
		case !consistsOf(action, isLower):
			return scope{}, badScope(text)
		}
	}
	switch {
	case resource == "registry" && s.name == "catalog":
		return s, nil
	case resource != "repository":
		return scope{}, badScope(text)
	}
	s.path = withoutHost(s.name, host)
	for segment := range strings.SplitSeq(s.path, "/") {
		if !consistsOf(segment, isSegmentByte) {
			return scope{}, badScope(text)
		}
	}
	return s, nil
}

// withoutHost takes this registry's own host name off a repository's name. Any other first segment is a namespace.
func withoutHost(name, host string) string {
	if host == "" {
		return name
	}
	if rest, found := strings.CutPrefix(name, host+"/"); found && rest != "" {
		return rest
	}
	return name
}

func badScope(text string) error {
	return problem.New(problem.Invalid, "Unable to decode repository and actions: %s", clip(text)).WithCode("INVALID_REQUEST")
}

func consistsOf(s string, of func(byte) bool) bool {
	for i := range len(s) {
		if !of(s[i]) {
			return false
		}
	}
	return s != ""
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

func isSegmentByte(c byte) bool {
	return isLower(c) || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}

// clip keeps hostile input out of messages and logs.
func clip(s string) string {
	const limit = 200
	s = strings.ToValidUTF8(s, "?")
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}
