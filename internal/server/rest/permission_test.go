package rest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

// The callers of the permission table:
//
//	nobody                anonymous, with a session for its CSRF token
//	robot                 the robot acme+ci by HTTP Basic, which /api does not look at
//	mallory               a stranger
//	bob, carol            members of acme, by a team with the role member, and with the role creator
//	tina                  an administrator of acme, by a team with the role admin that is not owners
//	rita, will, dana      nobody's members, with read, write and admin on acme/app
//	alice                 an owner of acme
//	root                  a superuser, who is a stranger to content
//	auditor               a global read-only superuser
//	gone                  a user who was disabled after signing in
//	repo:read … super:user  tokens of alice with that scope alone
//	mallory/all           a token of mallory with all scopes, root/super:user one of root with that scope
const (
	users    = "mallory bob carol tina rita will dana alice root auditor"
	scopes   = "repo:read repo:write repo:admin repo:create user:read user:admin org:admin super:user"
	callers  = "nobody robot gone mallory/all root/super:user " + users + " " + scopes
	readers  = "rita will dana alice tina auditor repo:read repo:write repo:admin"
	writers  = "will dana alice tina repo:write repo:admin"
	admins   = "dana alice tina repo:admin"
	viewers  = admins + " auditor" // of what administrators change
	owner    = "alice tina org:admin"
	accounts = users + " user:admin mallory/all"
	panel    = "root root/super:user"
	viewing  = panel + " auditor" // of the panel
	anyone   = callers
)

// permitted is what the contract says about a route: who succeeds on the own object (acme and acme/app) and with which
// status, who learns that the missing one (nowhere and acme/none) is missing, and who succeeds on the foreign one
// (other and other/secret). Everybody else gets 401, when nobody is signed in, or 403.
type permitted struct {
	id, path, body string
	status         int
	own            string
	missing        string
	foreign        string
	refused        int // instead of 401 and 403
	lacking        int // instead of status on the foreign object, which lacks what the path names in it
	spared         int // instead of status for a superuser, whose account stays as it is
}

// The permission table, by hand from rest-api.md. {org}, {repo} and {ns} stand for the object.
var permissionTable = slices.Concat(corePermissions, repositoryPermissions, instancePermissions, peoplePermissions(), auditPermissions, organizationPermissions, pagePermissions)

