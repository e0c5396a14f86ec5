package rest

// The action log's rows of the permission table: rest-api.md §18 and §21.
var auditPermissions = []permitted{
	{id: "listRepoLogs", path: "/api/v1/repository/{repo}/logs", status: 200, own: viewers, missing: "alice tina auditor repo:admin", foreign: "auditor"},
	{id: "getAggregateRepoLogs", path: "/api/v1/repository/{repo}/aggregatelogs", status: 200, own: viewers, missing: "alice tina auditor repo:admin", foreign: "auditor"},
	{id: "exportRepoLogs", path: "/api/v1/repository/{repo}/exportlogs", body: `{}`, status: 200, own: admins, missing: "alice tina repo:admin"},
	{id: "listUserLogs", path: "/api/v1/user/logs", status: 200, own: accounts},
	{id: "getAggregateUserLogs", path: "/api/v1/user/aggregatelogs", status: 200, own: accounts},
	{id: "exportUserLogs", path: "/api/v1/user/exportlogs", body: `{}`, status: 200, own: accounts},
	{id: "listOrgLogs", path: "/api/v1/organization/{org}/logs", status: 200, own: "auditor " + owner, missing: "auditor", foreign: "auditor"},
	{id: "getAggregateOrgLogs", path: "/api/v1/organization/{org}/aggregatelogs", status: 200, own: "auditor " + owner, missing: "auditor", foreign: "auditor"},
	{id: "exportOrgLogs", path: "/api/v1/organization/{org}/exportlogs", body: `{}`, status: 200, own: owner},
	{id: "listAllLogs", path: "/api/v1/superuser/logs", status: 200, own: viewing},
	{id: "getAggregateAllLogs", path: "/api/v1/superuser/aggregatelogs", status: 200, own: viewing},

	{id: "explainAccess", path: "/api/v1/superuser/explain?user=bob&action=pull&object=acme/app", status: 200, own: viewing},
	{id: "explainRepoAccess", path: "/api/v1/repository/{repo}/explain?user=bob&action=pull", status: 200, own: viewers, missing: "alice tina auditor repo:admin", foreign: "auditor"},
}
