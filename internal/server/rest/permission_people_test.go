package rest

import "github.com/longshore-registry/longshore/internal/identity"

// peoplePermissions are the rows of users, their tokens and notes, banners, and the superusers' users and
// organizations, by hand from rest-api.md §3, §20, §21.
func peoplePermissions() []permitted {
	return []permitted{
		{id: "createNewUser", path: "/api/v1/user/", body: `{"username":"newcomer","password":"correct-horse"}`, status: 200, own: anyone},
		{id: "changeUserDetails", path: "/api/v1/user/", body: `{"invoice_email":false}`, status: 200, own: accounts},
		{id: "deleteCurrentUser", path: "/api/v1/user/", status: 204, own: accounts},
		{id: "getUserInformation", path: "/api/v1/users/bob", status: 200, own: anyone},
		{id: "generateUserClientKey", path: "/api/v1/user/clientkey", body: `{"password":"correct-horse"}`, status: 200, own: accounts},
		{id: "convertUserToOrganization", path: "/api/v1/user/convert", body: `{"adminUser":"zed","adminPassword":"correct-horse"}`, status: 200, own: accounts, spared: 400},
		{id: "requestRecoveryEmail", path: "/api/v1/recovery", body: `{"email":"bob@example.com"}`, status: 405, own: anyone},
		{id: "retrieveExternalLoginAuthorizationUrl", path: "/api/v1/externallogin/github", body: `{"kind":"login"}`, status: 400, own: anyone},
		{id: "detachExternalLogin", path: "/api/v1/detachexternal/github", status: 200, own: accounts},

		{id: "listOwnNotifications", path: "/api/v1/user/notifications", status: 200, own: accounts},
		{id: "getOwnNotification", path: "/api/v1/user/notifications/none", status: 404, own: accounts},
		{id: "updateOwnNotification", path: "/api/v1/user/notifications/none", body: `{"dismissed":true}`, status: 404, own: accounts},

		{id: "listAppTokens", path: "/api/v1/user/apptoken", status: 200, own: accounts},
		{id: "createAppToken", path: "/api/v1/user/apptoken", body: `{"title":"laptop"}`, status: 200, own: accounts},
		{id: "getAppToken", path: "/api/v1/user/apptoken/none", status: 404, own: accounts},
		{id: "revokeAppToken", path: "/api/v1/user/apptoken/none", status: 404, own: accounts},
		{id: "listAllAppTokens", path: "/api/v1/superuser/apptokens", status: 200, own: "auditor"},

		{id: "getGlobalMessages", path: "/api/v1/messages", status: 200, own: anyone},
		{id: "createGlobalMessage", path: "/api/v1/messages", body: `{"message":{"content":"x","media_type":"text/plain","severity":"info"}}`, status: 201, own: panel},
		{id: "deleteGlobalMessage", path: "/api/v1/message/none", status: 204, own: panel},

		{id: "listAllUsers", path: "/api/v1/superuser/users/", status: 200, own: viewing},
		{id: "createInstallUser", path: "/api/v1/superuser/users/", body: `{"username":"newcomer"}`, status: 200, own: panel},
		{id: "getInstallUser", path: "/api/v1/superuser/users/bob", status: 200, own: viewing},
		{id: "changeInstallUser", path: "/api/v1/superuser/users/bob", body: `{"enabled":true}`, status: 200, own: panel},
		{id: "deleteInstallUser", path: "/api/v1/superuser/users/nobody-there", status: 404, own: panel},
		{id: "sendInstallUserRecoveryEmail", path: "/api/v1/superusers/users/bob/sendrecovery", status: 405, own: anyone},
		{id: "listAllOrganizations", path: "/api/v1/superuser/organizations/", status: 200, own: viewing},
		{id: "changeOrganization", path: "/api/v1/superuser/organizations/{org}", body: `{}`, status: 200, own: panel, foreign: panel, missing: panel},
		{id: "deleteOrganizationBySuperuser", path: "/api/v1/superuser/organizations/nobody-there", status: 404, own: panel},
		{id: "takeOwnership", path: "/api/v1/superuser/takeownership/nobody-there", status: 404, own: panel},
	}
}

// endsSessions reports whether a row's success leaves clients with a session or token that is another's or nobody's.
func (p permitted) endsSessions() bool {
	switch p.id {
	case "logout", "signinUser", "verifyUser", "createNewUser", "deleteCurrentUser", "convertUserToOrganization":
		return true
	}
	return false
}

// person makes a user again who was deleted or became an organization.
func (s *stage) person(name string) {
	t, ctx := s.w.t, s.w.t.Context()
	t.Helper()
	found, err := s.w.identity.Account(ctx, name)
	if err == nil && found.Kind != identity.User {
		if err := s.w.identity.DeleteOrganization(ctx, found.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err != nil || found.Kind != identity.User {
		s.w.user(name)
	}
}