var corePermissions = []permitted{
	{id: "getOpenAPI", path: "/api/v1/openapi.json", status: 200, own: anyone},
	{id: "getCSRFToken", path: "/csrf_token", status: 200, own: anyone},
	{id: "signinUser", path: "/api/v1/signin", body: `{"username":"mallory","password":"correct-horse"}`, status: 200, own: anyone},
	{id: "verifyUser", path: "/api/v1/signin/verify", body: `{"password":"correct-horse"}`, status: 200, own: accounts},
	{id: "logout", path: "/api/v1/signout", status: 200, own: "nobody robot gone " + accounts},
	{id: "initializeUser", path: "/api/v1/user/initialize", body: `{"username":"first","password":"correct-horse"}`, status: 404, own: anyone},
	{id: "getLoggedInUser", path: "/api/v1/user/", status: 200, own: accounts + " user:read", refused: 401},

	{id: "createOrganization", path: "/api/v1/organization/", body: `{"name":"fresh"}`, status: 201, own: accounts},
	{id: "getOrganization", path: "/api/v1/organization/{org}", status: 200, own: anyone, foreign: anyone, missing: anyone},
	{id: "deleteOrganization", path: "/api/v1/organization/{org}", status: 204, own: owner},

	{id: "getUserRobots", path: "/api/v1/user/robots", status: 200, own: accounts},
	{id: "getUserRobot", path: "/api/v1/user/robots/mine", status: 200, own: accounts},
	{id: "createUserRobot", path: "/api/v1/user/robots/new", body: `{}`, status: 201, own: accounts},
	{id: "deleteUserRobot", path: "/api/v1/user/robots/mine", status: 204, own: accounts},
	{id: "regenerateUserRobotToken", path: "/api/v1/user/robots/mine/regenerate", status: 200, own: accounts},
	{id: "getOrgRobots", path: "/api/v1/organization/{org}/robots", status: 200, own: "bob carol auditor " + owner, missing: "auditor", foreign: "auditor"},
	{id: "getOrgRobot", path: "/api/v1/organization/{org}/robots/ci", status: 200, own: "auditor " + owner, missing: "auditor", foreign: "auditor"},
	{id: "createOrgRobot", path: "/api/v1/organization/{org}/robots/new", body: `{}`, status: 201, own: owner},
	{id: "deleteOrgRobot", path: "/api/v1/organization/{org}/robots/ci", status: 204, own: owner},
	{id: "regenerateOrgRobotToken", path: "/api/v1/organization/{org}/robots/ci/regenerate", status: 200, own: owner},

	{id: "createRepo", path: "/api/v1/repository", body: `{"namespace":"{org}","repository":"new","visibility":"private","description":""}`, status: 201, own: "carol alice tina repo:create"},
	{id: "listRepos", path: "/api/v1/repository?namespace={org}", status: 200, own: anyone, foreign: anyone},
	{id: "getRepo", path: "/api/v1/repository/{repo}", status: 200, own: readers, missing: "alice tina auditor repo:read repo:write repo:admin", foreign: "auditor"},
	{id: "updateRepo", path: "/api/v1/repository/{repo}", body: `{"description":"new"}`, status: 200, own: writers, missing: "alice tina repo:write repo:admin"},
	{id: "deleteRepository", path: "/api/v1/repository/{repo}", status: 204, own: admins, missing: "alice tina repo:admin"},
	{id: "changeRepoVisibility", path: "/api/v1/repository/{repo}/changevisibility", body: `{"visibility":"private"}`, status: 200, own: admins, missing: "alice tina repo:admin"},

	{id: "listRepoUserPermissions", path: "/api/v1/repository/{repo}/permissions/user/", status: 200, own: viewers, missing: "alice tina auditor repo:admin", foreign: "auditor"},
	{id: "getUserPermissions", path: "/api/v1/repository/{repo}/permissions/user/rita", status: 200, own: viewers, missing: "alice tina auditor repo:admin", foreign: "auditor", lacking: 400},
	{id: "changeUserPermissions", path: "/api/v1/repository/{repo}/permissions/user/mallory", body: `{"role":"read"}`, status: 200, own: admins, missing: "alice tina repo:admin"},
	{id: "deleteUserPermissions", path: "/api/v1/repository/{repo}/permissions/user/rita", status: 204, own: admins, missing: "alice tina repo:admin"},
	{id: "getUserTransitivePermission", path: "/api/v1/repository/{repo}/permissions/user/rita/transitive", status: 200, own: viewers, missing: "alice tina auditor repo:admin", foreign: "auditor", lacking: 404},
	{id: "listRepoTeamPermissions", path: "/api/v1/repository/{repo}/permissions/team/", status: 200, own: viewers, missing: "alice tina auditor repo:admin", foreign: "auditor"},
	{id: "getTeamPermissions", path: "/api/v1/repository/{repo}/permissions/team/docs", status: 200, own: viewers, missing: "alice tina auditor repo:admin", foreign: "auditor", lacking: 400},
	{id: "changeTeamPermissions", path: "/api/v1/repository/{repo}/permissions/team/docs", body: `{"role":"read"}`, status: 200, own: admins, missing: "alice tina repo:admin"},
	{id: "deleteTeamPermissions", path: "/api/v1/repository/{repo}/permissions/team/docs", status: 204, own: admins, missing: "alice tina repo:admin"},

	{id: "listRepoTags", path: "/api/v1/repository/{repo}/tag/", status: 200, own: readers, missing: "alice tina auditor repo:read repo:write repo:admin", foreign: "auditor"},
	{id: "deleteFullTag", path: "/api/v1/repository/{repo}/tag/v1", status: 204, own: writers, missing: "alice tina repo:write repo:admin"},
}

func TestEveryRouteIsInThePermissionTable(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	for id, r := range w.api.rows {
		if !slices.ContainsFunc(slices.Concat(permissionTable, laterPermissions()), func(p permitted) bool { return p.id == id }) {
			t.Errorf("%s %s (%s) has no row in the permission table", r.Method, r.Path, id)
		}
	}
}

