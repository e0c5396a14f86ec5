package rest

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// changesNothing are the routes that change nothing which the log is about, each with the reason.
var changesNothing = map[string]string{
	"initializeUser":                        "answers only while there is no user; its entries are in package identity's tests",
	"requestRecoveryEmail":                  "sends a letter; rest-api.md §31 has no kind",
	"sendInstallUserRecoveryEmail":          "sends a letter",
	"retrieveExternalLoginAuthorizationUrl": "gives an address",
	"detachExternalLogin":                   "no external login exists in this version",
	"linkExternalUser":                      "no external directory exists in this version",
	"updateOwnNotification":                 "a note is read or dismissed by its owner alone",
	"createGlobalMessage":                   "rest-api.md §31 has no kind",
	"deleteGlobalMessage":                   "rest-api.md §31 has no kind",
	"createStar":                            "rest-api.md §31 has no kind",
	"deleteStar":                            "rest-api.md §31 has no kind",
	"verifyUser":                            "confirms a sign-in",
	"oauthDenyApp":                          "refuses a grant",
	"signinByForm":                          "notes a sign-in, which is spooled",
	"confirmInvite":                         "the join of acceptTeamInvite, by a form",
	"oauthAuthorizeApp":                     "held by TestEveryGrantIsRecorded",
	"oauthAccessToken":                      "held by TestEveryGrantIsRecorded",
	"oauthAssignUser":                       "held by TestEveryGrantIsRecorded",
	"deleteAssignedAuthorization":           "declines what was offered; rest-api.md §31 has no kind",
	"deleteUserAuthorization":               "held by TestEveryGrantIsRecorded",
	"queueRegistrySizeCalculation":          "counts",
	"scShutdownContainer":                   "ends the process",
	"exportRepoLogs":                        "the entry is written when the export ends: held in exportlogs_test.go",
	"exportUserLogs":                        "as above",
	"exportOrgLogs":                         "as above",
	"changeRepoTrust":                       "not offered",
	"sendAuthorizeRepoEmail":                "not offered",
	"createToken":                           "gone",
	"changeToken":                           "gone",
	"deleteToken":                           "gone",
	"enableOrganizationTeamSync":            "no directory exists in this version",
	"disableOrganizationTeamSync":           "no directory exists in this version",
}

const (
	acme      = "/api/v1/organization/acme"
	acmeApp   = "/api/v1/repository/acme/app"
	clients   = acme + "/applications"
	superPath = "/api/v1/superuser"
)

var (
	anApplication = made("alice", http.MethodPost, clients, `{"name":"app"}`, "client_id")
	aServiceKey   = made("root", http.MethodPost, superPath+"/keys", `{"service":"scanner","expiration":null}`, "kid")
	aPrototype    = made("alice", http.MethodPost, acme+"/prototypes", `{"role":"read","delegate":{"name":"docs","kind":"team"}}`, "id")
)

// invited gives the code of an invitation of mallory.
func invited(t *testing.T, s *stage, box letterBox) string {
	t.Helper()
	if a := s.client("alice").do(http.MethodPut, acme+"/team/docs/members/mallory", ""); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	_, code, _ := strings.Cut(box["mallory@example.com"], "code=")
	return code
}

// aPendingKey is a service key that nobody has approved.
func aPendingKey(t *testing.T, s *stage, box letterBox) string {
	t.Helper()
	kid := aServiceKey(t, s, box)
	if _, err := s.w.db.Exec(t.Context(), "UPDATE service_key SET approval_type = NULL, approved_ms = NULL WHERE kid = $1", kid); err != nil {
		t.Fatal(err)
	}
	return kid
}

// twoTags has a tag v2 that was deleted.
func twoTags(t *testing.T, s *stage, _ letterBox) string {
	t.Helper()
	app := must(s.w.registry.Repository(t.Context(), "acme", "app"))(t)
	digest := s.w.tag(app, "v2")
	if a := s.client("alice").do(http.MethodDelete, acmeApp+"/tag/v2", ""); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.body)
	}
	s.w.pass(time.Second)
	return digest
}

func anAppToken(t *testing.T, s *stage, _ letterBox) string {
	t.Helper()
	uuid, _, err := s.w.identity.CreateAppToken(t.Context(), s.w.account("mallory").ID, "laptop", 0)
	if err != nil {
		t.Fatal(err)
	}
	return uuid
}

