package distribution_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/server/distribution"
)

// actors are the columns of the permission matrix. Reader, writer and robot have that right on acme/app, the owner
// administers the organization acme; all of them are strangers to mallory, whose repositories are foreign. Elsewhere
// is the owner with a token for another repository of acme. Disabled is a writer whose account was switched off after
// the token was issued. Every token was asked for with all actions.
var actors = []string{"anonymous", "reader", "writer", "robot", "elsewhere", "disabled", "owner"}

// matrix says what each route answers to each actor, by the repository it is about. It is written by hand.
//
//	own             acme/app, private
//	public          mallory/open, public
//	foreign         mallory/secret, private
//	missing         a name in acme at which nothing is
//	missing foreign a name in mallory's namespace at which nothing is
//
// Each line has the columns of actors.
var matrix = map[string]map[string][]int{
	"own": {
		"blob.head":       {401, 200, 200, 200, 401, 401, 200},
		"blob.get":        {401, 200, 200, 200, 401, 401, 200},
		"blob.delete":     {401, 401, 202, 202, 401, 401, 202},
		"upload.start":    {401, 401, 202, 202, 401, 401, 202},
		"upload.status":   {401, 401, 204, 204, 401, 401, 204},
		"upload.append":   {401, 401, 202, 202, 401, 401, 202},
		"upload.finish":   {401, 401, 201, 201, 401, 401, 201},
		"upload.cancel":   {401, 401, 204, 204, 401, 401, 204},
		"manifest.head":   {401, 200, 200, 200, 401, 401, 200},
		"manifest.get":    {401, 200, 200, 200, 401, 401, 200},
		"manifest.put":    {401, 401, 201, 201, 401, 401, 201},
		"manifest.delete": {401, 401, 202, 202, 401, 401, 202},
		"tags.list":       {401, 200, 200, 200, 401, 401, 200},
		"referrers.list":  {401, 200, 200, 200, 401, 401, 200},
	},
	"public": {
		"blob.head":       {200, 200, 200, 200, 200, 401, 200},
		"blob.get":        {200, 200, 200, 200, 200, 401, 200},
		"blob.delete":     {401, 401, 401, 401, 401, 401, 401},
		"upload.start":    {401, 401, 401, 401, 401, 401, 401},
		"upload.status":   {401, 401, 401, 401, 401, 401, 401},
		"upload.append":   {401, 401, 401, 401, 401, 401, 401},
		"upload.finish":   {401, 401, 401, 401, 401, 401, 401},
		"upload.cancel":   {401, 401, 401, 401, 401, 401, 401},
		"manifest.head":   {200, 200, 200, 200, 200, 401, 200},
		"manifest.get":    {200, 200, 200, 200, 200, 401, 200},
		"manifest.put":    {401, 401, 401, 401, 401, 401, 401},
		"manifest.delete": {401, 401, 401, 401, 401, 401, 401},
		"tags.list":       {200, 200, 200, 200, 200, 401, 200},
		"referrers.list":  {200, 200, 200, 200, 200, 401, 200},
	},
	"foreign":         nobody(),
	"missing foreign": nobody(),
	"missing": {
		"blob.head":       {401, 401, 401, 401, 401, 401, 404},
		"blob.get":        {401, 401, 401, 401, 401, 401, 404},
		"blob.delete":     {401, 401, 401, 401, 401, 401, 404},
		"upload.start":    {401, 401, 401, 401, 401, 401, 202},
		"upload.status":   {401, 401, 401, 401, 401, 401, 404},
		"upload.append":   {401, 401, 401, 401, 401, 401, 404},
		"upload.finish":   {401, 401, 401, 401, 401, 401, 404},
		"upload.cancel":   {401, 401, 401, 401, 401, 401, 404},
		"manifest.head":   {401, 401, 401, 401, 401, 401, 404},
		"manifest.get":    {401, 401, 401, 401, 401, 401, 404},
		"manifest.put":    {401, 401, 401, 401, 401, 401, 201},
		"manifest.delete": {401, 401, 401, 401, 401, 401, 404},
		"tags.list":       {401, 401, 401, 401, 401, 401, 404},
		"referrers.list":  {401, 401, 401, 401, 401, 401, 200},
	},
}

// nobody is the part of the matrix in which all is refused.
func nobody() map[string][]int {
	all := map[string][]int{}
	for _, label := range []string{"blob.head", "blob.get", "blob.delete", "upload.start", "upload.status", "upload.append", "upload.finish",
		"upload.cancel", "manifest.head", "manifest.get", "manifest.put", "manifest.delete", "tags.list", "referrers.list"} {
		all[label] = []int{401, 401, 401, 401, 401, 401, 401}
	}
	return all
}