// TestPermissions walks the table.
func TestPermissions(t *testing.T) {
	unsorted(t, func(t *testing.T, d *db.DB) {
		s := &stage{w: newWorld(t, d, withAuditor, withInviter), clients: map[string]*client{}}
		s.set()
		for _, row := range permissionTable {
			route := s.w.api.rows[row.id]
			if route == nil {
				t.Errorf("there is no route %s", row.id)
				continue
			}
			for _, caller := range strings.Fields(callers) {
				s.check(t, route, row, caller, "own", "acme", "acme/app")
				if strings.Contains(row.path+row.body, "{org}") || strings.Contains(row.path, "{repo}") {
					s.check(t, route, row, caller, "foreign", "other", "other/secret")
					s.check(t, route, row, caller, "missing", "nowhere", "acme/none")
				}
			}
		}
	})
}

// TestFullAccessPassesEveryCheck walks the table as a superuser with FEATURE_SUPERUSERS_FULL_ACCESS: what stands on an
// organization or a repository answers them as it does an owner, wherever it is (rest-api.md §1.9).
func TestFullAccessPassesEveryCheck(t *testing.T) {
	full := func(s *settings) { s.policy.SuperUsersFullAccess = true }
	s := &stage{w: newWorld(t, dbtest.Open(t, dbtest.SQLite), withAuditor, withInviter, full), clients: map[string]*client{}}
	s.set()
	for _, row := range permissionTable {
		r := s.w.api.rows[row.id]
		if r.Off != 0 || r.Need.on != onOrganization && r.Need.on != onRepository {
			continue
		}
		row.own += " root"
		s.check(t, r, row, "root", "own", "acme", "acme/app")
		fill := strings.NewReplacer("{org}", "other", "{repo}", "other/secret")
		a := s.client("root").do(r.Method, fill.Replace(row.path), fill.Replace(row.body))
		if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden {
			t.Errorf("%s: %d on the foreign object: %s", row.id, a.status, a.body)
		}
		s.set()
	}
}

func withAuditor(s *settings) {
	s.policy.ReadOnlySuperUsers = []string{"auditor"}
	s.options.ConfigDump = true
}

// stage is the world of the permission table, which is put back after each change.
type stage struct {
	w       *world
	clients map[string]*client
}

func (s *stage) check(t *testing.T, r *route, row permitted, caller, object, organization, repository string) {
	t.Helper()
	fill := strings.NewReplacer("{org}", organization, "{repo}", repository)
	a := s.client(caller).do(r.Method, fill.Replace(row.path), fill.Replace(row.body))
	want := row.expect(caller, object)
	if a.status != want {
		t.Errorf("%s: %s on the %s object: %d, want %d: %s", row.id, caller, object, a.status, want, a.body)
	}
	if a.status < 300 && r.changes() {
		if row.endsSessions() {
			clear(s.clients)
		}
		s.set()
	}
}

func (p permitted) expect(caller, object string) int {
	has := func(list string) bool { return slices.Contains(strings.Fields(list), caller) }
	switch {
	case object == "foreign" && has(p.foreign) && p.lacking != 0:
		return p.lacking
	case p.spared != 0 && caller == "root":
		return p.spared
	case object == "own" && has(p.own), object == "foreign" && has(p.foreign):
		return p.status
	case object == "missing" && p.id == "listRepos":
		return http.StatusOK
	case object == "missing" && has(p.missing):
		return http.StatusNotFound
	case p.refused != 0:
		return p.refused
	case caller == "nobody" || caller == "robot" || caller == "gone":
		return http.StatusUnauthorized
	}
	return http.StatusForbidden
}

func (s *stage) client(caller string) *client {
	if c := s.clients[caller]; c != nil {
		return c
	}
	var c *client
	switch {
	case caller == "nobody":
		c = s.w.anonymous()
	case caller == "robot":
		c = s.w.anonymous()
		robot := must(s.w.identity.Robot(s.w.t.Context(), s.w.account("acme"), "ci"))(s.w.t)
		c.header.Set("Authorization", basic(robot.Name, robot.Token))
	case strings.Contains(caller, "/"):
		name, granted, _ := strings.Cut(caller, "/")
		c = s.w.bearer(s.w.token(name, strings.Replace(granted, "all", scopes, 1)))
	case strings.Contains(caller, ":"):
		c = s.w.bearer(s.w.token("alice", caller))
	case caller == "gone":
		c = s.disabled(caller)
	default:
		c = s.w.session(caller)
	}
	s.clients[caller] = c
	return c
}

