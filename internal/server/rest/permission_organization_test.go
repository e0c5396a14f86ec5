package rest

import (
	"context"

	"github.com/longshore-registry/longshore/internal/identity"
)

// Rows with the status 404 or 400 name something that is not there: whoever has the right learns that.
var organizationPermissions = []permitted{
	{id: "changeOrganizationDetails", path: "/api/v1/organization/{org}", body: `{"invoice_email":true}`, status: 200, own: owner},

	{id: "getOrganizationMembers", path: "/api/v1/organization/{org}/members", status: 200, own: "auditor " + owner, missing: "auditor", foreign: "auditor"},
	{id: "getOrganizationMember", path: "/api/v1/organization/{org}/members/bob", status: 200, own: "auditor " + owner, missing: "auditor", foreign: "auditor", lacking: 404},
	{id: "removeOrganizationMember", path: "/api/v1/organization/{org}/members/bob", status: 204, own: owner},
	{id: "getOrganizationCollaborators", path: "/api/v1/organization/{org}/collaborators", status: 200, own: "auditor " + owner, missing: "auditor", foreign: "auditor"},

	{id: "updateOrganizationTeam", path: "/api/v1/organization/{org}/team/docs", body: `{"role":"member"}`, status: 200, own: owner},
	{id: "deleteOrganizationTeam", path: "/api/v1/organization/{org}/team/docs", status: 204, own: owner},
	{id: "getOrganizationTeamMembers", path: "/api/v1/organization/{org}/team/devs/members", status: 200, own: "bob auditor " + owner, missing: "auditor", foreign: "auditor"},
	{id: "updateOrganizationTeamMember", path: "/api/v1/organization/{org}/team/docs/members/bob", status: 200, own: owner},
	{id: "deleteOrganizationTeamMember", path: "/api/v1/organization/{org}/team/devs/members/bob", status: 204, own: owner},
	{id: "inviteTeamMemberEmail", path: "/api/v1/organization/{org}/team/docs/invite/new@example.com", status: 200, own: owner},
	{id: "deleteTeamMemberEmailInvite", path: "/api/v1/organization/{org}/team/docs/invite/none@example.com", status: 404, own: owner},
	{id: "getOrganizationTeamPermissions", path: "/api/v1/organization/{org}/team/docs/permissions", status: 200, own: "auditor " + owner, missing: "auditor", foreign: "auditor"},
	{id: "enableOrganizationTeamSync", path: "/api/v1/organization/{org}/team/docs/syncing", body: `{}`, refused: 405},
	{id: "disableOrganizationTeamSync", path: "/api/v1/organization/{org}/team/docs/syncing", refused: 405},
	{id: "acceptOrganizationTeamInvite", path: "/api/v1/teaminvite/none", status: 400, own: accounts},
	{id: "declineOrganizationTeamInvite", path: "/api/v1/teaminvite/none", status: 400, own: accounts},

	{id: "getOrganizationPrototypePermissions", path: "/api/v1/organization/{org}/prototypes", status: 200, own: "auditor " + owner, missing: "auditor", foreign: "auditor"},
	{id: "createOrganizationPrototypePermission", path: "/api/v1/organization/{org}/prototypes", body: `{"role":"read","delegate":{"name":"docs","kind":"team"}}`, status: 200, own: owner},
	{id: "updateOrganizationPrototypePermission", path: "/api/v1/organization/{org}/prototypes/none", body: `{"role":"read"}`, status: 404, own: owner},
	{id: "deleteOrganizationPrototypePermission", path: "/api/v1/organization/{org}/prototypes/none", status: 404, own: owner},

	{id: "getUserRobotPermissions", path: "/api/v1/user/robots/mine/permissions", status: 200, own: accounts},
	{id: "getUserRobotFederation", path: "/api/v1/user/robots/mine/federation", status: 200, own: accounts},
	{id: "createUserRobotFederation", path: "/api/v1/user/robots/mine/federation", body: `[]`, status: 200, own: accounts},
	{id: "deleteUserRobotFederation", path: "/api/v1/user/robots/mine/federation", status: 204, own: accounts},
	{id: "getOrgRobotPermissions", path: "/api/v1/organization/{org}/robots/ci/permissions", status: 200, own: "auditor " + owner, missing: "auditor", foreign: "auditor"},
	{id: "getOrgRobotFederation", path: "/api/v1/organization/{org}/robots/ci/federation", status: 200, own: "auditor " + owner, missing: "auditor", foreign: "auditor"},
	{id: "createOrgRobotFederation", path: "/api/v1/organization/{org}/robots/ci/federation", body: `[]`, status: 200, own: owner},
	{id: "deleteOrgRobotFederation", path: "/api/v1/organization/{org}/robots/ci/federation", status: 204, own: owner},

	{id: "getOrganizationApplications", path: "/api/v1/organization/{org}/applications", status: 200, own: "auditor " + owner, missing: "auditor", foreign: "auditor"},
	{id: "createOrganizationApplication", path: "/api/v1/organization/{org}/applications", body: `{"name":"app"}`, status: 200, own: owner},
	{id: "getOrganizationApplication", path: "/api/v1/organization/{org}/applications/none", status: 404, own: "auditor " + owner, missing: "auditor", foreign: "auditor"},
	{id: "updateOrganizationApplication", path: "/api/v1/organization/{org}/applications/none", body: `{"name":"app","redirect_uri":"","application_uri":""}`, status: 404, own: owner},
	{id: "deleteOrganizationApplication", path: "/api/v1/organization/{org}/applications/none", status: 404, own: owner},
	{id: "resetOrganizationApplicationClientSecret", path: "/api/v1/organization/{org}/applications/none/resetclientsecret", status: 404, own: owner},
	{id: "getApplicationInformation", path: "/api/v1/app/none", status: 404, own: anyone},
	{id: "getOrganizationApplicationTokens", path: "/api/v1/organization/{org}/applications/none/tokens", status: 404, own: "auditor " + owner, missing: "auditor", foreign: "auditor"},
	{id: "createOrganizationApplicationToken", path: "/api/v1/organization/{org}/applications/none/tokens", body: `{"name":"ci","scope":"repo:read"}`, status: 404, own: owner},
	{id: "deleteOrganizationApplicationToken", path: "/api/v1/organization/{org}/applications/none/tokens/none", status: 404, own: owner},

	{id: "listUserAuthorizations", path: "/api/v1/user/authorizations", status: 200, own: accounts},
	{id: "getUserAuthorization", path: "/api/v1/user/authorizations/none", status: 404, own: accounts},
	{id: "deleteUserAuthorization", path: "/api/v1/user/authorizations/none", status: 404, own: accounts},
	{id: "listAssignedAuthorizations", path: "/api/v1/user/assignedauthorization", status: 200, own: accounts},
	{id: "deleteAssignedAuthorization", path: "/api/v1/user/assignedauthorization/none", status: 404, own: accounts},

	// A token never authorizes another one.
	{id: "oauthAuthorize", path: "/oauth/authorize?client_id=none", status: 404, own: users, refused: 401},
	{id: "oauthAuthorizeApp", path: "/oauth/authorizeapp?client_id=none", status: 404, own: users, refused: 401},
	{id: "oauthDenyApp", path: "/oauth/denyapp?client_id=none", status: 404, own: users, refused: 401},
	{id: "oauthLocalApp", path: "/oauth/localapp", status: 200, own: users, refused: 401},
	{id: "oauthAccessToken", path: "/oauth/access_token", status: 400, own: anyone},
	{id: "oauthAssignUser", path: "/oauth/authorize/assignuser?client_id=none", status: 404, own: users, refused: 401},
}

// letterBox is an Inviter that keeps the links of the letters, by address.
type letterBox map[string]string

func (b letterBox) Invite(_ context.Context, to, _, _, _, link string) error {
	b[to] = link
	return nil
}

func withInviter(s *settings) { s.options.Inviter = letterBox{} }

// teams puts an organization's teams and members back.
func (s *stage) teams(organization string) {
	t, ctx := s.w.t, s.w.t.Context()
	t.Helper()
	id := s.w.account(organization).ID
	for team, role := range map[string]identity.TeamRole{"devs": identity.TeamMember, "makers": identity.TeamCreator, "docs": identity.TeamMember, "chiefs": identity.TeamAdmin} {
		if _, err := s.w.identity.Team(ctx, id, team); err == nil {
			continue
		}
		if _, _, err := s.w.identity.SetTeam(ctx, id, team, role, nil); err != nil {
			t.Fatal(err)
		}
	}
	if organization == "acme" {
		_ = s.w.identity.RemoveTeamMember(ctx, id, "docs", s.w.account("bob").ID)
	}
}
