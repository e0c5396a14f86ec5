package rest

import (
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
)

// laterOrganizationMirrors are FEATURE_ORG_MIRROR's (rest-api §29).
func laterOrganizationMirrors() []*route {
	const one = "/api/v1/organization/{orgname}/mirror"
	read, change := organizationInspectors(), organizationAdmins()
	return []*route{
		later(http.MethodGet, one, "getOrgMirrorConfig", "How an organization is mirrored", read),
		later(http.MethodPost, one, "createOrgMirrorConfig", "Begin to mirror an organization", change),
		later(http.MethodPut, one, "updateOrgMirrorConfig", "Change how an organization is mirrored", change),
		later(http.MethodDelete, one, "deleteOrgMirrorConfig", "Mirror an organization no more", change),
		later(http.MethodPost, one+"/sync-now", "orgMirrorSyncNow", "Mirror an organization now", change),
		later(http.MethodPost, one+"/sync-cancel", "orgMirrorSyncCancel", "Stop mirroring an organization for now", change),
		later(http.MethodPost, one+"/verify", "verifyOrgMirrorConnection", "Try to reach the other registry", change),
		later(http.MethodGet, one+"/repositories", "listOrgMirrorRepositories", "The repositories that mirroring found", read),
	}
}

// laterQuotas are FEATURE_QUOTA_MANAGEMENT's (rest-api §25).
func laterQuotas() []*route {
	get, put, post, remove := http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
	all := []*route{}
	const org, user = "/api/v1/organization/{orgname}/quota", "/api/v1/user/quota"
	const one, limits, limit = "/{quota_id}", "/{quota_id}/limit", "/{quota_id}/limit/{limit_id}"
	member, change := organizationMembers(), superusers()
	own := account(access.ReadAccount, identity.ScopeUserRead)
	all = append(all,
		later(get, org, "listOrganizationQuota", "An organization's quota", member),
		later(post, org, "createOrganizationQuota", "Give an organization a quota", change),
		later(get, org+one, "getOrganizationQuota", "A quota", member),
		later(put, org+one, "changeOrganizationQuota", "Change a quota", change),
		later(remove, org+one, "deleteOrganizationQuota", "Delete a quota", change),
		later(get, org+limits, "listOrganizationQuotaLimit", "A quota's limits", member),
		later(post, org+limits, "createOrganizationQuotaLimit", "Add a limit", change),
		later(get, org+limit, "getOrganizationQuotaLimit", "A limit", member),
		later(put, org+limit, "changeOrganizationQuotaLimit", "Change a limit", change),
		later(remove, org+limit, "deleteOrganizationQuotaLimit", "Delete a limit", change),
		later(get, user, "listUserQuota", "The own quota", own),
		later(get, user+one, "getUserQuota", "One of the own quotas", own),
		later(get, user+limits, "listUserQuotaLimit", "Its limits", own),
		later(get, user+limit, "getUserQuotaLimit", "One of its limits", own),
	)
	for _, panel := range []struct{ base, owner string }{
		{"/api/v1/superuser/users/{namespace}/quota", "User"}, {"/api/v1/superuser/organization/{namespace}/quota", "Organization"},
	} {
		all = append(all,
			later(get, panel.base, "list"+panel.owner+"QuotaSuperUser", "A namespace's quota", inspectors()).fresh(),
			later(post, panel.base, "create"+panel.owner+"QuotaSuperUser", "Give a namespace a quota", change).fresh(),
			later(put, panel.base+one, "change"+panel.owner+"QuotaSuperUser", "Change a namespace's quota", change).fresh(),
			later(remove, panel.base+one, "delete"+panel.owner+"QuotaSuperUser", "Delete a namespace's quota", change),
		)
	}
	return all
}

// laterProxyCache are FEATURE_PROXY_CACHE's (rest-api §26).
func laterProxyCache() []*route {
	const one = "/api/v1/organization/{orgname}/proxycache"
	return []*route{
		later(http.MethodGet, one, "getProxyCacheConfig", "What an organization is a cache of", organizationMembers()),
		later(http.MethodPost, one, "createProxyCacheConfig", "Make an organization a cache", organizationAdmins()),
		later(http.MethodDelete, one, "deleteProxyCacheConfig", "Make an organization a cache no more", organizationAdmins()),
		later(http.MethodPost, "/api/v1/organization/{orgname}/validateproxycache", "validateProxyCacheConfig", "Try the other registry's credentials", organizationAdmins()),
	}
}

// laterLogins are the answers of other sign-in systems (rest-api §4.2); none can be configured.
func laterLogins() []*route {
	const callback = "/oauth2/{service_id}/callback"
	var all []*route
	for _, kind := range []struct{ path, id, summary string }{
		{callback, "Callback", "A login service's answer to a sign-in"},
		{callback + "/attach", "AttachCallback", "The same, to join it with the own account"},
		{callback + "/cli", "CLICallback", "The same, for a password for tools"},
	} {
		all = append(all,
			later(http.MethodGet, kind.path, "oauthLogin"+kind.id, kind.summary, everybody()),
			later(http.MethodPost, kind.path, "oauthLogin"+kind.id+"Form", kind.summary+", as a form", everybody()),
		)
	}
	return append(all, later(http.MethodPost, callback+"/captcha", "oauthLoginCaptcha", "The captcha before an account is made", everybody()))
}

// laterBootstrap is FEATURE_PROGRAMMATIC_BOOTSTRAP's (rest-api §30).
func laterBootstrap() []*route {
	return []*route{later(http.MethodPost, "/api/v1/bootstrap/renew", "renewBootstrapToken", "Replace the token for machines", everybody())}
}