// disabled is a user who signed in and was disabled then.
func (s *stage) disabled(name string) *client {
	t, ctx := s.w.t, s.w.t.Context()
	t.Helper()
	if _, err := s.w.identity.Account(ctx, name); err != nil {
		s.w.user(name)
	}
	id := s.w.account(name).ID
	enable := func(on bool) {
		if err := s.w.identity.SetEnabled(ctx, id, on); err != nil {
			t.Fatal(err)
		}
	}
	enable(true)
	c := s.w.session(name)
	enable(false)
	c.readCSRF() // the session ended, and its token with it
	return c
}

func basic(name, secret string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(name, secret)
	return r.Header.Get("Authorization")
}

// set makes what is missing on the stage and removes what was added to it.
func (s *stage) set() {
	t, ctx := s.w.t, s.w.t.Context()
	t.Helper()
	s.w.sizes.Queued = false
	for _, name := range strings.Fields(users + " zed") {
		s.person(name)
		s.robots(s.w.account(name), "mine")
	}
	if made, err := s.w.identity.Account(ctx, "newcomer"); err == nil {
		if err := s.w.identity.DeleteUser(ctx, made.ID, true); err != nil {
			t.Fatal(err)
		}
	}
	s.remove("fresh")
	s.organization("acme", "alice")
	s.organization("other", "zed")
	s.repository("other", "secret")
	app := s.repository("acme", "app")
	for name, role := range map[string]access.Role{"rita": access.Read, "will": access.Write, "dana": access.Admin} {
		s.w.grant(app, name, role)
	}
	_, _ = s.w.access.Revoke(ctx, app.ID, access.Subject{AccountID: s.w.account("mallory").ID})
	docs := must(s.w.identity.Team(ctx, app.NamespaceID, "docs"))(t)
	if err := s.w.access.Grant(ctx, app.ID, access.Subject{TeamID: docs.ID}, access.Read); err != nil {
		t.Fatal(err)
	}
	s.w.tag(app, "v1")
	if added, err := s.w.registry.Repository(ctx, "acme", "new"); err == nil {
		if err := s.w.registry.DeleteRepository(ctx, added.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *stage) robots(owner identity.Account, keep string) {
	ctx := s.w.t.Context()
	if _, err := s.w.identity.Robot(ctx, owner, keep); err != nil {
		must(s.w.identity.CreateRobot(ctx, owner, keep, "", ""))(s.w.t)
	}
	_ = s.w.identity.DeleteRobot(ctx, owner, "new")
}

func (s *stage) organization(name, owner string) {
	t, ctx := s.w.t, s.w.t.Context()
	t.Helper()
	if _, err := s.w.identity.Account(ctx, name); err != nil {
		s.w.organization(name, owner)
	}
	s.teams(name)
	if name == "acme" {
		s.join(name, "owners", "zed") // so that alice is not the only owner
		s.join(name, "owners", "alice")
		s.join(name, "devs", "bob")
		s.join(name, "makers", "carol")
		s.join(name, "chiefs", "tina")
	}
	s.robots(s.w.account(name), "ci")
}

// join makes somebody a member who may be one already.
func (s *stage) join(organization, team, member string) {
	s.w.t.Helper()
	err := s.w.identity.AddTeamMember(s.w.t.Context(), s.w.account(organization).ID, team, s.w.account(member).ID)
	if err != nil && !problem.Is(err, problem.Invalid) {
		s.w.t.Fatal(err)
	}
}

func (s *stage) remove(organization string) {
	if found, err := s.w.identity.Account(s.w.t.Context(), organization); err == nil {
		if err := s.w.identity.DeleteOrganization(s.w.t.Context(), found.ID); err != nil {
			s.w.t.Fatal(err)
		}
	}
}

func (s *stage) repository(namespace, name string) registry.Repository {
	if found, err := s.w.registry.Repository(s.w.t.Context(), namespace, name); err == nil {
		return found
	}
	return s.w.repository(namespace, name)
}
