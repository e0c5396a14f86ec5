package rest

// taggedV1 is the digest of what the stage's tag v1 points at.
const taggedV1 = "sha256:255c7ec22e82c2604fd50127ffa6e1813322227c482f188d32443067fca24035"

// What stands on repositories, stars and search.
var repositoryPermissions = []permitted{
	{id: "changeTag", path: "/api/v1/repository/{repo}/tag/v1", body: `{}`, status: 201, own: writers, missing: "alice tina repo:write repo:admin"},
	{id: "restoreTag", path: "/api/v1/repository/{repo}/tag/v1/restore", body: `{"manifest_digest":"` + taggedV1 + `"}`, status: 200, own: writers, missing: "alice tina repo:write repo:admin"},
	{id: "removeTagFromTimemachine", path: "/api/v1/repository/{repo}/tag/v1/expire", body: `{"is_alive":true}`, status: 200, own: writers, missing: "alice tina repo:write repo:admin"},
	{id: "listTagImages", path: "/api/v1/repository/acme/app/tag/v1/images", status: 404, own: anyone},
	{id: "getTagPullStatistics", path: "/api/v1/repository/acme/app/tag/v1/pull_statistics", status: 404, own: anyone},

	{id: "getRepoManifest", path: "/api/v1/repository/{repo}/manifest/" + taggedV1, status: 200, own: readers, missing: "alice tina auditor repo:read repo:write repo:admin", foreign: "auditor", lacking: 404},
	{id: "getManifestPullStatistics", path: "/api/v1/repository/acme/app/manifest/" + taggedV1 + "/pull_statistics", status: 404, own: anyone},
	{id: "listRepositoryImages", path: "/api/v1/repository/acme/app/image/", status: 404, own: anyone},
	{id: "getImage", path: "/api/v1/repository/acme/app/image/abc", status: 404, own: anyone},

	{id: "listManifestLabels", path: "/api/v1/repository/{repo}/manifest/" + taggedV1 + "/labels", status: 200, own: readers, missing: "alice tina auditor repo:read repo:write repo:admin", foreign: "auditor", lacking: 404},
	{id: "addManifestLabel", path: "/api/v1/repository/{repo}/manifest/" + taggedV1 + "/labels", body: `{"key":"a","value":"b","media_type":null}`, status: 201, own: writers, missing: "alice tina repo:write repo:admin"},
	{id: "getManifestLabel", path: "/api/v1/repository/{repo}/manifest/" + taggedV1 + "/labels/none", status: 404, own: readers, missing: "alice tina auditor repo:read repo:write repo:admin", foreign: "auditor"},
	{id: "deleteManifestLabel", path: "/api/v1/repository/{repo}/manifest/" + taggedV1 + "/labels/none", status: 404, own: writers, missing: "alice tina repo:write repo:admin"},

	{id: "changeRepoState", path: "/api/v1/repository/{repo}/changestate", body: `{"state":"NORMAL"}`, status: 200, own: admins, missing: "alice tina repo:admin"},
	{id: "changeRepoTrust", path: "/api/v1/repository/acme/app/changetrust", body: `{"trust_enabled":true}`, status: 405, own: anyone},
	{id: "getRepoSignatures", path: "/api/v1/repository/acme/app/signatures", status: 404, own: anyone},
	{id: "checkRepoEmailAuthorized", path: "/api/v1/repository/acme/app/authorizedemail/a@example.com", status: 404, own: anyone},
	{id: "sendAuthorizeRepoEmail", path: "/api/v1/repository/acme/app/authorizedemail/a@example.com", status: 405, own: anyone},
	{id: "listRepoTokens", path: "/api/v1/repository/{repo}/tokens/", status: 410, own: viewers, missing: "alice tina auditor repo:admin", foreign: "auditor"},
	{id: "createToken", path: "/api/v1/repository/{repo}/tokens/", status: 410, own: admins, missing: "alice tina repo:admin"},
	{id: "getTokens", path: "/api/v1/repository/{repo}/tokens/x", status: 410, own: viewers, missing: "alice tina auditor repo:admin", foreign: "auditor"},
	{id: "changeToken", path: "/api/v1/repository/{repo}/tokens/x", status: 410, own: admins, missing: "alice tina repo:admin"},
	{id: "deleteToken", path: "/api/v1/repository/{repo}/tokens/x", status: 410, own: admins, missing: "alice tina repo:admin"},

	{id: "listStarredRepos", path: "/api/v1/user/starred", status: 200, own: accounts + " user:read"},
	{id: "createStar", path: "/api/v1/user/starred", body: `{"namespace":"acme","repository":"none"}`, status: 200, own: accounts},
	{id: "deleteStar", path: "/api/v1/user/starred/acme/app", status: 204, own: accounts},

	{id: "conductSearch", path: "/api/v1/find/all?query=app", status: 200, own: anyone},
	{id: "conductRepoSearch", path: "/api/v1/find/repositories?query=app", status: 200, own: anyone},
	{id: "getMatchingEntities", path: "/api/v1/entities/ali", status: 200, own: anyone},
	{id: "linkExternalUser", path: "/api/v1/entities/link/ali", status: 404, own: users + " mallory/all root/super:user " + scopes},
}
