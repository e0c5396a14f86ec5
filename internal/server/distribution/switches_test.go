package distribution_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/registry"
	"github.com/longshore-registry/longshore/internal/server/distribution"
)

// TestEveryWriteRouteKnowsTheSwitches sends each route of the table, with every right, to registries that are switched
// one way or another.
func TestEveryWriteRouteKnowsTheSwitches(t *testing.T) {
	for _, row := range []struct {
		name     string
		change   func(*settings)
		reads    int // what the read routes answer
		writes   int
		code     string
		readonly bool
	}{
		{"read-only", func(s *settings) { s.policy.RegistryReadOnly = true }, 200, 405, "DENIED", true},
		{"without pushes", func(s *settings) { s.policy.PushesDisabled = true }, 200, 405, "UNSUPPORTED", false},
		{"in account recovery", func(s *settings) { s.options.RecoveryMode = true }, 405, 405, "UNSUPPORTED", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := dbtest.Open(t, dbtest.SQLite)
			open := newMatrix(t, d)
			content := open.ownerToken("owner", "acme/app")
			switched := newRig(t, d, row.change)
			switched.people = open.people
			token := content
			if row.reads == 200 { // the token endpoint grants what the route then refuses, with words
				token = switched.token("owner", scopeOf("acme/app", "pull,push"))
				if diff := cmp.Diff([]string{scopeOf("acme/app", "push,pull")}, granted(t, token)); diff != "" {
					t.Error(diff)
				}
			}
			for _, route := range distribution.Routes() {
				if !route.Repository {
					continue
				}
				open.count++
				c := open.request(route, "acme/app", content, content)
				c.token = token
				if strings.HasPrefix(route.Label, "blob.") { // blobs are in the other registry's folder
					c.path = "/v2/acme/app/blobs/" + missingDigest.String()
				}
				a := switched.send(c)
				switch {
				case route.Writes && (a.status != row.writes || a.code() != row.code):
					t.Errorf("%s: %d %s", route.Label, a.status, a.body)
				case route.Writes && strings.Contains(string(a.body), `"is_readonly":true`) != row.readonly:
					t.Errorf("%s: %s", route.Label, a.body)
				case !route.Writes && a.status != row.reads && !(row.reads == 200 && a.status == 404 && strings.HasPrefix(route.Label, "blob.")):
					t.Errorf("%s: %d %s", route.Label, a.status, a.body)
				}
			}
		})
	}
}

func TestRepositoryStates(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := newMatrix(t, d)
		token := m.ownerToken("owner", "acme/app")
		m.push(token, "acme/app", "v1", m.image(token, "acme/app", "x"))
		app, err := m.registry.Repository(t.Context(), "acme", "app")
		m.must(err)
		for state, name := range map[access.State]string{access.ReadOnlyState: "read-only", access.Mirror: "mirror", access.OrganizationMirror: "organization mirror"} {
			m.must(m.registry.SetState(t.Context(), app.ID, state))
			m.want(m.send(call{path: "/v2/acme/app/manifests/v1", token: token}), 200)
			m.want(m.send(call{method: "DELETE", path: "/v2/acme/app/manifests/v1", token: token}), 401)
			m.want(m.put(token, "acme/app", "v2", emptyIndex), 401)
			if diff := cmp.Diff([]string{scopeOf("acme/app", "pull")}, granted(t, m.token("owner", scopeOf("acme/app", "pull,push,*")))); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		m.must(m.registry.SetState(t.Context(), app.ID, access.Normal))
		m.want(m.put(token, "acme/app", "v2", emptyIndex), 201)
	})
}

func TestTheBase(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite))
	challenge := `Bearer realm="` + r.url + `/v2/auth",service="registry.test"`
	token := r.token("alice")
	for _, path := range []string{"/v2/", "/v2"} {
		a := r.want(r.send(call{path: path}), 401)
		if a.header.Get("WWW-Authenticate") != challenge || a.header.Get("Docker-Distribution-API-Version") != "registry/2.0" {
			t.Errorf("%v", a.header)
		}
		a = r.want(r.send(call{path: path, token: token}), 200)
		if string(a.body) != "true" || a.header.Get("WWW-Authenticate") != challenge || a.header.Get("X-Sparse-Manifest-Support") != "false" {
			t.Errorf("%s %v", a.body, a.header)
		}
	}
	r.want(r.send(call{path: "/v2/", token: token, header: map[string]string{"User-Agent": "docker/1.5.0 go/go1.3"}}), 404)
	r.want(r.send(call{method: "HEAD", path: "/v2/", token: token}), 200)
	if a := r.want(r.send(call{method: "POST", path: "/v2/", token: token}), 405); a.header.Get("Allow") != "GET" {
		t.Errorf("Allow %q", a.header.Get("Allow"))
	}
	hidden := newRig(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.options.AdvertiseV2 = false })
	hidden.want(hidden.send(call{path: "/v2/", token: hidden.token("alice")}), 404)
}

