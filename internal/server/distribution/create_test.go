package distribution_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// exists reports whether a repository is there, and whether it is public.
func (r *rig) exists(name string) (found, public bool) {
	r.t.Helper()
	namespace, rest, _ := strings.Cut(name, "/")
	repo, err := r.registry.Repository(r.t.Context(), namespace, rest)
	if problem.Is(err, problem.NotFound) {
		return false, false
	}
	r.must(err)
	return true, repo.Public
}

func TestAPushMakesThePrivateRepositoryThatItNeeds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRig(t, d)
		for name, push := range map[string]call{
			"alice/by-upload":      {method: "POST", path: "/v2/alice/by-upload/blobs/uploads/"},
			"alice/by-mount":       {method: "POST", path: "/v2/alice/by-mount/blobs/uploads/?mount=" + missingDigest.String()},
			"alice/by-manifest":    {method: "PUT", path: "/v2/alice/by-manifest/manifests/v1", body: emptyIndex, header: map[string]string{"Content-Type": indexType}},
			"alice/nested/by/name": {method: "POST", path: "/v2/alice/nested/by/name/blobs/uploads/"},
		} {
			push.token = r.token("alice", scopeOf(name, "pull,push"))
			if found, _ := r.exists(name); found {
				t.Errorf("the token has made %s", name)
			}
			r.want(r.send(call{method: "HEAD", path: "/v2/" + name + "/blobs/" + missingDigest.String(), token: push.token}), 404)
			if found, _ := r.exists(name); found {
				t.Errorf("a HEAD has made %s", name)
			}
			r.want(r.send(push), 201, 202)
			if found, public := r.exists(name); !found || public {
				t.Errorf("%s: found %v, public %v", name, found, public)
			}
		}
		r.want(r.send(call{path: "/v2/alice/by-manifest/manifests/v1"}), 401)
	})
}

var emptyIndex = []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)

func TestRefusedPushesMakeNothing(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite))
	token := r.token("alice", scopeOf("alice/new", "pull,push"))
	put := func(reference, contentType, body string) call {
		return call{method: "PUT", path: "/v2/alice/new/manifests/" + reference, body: []byte(body), header: map[string]string{"Content-Type": contentType}}
	}
	for name, c := range map[string]call{
		"a manifest that is no JSON":        put("v1", imageType, "{"),
		"a manifest of an unknown type":     put("v1", "text/plain", "{}"),
		"a manifest over the limit":         put("v1", imageType, strings.Repeat(" ", 5<<20)),
		"a manifest with a wrong digest":    put(missingDigest.String(), indexType, string(emptyIndex)),
		"a manifest with a bad second tag":  put(digest.SHA256.Of(emptyIndex).String()+"?tag=-", indexType, string(emptyIndex)),
		"an upload of an unknown algorithm": {method: "POST", path: "/v2/alice/new/blobs/uploads/?digest-algorithm=md5"},
		"a blob with a malformed digest":    {method: "POST", path: "/v2/alice/new/blobs/uploads/?digest=sha256:1"},
		"the state of an upload":            {path: "/v2/alice/new/blobs/uploads/x"},
		"a delete":                          {method: "DELETE", path: "/v2/alice/new/manifests/v1"},
	} {
		c.token = token
		if a := r.send(c); a.status < 400 || a.status > 499 || a.status == 401 {
			t.Errorf("%s: status %d", name, a.status)
		}
		if found, _ := r.exists("alice/new"); found {
			t.Fatalf("%s has made the repository", name)
		}
	}
}

func TestRepositoriesMadeByPushMayBePublic(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.options.CreatePublic = true })
	r.upload(r.token("alice", scopeOf("alice/app", "push")), "alice/app", []byte("x"))
	if found, public := r.exists("alice/app"); !found || !public {
		t.Errorf("found %v, public %v", found, public)
	}
}

func TestWhoMakesARepositoryInAnOrganizationAdministersIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRig(t, d)
		acme := r.organization("acme", "owner")
		robot, err := r.identity.CreateRobot(t.Context(), acme, "ci", "", "")
		r.must(err)
		_, _, err = r.identity.SetTeam(t.Context(), acme.ID, "makers", access.TeamCreator, nil)
		r.must(err)
		for _, member := range []identity.Account{r.user("maker"), robot.Account} {
			r.must(r.identity.AddTeamMember(t.Context(), acme.ID, "makers", member.ID))
		}
		for name, p := range map[string]people{"by-user": {"maker", password("maker")}, "by-robot": {"acme+ci", robot.Token}} {
			token := r.tokenOf(p.user, p.secret, scopeOf("acme/"+name, "pull,push"))
			r.push(token, "acme/"+name, "v1", r.image(token, "acme/"+name, name))
			repo, err := r.registry.Repository(t.Context(), "acme", name)
			r.must(err)
			permissions, err := r.access.Permissions(t.Context(), repo.ID, false)
			r.must(err)
			got := map[string]string{}
			for _, x := range permissions {
				got[x.Name] = x.Role.String()
			}
			if diff := cmp.Diff(map[string]string{p.user: "admin"}, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	})
}

