package identity

import (
	"strings"

	"github.com/longshore-registry/longshore/internal/problem"
)

// AllScopes are the scopes that POST /api/v1/user/initialize hands out.
const AllScopes = ScopeRepoRead | ScopeRepoWrite | ScopeRepoAdmin | ScopeRepoCreate |
	ScopeUserRead | ScopeUserAdmin | ScopeOrgAdmin | ScopeSuperUser

// scopeNames lists the scopes in the order in which they are written.
func scopeNames() []struct {
	name  string
	scope Scopes
} {
	return []struct {
		name  string
		scope Scopes
	}{
		{"org:admin", ScopeOrgAdmin},
		{"repo:admin", ScopeRepoAdmin},
		{"repo:create", ScopeRepoCreate},
		{"repo:read", ScopeRepoRead},
		{"repo:write", ScopeRepoWrite},
		{"super:user", ScopeSuperUser},
		{"user:admin", ScopeUserAdmin},
		{"user:read", ScopeUserRead},
	}
}

// ParseScopes reads scopes separated by blanks or commas (rest-api §1.8). One unknown scope makes the whole invalid.
func ParseScopes(text string) (Scopes, error) {
	var all Scopes
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		scope, ok := scopeNamed(name)
		if !ok {
			return 0, problem.New(problem.Invalid, "Invalid scope: %s; known are %s", name, AllScopes)
		}
		all |= scope
	}
	return all, nil
}

func scopeNamed(name string) (Scopes, bool) {
	for _, s := range scopeNames() {
		if s.name == name {
			return s.scope, true
		}
	}
	return 0, false
}

// String gives the scopes by name, sorted, separated by blanks.
func (s Scopes) String() string {
	var names []string
	for _, known := range scopeNames() {
		if s&known.scope != 0 {
			names = append(names, known.name)
		}
	}
	return strings.Join(names, " ")
}
