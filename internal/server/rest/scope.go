package rest

import "github.com/longshore-registry/longshore/internal/identity"

// scopeInfo says in words what a scope allows.
type scopeInfo struct {
	Scope       string `json:"scope"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Icon        string `json:"icon"`
	Dangerous   bool   `json:"dangerous"`
}

// scopeInfos describes scopes, the harmless ones first.
func scopeInfos(s identity.Scopes) []scopeInfo {
	list := []scopeInfo{}
	for _, known := range []struct {
		scope identity.Scopes
		info  scopeInfo
	}{
		{identity.ScopeRepoRead, scopeInfo{"", "Pull repositories", "Read every repository that you can read, with its tags and settings.", "fa-hdd-o", false}},
		{identity.ScopeRepoWrite, scopeInfo{"", "Push to repositories", "Read and write every repository that you can write to.", "fa-hdd-o", false}},
		{identity.ScopeRepoAdmin, scopeInfo{"", "Administer repositories", "Change permissions and settings of every repository that you administer, and delete it.", "fa-hdd-o", false}},
		{identity.ScopeRepoCreate, scopeInfo{"", "Create repositories", "Create repositories wherever you can.", "fa-plus", false}},
		{identity.ScopeUserRead, scopeInfo{"", "See your account", "Read your name, e-mail address and organizations.", "fa-user", false}},
		{identity.ScopeUserAdmin, scopeInfo{"", "Administer your account", "Change your account, its robots and its application tokens, and create organizations.", "fa-gear", true}},
		{identity.ScopeOrgAdmin, scopeInfo{"", "Administer organizations", "Change teams, members, robots and settings of every organization that you administer, and delete it.", "fa-gear", true}},
		{identity.ScopeSuperUser, scopeInfo{"", "Administer the registry", "Use the superuser panel, if you are a superuser.", "fa-street-view", true}},
	} {
		if s&known.scope != 0 {
			known.info.Scope = known.scope.String()
			list = append(list, known.info)
		}
	}
	return list
}
