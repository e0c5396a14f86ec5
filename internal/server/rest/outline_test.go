package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// Who administers a repository alone learns why somebody may do something there, but nothing of the organization's
// teams and default permissions, of superusers, or of the state of an account; who administers the organization does.
func TestARepositorysAdministratorIsNotToldOfTheOrganization(t *testing.T) {
	w := newWorld(t, dbtest.Open(t, dbtest.SQLite), withAuditor)
	for _, name := range []string{"root", "auditor", "alice", "dana", "bob", "carol"} {
		w.user(name)
	}
	w.organization("acme", "alice")
	app := w.repository("acme", "app")
	w.grant(app, "dana", access.Admin)
	w.grant(app, "carol", access.Read)
	if err := w.identity.SetEnabled(t.Context(), w.account("carol").ID, false); err != nil {
		t.Fatal(err)
	}
	const path = "/api/v1/repository/acme/app/explain?action=pull&user="
	for _, c := range []struct {
		who, inside, outline string
		allowed              string
	}{
		{"alice", "team owners", `["alice has a role that is not from the repository's own list: admin"]`, "true"},
		{"auditor", "read-only super user", `["auditor has a role that is not from the repository's own list: read"]`, "true"},
		{"carol", "is disabled", `["carol has a permission on the repository: read"]`, "true"},
		{"bob", "bob has no role on acme/app", `["bob has no role on acme/app","to pull needs read"]`, "false"},
	} {
		for _, asking := range []*client{w.session("dana"), w.bearer(w.token("alice", "repo:admin"))} {
			a := asking.do(http.MethodGet, path+c.who, "")
			if a.status != http.StatusOK || !strings.Contains(a.body, `"allowed":`+c.allowed+`,"reasons":`+c.outline) {
				t.Errorf("a repository's administrator about %s: %d %s, want %s", c.who, a.status, a.body, c.outline)
			}
		}
		for _, asking := range []*client{w.session("alice"), w.session("auditor"), w.bearer(w.token("alice", "repo:admin org:admin"))} {
			if a := asking.do(http.MethodGet, path+c.who, ""); a.status != http.StatusOK || !strings.Contains(a.body, c.inside) {
				t.Errorf("the organization's administrator about %s: %d %s, want %q", c.who, a.status, a.body, c.inside)
			}
		}
	}
}
