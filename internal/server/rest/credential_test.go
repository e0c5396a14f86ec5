package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
)

// Only a user's own password speaks by HTTP Basic on the OAuth pages, and where it must be encrypted only so.
func TestWhatSpeaksByBasicOnTheOAuthPages(t *testing.T) {
	for name, encryptedOnly := range map[string]bool{"plain passwords count": false, "only encrypted passwords count": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, dbtest.Open(t, dbtest.SQLite), func(s *settings) { s.account.RequireEncryptedBasicAuth, s.account.AppTokens = encryptedOnly, true })
			alice := w.user("alice")
			robot := must(w.identity.CreateRobot(t.Context(), alice, "ci", "", ""))(t)
			_, token, err := w.identity.CreateAppToken(t.Context(), alice.ID, "laptop", 0)
			if err != nil {
				t.Fatal(err)
			}
			plain := http.StatusNotFound
			if encryptedOnly {
				plain = http.StatusUnauthorized
			}
			for _, c := range []struct {
				name, user, secret string
				want               int
			}{
				{"a plain password", "alice", password, plain},
				{"an encrypted password", "alice", must(w.identity.EncryptPassword(password))(t), http.StatusNotFound},
				{"a wrong one", "alice", "wrong-password", http.StatusUnauthorized},
				{"a robot", robot.Name, robot.Token, http.StatusUnauthorized},
				{"an application token", "$app", token, http.StatusUnauthorized},
				{"an OAuth token", "$oauthtoken", w.token("alice", scopes), http.StatusUnauthorized},
			} {
				a := w.anonymous().do(http.MethodGet, "/oauth/authorize?client_id=none&response_type=token&redirect_uri=x&scope=repo:read", "", func(r *http.Request) {
					r.SetBasicAuth(c.user, c.secret)
				})
				if a.status != c.want {
					t.Errorf("%s: %d, want %d: %.200s", c.name, a.status, c.want, a.body)
				}
			}
		})
	}
}

func TestSigningOutByATokenEndsTheSessions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.user("alice")
		session := w.session("alice")
		reader, admin := w.bearer(w.token("alice", "repo:read user:read")), w.bearer(w.token("alice", "user:admin"))
		wantStatus(t, "a token that may not", reader.do(http.MethodPost, "/api/v1/signout", ""), 403)
		wantStatus(t, "the session", session.do(http.MethodGet, ownRobots, ""), 200)
		wantStatus(t, "a token that may", admin.do(http.MethodPost, "/api/v1/signout", ""), 200)
		wantStatus(t, "the session afterwards", session.do(http.MethodGet, ownRobots, ""), 401)
		wantStatus(t, "the token", admin.do(http.MethodGet, ownRobots, ""), 200)
	})
}

func TestSigningInWithAnInvitationConfirmsItsAddress(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d, mailing)
		w.user("alice")
		acme := w.organization("acme", "alice")
		must(w.identity.CreateUser(t.Context(), identity.NewUser{Name: "bob", Email: "bob@example.com", Password: password}))(t)
		code := func(email string) string {
			return must(w.identity.InviteToTeam(t.Context(), acme.ID, "owners", 0, email, w.account("alice").ID))(t).Code
		}
		body := func(secret, code string) string {
			return `{"username":"bob","password":"` + secret + `","invite_code":"` + code + `"}`
		}
		own := code("bob@example.com")
		w.anonymous().check(t, []call{
			{"without the password", http.MethodPost, "/api/v1/signin", body("wrong-password", own), 403, `"invalidCredentials":true`},
			{"with another address's code", http.MethodPost, "/api/v1/signin", body(password, code("carol@example.com")), 403, `"needsEmailVerification":true`},
			{"without a code", http.MethodPost, "/api/v1/signin", body(password, ""), 403, `"needsEmailVerification":true`},
			{"with the code that went there", http.MethodPost, "/api/v1/signin", body(password, own), 200, `"success":true`},
			{"from then on without it", http.MethodPost, "/api/v1/signin", body(password, ""), 200, `"success":true`},
		})
	})
}

// A user looks the same wherever the user is shown.
func TestAUserHasOneAvatar(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	for _, name := range []string{"root", "alice", "bob"} {
		w.user(name)
	}
	w.organization("acme", "alice")
	w.repository("acme", "app")
	alice := w.session("alice")
	want := newAvatar("bob", "bob@example.com", "user").Hash
	alice.check(t, []call{
		{"the user", http.MethodGet, "/api/v1/users/bob", "", 200, want},
		{"given a permission", http.MethodPut, "/api/v1/repository/acme/app/permissions/user/bob", `{"role":"read"}`, 200, want},
		{"among the permissions", http.MethodGet, "/api/v1/repository/acme/app/permissions/user/", "", 200, want},
		{"in a default permission", http.MethodPost, "/api/v1/organization/acme/prototypes", `{"role":"read","delegate":{"name":"bob","kind":"user"}}`, 200, want},
		{"as the one it is for", http.MethodPost, "/api/v1/organization/acme/prototypes", `{"role":"read","delegate":{"name":"owners","kind":"team"},"activating_user":{"name":"bob"}}`, 200, want},
		{"found", http.MethodGet, "/api/v1/entities/bob?namespace=acme", "", 200, want},
	})
}

// The robots of an organization belong to it, in whatever list they stand.
func TestAnOrganizationsRobotBelongsToIt(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	w.user("alice")
	acme := w.organization("acme", "alice")
	w.repository("acme", "app")
	must(w.identity.CreateRobot(t.Context(), acme, "ci", "", ""))(t)
	const member, belongs = `{"role":"read","delegate":{"name":"acme+ci","kind":"user"},"activating_user":{"name":"acme+ci"}}`, `"is_org_member":true`
	alice := w.session("alice")
	alice.check(t, []call{
		{"a permission", http.MethodPut, "/api/v1/repository/acme/app/permissions/user/acme+ci", `{"role":"read"}`, 200, belongs},
		{"found", http.MethodGet, "/api/v1/entities/acme+ci?namespace=acme", "", 200, belongs},
	})
	if a := alice.do(http.MethodPost, "/api/v1/organization/acme/prototypes", member); strings.Count(a.body, belongs) != 2 {
		t.Errorf("a default permission: %d %s", a.status, a.body)
	}
}

func TestAnApplicationsAddressIsALinkOnlyOfTheWeb(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	w.user("alice")
	w.organization("acme", "alice")
	alice := w.session("alice")
	for uri, link := range map[string]string{"https://ci.example": "https://ci.example", "javascript:alert(1)": "", "our build server": ""} {
		a := alice.do(http.MethodPost, "/api/v1/organization/acme/applications", `{"name":"ci","application_uri":"`+uri+`"}`)
		if a.status != http.StatusOK || !strings.Contains(a.body, `"application_uri":"`+uri+`"`) {
			t.Errorf("%s: %d %s", uri, a.status, a.body)
			continue
		}
		id := memberOf(parsed(a.body), "client_id")
		w.anonymous().check(t, []call{{uri, http.MethodGet, "/api/v1/app/" + id, "", 200, `"uri":"` + link + `"`}})
	}
	alice.check(t, []call{{"control characters", http.MethodPost, "/api/v1/organization/acme/applications", `{"name":"ci","application_uri":"a\u0001"}`, 400, "application_uri"}})
}
