package rest

import (
	"net/http"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// TestNamesThatLookLikeOthers takes names that are somebody's or look so, by each way to a name.
func TestNamesThatLookLikeOthers(t *testing.T) {
	const get, put, post, del = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
	const acme = "/api/v1/organization/acme"
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d, func(s *settings) {
			s.policy.SuperUsers = []string{"root", "boss"}
			s.account.ReservedNames = s.policy.SuperUsers
			s.options.Rename = true
		})
		for _, name := range []string{"alice", "bob", "root"} {
			w.user(name)
		}
		w.organization("acme", "alice")
		w.repository("acme", "app")
		register := func(name string) string { return `{"username":"` + name + `","password":"correct-horse"}` }
		t.Run("an account of one's own making", func(t *testing.T) {
			w.anonymous().check(t, []call{
				{"in capitals", post, "/api/v1/user/", register("Alice"), 400, `"error_type":"invalid_request"`},
				{"in wide letters", post, "/api/v1/user/", register("ａlice"), 400, "Invalid username"},
				{"with a Cyrillic letter", post, "/api/v1/user/", register("аlice"), 400, "Invalid username"},
				{"with a space of no width", post, "/api/v1/user/", register("alice\u200b"), 400, "Invalid username"},
				{"with a blank at the end", post, "/api/v1/user/", register("alice "), 400, "Invalid username"},
				{"with the mark of robots", post, "/api/v1/user/", register("acme+ci"), 400, "Invalid username"},
				{"with a slash", post, "/api/v1/user/", register("acme/app"), 400, "Invalid username"},
				{"with a line's end", post, "/api/v1/user/", register(`alice\n`), 400, "Invalid username"},
				{"a user's", post, "/api/v1/user/", register("alice"), 400, "The username already exists"},
				{"an organization's", post, "/api/v1/user/", register("acme"), 400, "The username already exists"},
				{"a superuser's that is not there yet", post, "/api/v1/user/", register("boss"), 400, ""},
				{"a superuser's in capitals", post, "/api/v1/user/", register("BOSS"), 400, ""},
			})
		})
		t.Run("a change of one's name", func(t *testing.T) {
			w.session("bob").check(t, []call{
				{"into a superuser's", put, "/api/v1/user/", `{"username":"boss"}`, 400, ""},
				{"into a user's", put, "/api/v1/user/", `{"username":"alice"}`, 400, "Username is already in use"},
				{"into an organization's", put, "/api/v1/user/", `{"username":"acme"}`, 400, "Username is already in use"},
				{"into a robot's", put, "/api/v1/user/", `{"username":"acme+ci"}`, 400, ""},
				{"into capitals", put, "/api/v1/user/", `{"username":"Bob"}`, 400, ""},
				{"leaves the old one", get, "/api/v1/user/", "", 200, `"username":"bob"`},
			})
		})
		t.Run("an organization", func(t *testing.T) {
			w.session("bob").check(t, []call{
				{"with a superuser's name", post, "/api/v1/organization/", `{"name":"boss"}`, 400, ""},
				{"with a user's name", post, "/api/v1/organization/", `{"name":"alice"}`, 400, "already exists"},
				{"in capitals", post, "/api/v1/organization/", `{"name":"Acme"}`, 400, ""},
				{"in wide letters", post, "/api/v1/organization/", `{"name":"ａcme"}`, 400, ""},
			})
		})
		t.Run("what is below an organization", func(t *testing.T) {
			w.session("alice").check(t, []call{
				{"a robot with a plus", put, acme + "/robots/a+b", "{}", 400, "Invalid robot name"},
				{"a robot with an escaped plus", put, acme + "/robots/a%2Bb", "{}", 400, "Invalid robot name"},
				{"a robot with an escaped slash", put, acme + "/robots/a%2Fb", "{}", 405, ""},
				{"a team in capitals", put, acme + "/team/Owners", `{"role":"member"}`, 400, ""},
				{"a team with a blank", put, acme + "/team/owners%20", `{"role":"member"}`, 400, ""},
				{"the owners are no members", put, acme + "/team/owners", `{"role":"member"}`, 400, ""},
				{"the owners stay", del, acme + "/team/owners", "", 400, ""},
				{"the last owner stays", del, acme + "/team/owners/members/alice", "", 400, ""},
				{"the last owner stays a member", del, acme + "/members/alice", "", 400, ""},
				{"the last owner keeps the account", del, "/api/v1/user/", "", 400, ""},
				{"a repository with dots for a part", post, "/api/v1/repository", `{"namespace":"acme","repository":"a/../b","visibility":"private","description":""}`, 400, "Invalid repository name"},
				{"a repository in capitals", post, "/api/v1/repository", `{"namespace":"acme","repository":"App","visibility":"private","description":""}`, 400, "Invalid repository name"},
				{"a repository with an escaped slash", post, "/api/v1/repository", `{"namespace":"acme","repository":"a%2Fb","visibility":"private","description":""}`, 400, "Invalid repository name"},
				{"a repository that is there", post, "/api/v1/repository", `{"namespace":"acme","repository":"app","visibility":"private","description":""}`, 400, "Repository already exists"},
				{"a namespace with a slash", post, "/api/v1/repository", `{"namespace":"acme/app","repository":"x","visibility":"private","description":""}`, 403, ""},
				{"a namespace in capitals", post, "/api/v1/repository", `{"namespace":"ACME","repository":"x","visibility":"private","description":""}`, 403, ""},
				{"an organization in capitals", get, "/api/v1/organization/ACME", "", 404, ""},
				{"a repository by its namespace in capitals", get, "/api/v1/repository/ACME/app", "", 403, ""},
			})
		})
		t.Run("a repository called like a route", func(t *testing.T) {
			w.session("alice").check(t, []call{
				{"is made", post, "/api/v1/repository", `{"namespace":"acme","repository":"b/tag/c","visibility":"private","description":""}`, 201, `"name":"b/tag/c"`},
				{"its plain path is a tag", put, "/api/v1/repository/acme/b/tag/c", `{"description":"x"}`, 404, ""},
				{"its escaped path is itself", put, "/api/v1/repository/acme%2Fb%2Ftag%2Fc", `{"description":"x"}`, 200, ""},
				{"half escaped too", get, "/api/v1/repository/acme/b%2Ftag%2Fc", ``, 200, `"description":"x"`},
				{"its permissions", get, "/api/v1/repository/acme/b/tag/c/permissions/user/", "", 200, `"alice"`},
				{"a star", put, "/api/v1/user/starred/acme/b/tag/c", "", 405, ""},
				{"is deleted", del, "/api/v1/repository/acme%2Fb%2Ftag%2Fc", ``, 204, ""},
			})
		})
		t.Run("a robot is no user", func(t *testing.T) {
			c := w.session("alice")
			wantStatus(t, "a robot", c.do(put, acme+"/robots/ci", "{}"), 201)
			robot := must(w.identity.Robot(t.Context(), w.account("acme"), "ci"))(t)
			w.anonymous().check(t, []call{
				{"at the sign-in", post, "/api/v1/signin", `{"username":"acme+ci","password":"` + robot.Token + `"}`, 403, "invalidCredentials"},
			})
			c.check(t, []call{
				{"as the new owner of an account", post, "/api/v1/user/convert", `{"adminUser":"acme+ci","adminPassword":"` + robot.Token + `"}`, 400, "invaliduser"},
			})
		})
	})
}

