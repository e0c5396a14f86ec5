package rest

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// TestDeletingWhatIsInUse deletes, over HTTP, what something else still refers to: what the contract refuses stays with
// all that it had, and what it allows takes along what refers to it.
func TestDeletingWhatIsInUse(t *testing.T) {
	const acme, created = "/api/v1/organization/acme", `"Created"`
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, name := range []string{"root", "alice", "bob"} {
			w.user(name)
		}
		alice, bob := w.session("alice"), w.session("bob")
		alice.check(t, []call{
			{"an organization", http.MethodPost, "/api/v1/organization/", `{"name":"acme"}`, 201, created},
			{"a robot", http.MethodPut, acme + "/robots/ci", "", 201, `"acme+ci"`},
			{"a robot for mirrors", http.MethodPut, acme + "/robots/sync", "", 201, `"acme+sync"`},
			{"a robot for the mirror of all", http.MethodPut, acme + "/robots/all", "", 201, `"acme+all"`},
			{"a team", http.MethodPut, acme + "/team/devs", `{"role":"member"}`, 200, `"devs"`},
			{"a default permission for the robot", http.MethodPost, acme + "/prototypes", `{"role":"write","delegate":{"name":"acme+ci","kind":"user"}}`, 200, `"acme+ci"`},
			{"one by the robot for the team", http.MethodPost, acme + "/prototypes", `{"role":"read","activating_user":{"name":"acme+ci"},"delegate":{"name":"devs","kind":"team"}}`, 200, `"devs"`},
			{"one for the team", http.MethodPost, acme + "/prototypes", `{"role":"read","delegate":{"name":"devs","kind":"team"}}`, 200, `"devs"`},
		})
		mirrored(t, w)
		alice.check(t, []call{
			{"a robot in default permissions can be deleted", http.MethodDelete, acme + "/robots/ci", "", 204, ""},
			{"its default permissions went along, the team's stayed", http.MethodGet, acme + "/prototypes", "", 200, `{"prototypes":[{"activating_user":null,"delegate":{"name":"devs"`},
			{"a team in a default permission can be deleted", http.MethodDelete, acme + "/team/devs", "", 204, ""},
			{"its default permission went along", http.MethodGet, acme + "/prototypes", "", 200, `{"prototypes":[]}`},
			{"the robot of a mirror cannot be deleted", http.MethodDelete, acme + "/robots/sync", "", 400, `{"message":"Robot is being used by a mirror"}`},
			{"nor that of an organization's mirror", http.MethodDelete, acme + "/robots/all", "", 400, `{"message":"Robot is being used by a mirror"}`},
			{"it stays", http.MethodGet, acme + "/robots/sync", "", 200, `"token":"`},
			{"the last owner cannot leave", http.MethodDelete, acme + "/members/alice", "", 400, "only administrator"},
			{"nor can be taken out of the team", http.MethodDelete, acme + "/team/owners/members/alice", "", 400, "your own administration"},
			{"nor can the team be deleted", http.MethodDelete, acme + "/team/owners", "", 400, `{"message":"`},
			{"nor the user", http.MethodDelete, "/api/v1/user/", "", 400, "'alice' is the only administrator of: acme"},
			{"who is still there", http.MethodGet, "/api/v1/user/", "", 200, `"username":"alice"`},
			{"a second owner", http.MethodPut, acme + "/team/owners/members/bob", "", 200, `"bob"`},
			{"lets the first one go", http.MethodDelete, "/api/v1/user/", "", 204, ""},
		})
		bob.check(t, []call{
			{"the organization has the other owner", http.MethodGet, acme, "", 200, `"is_admin":true`},
			{"and him alone", http.MethodGet, acme + "/members", "", 200, `{"members":[{"name":"bob"`},
		})
		root := w.session("root")
		a := root.do(http.MethodGet, "/api/v1/superuser/keys", "")
		_, kid, _ := strings.Cut(a.body, `"kid":"`)
		kid, _, _ = strings.Cut(kid, `"`)
		root.check(t, []call{
			{"a superuser deletes the last owner", http.MethodDelete, "/api/v1/superuser/users/bob", "", 204, ""},
			{"the organization is there without", http.MethodGet, "/api/v1/superuser/organizations/", "", 200, `"name":"acme"`},
			{"the key that signs", http.MethodDelete, "/api/v1/superuser/keys/" + kid, "", 204, ""},
			{"is gone", http.MethodGet, "/api/v1/superuser/keys/" + kid, "", 404, ""},
		})
	})
}

// mirrored makes a mirror of acme/app work in the name of acme+sync, and one of the organization in that of acme+all.
func mirrored(t *testing.T, w *world) {
	t.Helper()
	app := w.repository("acme", "app")
	err := w.db.Hard(t.Context(), "test", func(ctx context.Context, tx db.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO mirror (repo_id, robot_id, external_reference, rule_uuid, rule_value, rule_created_ms, interval_s, transaction_id, created_ms)
			VALUES ($1, $2, 'registry.example/app', 'rule', '["v1"]', 0, 3600, 'x', 0)`, app.ID, w.account("acme+sync").ID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO organization_mirror (organization_id, registry_kind, registry_url, external_namespace, robot_id, visibility, interval_s, transaction_id, created_ms)
			VALUES ($1, 2, 'https://registry.example', 'acme', $2, 1, 3600, 'x', 0)`, w.account("acme").ID, w.account("acme+all").ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNamesOfSuperusersAreNotTaken asks for the names in SUPER_USERS and GLOBAL_READONLY_SUPER_USERS in every way in
// which somebody gets a name, an invitation into a team among them.
func TestNamesOfSuperusersAreNotTaken(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		box := letterBox{}
		w := newWorld(t, d, func(s *settings) {
			s.options.Inviter, s.options.RequireTeamInvite, s.options.Rename = box, true, true
			s.options.Registration.InviteOnly = true
			s.account.ReservedNames = []string{"root", "auditor"}
		})
		w.user("alice")
		alice := w.session("alice")
		alice.check(t, []call{
			{"an organization", http.MethodPost, "/api/v1/organization/", `{"name":"acme"}`, 201, ""},
			{"an invitation", http.MethodPut, "/api/v1/organization/acme/team/owners/invite/mallory@example.com", "", 200, `"invite"`},
		})
		_, code, _ := strings.Cut(box["mallory@example.com"], "code=")
		ask := func(name string) string {
			return `{"username":"` + name + `","password":"` + password + `","email":"mallory@example.com","invite_code":"` + code + `"}`
		}
		w.anonymous().check(t, []call{
			{"by the code of an invitation", http.MethodPost, "/api/v1/user/", ask("root"), 400, "reserved"},
			{"a read-only superuser's", http.MethodPost, "/api/v1/user/", ask("auditor"), 400, "reserved"},
		})
		alice.check(t, []call{
			{"by a new name", http.MethodPut, "/api/v1/user/", `{"username":"root"}`, 400, "reserved"},
			{"for an organization", http.MethodPost, "/api/v1/organization/", `{"name":"root"}`, 400, "reserved"},
		})
		w.anonymous().check(t, []call{
			{"the invitation is still good for another name", http.MethodPost, "/api/v1/user/", ask("mallory"), 200, `"username":"mallory"`},
		})
	})
}
