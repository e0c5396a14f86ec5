package rest

import (
	"net/http"
	"testing"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// What a peer that may forward says of the client's address is its own word.
func TestAForwardedLoopbackAddressMakesNoFirstUser(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite))
	w.ip, w.peer = "127.0.0.1", "192.168.1.20"
	w.anonymous().check(t, []call{
		{"a neighbour in the network", http.MethodPost, "/api/v1/user/", `{"username":"mallory","password":"` + password + `"}`, 403, "set-up code"},
	})
}

func TestASuperuserIsNotConverted(t *testing.T) {
	const body = `{"adminUser":"bob","adminPassword":"` + password + `"}`
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d, func(s *settings) { s.policy.SuperUsers = nil })
		w.user("first")
		w.user("bob")
		w.user("carol")
		w.session("first").check(t, []call{
			{"the first user", http.MethodPost, "/api/v1/user/convert", body, 400, "Cannot convert a superuser"},
			{"who stays the superuser", http.MethodGet, "/api/v1/superuser/users/first", "", 200, `"super_user":true`},
		})
		w.session("carol").check(t, []call{
			{"another user", http.MethodPost, "/api/v1/user/convert", body, 200, ""},
		})
	})
}

// TestAReadOnlyRegistryIsRead asks every operation that reads, once of a registry that can be written and once of the
// same one that cannot: the answers have the same status.
func TestAReadOnlyRegistryIsRead(t *testing.T) {
	unsorted(t, func(t *testing.T, d *db.DB) {
		s := newSweep(t, d)
		frozen := newWorld(t, d, withAuditor, withInviter, func(o *settings) {
			o.options.Initialize, o.options.Rename, o.options.Metadata, o.options.Immutable = true, true, true, true
			o.policy = access.Policy{
				AnonymousAccess: true, SuperUsersEnabled: true, SuperUsers: []string{"root"}, ReadOnlySuperUsers: []string{"auditor"},
				RegistryReadOnly: true,
			}
		})
		asked := 0
		for id, r := range s.w.api.rows {
			if r.changes() || r.Off != 0 {
				continue
			}
			path := s.path(r, s.own)
			if given := s.row(t, r).path; len(placeholders(r.Path)) == 0 {
				path = s.fill(given) // with the query that it needs
			}
			caller := s.as(r)
			want := caller.do(r.Method, path, "")
			elsewhere := *caller
			elsewhere.w = frozen
			if got := elsewhere.do(r.Method, path, ""); got.status != want.status {
				t.Errorf("%s: GET %s: %d while the registry is read-only, else %d: %s", id, path, got.status, want.status, got.body)
			} else if got.status == http.StatusOK {
				asked++
			}
		}
		if asked < 70 {
			t.Errorf("only %d operations showed something", asked)
		}
	})
}
