package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// newInviting is a world whose teams are joined by invitation only: acme of alice's with the empty team devs, whose path
// it gives, and bob and carol. Letters go into the box.
func newInviting(t *testing.T, d *db.DB) (w *world, box letterBox, team string) {
	t.Helper()
	box, team = letterBox{}, "/api/v1/organization/acme/team/devs"
	w = newWorld(t, d, func(s *settings) { s.options.Inviter, s.options.RequireTeamInvite = box, true })
	for _, name := range []string{"alice", "bob", "carol"} {
		w.user(name)
	}
	w.organization("acme", "alice")
	wantStatus(t, "a team", w.session("alice").do(http.MethodPut, team, `{"role":"member"}`), 200)
	return w, box, team
}

func TestInvitationsByMail(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w, box, team := newInviting(t, d)
		w.session("alice").check(t, []call{
			{name: "a user is invited", method: http.MethodPut, path: team + "/members/bob", status: 200, text: `"invited":true`},
			{name: "an address is invited", method: http.MethodPut, path: team + "/invite/carol@example.com", status: 200, text: `{"email":"carol@example.com","kind":"invite"`},
			{name: "what is no address is not", method: http.MethodPut, path: team + "/invite/carol", status: 400, text: `Invalid email address`},
			{name: "nobody is a member yet", method: http.MethodGet, path: team + "/members", status: 200, text: `"members":[]`},
			{name: "who waits is shown when asked for", method: http.MethodGet, path: team + "/members?includePending=true", status: 200, text: `"email":"carol@example.com"`},
			{name: "a team that is not there", method: http.MethodPut, path: team + "x/invite/carol@example.com", status: 404},
			{name: "an owner needs no invitation", method: http.MethodPut, path: team + "/members/alice", status: 200, text: `"invited":false`},
		})
		code := func(address string) string {
			link := box[address]
			if !strings.HasPrefix(link, "http://registry.test/confirminvite?code=") {
				t.Fatalf("the letter to %s has the link %q", address, link)
			}
			return strings.TrimPrefix(link, "http://registry.test/confirminvite?code=")
		}
		w.session("carol").check(t, []call{
			{name: "another user's invitation", method: http.MethodPut, path: "/api/v1/teaminvite/" + code("bob@example.com"), status: 400, text: `{"message":"This invitation is meant for another user"}`},
			{name: "one for the own address", method: http.MethodPut, path: "/api/v1/teaminvite/" + code("carol@example.com"), status: 200, text: `{"org":"acme","team":"devs"}`},
			{name: "once", method: http.MethodPut, path: "/api/v1/teaminvite/" + code("carol@example.com"), status: 400, text: `"message"`},
		})
		w.session("bob").check(t, []call{
			{name: "it can be declined", method: http.MethodDelete, path: "/api/v1/teaminvite/" + code("bob@example.com"), status: 204},
		})
		w.session("alice").check(t, []call{
			{name: "then nobody waits", method: http.MethodGet, path: team + "/members?includePending=true", status: 200, text: `"can_edit":true`},
			{name: "who declined is invited again", method: http.MethodPut, path: team + "/members/bob", status: 200, text: `"invited":true`},
			{name: "and it is taken back", method: http.MethodDelete, path: team + "/members/bob", status: 204},
		})
		w.session("bob").check(t, []call{
			{name: "which ends it", method: http.MethodPut, path: "/api/v1/teaminvite/" + code("bob@example.com"), status: 400},
		})
	})
}
