package distribution_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// granted are the access entries of a token.
func granted(t *testing.T, token string) []string {
	t.Helper()
	var claims struct {
		Access []struct {
			Type, Name string
			Actions    []string
		}
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, a := range claims.Access {
		list = append(list, a.Type+":"+a.Name+":"+strings.Join(a.Actions, ","))
	}
	return list
}

func TestScopesAreReducedToWhatIsAllowed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := newMatrix(t, d)
		acme, err := m.identity.Account(t.Context(), "acme")
		m.must(err)
		m.repository(acme, "frozen", false)
		frozen, err := m.registry.Repository(t.Context(), "acme", "frozen")
		m.must(err)
		m.must(m.registry.SetState(t.Context(), frozen.ID, access.ReadOnlyState))
		_, _, err = m.identity.SetTeam(t.Context(), acme.ID, "makers", access.TeamCreator, nil)
		m.must(err)
		m.must(m.identity.AddTeamMember(t.Context(), acme.ID, "makers", m.user("maker").ID))
		m.actors["maker"] = people{"maker", password("maker")}

		for _, row := range []struct {
			actor string
			scope []string
			want  []string
		}{
			{"owner", nil, []string{}},
			{"owner", []string{""}, []string{}},
			{"owner", []string{"repository:acme/app:pull,push"}, []string{"repository:acme/app:push,pull"}},
			{"owner", []string{"repository:acme/app:*,pull"}, []string{"repository:acme/app:pull,*"}},
			{"writer", []string{"repository:acme/app:*,pull,push"}, []string{"repository:acme/app:push,pull"}},
			{"reader", []string{"repository:acme/app:pull,push,*"}, []string{"repository:acme/app:pull"}},
			{"robot", []string{"repository:acme/app:pull,push"}, []string{"repository:acme/app:push,pull"}},
			{"anonymous", []string{"repository:acme/app:pull,push"}, []string{"repository:acme/app:"}},
			{"anonymous", []string{"repository:mallory/open:pull,push"}, []string{"repository:mallory/open:pull"}},
			{"reader", []string{"repository:mallory/open:pull,push,*"}, []string{"repository:mallory/open:pull"}},
			{"reader", []string{"repository:mallory/secret:pull,push,*"}, []string{"repository:mallory/secret:"}},
			{"owner", []string{"repository:acme/frozen:pull,push,*"}, []string{"repository:acme/frozen:pull"}},
			// What is not there yet.
			{"owner", []string{"repository:acme/new:pull,push"}, []string{"repository:acme/new:push,pull"}},
			{"owner", []string{"repository:acme/new:pull"}, []string{"repository:acme/new:pull"}},
			{"owner", []string{"repository:acme/new:*"}, []string{"repository:acme/new:"}},
			{"owner", []string{"repository:acme/new:*,push"}, []string{"repository:acme/new:push,*"}},
			{"maker", []string{"repository:acme/new:pull,push"}, []string{"repository:acme/new:push,pull"}},
			{"writer", []string{"repository:acme/new:pull,push"}, []string{"repository:acme/new:"}},
			{"writer", []string{"repository:writer/new/nested:pull,push"}, []string{"repository:writer/new/nested:push,pull"}},
			{"robot", []string{"repository:acme/new:pull,push"}, []string{"repository:acme/new:"}},
			{"owner", []string{"repository:nowhere/new:pull,push"}, []string{"repository:nowhere/new:"}},
			{"anonymous", []string{"repository:nowhere/new:pull"}, []string{"repository:nowhere/new:"}},
			// Names as clients write them.
			{"owner", []string{"repository:registry.test/acme/app:pull"}, []string{"repository:registry.test/acme/app:"}},
			{"owner", []string{"repository:busybox:pull"}, []string{"repository:busybox:"}},
			{"owner", []string{"repository:acme/app:pull repository:mallory/open:pull"}, []string{"repository:acme/app:pull", "repository:mallory/open:pull"}},
			{"owner", []string{"repository:mallory/open:pull", "repository:acme/app:push"}, []string{"repository:mallory/open:pull", "repository:acme/app:push"}},
			{"owner", []string{"registry:catalog:*"}, []string{"registry:catalog:*"}},
			{"owner", []string{"repository:acme/app:delete,pull"}, []string{"repository:acme/app:pull"}},
		} {
			t.Run(row.actor+" asks for "+strings.Join(row.scope, " and "), func(t *testing.T) {
				m.t = t
				p := m.actors[row.actor]
				if diff := cmp.Diff(row.want, granted(t, m.tokenOf(p.user, p.secret, row.scope...))); diff != "" {
					t.Error(diff)
				}
			})
		}
		for _, name := range []string{"acme/new", "writer/new/nested", "nowhere/new"} {
			namespace, rest, _ := strings.Cut(name, "/")
			if _, err := m.registry.Repository(t.Context(), namespace, rest); !problem.Is(err, problem.NotFound) {
				t.Errorf("asking for a token has made %s: %v", name, err)
			}
		}
	})
}

