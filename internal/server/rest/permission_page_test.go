package rest

// What people and jobs reach without the API. On the pages refused is what those see whom a page leads elsewhere.
var pagePermissions = []permitted{
	{id: "exchangeFederatedRobotToken", path: "/oauth2/federation/robot/token", refused: 401},
	{id: "signinPage", path: "/signin", status: 302, own: users, refused: 200},
	{id: "signinByForm", path: "/signin", status: 400, own: anyone},
	{id: "confirmInvitePage", path: "/confirminvite?code=none", status: 400, own: users, refused: 302},
	{id: "confirmInvite", path: "/confirminvite", status: 400, own: users, refused: 401},
	{id: "redirectToRepository", path: "/{repo}", status: 302, own: readers, foreign: "auditor", refused: 404},
	{id: "redirectToNamespace", path: "/{org}", status: 302, own: anyone, foreign: anyone, missing: anyone},
	{id: "repositoryPage", path: "/repository/acme/app", status: 200, own: anyone},
	{id: "organizationPage", path: "/organization/acme", status: 200, own: anyone},
	{id: "userPage", path: "/user/alice", status: 200, own: anyone},
}
