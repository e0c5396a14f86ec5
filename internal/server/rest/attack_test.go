package rest

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// TestTwoAtOnce sends the same change from several connections: one has its way, the others are told so, and nobody
// gets a 500.
func TestTwoAtOnce(t *testing.T) {
	const many = 4
	rows := []struct {
		name, method, path, body string
		succeed                  int // how many
		refused                  int // the status of the others
	}{
		{"the same repository is made", http.MethodPost, "/api/v1/repository", `{"namespace":"acme","repository":"twin","visibility":"private","description":""}`, 1, 400},
		{"the same organization is made", http.MethodPost, "/api/v1/organization/", `{"name":"twins"}`, 1, 400},
		{"the same robot is made", http.MethodPut, "/api/v1/organization/acme/robots/twin", `{}`, 1, 400},
		{"the same team is made", http.MethodPut, "/api/v1/organization/acme/team/twin", `{"role":"member"}`, many, 0},
		{"the same member is added", http.MethodPut, "/api/v1/organization/acme/team/docs/members/carol", ``, 1, 400},
		{"the same right is given", http.MethodPut, "/api/v1/repository/acme/app/permissions/user/mallory", `{"role":"read"}`, many, 0},
		{"the same right is taken", http.MethodDelete, "/api/v1/repository/acme/app/permissions/user/mallory", ``, 1, 400},
		{"the same star is given", http.MethodPost, "/api/v1/user/starred", `{"namespace":"acme","repository":"app"}`, many, 0},
		{"the same tag is deleted", http.MethodDelete, "/api/v1/repository/acme/app/tag/v1", ``, 1, 404},
		{"the same robot is deleted", http.MethodDelete, "/api/v1/organization/acme/robots/twin", ``, 1, 400},
		{"the same team is deleted", http.MethodDelete, "/api/v1/organization/acme/team/twin", ``, 1, 400},
		{"the same repository is deleted", http.MethodDelete, "/api/v1/repository/acme/twin", ``, 1, 404},
		{"the same organization is deleted", http.MethodDelete, "/api/v1/organization/twins", ``, 1, 404},
		{"a team that is not there is deleted", http.MethodDelete, "/api/v1/organization/acme/team/twin", ``, 0, 400},
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := &stage{w: newWorld(t, d), clients: map[string]*client{}}
		s.set()
		token := s.w.token("alice", scopes)
		for _, row := range rows {
			answers := make([]answer, many)
			var group sync.WaitGroup
			for i := range many {
				group.Go(func() { answers[i] = s.w.bearer(token).do(row.method, row.path, row.body) })
			}
			group.Wait()
			done := 0
			for _, a := range answers {
				switch {
				case a.status < 300:
					done++
				case a.status == 403 && row.refused == 404: // who comes late has no right on what is gone
				case a.status != row.refused:
					t.Errorf("%s: %d %s, want %d", row.name, a.status, a.body, row.refused)
				}
			}
			if done != row.succeed {
				t.Errorf("%s: %d of %d succeeded, want %d", row.name, done, many, row.succeed)
			}
		}
	})
}

// TestTheLastOwnerStays has two owners throw each other out at once, and leave at once: somebody who can administer the
// organization is left.
func TestTheLastOwnerStays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.user("alice")
		w.user("bob")
		tokens := map[string]string{"alice": w.token("alice", scopes), "bob": w.token("bob", scopes)}
		for i, leaver := range []func(who string) string{other, other, other, itself} {
			for _, way := range []string{"/team/owners/members/", "/members/"} {
				name := fmt.Sprintf("acme%d%d", i, len(way))
				w.organization(name, "alice")
				if err := w.identity.AddTeamMember(t.Context(), w.account(name).ID, "owners", w.account("bob").ID); err != nil {
					t.Fatal(err)
				}
				var group sync.WaitGroup
				for who, token := range tokens {
					group.Go(func() {
						a := w.bearer(token).do(http.MethodDelete, "/api/v1/organization/"+name+way+leaver(who), "")
						if !slices.Contains([]int{204, 400, 403, 404}, a.status) {
							t.Errorf("%s: %d %s", who, a.status, a.body)
						}
					})
				}
				group.Wait()
				left := 0
				for _, token := range tokens {
					if w.bearer(token).do(http.MethodGet, "/api/v1/organization/"+name+"/members", "").status == http.StatusOK {
						left++
					}
				}
				if left == 0 {
					t.Errorf("%s%s: no owner is left", name, way)
				}
			}
		}
	})
}

func itself(who string) string { return who }

func other(who string) string {
	if who == "alice" {
		return "bob"
	}
	return "alice"
}