func TestAnonymousAccessCanBeSwitchedOff(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.policy.AnonymousAccess = false })
	r.repository(r.user("alice"), "open", true)
	for _, path := range []string{"/v2/", "/v2/alice/open/tags/list", "/v2/_catalog"} {
		a := r.want(r.send(call{path: path}), 401)
		if body := decode[struct{ Error string }](t, a); body.Error != "Anonymous access is not allowed" || a.code() != "UNAUTHORIZED" {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	r.want(r.send(call{path: authPath(scopeOf("alice/open", "pull"))}), 401)
	r.want(r.send(call{path: "/v2/alice/open/tags/list", token: r.token("bob", scopeOf("alice/open", "pull"))}), 200)
}

func TestAnonymousPullsOfPublicRepositories(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := newMatrix(t, d)
		token := m.ownerToken("mallory", "mallory/open")
		m.push(token, "mallory/open", "v1", m.image(token, "mallory/open", "x"))
		for name, token := range map[string]string{"without a header": "", "with an anonymous token": m.token("", scopeOf("mallory/open", "pull"))} {
			m.want(m.send(call{path: "/v2/mallory/open/manifests/v1", token: token}), 200)
			if a := m.send(call{method: "DELETE", path: "/v2/mallory/open/manifests/v1", token: token}); a.status != 401 {
				t.Errorf("DELETE %s: %d", name, a.status)
			}
		}
	})
}

func TestNames(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite))
	library := r.organization("library", "alice")
	r.repository(library, "busybox", true)
	token := r.token("alice", scopeOf("busybox", "pull,push"))
	a := r.want(r.put(token, "busybox", "v1", emptyIndex), 201)
	if location := a.header.Get("Location"); !strings.HasPrefix(location, "/v2/busybox/manifests/sha256:") {
		t.Errorf("Location %q", location)
	}
	r.want(r.send(call{path: "/v2/library/busybox/manifests/v1", token: token}), 200)
	if list := decode[struct{ Name string }](t, r.send(call{path: "/v2/busybox/tags/list"})); list.Name != "busybox" {
		t.Errorf("name %q", list.Name)
	}
	a = r.want(r.send(call{method: "POST", path: "/v2/busybox/blobs/uploads/"}), 401)
	if want := `scope="repository:library/busybox:pull,push"`; !strings.HasSuffix(a.header.Get("WWW-Authenticate"), want) {
		t.Errorf("challenge %q", a.header.Get("WWW-Authenticate"))
	}

	flat := newRig(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.registry.Names = registry.NameOptions{} })
	for path, words := range map[string]string{
		"/v2/alice/a/b/tags/list": "Nested repositories are not supported. Found: alice/a/b",
		"/v2/busybox/tags/list":   "A namespace must be specified explicitly",
	} {
		a := flat.want(flat.send(call{path: path}), 400)
		if a.code() != "NAME_INVALID" || !strings.Contains(string(a.body), words) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

// TestRepositoriesNamedAfterRoutes pushes to and pulls from repositories whose names look like routes.
func TestRepositoriesNamedAfterRoutes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRig(t, d)
		for _, repo := range []string{
			"alice/app/tag/v1", "alice/manifests", "alice/blobs/uploads", "alice/tags/list", "alice/referrers", "alice/blobs", "alice/manifests/latest/manifests", "alice/v2/auth",
		} {
			t.Run(repo, func(t *testing.T) {
				r.t = t
				token := r.token("alice", scopeOf(repo, "pull,push"))
				m := r.image(token, repo, repo)
				r.push(token, repo, "tags", m)
				a := r.want(r.send(call{path: "/v2/" + repo + "/manifests/tags", token: token}), 200)
				if string(a.body) != string(m) {
					t.Errorf("%s", a.body)
				}
				list := decode[struct {
					Name string
					Tags []string
				}](t, r.want(r.send(call{path: "/v2/" + repo + "/tags/list", token: token}), 200))
				if list.Name != repo || len(list.Tags) != 1 {
					t.Errorf("%+v", list)
				}
				r.want(r.send(call{path: "/v2/" + repo + "/tags/list"}), 401)
			})
		}
	})
}