// general is what routes without a repository answer.
var general = map[string][]int{
	"base":      {401, 200, 200, 200, 200, 401, 200},
	"catalog":   {200, 200, 200, 200, 200, 401, 200},
	"token":     {401, 401, 401, 401, 401, 401, 401}, // a bearer token is no credential there
	"keys.list": {200, 200, 200, 200, 200, 200, 200},
	"keys.get":  {404, 404, 404, 404, 404, 404, 404},
	// A registry token is no JWT of a service, although it is signed by a key of the service quay.
	"keys.put":    {400, 400, 400, 400, 400, 400, 400},
	"keys.delete": {400, 403, 403, 403, 403, 403, 403},
}

func TestPermissions(t *testing.T) {
	for _, kind := range []dbtest.Kind{dbtest.SQLite, dbtest.PostgreSQL} {
		t.Run(string(kind), func(t *testing.T) {
			m := newMatrix(t, dbtest.Open(t, kind))
			for _, route := range distribution.Routes() {
				if !route.Repository {
					m.general(t, route)
					continue
				}
				for object, table := range matrix {
					want, ok := table[route.Label]
					if !ok {
						t.Errorf("route %s has no line for %s repositories", route.Label, object)
						continue
					}
					m.walk(t, route, object, want)
				}
			}
		})
	}
}

// people are an actor's credentials.
type people struct{ user, secret string }

type permissions struct {
	*rig
	actors map[string]people
	tokens map[string]string // of the owners, by repository
	count  int
}

func newMatrix(t *testing.T, d *db.DB) *permissions {
	r := newRig(t, d)
	acme := r.organization("acme", "owner")
	for _, user := range []string{"reader", "writer", "disabled", "mallory"} {
		r.user(user)
	}
	robot, err := r.identity.CreateRobot(t.Context(), acme, "ci", "", "")
	r.must(err)
	app := r.repository(acme, "app", false)
	r.repository(acme, "other", false)
	r.repository(r.user("mallory"), "open", true)
	r.repository(r.user("mallory"), "secret", false)
	r.grant(app, r.user("reader"), access.Read)
	r.grant(app, r.user("writer"), access.Write)
	r.grant(app, r.user("disabled"), access.Write)
	r.grant(app, robot.Account, access.Write)
	m := &permissions{rig: r, tokens: map[string]string{}, actors: map[string]people{"anonymous": {}, "robot": {robot.Account.Name, robot.Token}, "elsewhere": {"owner", password("owner")}}}
	for _, user := range []string{"reader", "writer", "disabled", "owner"} {
		m.actors[user] = people{user, password(user)}
	}
	return m
}

func (m *permissions) general(t *testing.T, route distribution.Route) {
	paths := map[string]string{"base": "/v2/", "catalog": "/v2/_catalog", "token": "/v2/auth", "keys.list": "/keys/services/quay/keys", "keys.get": "/keys/services/quay/keys/none",
		"keys.put": "/keys/services/quay/keys/none", "keys.delete": "/keys/services/quay/keys/none"}
	want, ok := general[route.Label]
	if !ok {
		t.Errorf("route %s has no line", route.Label)
		return
	}
	for i, actor := range actors {
		t.Run(fmt.Sprintf("%s by %s is %d", route.Label, actor, want[i]), func(t *testing.T) {
			m.t = t
			m.want(m.send(call{method: route.Method, path: paths[route.Label], token: m.tokenFor(actor, "acme/app")}), want[i])
		})
	}
}

func (m *permissions) walk(t *testing.T, route distribution.Route, object string, want []int) {
	for i, actor := range actors {
		t.Run(fmt.Sprintf("%s of %s repository by %s is %d", route.Label, object, actor, want[i]), func(t *testing.T) {
			m.t = t
			repo, maker := m.object(object)
			a := m.want(m.send(m.request(route, repo, maker, m.tokenFor(actor, repo))), want[i])
			if want[i] == 401 && a.header.Get("WWW-Authenticate") != m.challenge(route, repo) {
				t.Errorf("challenge %q", a.header.Get("WWW-Authenticate"))
			}
			if want[i] == 401 && route.Method != http.MethodHead && a.code() != "UNAUTHORIZED" {
				t.Errorf("code %q", a.code())
			}
		})
	}
}

// object gives the repository of a cell, and a token with which content can be put there.
func (m *permissions) object(object string) (repo, maker string) {
	m.count++
	switch object {
	case "own":
		return "acme/app", m.ownerToken("owner", "acme/app")
	case "public":
		return "mallory/open", m.ownerToken("mallory", "mallory/open")
	case "foreign":
		return "mallory/secret", m.ownerToken("mallory", "mallory/secret")
	case "missing foreign":
		return fmt.Sprintf("mallory/nothing-%d", m.count), ""
	}
	return fmt.Sprintf("acme/nothing-%d", m.count), ""
}

