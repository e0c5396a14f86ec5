package app

import (
	"testing"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
)

// TestATokenOfBeforeTheRepositoryFinishesItsOwnPushOnly has an OAuth token with the scope repo:create get registry tokens
// for repositories that are missing. alice administers the organization acme, mallory is one of its administrators.
func TestATokenOfBeforeTheRepositoryFinishesItsOwnPushOnly(t *testing.T) {
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			x := startTarget(t, kind, nil)
			s := &siege{target: x, t: t, mallory: x.signIn(t, "mallory", malloryPasswd)}
			x.must(t, attack{session: &x.session, method: "PUT", path: "/api/v1/organization/acme/team/owners/members/mallory"}, 200)
			secret := s.oauthToken("repo:create")
			config, layer := "{}", "a layer of the push"
			put := func(repository, body string) attack {
				return attack{method: "POST", path: "/v2/" + repository + "/blobs/uploads/?digest=" + digest.SHA256.Of([]byte(body)).String(), body: body}
			}
			tagged := func(method, repository string) attack {
				a := attack{method: method, path: "/v2/" + repository + "/manifests/v1"}
				if method == "PUT" {
					a.body = string(imageOf([]byte(config), []byte(layer)))
				}
				return a
			}
			blob := func(method, repository string) attack {
				return attack{method: method, path: "/v2/" + repository + "/blobs/" + digest.SHA256.Of([]byte(layer)).String()}
			}
			// whole pushes an image, and looks for what it pushed as clients do.
			whole := func(t *testing.T, repository string) (token string) {
				t.Helper()
				token = x.grantedTo(t, secret, repository, "pull,push")
				for i, a := range []attack{put(repository, config), put(repository, layer), blob("HEAD", repository), tagged("PUT", repository)} {
					a.header = []string{"Authorization: Bearer " + token}
					x.must(t, a, []int{201, 201, 200, 201}[i])
				}
				return token
			}
			refused := func(t *testing.T, token string, all ...attack) {
				t.Helper()
				for _, a := range all {
					a.header = []string{"Authorization: Bearer " + token}
					if r := x.send(t, a); r.StatusCode != 401 {
						t.Errorf("%s %s: %d %s, want 401", a.method, a.path, r.StatusCode, r.body)
					}
				}
			}
			for _, repository := range []string{"alice/made", "acme/made"} {
				t.Run("it finishes the push that made "+repository+", and neither reads nor deletes", func(t *testing.T) {
					token := whole(t, repository)
					refused(t, token, tagged("GET", repository), blob("GET", repository), attack{method: "GET", path: "/v2/" + repository + "/tags/list"},
						tagged("DELETE", repository), blob("DELETE", repository))
					refused(t, x.grantedTo(t, secret, repository, "pull,push"), put(repository, "more"))
				})
			}
			t.Run("it does not push to what another has made meanwhile", func(t *testing.T) {
				token := x.grantedTo(t, secret, "acme/others", "pull,push")
				x.must(t, attack{session: &s.mallory, method: "POST", path: "/api/v1/repository",
					body: `{"namespace":"acme","repository":"others","visibility":"private","description":""}`}, 201)
				refused(t, token, put("acme/others", config), tagged("PUT", "acme/others"), blob("HEAD", "acme/others"))
			})
			t.Run("it does not push once its right to the repository is removed", func(t *testing.T) {
				token := whole(t, "acme/removed")
				x.must(t, attack{session: &s.mallory, method: "DELETE", path: "/api/v1/repository/acme/removed/permissions/user/alice"}, 204)
				refused(t, token, put("acme/removed", "more"))
			})
			t.Run("it mounts nothing that it may not pull", func(t *testing.T) {
				token := whole(t, "alice/mounting")
				x.must(t, attack{method: "POST", path: "/v2/alice/mounting/blobs/uploads/?from=alice/app&mount=" + x.layer.String(),
					header: []string{"Authorization: Bearer " + token}}, 202)
			})
		})
	}
}

// grantedTo is the registry token that an OAuth token gets for actions on a repository.
func (x *target) grantedTo(t *testing.T, secret, repository, actions string) string {
	t.Helper()
	token := tokenIn(t, x.must(t, attack{method: "GET", path: "/v2/auth?service=" + abuseHost + "&scope=repository:" + repository + ":" + actions,
		header: []string{basicOf("$oauthtoken", secret)}}, 200))
	x.secrets = append(x.secrets, token)
	return token
}