// The recording table, by hand from rest-api.md §31.
var recordings = []recording{
	{id: "signinUser", who: "nobody", path: "/api/v1/signin", body: `{"username":"mallory","password":"correct-horse"}`, spooled: true,
		entries: []string{"login_success kind type useragent username"}},
	{id: "logout", who: "mallory", path: "/api/v1/signout", entries: []string{"logout_success"}},

	{id: "createNewUser", who: "nobody", path: "/api/v1/user/", body: `{"username":"newcomer","password":"correct-horse","email":"n@example.com"}`,
		entries: []string{"user_create email username"}},
	{id: "changeUserDetails", name: " password", who: "mallory", path: "/api/v1/user/", body: `{"password":"correct-horse"}`,
		entries: []string{"account_change_password"}},
	{id: "changeUserDetails", name: " invoices", who: "mallory", path: "/api/v1/user/", body: `{"invoice_email":true,"invoice_email_address":"x@example.com"}`,
		entries: []string{"user_change_invoicing"}},
	{id: "changeUserDetails", name: " window", who: "mallory", path: "/api/v1/user/", body: `{"tag_expiration_s":86400}`,
		entries: []string{"user_change_tag_expiration tag_expiration"}},
	{id: "changeUserDetails", name: " address", who: "mallory", path: "/api/v1/user/", body: `{"email":"another@example.com"}`,
		entries: []string{"user_change_email email old_email"}},
	{id: "changeUserDetails", name: " profile", who: "mallory", path: "/api/v1/user/", body: `{"given_name":"M","company":"C"}`,
		entries: []string{"user_change_metadata"}},
	{id: "changeUserDetails", name: " name", who: "mallory", path: "/api/v1/user/", body: `{"username":"malory"}`,
		entries: []string{"user_change_name new_username old_username"}},
	{id: "deleteCurrentUser", who: "mallory", path: "/api/v1/user/", entries: []string{"user_delete username"}},
	{id: "generateUserClientKey", who: "mallory", path: "/api/v1/user/clientkey", body: `{"password":"correct-horse"}`,
		entries: []string{"user_generate_client_key"}},
	{id: "convertUserToOrganization", who: "mallory", path: "/api/v1/user/convert", body: `{"adminUser":"zed","adminPassword":"correct-horse"}`,
		entries: []string{"account_convert"}},
	{id: "createAppToken", who: "mallory", path: "/api/v1/user/apptoken", body: `{"title":"laptop"}`,
		entries: []string{"create_app_specific_token app_specific_token app_specific_token_title"}},
	{id: "revokeAppToken", who: "mallory", path: "/api/v1/user/apptoken/{id}", prepare: anAppToken,
		entries: []string{"revoke_app_specific_token app_specific_token app_specific_token_title"}},

	{id: "createInstallUser", who: "root", path: superPath + "/users/", body: `{"username":"newcomer","email":"n@example.com"}`,
		entries: []string{"user_create email username"}},
	{id: "changeInstallUser", name: " password", who: "root", path: superPath + "/users/bob", body: `{"password":"correct-horse"}`,
		entries: []string{"user_change_password"}},
	{id: "changeInstallUser", name: " off", who: "root", path: superPath + "/users/bob", body: `{"enabled":false}`,
		entries: []string{"user_disable username"}},
	{id: "changeInstallUser", name: " on", who: "root", path: superPath + "/users/bob", body: `{"enabled":true}`,
		entries: []string{"user_enable username"}},
	{id: "changeInstallUser", name: " address", who: "root", path: superPath + "/users/bob", body: `{"email":"b2@example.com"}`,
		entries: []string{"user_change_email email old_email"}},
	{id: "deleteInstallUser", who: "root", path: superPath + "/users/bob", entries: []string{"user_delete username"}},
	{id: "changeOrganization", who: "root", path: superPath + "/organizations/other", body: `{"name":"another"}`,
		entries: []string{"org_change_name namespace old_namespace"}},
	{id: "deleteOrganizationBySuperuser", who: "root", path: superPath + "/organizations/another", entries: []string{"org_delete namespace"}},
	{id: "takeOwnership", who: "root", path: superPath + "/takeownership/other",
		entries: []string{"take_ownership entity_id namespace superuser was_user"}},
	{id: "createServiceKey", who: "root", path: superPath + "/keys", body: `{"service":"scanner","expiration":null}`,
		entries: []string{"service_key_create auto_approved expiration_date kid name preshared service", "service_key_approve expiration_date kid name service"}},
	{id: "updateServiceKey", name: " name", who: "root", path: superPath + "/keys/{id}", body: `{"name":"other"}`, prepare: aServiceKey,
		entries: []string{"service_key_modify expiration_date kid name service"}},
	{id: "updateServiceKey", name: " life", who: "root", path: superPath + "/keys/{id}", body: `{"expiration":4102444800}`, prepare: aServiceKey,
		entries: []string{"service_key_extend expiration_date kid name old_expiration_date service"}},
	{id: "deleteServiceKey", who: "root", path: superPath + "/keys/{id}", prepare: aServiceKey,
		entries: []string{"service_key_delete created_date expiration_date kid name service"}},
	{id: "approveServiceKey", who: "root", path: superPath + "/approvedkeys/{id}", body: `{}`, prepare: aPendingKey,
		entries: []string{"service_key_approve expiration_date kid name service"}},

	{id: "createOrganization", who: "mallory", path: "/api/v1/organization/", body: `{"name":"fresh","email":"f@example.com"}`,
		entries: []string{"org_create email namespace"}},
	{id: "changeOrganizationDetails", name: " address", who: "alice", path: acme, body: `{"email":"acme2@example.com"}`,
		entries: []string{"org_change_email email old_email"}},
	{id: "changeOrganizationDetails", name: " invoices", who: "alice", path: acme, body: `{"invoice_email":true,"invoice_email_address":"x@example.com"}`,
		entries: []string{"org_change_invoicing invoice_email invoice_email_address"}},
	{id: "changeOrganizationDetails", name: " window", who: "alice", path: acme, body: `{"tag_expiration_s":86400}`,
		entries: []string{"org_change_tag_expiration tag_expiration"}},
	{id: "deleteOrganization", who: "alice", path: acme, entries: []string{"org_delete namespace"}},
	{id: "removeOrganizationMember", who: "alice", path: acme + "/members/bob", entries: []string{"org_remove_team_member member team"}},

	{id: "updateOrganizationTeam", name: " new", who: "alice", path: acme + "/team/fresh", body: `{"role":"member"}`,
		entries: []string{"org_create_team team"}},
	{id: "updateOrganizationTeam", name: " role", who: "alice", path: acme + "/team/fresh", body: `{"role":"creator"}`,
		entries: []string{"org_set_team_role role team"}},
	{id: "updateOrganizationTeam", name: " description", who: "alice", path: acme + "/team/fresh", body: `{"role":"creator","description":"new"}`,
		entries: []string{"org_set_team_description description team"}},
	{id: "deleteOrganizationTeam", who: "alice", path: acme + "/team/fresh", entries: []string{"org_delete_team team"}},
	{id: "updateOrganizationTeamMember", name: " owner", who: "alice", path: acme + "/team/docs/members/alice",
		entries: []string{"org_add_team_member member team"}},
	{id: "updateOrganizationTeamMember", name: " invited", who: "alice", path: acme + "/team/docs/members/mallory",
		entries: []string{"org_invite_team_member member team user"}},
	{id: "deleteOrganizationTeamMember", name: " invited", who: "alice", path: acme + "/team/docs/members/mallory",
		entries: []string{"org_delete_team_member_invite member team user"}},
	{id: "deleteOrganizationTeamMember", who: "alice", path: acme + "/team/devs/members/bob", entries: []string{"org_remove_team_member member team"}},
	{id: "inviteTeamMemberEmail", who: "alice", path: acme + "/team/docs/invite/new@example.com", entries: []string{"org_invite_team_member email member team"}},
	{id: "deleteTeamMemberEmailInvite", who: "alice", path: acme + "/team/docs/invite/new@example.com",
		entries: []string{"org_delete_team_member_invite email member team"}},
	{id: "declineOrganizationTeamInvite", who: "mallory", path: "/api/v1/teaminvite/{id}", prepare: invited,
		entries: []string{"org_team_member_invite_declined inviter member team"}},
	{id: "acceptOrganizationTeamInvite", who: "mallory", path: "/api/v1/teaminvite/{id}", prepare: invited,
		entries: []string{"org_team_member_invite_accepted inviter member team"}},

	{id: "createOrganizationPrototypePermission", who: "alice", path: acme + "/prototypes",
		body:    `{"role":"read","delegate":{"name":"bob","kind":"user"},"activating_user":{"name":"carol"}}`,
		entries: []string{"create_prototype_permission activating_username delegate_user prototypeid role username"}},
	{id: "updateOrganizationPrototypePermission", who: "alice", path: acme + "/prototypes/{id}", body: `{"role":"write"}`, prepare: aPrototype,
		entries: []string{"modify_prototype_permission delegate_team original_role prototypeid role username"}},
	{id: "deleteOrganizationPrototypePermission", who: "alice", path: acme + "/prototypes/{id}", prepare: aPrototype,
		entries: []string{"delete_prototype_permission delegate_team prototypeid role username"}},

	{id: "createUserRobot", who: "mallory", path: "/api/v1/user/robots/new", body: `{"description":"d","unstructured_metadata":{"a":1}}`,
		entries: []string{"create_robot description robot unstructured_metadata"}},
	{id: "deleteUserRobot", who: "mallory", path: "/api/v1/user/robots/mine", entries: []string{"delete_robot robot"}},
	{id: "regenerateUserRobotToken", who: "mallory", path: "/api/v1/user/robots/mine/regenerate", entries: []string{"regenerate_robot_token robot"}},
	{id: "createUserRobotFederation", who: "mallory", path: "/api/v1/user/robots/mine/federation", body: `[{"issuer":"https://i.example.com","subject":"s"}]`,
		entries: []string{"create_robot_federation config robot"}},
	{id: "deleteUserRobotFederation", who: "mallory", path: "/api/v1/user/robots/mine/federation", entries: []string{"delete_robot_federation robot"}},
	{id: "createOrgRobot", who: "alice", path: acme + "/robots/new", body: `{}`, entries: []string{"create_robot description robot unstructured_metadata"}},
	{id: "deleteOrgRobot", who: "alice", path: acme + "/robots/ci", entries: []string{"delete_robot robot"}},
	{id: "regenerateOrgRobotToken", who: "alice", path: acme + "/robots/ci/regenerate", entries: []string{"regenerate_robot_token robot"}},
	{id: "createOrgRobotFederation", who: "alice", path: acme + "/robots/ci/federation", body: `[{"issuer":"https://i.example.com","subject":"s"}]`,
		entries: []string{"create_robot_federation config robot"}},
	{id: "deleteOrgRobotFederation", who: "alice", path: acme + "/robots/ci/federation", entries: []string{"delete_robot_federation robot"}},

	{id: "createOrganizationApplication", who: "alice", path: clients, body: `{"name":"app"}`,
		entries: []string{"create_application application_name application_uri avatar_email client_id description name redirect_uri"}},
	{id: "updateOrganizationApplication", who: "alice", path: clients + "/{id}", body: `{"name":"app2","redirect_uri":"","application_uri":""}`, prepare: anApplication,
		entries: []string{"update_application application_name application_uri avatar_email client_id description name redirect_uri"}},
	{id: "resetOrganizationApplicationClientSecret", who: "alice", path: clients + "/{id}/resetclientsecret", prepare: anApplication,
		entries: []string{"reset_application_client_secret application_name client_id"}},
	{id: "createOrganizationApplicationToken", who: "alice", path: clients + "/{id}/tokens", body: `{"name":"ci","scope":"repo:read"}`, prepare: anApplication,
		entries: []string{"create_oauth_api_token application_name client_id scope token_name token_uuid"}},
	{id: "deleteOrganizationApplicationToken", who: "alice", path: clients + "/{id}",
		prepare: func(t *testing.T, s *stage, box letterBox) string {
			client := anApplication(t, s, box)
			return client + "/tokens/" + made("alice", http.MethodPost, clients+"/"+client+"/tokens", `{"name":"ci","scope":"repo:read"}`, "uuid")(t, s, box)
		},
		entries: []string{"revoke_oauth_api_token application_name client_id token_uuid"}},
	{id: "deleteOrganizationApplication", who: "alice", path: clients + "/{id}", prepare: anApplication,
		entries: []string{"delete_application application_name client_id"}},

	{id: "createRepo", who: "alice", path: "/api/v1/repository", body: `{"namespace":"acme","repository":"new","visibility":"private","description":""}`,
		entries: []string{"create_repo namespace repo"}},
	{id: "updateRepo", who: "alice", path: acmeApp, body: `{"description":"new"}`, entries: []string{"set_repo_description description namespace repo"}},
	{id: "changeRepoVisibility", who: "alice", path: acmeApp + "/changevisibility", body: `{"visibility":"public"}`,
		entries: []string{"change_repo_visibility namespace repo visibility"}},
	{id: "changeRepoState", who: "alice", path: acmeApp + "/changestate", body: `{"state":"READ_ONLY"}`,
		entries: []string{"change_repo_state namespace repo state_changed"}},
	{id: "changeRepoState", name: " back", who: "alice", path: acmeApp + "/changestate", body: `{"state":"NORMAL"}`,
		entries: []string{"change_repo_state namespace repo state_changed"}},
	{id: "changeUserPermissions", who: "alice", path: acmeApp + "/permissions/user/mallory", body: `{"role":"read"}`,
		entries: []string{"change_repo_permission namespace repo role username"}},
	{id: "deleteUserPermissions", who: "alice", path: acmeApp + "/permissions/user/rita", entries: []string{"delete_repo_permission namespace repo username"}},
	{id: "changeTeamPermissions", who: "alice", path: acmeApp + "/permissions/team/docs", body: `{"role":"write"}`,
		entries: []string{"change_repo_permission namespace repo role team"}},
	{id: "deleteTeamPermissions", who: "alice", path: acmeApp + "/permissions/team/docs", entries: []string{"delete_repo_permission namespace repo team"}},

	{id: "changeTag", name: " new", who: "alice", path: acmeApp + "/tag/v9", body: `{"manifest_digest":"` + taggedV1 + `"}`,
		entries: []string{"create_tag image manifest_digest namespace repo tag username"}},
	{id: "changeTag", name: " moved", who: "alice", path: acmeApp + "/tag/v3", body: `{"manifest_digest":"` + taggedV1 + `"}`,
		prepare: func(t *testing.T, s *stage, _ letterBox) string {
			return s.w.tag(must(s.w.registry.Repository(t.Context(), "acme", "app"))(t), "v3")
		},
		entries: []string{"move_tag image manifest_digest namespace original_manifest_digest repo tag username"}},
	{id: "changeTag", name: " expiring", who: "alice", path: acmeApp + "/tag/v9", body: `{"expiration":4102444800}`,
		entries: []string{"change_tag_expiration expiration_date namespace old_expiration_date repo tag username"}},
	{id: "changeTag", name: " immutable", who: "alice", path: acmeApp + "/tag/v3", body: `{"immutable":true}`,
		entries: []string{"change_tag_immutability immutable namespace repo tag username"}},
	{id: "restoreTag", who: "alice", path: acmeApp + "/tag/v2/restore", body: `{"manifest_digest":"{id}"}`, prepare: twoTags,
		entries: []string{"revert_tag image manifest_digest namespace repo tag username"}},
	{id: "removeTagFromTimemachine", who: "alice", path: acmeApp + "/tag/v2/expire", body: `{"manifest_digest":"{id}"}`, prepare: twoTags,
		entries: []string{"permanently_delete_tag manifest_digest namespace repo tag username"}},
	{id: "deleteFullTag", who: "alice", path: acmeApp + "/tag/v9", entries: []string{"delete_tag namespace repo tag username"}},
	{id: "addManifestLabel", who: "alice", path: acmeApp + "/manifest/" + taggedV1 + "/labels", body: `{"key":"a","value":"b","media_type":null}`,
		entries: []string{"manifest_label_add id key manifest_digest media_type namespace repo value"}},
	{id: "deleteManifestLabel", who: "alice", path: acmeApp + "/manifest/" + taggedV1 + "/labels/{id}",
		prepare: made("alice", http.MethodPost, acmeApp+"/manifest/"+taggedV1+"/labels", `{"key":"c","value":"d","media_type":null}`, "id"),
		entries: []string{"manifest_label_delete id key manifest_digest namespace repo value"}},
	{id: "deleteRepository", who: "alice", path: acmeApp, entries: []string{"delete_repo namespace repo"}},
}