func (m *permissions) ownerToken(owner, repo string) string {
	if m.tokens[repo] == "" {
		m.tokens[repo] = m.token(owner, scopeOf(repo, "pull,push,*"))
	}
	return m.tokens[repo]
}

func (m *permissions) tokenFor(actor, repo string) string {
	p := m.actors[actor]
	switch actor {
	case "anonymous":
		return ""
	case "elsewhere":
		repo = "acme/other"
	case "disabled":
		r := m.people["disabled"]
		m.must(m.identity.SetEnabled(m.t.Context(), r.ID, true))
		token := m.tokenOf(p.user, p.secret, scopeOf(repo, "pull,push,*"))
		m.must(m.identity.SetEnabled(m.t.Context(), r.ID, false))
		return token
	}
	return m.tokenOf(p.user, p.secret, scopeOf(repo, "pull,push,*"))
}

// request is one that would succeed with every right. What it is about is new, so that cells do not disturb each other.
func (m *permissions) request(route distribution.Route, repo, maker, token string) call {
	base, c := "/v2/"+repo, call{method: route.Method, token: token}
	blob := fmt.Appendf(nil, "blob %d", m.count)
	d, tag := digest.SHA256.Of(blob), fmt.Sprintf("v%d", m.count)
	index := manifest(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": []any{}, "annotations": map[string]string{"n": tag}})
	if maker != "" {
		m.upload(maker, repo, blob)
		m.push(maker, repo, tag, index)
	}
	switch route.Label {
	case "blob.head", "blob.get", "blob.delete":
		c.path = base + "/blobs/" + d.String()
	case "upload.start":
		c.path = base + "/blobs/uploads/"
	case "upload.status", "upload.append", "upload.cancel":
		c.path = m.started(repo, maker, token)
	case "upload.finish":
		c.path, c.body = query(m.started(repo, maker, token), "digest="+d.String()), blob
	case "manifest.put":
		c.path, c.body, c.header = base+"/manifests/"+tag, index, map[string]string{"Content-Type": indexType}
	case "manifest.head", "manifest.get", "manifest.delete":
		c.path = base + "/manifests/" + tag
	case "tags.list":
		c.path = base + "/tags/list"
	case "referrers.list":
		c.path = base + "/referrers/" + d.String()
	}
	return c
}

// started is the address of an upload that the actor has begun, or, where they may not, somebody else.
func (m *permissions) started(repo, maker, token string) string {
	uploads := "/v2/" + repo + "/blobs/uploads/"
	if maker == "" {
		return uploads + "0190a1b2-0000-7000-8000-000000000000"
	}
	a := m.send(call{method: "POST", path: uploads, token: token})
	if a.status != 202 {
		a = m.want(m.send(call{method: "POST", path: uploads, token: maker}), 202)
	}
	return path(a.header.Get("Location"))
}

func (m *permissions) challenge(route distribution.Route, repo string) string {
	actions := "pull"
	if route.Writes {
		actions = "pull,push"
	}
	return fmt.Sprintf(`Bearer realm="%s/v2/auth",service="%s",scope="repository:%s:%s"`, m.url, service, repo, actions)
}

// TestUploadsBelongToWhoStartedThem is the part of the matrix that a right on the repository does not settle: another
// writer's upload, or one of another repository, does not exist.
func TestUploadsBelongToWhoStartedThem(t *testing.T) {
	m := newMatrix(t, dbtest.Open(t, dbtest.SQLite))
	mine := m.tokenFor("writer", "acme/app")
	location := m.started("acme/app", mine, mine)
	id := location[len("/v2/acme/app/blobs/uploads/"):]
	for name, c := range map[string]call{
		"another writer":   {path: location, token: m.tokenFor("robot", "acme/app")},
		"the owner":        {path: location, token: m.tokenFor("owner", "acme/app")},
		"under other name": {path: "/v2/acme/other/blobs/uploads/" + id, token: m.tokenFor("owner", "acme/other")},
	} {
		for _, method := range []string{"GET", "PATCH", "PUT", "DELETE"} {
			t.Run(name+" "+method, func(t *testing.T) {
				m.t = t
				c := c
				c.method = method
				if method == "PUT" {
					c.path = query(c.path, "digest="+missingDigest.String())
				}
				if a := m.want(m.send(c), 404); a.code() != "BLOB_UPLOAD_UNKNOWN" {
					t.Errorf("code %s", a.code())
				}
			})
		}
	}
	m.t = t
	m.want(m.send(call{path: location, token: mine}), 204)
}
