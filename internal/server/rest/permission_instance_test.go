package rest

// instancePermissions are the rows of what is about the registry itself.
var instancePermissions = []permitted{
	{id: "getConfig", path: "/config", status: 200, own: anyone},
	{id: "getErrorDescription", path: "/api/v1/error/invalid_token", status: 200, own: anyone},
	{id: "discovery", path: "/api/v1/discovery", status: 200, own: anyone},
	{id: "getRegistryCapabilities", path: "/api/v1/registry/capabilities", status: 200, own: anyone},
	{id: "enableHealthDebug", path: "/health/enabledebug/wrong", status: 404, own: anyone},
	{id: "getBuildBadge", path: "/repository/{repo}/status", status: 200, own: readers, foreign: "auditor", refused: 404},
	{id: "getAppCapabilities", path: "/.well-known/app-capabilities", status: 200, own: anyone},
	{id: "changePasswordPage", path: "/.well-known/change-password", status: 302, own: anyone},
	{id: "getRobots", path: "/robots.txt", status: 200, own: anyone},
	{id: "getOpenSearch", path: "/opensearch.xml", status: 200, own: anyone},
	{id: "internalPing", path: "/_internal_ping", status: 200, own: anyone},
	{id: "subscribeToEvents", path: "/realtime/user/subscribe?events=none", status: 400, own: accounts + " user:read"},

	{id: "getChangeLog", path: "/api/v1/superuser/changelog/", status: 200, own: viewing},
	{id: "scRegistryStatus", path: "/api/v1/superuser/registrystatus", status: 200, own: anyone},
	{id: "scShutdownContainer", path: "/api/v1/superuser/shutdown", status: 200, own: panel},
	{id: "getRegistrySize", path: "/api/v1/superuser/registrysize/", status: 200, own: viewing},
	{id: "queueRegistrySizeCalculation", path: "/api/v1/superuser/registrysize/", status: 201, own: panel},
	{id: "getConfigDump", path: "/api/v1/superuser/config", status: 200, own: viewing},

	{id: "listServiceKeys", path: "/api/v1/superuser/keys", status: 200, own: viewing},
	{id: "createServiceKey", path: "/api/v1/superuser/keys", body: `{"service":"scanner","expiration":null}`, status: 200, own: panel},
	{id: "getServiceKey", path: "/api/v1/superuser/keys/none", status: 404, own: viewing},
	{id: "updateServiceKey", path: "/api/v1/superuser/keys/none", body: `{}`, status: 404, own: panel},
	{id: "deleteServiceKey", path: "/api/v1/superuser/keys/none", status: 404, own: panel},
	{id: "approveServiceKey", path: "/api/v1/superuser/approvedkeys/none", body: `{}`, status: 404, own: panel},
}
