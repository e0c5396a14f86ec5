package app

import (
	"fmt"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/config"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
)

// scopeRow is what an OAuth token with some scopes may do with images as the user $oauthtoken: its user's rights, cut
// down to what the scopes grant.
type scopeRow struct {
	scopes                                                 string
	pullOwn, pushOwn, pushNew, pushNewAgain, pullForeigner bool
}

// scopeRows is written from the contract: repo:read pulls, repo:write pulls and pushes, repo:admin does what they do,
// repo:create makes a repository by a push and gives no other right to it; no scope gives what the user has not. The
// user is a superuser without full access, so that every scope can be had.
var scopeRows = []scopeRow{
	{scopes: "repo:read", pullOwn: true},
	{scopes: "repo:write", pullOwn: true, pushOwn: true},
	{scopes: "repo:admin", pullOwn: true, pushOwn: true},
	{scopes: "repo:create", pushNew: true},
	{scopes: "user:read"},
	{scopes: "user:admin"},
	{scopes: "org:admin"},
	{scopes: "super:user"},
	{scopes: "repo:read repo:create", pullOwn: true, pushNew: true},
	{scopes: "repo:write repo:create", pullOwn: true, pushOwn: true, pushNew: true, pushNewAgain: true},
	{scopes: "user:admin org:admin super:user"},
	{scopes: "repo:read repo:write repo:admin repo:create user:read user:admin org:admin super:user", pullOwn: true, pushOwn: true, pushNew: true, pushNewAgain: true},
}

// TestWhatAnOAuthTokenDoesWithImages logs in, pushes and pulls over HTTP with a token of every scope.
func TestWhatAnOAuthTokenDoesWithImages(t *testing.T) {
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			x := startTarget(t, kind, func(c *config.Config) { c.Accounts.SuperUsers = []string{"alice"} })
			s := &siege{target: x, t: t}
			for i, row := range scopeRows {
				secret, fresh := s.oauthToken(row.scopes), fmt.Sprintf("alice/fresh%d", i)
				t.Run(row.scopes, func(t *testing.T) {
					x.imagesBy(t, secret, "pull", "alice/app", row.pullOwn)
					x.imagesBy(t, secret, "pull,push", "alice/app", row.pushOwn)
					x.imagesBy(t, secret, "pull,push", fresh, row.pushNew)
					x.imagesBy(t, secret, "pull,push", fresh, row.pushNewAgain)
					x.imagesBy(t, secret, "pull", "mallory/own", row.pullForeigner)
					x.imagesBy(t, secret, "pull,push", "mallory/own", false)
					x.imagesBy(t, secret, "pull,push", "mallory/"+fresh[6:], false)
				})
			}
			x.must(t, attack{who: "mallory", scope: "mallory/own", method: "GET", path: "/v2/mallory/own/blobs/" + digest.SHA256.Of([]byte("{}")).String()}, 200)
		})
	}
}

// imagesBy logs in as $oauthtoken, with Basic at /v2/auth, and pulls from the repository or pushes an image to it with
// what that gave. Logging in succeeds; every request after it does, or none.
func (x *target) imagesBy(t *testing.T, secret, actions, repository string, allowed bool) {
	t.Helper()
	granted := x.grantedTo(t, secret, repository, actions)
	config, layer := "{}", "a private layer"
	at := "/v2/" + repository
	requests := []attack{
		{method: "GET", path: at + "/manifests/v1", status: 200},
		{method: "GET", path: at + "/blobs/" + x.layer.String(), status: 200},
		{method: "GET", path: at + "/tags/list", status: 200},
	}
	if actions != "pull" {
		requests = []attack{
			{method: "POST", path: at + "/blobs/uploads/?digest=" + digest.SHA256.Of([]byte(config)).String(), body: config, status: 201},
			{method: "POST", path: at + "/blobs/uploads/?digest=" + digest.SHA256.Of([]byte(layer)).String(), body: layer, status: 201},
			{method: "PUT", path: at + "/manifests/v1", body: string(imageOf([]byte(config), []byte(layer))), status: 201},
		}
	}
	for _, a := range requests {
		a.header = []string{"Authorization: Bearer " + granted}
		if !allowed {
			a.status = 401
		}
		r := x.send(t, a)
		if r.StatusCode != a.status || !allowed && codeOf(r) != "UNAUTHORIZED" {
			t.Errorf("%s of %s: %s %s: %d %s, want %d", actions, repository, a.method, a.path, r.StatusCode, r.body, a.status)
		}
		if leaked := strings.Contains(string(r.body), layer); leaked && !allowed {
			t.Error("the refusal holds the layer")
		}
	}
}
