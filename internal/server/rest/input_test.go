package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

func TestBadInput(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.user("alice")
		w.repository("alice", "app")
		const (
			create = "/api/v1/repository"
			app    = "/api/v1/repository/alice/app"
			robot  = "/api/v1/user/robots/ci"
			org    = "/api/v1/organization/"
			see    = app + "/changevisibility"
			may    = app + "/permissions/user/bob"
		)
		post, put, get := http.MethodPost, http.MethodPut, http.MethodGet
		w.session("alice").check(t, []call{
			{"no body", post, create, "", 400, "Missing JSON body"},
			{"an empty object", post, create, `{}`, 400, "body: expected required property repository to be present"},
			{"a missing member", post, create, `{"repository":"x","visibility":"private"}`, 400, "expected required property description to be present"},
			{"a member in another case is missing", post, create, `{"repository":"x","visibility":"private","Description":"d"}`, 400, "expected required property description to be present"},
			{"a number for a text", post, create, `{"repository":5,"visibility":"private","description":""}`, 400, "body.repository: expected string"},
			{"null for a text", post, create, `{"repository":null,"visibility":"private","description":""}`, 400, "body.repository"},
			{"a value outside of the list", post, create, `{"repository":"x","visibility":"secret","description":""}`, 400, "body.visibility: expected value to be one of"},
			{"the second of two equal members", post, see, `{"visibility":"public","visibility":"secret"}`, 400, "body.visibility"},
			{"an array for an object", put, app, `["description"]`, 400, "body: expected object"},
			{"a text too long", put, app, `{"description":"` + strings.Repeat("x", 100_001) + `"}`, 400, "body.description: expected length <= 100000"},
			{"the longest text", put, app, `{"description":"` + strings.Repeat("x", 100_000) + `"}`, 200, ""},
			{"a body too large", put, app, `{"description":"` + strings.Repeat("x", defaultMaxBody) + `"}`, 413, "larger than 1048576 bytes"},
			{"NUL in a text", put, app, `{"description":"a\u0000b"}`, 400, "NUL"},
			{"half a surrogate pair is replaced", put, app, `{"description":"\ud800"}`, 200, ""},
			{"what is no JSON", put, app, `description=x`, 400, "the request body is not JSON"},
			{"an empty name", post, create, `{"repository":"","visibility":"private","description":""}`, 400, "body.repository: expected length >= 1"},
			{"a name too long", post, create, `{"repository":"` + strings.Repeat("x", 256) + `","visibility":"private","description":""}`, 400, "body.repository: expected length <= 255"},
			{"a name with a slash at its end", post, create, `{"repository":"x/","visibility":"private","description":""}`, 400, "Invalid repository name"},
			{"an application repository", post, create, `{"repository":"x","visibility":"private","description":"","repo_kind":"application"}`, 400, "repo_kind"},
			{"a kind that never was", post, create, `{"repository":"x","visibility":"private","description":"","repo_kind":"video"}`, 400, "body.repo_kind"},
			{"a namespace that is no name", post, create, `{"namespace":"a b","repository":"x","visibility":"private","description":""}`, 403, ""},
			{"a robot's description too long", put, robot, `{"description":"` + strings.Repeat("x", 256) + `"}`, 400, "body.description: expected length <= 255"},
			{"a robot's metadata as a text", put, robot, `{"unstructured_metadata":"x"}`, 400, "body.unstructured_metadata: expected object"},
			{"a robot's name with a capital", put, "/api/v1/user/robots/CI", `{}`, 400, "Invalid robot name"},
			{"a robot's name of one letter", put, "/api/v1/user/robots/c", `{}`, 400, "Invalid robot name"},
			{"an organization's address that is none", post, org, `{"name":"acme","email":"nowhere"}`, 400, "Invalid email address"},
			{"an organization's name too long", post, org, `{"name":"` + strings.Repeat("x", 256) + `"}`, 400, "body.name: expected length <= 255"},
			{"a role that never was", put, may, `{"role":"god"}`, 400, "body.role"},
			{"an unknown user", put, may, `{"role":"read"}`, 400, "Invalid username: bob"},
			{"a page token that is none", get, create + "?namespace=alice&next_page=x", "", 400, "next_page"},
			{"a page token too long", get, create + "?namespace=alice&next_page=" + strings.Repeat("x", 1025), "", 400, "next_page"},
			{"NUL in the query", get, create + "?namespace=%00", "", 400, "namespace"},
			{"bytes in the query that are no text", get, app + "/tag/?specificTag=%ff", "", 400, "specificTag"},
			{"a query that cannot be read", get, app + "/tag/?specificTag=%zz", "", 400, "the query is malformed"},
			{"a page that is no number", get, app + "/tag/?page=two", "", 400, "query.page: invalid integer"},
			{"a page far beyond the end", get, app + "/tag/?page=999999999", "", 200, `"tags":[]`},
			{"a tag that is no tag", http.MethodDelete, app + "/tag/-x", "", 404, ""},
		})
	})
}

func TestUnknownMembersAreNotBound(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	w.user("alice")
	w.user("bob")
	c := w.session("alice")
	body := `{"repository":"app","visibility":"private","description":"kept","namespace":"alice",
		"Visibility":"public","NAMESPACE":"bob","state":"READ_ONLY","id":1,"kind":"application"}`
	wantStatus(t, "creation", c.do(http.MethodPost, "/api/v1/repository", body), 201)
	a := c.do(http.MethodGet, "/api/v1/repository/alice/app", "")
	for _, want := range []string{`"is_public":false`, `"state":"NORMAL"`, `"kind":"image"`, `"description":"kept"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%s is not in %s", want, a.body)
		}
	}
}

func TestContentTypes(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	w.user("alice")
	w.repository("alice", "app")
	c := w.session("alice")
	for _, test := range []struct {
		contentType string
		status      int
	}{
		{"application/json", 200},
		{"application/json; charset=utf-8", 200},
		{"application/vnd.example+json", 200},
		{"text/plain", 400},
		{"application/x-www-form-urlencoded", 400},
		{"nonsense/", 400},
	} {
		t.Run(test.contentType, func(t *testing.T) {
			a := c.do(http.MethodPut, "/api/v1/repository/alice/app", `{"description":"x"}`, header("Content-Type", test.contentType))
			wantStatus(t, "a body", a, test.status)
			if test.status == 400 && !strings.Contains(a.body, "send application/json") {
				t.Errorf("the answer is %s", a.body)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		a := c.do(http.MethodPut, "/api/v1/repository/alice/app", `{"description":"x"}`, func(r *http.Request) { r.Header.Del("Content-Type") })
		wantStatus(t, "a body", a, 200)
	})
	t.Run("what the client accepts makes no difference", func(t *testing.T) {
		a := c.do(http.MethodGet, "/api/v1/user/", "", header("Accept", "text/html"))
		if a.status != 200 || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%d %s", a.status, a.header.Get("Content-Type"))
		}
	})
}
