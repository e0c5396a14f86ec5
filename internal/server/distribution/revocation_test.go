package distribution_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
)

// TestWhatIsTakenAwayIsRefusedWithinAMinute takes rights away behind the back of a second process, which shares only
// the database, while its tokens are still good for an hour.
func TestWhatIsTakenAwayIsRefusedWithinAMinute(t *testing.T) {
	uri := dbtest.URI(t, dbtest.PostgreSQL)
	first, second := newRig(t, dbtest.OpenURI(t, uri)), newRig(t, dbtest.OpenURI(t, uri))
	acme := first.organization("acme", "owner")
	repo := first.repository(acme, "app", false)
	writer, left := first.user("writer"), first.user("left")
	robot, err := first.identity.CreateRobot(t.Context(), acme, "ci", "", "")
	first.must(err)
	for _, a := range []identity.Account{writer, left, robot.Account} {
		first.grant(repo, a, access.Write)
	}
	scope := scopeOf("acme/app", "pull,push")
	for _, row := range []struct {
		name  string
		who   people
		take  func() error
		fully bool // the token itself is no good any more
	}{
		{"a permission", people{"writer", password("writer")}, func() error {
			_, err := first.access.Revoke(t.Context(), repo.ID, access.Subject{AccountID: writer.ID})
			return err
		}, false},
		{"an account", people{"left", password("left")}, func() error { return first.identity.SetEnabled(t.Context(), left.ID, false) }, true},
		{"a robot's token", people{"acme+ci", robot.Token}, func() error {
			_, err := first.identity.RegenerateRobot(t.Context(), acme, "ci")
			return err
		}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			first.t, second.t = t, t
			token := first.tokenOf(row.who.user, row.who.secret, scope)
			request := call{method: "POST", path: "/v2/acme/app/blobs/uploads/", token: token}
			first.want(first.send(request), 202)
			second.want(second.send(request), 202)
			first.must(row.take())
			first.want(first.send(request), 401) // here at once
			second.clock.advance(time.Minute)
			second.want(second.send(request), 401)
			if base := second.send(call{path: "/v2/", token: token}); (base.status == 401) != row.fully {
				t.Errorf("GET /v2/ answers %d", base.status)
			}
		})
	}
}

func TestBearerTokensThatAreNoGood(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRig(t, d)
		good := r.token("alice", scopeOf("alice/app", "pull,push"))
		r.upload(good, "alice/app", []byte("x"))
		parts := strings.Split(good, ".")
		segment := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
		foreign := tokenIn(t, r.send(call{path: "/v2/auth?service=other.example&scope=" + scopeOf("alice/app", "pull"), user: "alice", secret: password("alice")}))
		for name, header := range map[string]string{
			"Basic credentials":         "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+password("alice"))),
			"no scheme":                 good,
			"an empty token":            "Bearer ",
			"nonsense":                  "Bearer nonsense",
			"another audience":          "Bearer " + foreign,
			"a changed payload":         "Bearer " + parts[0] + "." + segment(`{"iss":"quay","aud":"registry.test"}`) + "." + parts[2],
			"a cut signature":           "Bearer " + good[:len(good)-8],
			"no signature":              "Bearer " + segment(`{"alg":"none","typ":"JWT"}`) + "." + parts[1] + ".",
			"a key that it brings":      "Bearer " + segment(`{"alg":"ES256","typ":"JWT","jwk":{"kty":"EC"}}`) + "." + parts[1] + "." + parts[2],
			"an algorithm with secrets": "Bearer " + segment(`{"alg":"HS256","typ":"JWT"}`) + "." + parts[1] + "." + parts[2],
			"a very long token":         "Bearer " + strings.Repeat("a", 40_000),
			"a token behind a token":    "Bearer " + good + " " + good,
		} {
			t.Run(name, func(t *testing.T) {
				r.t = t
				for path, challenge := range map[string]string{
					"/v2/":                     `Bearer realm="` + r.url + `/v2/auth",service="registry.test"`,
					"/v2/alice/app/tags/list":  `Bearer realm="` + r.url + `/v2/auth",service="registry.test",scope="repository:alice/app:pull"`,
					"/v2/mallory/no/tags/list": `Bearer realm="` + r.url + `/v2/auth",service="registry.test",scope="repository:mallory/no:pull"`,
					"/v2/_catalog":             `Bearer realm="` + r.url + `/v2/auth",service="registry.test"`,
				} {
					a := r.want(r.send(call{path: path, header: map[string]string{"Authorization": header}}), 401)
					if a.header.Get("WWW-Authenticate") != challenge {
						t.Errorf("%s: challenge %q", path, a.header.Get("WWW-Authenticate"))
					}
					body := decode[struct{ Error string }](t, a)
					if a.code() != "UNAUTHORIZED" || body.Error == "" {
						t.Errorf("%s: %s", path, a.body)
					}
				}
			})
		}
		t.Run("one that has expired", func(t *testing.T) {
			r.t = t
			r.want(r.send(call{path: "/v2/alice/app/tags/list", token: good}), 200)
			r.clock.advance(61 * time.Minute)
			r.want(r.send(call{path: "/v2/alice/app/tags/list", token: good}), 401)
		})
	})
}

func TestATokenGrantsNoMoreThanItNames(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite))
	all := r.token("alice", scopeOf("alice/app", "pull,push"), scopeOf("alice/app/nested", "pull,push"), scopeOf("alice/app/tags", "pull,push"))
	for _, repo := range []string{"alice/app", "alice/app/nested", "alice/app/tags"} {
		r.push(all, repo, "v1", r.image(all, repo, "x"))
	}
	for _, row := range []struct{ granted, path string }{
		{"alice/app", "/v2/alice/app/nested/manifests/v1"},
		{"alice/app/nested", "/v2/alice/app/manifests/v1"},
		{"alice/app", "/v2/alice/app/tags/tags/list"},
		{"alice/app/tags", "/v2/alice/app/tags/list"},
		{"alice/app", "/v2/alice/app%2Fnested/manifests/v1"},
		{"alice/app", "/v2/alice/app/../app/nested/manifests/v1"},
	} {
		token := r.token("alice", scopeOf(row.granted, "pull"))
		if a := r.send(call{path: row.path, token: token}); a.status != 401 && a.status != 404 || a.code() == "MANIFEST_UNKNOWN" {
			t.Errorf("a token for %s on %s: %d %s", row.granted, row.path, a.status, a.body)
		}
	}
	pull := r.token("alice", scopeOf("alice/app", "pull"))
	r.want(r.send(call{path: "/v2/alice/app/manifests/v1", token: pull}), 200)
	r.want(r.send(call{method: "POST", path: "/v2/alice/app/blobs/uploads/", token: pull}), 401)
	r.want(r.send(call{method: "DELETE", path: "/v2/alice/app/manifests/v1", token: pull}), 401)
	push := r.token("alice", scopeOf("alice/app", "push"))
	r.want(r.send(call{path: "/v2/alice/app/manifests/v1", token: push}), 200)
	admin := r.token("alice", scopeOf("alice/app", "*"))
	r.want(r.send(call{method: "DELETE", path: "/v2/alice/app/manifests/v1", token: admin}), 202)
}
