package rest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
)

// TestNamesThatHoldRouteWords has repositories acme/app and acme/app/tag/v1, and a user for each who may not touch the
// other.
func TestNamesThatHoldRouteWords(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, name := range []string{"alice", "outer", "inner"} {
			w.user(name)
		}
		w.organization("acme", "alice")
		app, nested := w.repository("acme", "app"), w.repository("acme", "app/tag/v1")
		w.tag(app, "v1")
		w.tag(nested, "v2")
		w.grant(app, "outer", access.Admin)
		w.grant(nested, "inner", access.Admin)
		const outer, inner, forced = "/api/v1/repository/acme/app", "/api/v1/repository/acme/app/tag/v1", "/api/v1/repository/acme%2Fapp%2Ftag%2Fv1"
		get, del := http.MethodGet, http.MethodDelete
		t.Run("the inner repository's administrator", func(t *testing.T) {
			w.session("inner").check(t, []call{
				{"does not see the outer one", get, outer, "", 403, ""},
				{"sees the own one by its forced name", get, forced, "", 200, `"name":"app/tag/v1"`},
				{"sees its tags", get, inner + "/tag/", "", 200, `"v2"`},
				{"sees its tags by its forced name", get, forced + "/tag/", "", 200, `"v2"`},
				{"cannot delete the outer one's tag", del, inner, "", 403, ""},
				{"cannot delete the outer one", del, outer, "", 403, ""},
				{"sees its permissions", get, inner + "/permissions/user/", "", 200, `"inner"`},
			})
		})
		t.Run("the outer repository's administrator", func(t *testing.T) {
			w.session("outer").check(t, []call{
				{"does not see the inner one", get, forced, "", 403, ""},
				{"does not see its tags", get, inner + "/tag/", "", 403, ""},
				{"cannot delete it", del, forced, "", 403, ""},
				{"cannot delete its tag", del, inner + "/tag/v2", "", 403, ""},
				{"a plain path is the tag of the own one", del, inner, "", 204, ""},
				{"which is gone then", del, inner, "", 404, ""},
				{"deletes the own one", del, outer, "", 204, ""},
			})
		})
		t.Run("the inner one has outlived the outer one", func(t *testing.T) {
			w.session("inner").check(t, []call{
				{"with its tags", get, inner + "/tag/", "", 200, `"v2"`},
				{"and is deleted by its forced name", del, forced, "", 204, ""},
				{"and is gone", get, forced, "", 403, ""},
			})
		})
	})
}

// TestRowsAreComplete holds what check refuses, so that no operation is added without a permission.
func TestRowsAreComplete(t *testing.T) {
	complete := route{
		Method: http.MethodGet, Path: "/api/v1/repository/{repository}", ID: "x", Summary: "x",
		Need: repository(access.Pull, identity.ScopeRepoRead), Handler: func(*API, huma.API, *route) {},
	}
	if err := complete.check(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		do   func(*route)
	}{
		{"no permission", func(r *route) { r.Need = need{} }},
		{"no scope", func(r *route) { r.Need.scope = 0 }},
		{"a repository that the path does not name", func(r *route) { r.Path = "/api/v1/user/" }},
		{"an organization that the path does not name", func(r *route) { r.Need = organization(access.ViewNamespace) }},
		{"a change that asks for a reading right", func(r *route) { r.Method = http.MethodPost }},
		{"no handler", func(r *route) { r.Handler = nil }},
		{"no name", func(r *route) { r.ID = "" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			row := complete
			test.do(&row)
			if row.check() == nil {
				t.Error("the row passes")
			}
		})
	}
}

func TestDocument(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	a := (&client{w: w, header: http.Header{}}).do(http.MethodGet, "/api/v1/openapi.json", "", header("User-Agent", "Mozilla/5.0"))
	wantStatus(t, "the document", a, 200)
	var document struct {
		OpenAPI string                                `json:"openapi"`
		Paths   map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal([]byte(a.body), &document); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(document.OpenAPI, "3.1") {
		t.Errorf("it is OpenAPI %s", document.OpenAPI)
	}
	for id, r := range w.api.rows {
		if told := document.Paths[r.Path][strings.ToLower(r.Method)] != nil; told != (r.Off == 0) {
			t.Errorf("%s (%s %s) is in it: %v, and switched off: %v", id, r.Method, r.Path, told, r.Off != 0)
		}
	}
	if strings.Contains(a.body, "ErrorModel") {
		t.Error("it promises an error body that is never sent")
	}
}

func TestBrowsers(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	w.user("alice")
	c := w.session("alice")
	agent := header("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	wantStatus(t, "a link in a browser", c.do(http.MethodGet, ownRobots, "", agent), 400)
	wantStatus(t, "a page's call", c.do(http.MethodGet, ownRobots, "", agent, header("X-Requested-With", "XMLHttpRequest")), 200)
	wantStatus(t, "a browser's change, which CSRF guards", c.do(http.MethodPut, newRobot, "{}", agent), 201)
	wantStatus(t, "curl", c.do(http.MethodGet, ownRobots, "", header("User-Agent", "curl/8.9")), 200)
	wantStatus(t, "/csrf_token in a browser", c.do(http.MethodGet, "/csrf_token", "", agent), 200)
}

func TestCORS(t *testing.T) {
	any := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	a := any.anonymous().do(http.MethodOptions, "/api/v1/user/", "", header("Origin", "https://console.example"))
	if a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type, X-Requested-With" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Error("credentials are allowed")
	}
	some := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.options.Origins = []string{"https://console.example"} })
	for origin, want := range map[string]string{"https://console.example": "https://console.example", "https://evil.example": "", "": ""} {
		a := some.anonymous().do(http.MethodGet, "/api/v1/user/", "", header("Origin", origin))
		if got := a.header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%q may read as %q, want %q", origin, got, want)
		}
	}
}