func TestTheOwnHostNameMayBePartOfAScope(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite))
	host := strings.TrimPrefix(r.url, "http://")
	token := r.token("alice", "repository:"+host+"/alice/app:pull,push")
	if diff := cmp.Diff([]string{"repository:" + host + "/alice/app:push,pull"}, granted(t, token)); diff != "" {
		t.Error(diff)
	}
	r.push(token, "alice/app", "v1", r.image(token, "alice/app", "x"))
}

func TestTokenRequestsThatAreRefused(t *testing.T) {
	m := newMatrix(t, dbtest.Open(t, dbtest.SQLite))
	m.must(m.identity.SetEnabled(t.Context(), m.user("mallory").ID, false))
	for _, row := range []struct {
		name   string
		call   call
		status int
		code   string
	}{
		{"nobody without a scope", call{path: authPath()}, 401, "UNAUTHORIZED"},
		{"nobody with an empty scope", call{path: authPath("")}, 401, "UNAUTHORIZED"},
		{"a wrong password", call{path: authPath(), user: "owner", secret: "wrong"}, 401, "UNAUTHORIZED"},
		{"an unknown user", call{path: authPath(), user: "who", secret: "wrong"}, 401, "UNAUTHORIZED"},
		{"a wrong robot token", call{path: authPath(), user: "acme+ci", secret: "wrong"}, 401, "UNAUTHORIZED"},
		{"an unknown application token", call{path: authPath(), user: "$app", secret: "wrong"}, 401, "UNAUTHORIZED"},
		{"an unknown OAuth token", call{path: authPath(), user: "$oauthtoken", secret: "wrong"}, 401, "UNAUTHORIZED"},
		{"an unknown access token", call{path: authPath(), user: "$token", secret: "wrong"}, 401, "UNAUTHORIZED"},
		{"a disabled user", call{path: authPath(), user: "mallory", secret: password("mallory")}, 401, "UNAUTHORIZED"},
		{"a header that is no Basic", call{path: authPath("repository:acme/app:pull"), header: map[string]string{"Authorization": "Basic !"}}, 401, "UNAUTHORIZED"},
		{"a bearer token", call{path: authPath("repository:acme/app:pull"), token: m.token("owner")}, 401, "UNAUTHORIZED"},
		{"a scope that is none", call{path: authPath("repository:acme/app"), user: "owner", secret: password("owner")}, 400, "INVALID_REQUEST"},
		{"a scope of another type", call{path: authPath("repository(plugin):acme/app:pull"), user: "owner", secret: password("owner")}, 400, "INVALID_REQUEST"},
		{"a name that is none", call{path: authPath("repository:acme/App:pull"), user: "owner", secret: password("owner")}, 400, "NAME_INVALID"},
		{"a disabled namespace", call{path: authPath("repository:mallory/open:pull"), user: "owner", secret: password("owner")}, 405, "DENIED"},
		{"POST", call{method: "POST", path: authPath(), user: "owner", secret: password("owner")}, 405, "UNSUPPORTED"},
		{"HEAD", call{method: "HEAD", path: authPath(), user: "owner", secret: password("owner")}, 405, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			m.t = t
			a := m.want(m.send(row.call), row.status)
			if a.code() != row.code {
				t.Errorf("code %q", a.code())
			}
			if _, ok := a.header["Www-Authenticate"]; ok != (row.status == 401) {
				t.Errorf("challenge %q", a.header.Get("WWW-Authenticate"))
			}
			if row.status == 405 && strings.Contains(row.name, "POST") && a.header.Get("Allow") != "GET" {
				t.Errorf("Allow %q", a.header.Get("Allow"))
			}
		})
	}
}