func TestConcurrentFirstPushesAllSucceed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRig(t, d, func(s *settings) { s.policy.CreateNamespaceOnPush = true })
		for _, repo := range []string{"alice/new", "neworg/new"} {
			token := r.token("alice", scopeOf(repo, "pull,push"))
			var pushes sync.WaitGroup
			for range 8 {
				pushes.Go(func() {
					if a := r.send(call{method: "POST", path: "/v2/" + repo + "/blobs/uploads/", token: token}); a.status != 202 {
						t.Errorf("%s: status %d: %s", repo, a.status, a.body)
					}
				})
			}
			pushes.Wait()
		}
	})
}

func TestOrganizationsAreMadeByPushWhereThatIsAllowed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRig(t, d, func(s *settings) { s.policy.CreateNamespaceOnPush = true })
		alice := r.user("alice")
		robot, err := r.identity.CreateRobot(t.Context(), alice, "ci", "", "")
		r.must(err)
		for _, repo := range []string{"neworg/app", "alice/app"} {
			token := r.token("alice", scopeOf(repo, "pull,push"))
			r.push(token, repo, "v1", r.image(token, repo, repo))
		}
		made, err := r.identity.Account(t.Context(), "neworg")
		r.must(err)
		if made.Kind != identity.Organization || made.Email != "alice+neworg@example.com" {
			t.Errorf("%+v", made)
		}
		if diff := cmp.Diff([]string{scopeOf("another/app", "")}, granted(t, r.tokenOf("alice+ci", robot.Token, scopeOf("another/app", "push")))); diff != "" {
			t.Errorf("a robot: %s", diff)
		}
		r.user("bob")
		token := r.token("bob", scopeOf("neworg/app", "pull,push"), scopeOf("neworg/other", "push"))
		r.want(r.send(call{method: "POST", path: "/v2/neworg/app/blobs/uploads/", token: token}), 401)
		r.want(r.send(call{method: "POST", path: "/v2/neworg/other/blobs/uploads/", token: token}), 401)
		// One that was granted push while nothing was there does not keep it when somebody else was first.
		late := r.token("bob", scopeOf("race/app", "pull,push"))
		first := r.token("alice", scopeOf("race/app", "pull,push"))
		r.upload(first, "race/app", []byte("x"))
		r.want(r.send(call{method: "POST", path: "/v2/race/app/blobs/uploads/", token: late}), 401)
	})
}

func TestMountsFollowTheRightToPull(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := newMatrix(t, d)
		into := m.token("writer", scopeOf("writer/target", "pull,push"))
		secret := m.upload(m.ownerToken("mallory", "mallory/secret"), "mallory/secret", []byte("a secret"))
		open := m.upload(m.ownerToken("mallory", "mallory/open"), "mallory/open", []byte("an open blob"))
		shared := m.upload(m.ownerToken("owner", "acme/app"), "acme/app", []byte("a shared blob"))
		for _, row := range []struct {
			name   string
			query  string
			status int
		}{
			{"from a repository one may not read", "mount=" + secret.String() + "&from=mallory/secret", 202},
			{"of a blob that is only where one may not read", "mount=" + secret.String(), 202},
			{"from a repository that lacks the blob", "mount=" + secret.String() + "&from=mallory/open", 202},
			{"from a public repository", "mount=" + open.String() + "&from=mallory/open", 201},
			{"from a repository one may read, without a scope for it", "mount=" + shared.String() + "&from=acme/app", 201},
			{"again, from anywhere", "mount=" + shared.String(), 201},
			{"from a name that is none", "mount=" + shared.String() + "&from=UPPER", 201}, // it is here already
		} {
			t.Run(row.name, func(t *testing.T) {
				m.t = t
				m.want(m.send(call{method: "POST", path: "/v2/writer/target/blobs/uploads/?" + row.query, token: into}), row.status)
			})
		}
		m.t = t
		m.want(m.send(call{path: "/v2/writer/target/blobs/" + secret.String(), token: into}), 404)
	})
}
