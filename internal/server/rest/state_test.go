package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// call is a request with the status it must get.
type call struct {
	name, method, path, body string
	status                   int
	text                     string // part of the answer
}

func (c *client) check(t *testing.T, calls []call) {
	t.Helper()
	for _, k := range calls {
		t.Run(k.name, func(t *testing.T) {
			a := c.do(k.method, k.path, k.body)
			if a.status != k.status || !strings.Contains(a.body, k.text) {
				t.Errorf("%s %s %.200s: %d %.500s; want %d and %q", k.method, k.path, k.body, a.status, a.body, k.status, k.text)
			}
		})
	}
}

func TestRepositoryStates(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.user("alice")
		w.user("bob")
		app := w.repository("alice", "app")
		w.tag(app, "v1")
		if err := w.registry.SetState(t.Context(), app.ID, access.ReadOnlyState); err != nil {
			t.Fatal(err)
		}
		const tag = "/api/v1/repository/alice/app/tag/v1"
		w.session("alice").check(t, []call{
			{name: "tags of a read-only repository are not changed", method: http.MethodDelete, path: tag, status: 503, text: `{"error":"Repository is in read only or mirror mode: 1"}`},
			{name: "they are still listed", method: http.MethodGet, path: "/api/v1/repository/alice/app/tag/", status: 200, text: `"v1"`},
			{name: "the view says the state", method: http.MethodGet, path: "/api/v1/repository/alice/app", status: 200, text: `"state":"READ_ONLY","can_write":false,"can_admin":true`},
			{name: "its description is", method: http.MethodPut, path: "/api/v1/repository/alice/app", body: `{"description":"kept"}`, status: 200},
		})
		w.session("bob").check(t, []call{
			{name: "a stranger does not learn the state", method: http.MethodDelete, path: tag, status: 403},
		})
	})
}

func TestApplicationRepositories(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.user("alice")
		w.user("bob")
		app := w.repository("alice", "chart")
		if _, err := d.Exec(t.Context(), `UPDATE repository SET kind = 2 WHERE id = $1`, app.ID); err != nil {
			t.Fatal(err)
		}
		w.session("alice").check(t, []call{
			{name: "it is shown", method: http.MethodGet, path: "/api/v1/repository/alice/chart", status: 200, text: `"kind":"application"`},
			{name: "it is listed by its kind", method: http.MethodGet, path: "/api/v1/repository?namespace=alice&repo_kind=application", status: 200, text: `"chart"`},
			{name: "it is not listed among images", method: http.MethodGet, path: "/api/v1/repository?namespace=alice", status: 200, text: `{"repositories":[]}`},
			{name: "operations on images are not there", method: http.MethodGet, path: "/api/v1/repository/alice/chart/tag/", status: 501},
		})
		w.session("bob").check(t, []call{
			{name: "a stranger does not learn that", method: http.MethodGet, path: "/api/v1/repository/alice/chart/tag/", status: 403},
		})
	})
}

func TestReadOnlyRegistry(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		before := newWorld(t, d)
		before.user("alice")
		before.user("bob")
		before.tag(before.repository("alice", "app"), "v1")
		w := newWorld(t, d, func(s *settings) { s.policy.RegistryReadOnly = true })
		w.session("alice").check(t, []call{
			{name: "what is there is shown", method: http.MethodGet, path: "/api/v1/repository/alice/app", status: 200, text: `"can_admin":true`},
			{name: "nothing is made", method: http.MethodPut, path: "/api/v1/user/robots/ci", body: `{}`, status: 503, text: `"is_readonly":true`},
			{name: "nothing is deleted", method: http.MethodDelete, path: "/api/v1/repository/alice/app", status: 503, text: `"is_readonly":true`},
			{name: "the password can be entered again", method: http.MethodPost, path: "/api/v1/signin/verify", body: `{"password":"` + password + `"}`, status: 200},
			{name: "signing out works", method: http.MethodPost, path: "/api/v1/signout", status: 200},
		})
	})
}

func TestAnonymousAccessOff(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.policy.AnonymousAccess = false })
	w.user("alice")
	app := w.repository("alice", "app")
	if err := w.registry.SetVisibility(t.Context(), app.ID, true); err != nil {
		t.Fatal(err)
	}
	w.anonymous().check(t, []call{
		{name: "public repositories are not shown", method: http.MethodGet, path: "/api/v1/repository/alice/app", status: 401, text: `{"error":"Anonymous access is not allowed"}`},
		{name: "nor listed", method: http.MethodGet, path: "/api/v1/repository?public=true", status: 401, text: `{"error":"Anonymous access is not allowed"}`},
		{name: "the own user is asked for with the usual answer", method: http.MethodGet, path: "/api/v1/user/", status: 401, text: `"session_required":false`},
		{name: "signing in works", method: http.MethodPost, path: "/api/v1/signin", body: `{"username":"alice","password":"` + password + `"}`, status: 200},
	})
}

func TestSuperusers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d, func(s *settings) {
			s.policy.SuperUsersFullAccess = true
			s.policy.ReadOnlySuperUsers = []string{"auditor"}
		})
		for _, name := range []string{"root", "auditor", "alice"} {
			w.user(name)
		}
		w.organization("acme", "alice")
		w.repository("acme", "app")
		must(w.identity.CreateRobot(t.Context(), w.account("acme"), "ci", "", ""))(t)
		t.Run("with full access", func(t *testing.T) {
			w.session("root").check(t, []call{
				{name: "see every organization as its administrators do", method: http.MethodGet, path: "/api/v1/organization/acme", status: 200, text: `"is_admin":true`},
				{name: "see robots with tokens", method: http.MethodGet, path: "/api/v1/organization/acme/robots", status: 200, text: `"token"`},
				{name: "see every repository", method: http.MethodGet, path: "/api/v1/repository?namespace=acme", status: 200, text: `"app"`},
				{name: "learn what is missing", method: http.MethodGet, path: "/api/v1/repository/acme/none", status: 404},
				{name: "change", method: http.MethodPut, path: "/api/v1/repository/acme/app", body: `{"description":"by root"}`, status: 200},
			})
		})
		t.Run("that only read", func(t *testing.T) {
			w.session("auditor").check(t, []call{
				{name: "see every organization as its members do", method: http.MethodGet, path: "/api/v1/organization/acme", status: 200, text: `"is_admin":false,"is_member":true`},
				{name: "see a robot", method: http.MethodGet, path: "/api/v1/organization/acme/robots/ci", status: 200, text: `"unstructured_metadata":{}}`},
				{name: "see no token", method: http.MethodGet, path: "/api/v1/organization/acme/robots", status: 200, text: `"description":""}]}`},
				{name: "see every repository", method: http.MethodGet, path: "/api/v1/repository?namespace=acme", status: 200, text: `"app"`},
				{name: "see permissions", method: http.MethodGet, path: "/api/v1/repository/acme/app/permissions/user/", status: 200},
				{name: "change nothing", method: http.MethodPut, path: "/api/v1/repository/acme/app", body: `{"description":"by auditor"}`, status: 403},
				{name: "make no robots there", method: http.MethodPut, path: "/api/v1/organization/acme/robots/new", body: `{}`, status: 403},
				{name: "make own robots", method: http.MethodPut, path: "/api/v1/user/robots/new", body: `{}`, status: 201},
			})
		})
	})
}