// TestRestrictedUsers holds FEATURE_RESTRICTED_USERS and its whitelist (rest-api.md §1.9).
func TestRestrictedUsers(t *testing.T) {
	const get, put, post, del = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) {
		s.policy.RestrictedUsers, s.policy.RestrictedWhitelist = true, []string{"trusted"}
	})
	for _, name := range []string{"alice", "trusted"} {
		w.user(name)
		w.tag(w.repository(name, "app"), "v1")
	}
	for who, want := range map[string][]int{"alice": {403, 403, 403, 403, 403}, "trusted": {201, 201, 201, 201, 204}} {
		app := "/api/v1/repository/" + who + "/app"
		w.session(who).check(t, []call{
			{who + " makes an organization", post, "/api/v1/organization/", `{"name":"of-` + who + `"}`, want[0], ""},
			{who + " makes a robot", put, "/api/v1/user/robots/ci", `{}`, want[1], ""},
			{who + " labels", post, app + "/manifest/" + taggedV1 + "/labels", `{"key":"a","value":"b","media_type":null}`, want[2], ""},
			{who + " moves a tag", put, app + "/tag/v2", `{"manifest_digest":"` + taggedV1 + `"}`, want[3], ""},
			{who + " deletes a tag", del, app + "/tag/v1", ``, want[4], ""},
			{who + " reads", get, app, ``, 200, ""},
		})
	}
}