func TestApplicationRepositoriesHoldNoImages(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite))
	repo := r.repository(r.user("alice"), "app", true)
	r.must(r.db.Hard(t.Context(), "make it one", func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE repository SET kind = 2 WHERE id = $1`, repo.ID)
		return err
	}))
	if a := r.want(r.send(call{path: "/v2/alice/app/tags/list"}), 405); a.code() != "UNSUPPORTED" {
		t.Errorf("%s", a.body)
	}
	a := r.want(r.send(call{path: authPath(scopeOf("alice/app", "pull")), user: "alice", secret: password("alice")}), 405)
	if a.code() != "UNSUPPORTED" {
		t.Errorf("%s", a.body)
	}
}

func TestReferrersCanBeSwitchedOff(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.options.ReferrersAPI = false })
	token := r.token("alice", scopeOf("alice/app", "pull,push"))
	r.push(token, "alice/app", "v1", r.image(token, "alice/app", "x"))
	r.want(r.send(call{path: "/v2/alice/app/referrers/" + missingDigest.String(), token: token}), http.StatusNotFound)
}

func TestCatalog(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := newMatrix(t, d)
		acme, err := m.identity.Account(t.Context(), "acme")
		m.must(err)
		m.repository(acme, "app/nested", false)
		list := func(r *rig, path, token string) (answer, []string) {
			a := r.want(r.send(call{path: path, token: token}), 200)
			return a, decode[struct{ Repositories []string }](t, a).Repositories
		}
		for _, row := range []struct {
			who  people
			want []string
		}{
			{people{}, []string{}},
			{m.actors["owner"], []string{"acme/app", "acme/app/nested", "acme/other"}},
			{m.actors["reader"], []string{"acme/app"}},
			{m.actors["robot"], []string{"acme/app"}},
			{people{"mallory", password("mallory")}, []string{"mallory/open", "mallory/secret"}},
		} {
			token := ""
			if row.who.user != "" {
				token = m.tokenOf(row.who.user, row.who.secret)
			}
			_, got := list(m.rig, "/v2/_catalog", token)
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%s: %s", row.who.user, diff)
			}
		}
		token := m.token("owner")
		var all []string
		for next := "/v2/_catalog?n=1"; next != ""; {
			a, page := list(m.rig, next, token)
			all = append(all, page...)
			next = linkNext(t, a)
		}
		if diff := cmp.Diff([]string{"acme/app", "acme/app/nested", "acme/other"}, all); diff != "" {
			t.Error(diff)
		}
		public := newRig(t, d, func(s *settings) { s.options.PublicCatalog = true })
		if _, got := list(public, "/v2/_catalog", ""); !cmp.Equal(got, []string{"mallory/open"}) {
			t.Errorf("the public catalog: %v", got)
		}
	})
}

func TestKeys(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite))
	a := r.want(r.send(call{path: "/keys/services/quay/keys"}), 200)
	keys := decode[struct{ Keys []map[string]string }](t, a).Keys
	if len(keys) != 1 || keys[0]["kid"] == "" || keys[0]["d"] != "" || keys[0]["kty"] != "EC" {
		t.Fatalf("%s", a.body)
	}
	a = r.want(r.send(call{path: "/keys/services/quay/keys/" + keys[0]["kid"]}), 200)
	if diff := cmp.Diff(keys[0], decode[map[string]string](t, a)); diff != "" || !strings.HasPrefix(a.header.Get("Cache-Control"), "max-age=") {
		t.Errorf("%s, Cache-Control %q", diff, a.header.Get("Cache-Control"))
	}
	r.want(r.send(call{path: "/keys/services/quay/keys/none"}), 404)
	if a := r.want(r.send(call{path: "/keys/services/other/keys"}), 200); string(a.body) != `{"keys":[]}` {
		t.Errorf("%s", a.body)
	}
	r.want(r.send(call{method: "POST", path: "/keys/services/quay/keys/x"}), 405)
}