func TestFailedLoginsAreSlowedDown(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite))
	r.user("alice")
	for range 20 {
		a := r.send(call{path: authPath(), user: "alice", secret: "wrong"})
		if a.status == http.StatusTooManyRequests {
			if a.header.Get("Retry-After") == "" || a.code() != "TOOMANYREQUESTS" {
				t.Errorf("Retry-After %q, body %s", a.header.Get("Retry-After"), a.body)
			}
			return
		}
		r.want(a, 401)
	}
	t.Error("twenty wrong passwords in a row and no 429")
}

func TestAnswerOfTheTokenEndpoint(t *testing.T) {
	r := newRig(t, dbtest.Open(t, dbtest.SQLite))
	r.user("alice")
	a := r.want(r.send(call{path: authPath("repository:alice/app:pull") + "&account=alice&client_id=docker&offline_token=true", user: "alice", secret: password("alice")}), 200)
	body := decode[map[string]any](t, a)
	if body["token"] == "" || body["token"] != body["access_token"] || body["expires_in"] != 3600.0 || len(body) != 4 {
		t.Errorf("%s", a.body)
	}
	issued, err := time.Parse(time.RFC3339, body["issued_at"].(string))
	if err != nil || time.Since(issued).Abs() > time.Minute {
		t.Errorf("issued at %v, %v", issued, err)
	}
	if cache := a.header.Get("Cache-Control"); !strings.Contains(cache, "no-cache") || !strings.Contains(cache, "no-store") {
		t.Errorf("Cache-Control %q", cache)
	}
}

func TestEveryFormOfCredentialGetsATokenThatWorks(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := newRig(t, d)
		alice := r.user("alice")
		robot, err := r.identity.CreateRobot(t.Context(), alice, "ci", "", "")
		r.must(err)
		_, app, err := r.identity.CreateAppToken(t.Context(), alice.ID, "laptop", time.Hour)
		r.must(err)
		repo := r.repository(alice, "app", false)
		r.grant(repo, robot.Account, access.Write)
		encrypted, err := r.identity.EncryptPassword(password("alice"))
		r.must(err)
		for name, p := range map[string]people{
			"user name":          {"alice", password("alice")},
			"e-mail address":     {"alice@example.com", password("alice")},
			"encrypted password": {"alice", encrypted},
			"robot":              {"alice+ci", robot.Token},
			"application token":  {"$app", app},
			"OAuth token":        {"$oauthtoken", r.oauth(alice, identity.ScopeRepoRead|identity.ScopeRepoWrite)},
		} {
			t.Run(name, func(t *testing.T) {
				r.t = t
				token := r.tokenOf(p.user, p.secret, scopeOf("alice/app", "pull,push"))
				r.upload(token, "alice/app", []byte(name))
				r.want(r.send(call{path: "/v2/", token: token}), 200)
			})
		}
		t.Run("an OAuth token is limited to its scopes", func(t *testing.T) {
			r.t = t
			for scopes, want := range map[identity.Scopes]string{
				identity.ScopeRepoRead: "pull", identity.ScopeRepoWrite: "push,pull", identity.ScopeRepoAdmin: "push,pull,*", identity.ScopeUserRead: "",
			} {
				token := r.tokenOf("$oauthtoken", r.oauth(alice, scopes), scopeOf("alice/app", "pull,push,*"))
				if diff := cmp.Diff([]string{scopeOf("alice/app", want)}, granted(t, token)); diff != "" {
					t.Errorf("%s: %s", scopes, diff)
				}
			}
		})
	})
}

// oauth makes an OAuth token with scopes.
func (r *rig) oauth(of identity.Account, scopes identity.Scopes) string {
	r.t.Helper()
	var application int64
	err := r.db.Hard(r.t.Context(), "make an application", func(ctx context.Context, tx db.Tx) error {
		return tx.QueryRow(ctx, `INSERT INTO oauth_application (client_id, organization_id, name) VALUES ($1, $2, 'test')
			ON CONFLICT (client_id) DO UPDATE SET name = 'test' RETURNING id`, "client-"+of.Name, of.ID).Scan(&application)
	})
	r.must(err)
	token, err := r.identity.CreateOAuthToken(r.t.Context(), identity.NewOAuthToken{ApplicationID: application, AccountID: of.ID, Scopes: scopes, Lifetime: time.Hour})
	r.must(err)
	return token
}
