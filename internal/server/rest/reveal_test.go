package rest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
)

// absentee is a name for which there is nothing, as long as the name for which there is something.
func absentee(name string) string {
	if namespace, rest, ok := strings.Cut(name, "/"); ok {
		return namespace + "/" + strings.Repeat("q", len(rest))
	}
	if owner, robot, ok := strings.Cut(name, "+"); ok {
		return owner + "+" + strings.Repeat("q", len(robot))
	}
	if algorithm, hex, ok := strings.Cut(name, ":"); ok {
		return algorithm + ":" + strings.Repeat("0", len(hex))
	}
	return strings.Repeat("q", len(name))
}

// TestNoAnswerTellsWhetherAPrivateThingExists asks every operation that names a repository, team, robot, tag or
// anything else below a namespace for what is there and for what is not, in the name of everybody who may see neither.
// Status, headers and body are the same but for the name. That the name of a user or an organization is taken may be
// seen, as on a Quay.
func TestNoAnswerTellsWhetherAPrivateThingExists(t *testing.T) {
	unsorted(t, func(t *testing.T, d *db.DB) {
		s := newSweep(t, d)
		callers := map[string]*client{
			"nobody": s.client("nobody"), "a stranger": s.client("mallory"), "a robot of another organization": s.client("robot"),
			"a member of another organization": s.client("bob"), "a superuser": s.client("root"), "a token of a stranger": s.client(allScopes + "alice"),
		}
		small := map[string]*client{"a member without a right": s.client("bob"), "a token of too small a scope": s.client("user:read")}
		for _, id := range slices.Sorted(maps.Keys(s.w.api.rows)) {
			r := s.w.api.rows[id]
			switch {
			case r.Off != 0, r.Need.on == onRegistry:
				continue
			case id == "getApplicationInformation": // public, as on a Quay: consent pages show it
				continue
			case id == "createUserRobot": // the name is below the caller, and the token is new each time
				continue
			}
			t.Run(id, func(t *testing.T) {
				s.compareForeign(t, r, callers)
				if r.Need.on == onRepository {
					s.compare(t, r, s.own, "{repository}", small)
				}
				if r.Need.on == onOrganization {
					s.compareForeign(t, r, map[string]*client{"a token of too small a scope": s.client("user:read")})
				}
			})
		}
	})
}

// compareForeign compares each place of a path, the others of which name what is really there.
func (s *sweep) compareForeign(t *testing.T, r *route, callers map[string]*client) {
	for _, place := range placeholders(r.Path) {
		switch place {
		case "{orgname}", "{email}", "{service_id}", "{error_type}", "{prefix}", "{secret}", "{name}", "{namespace}":
		default:
			s.compare(t, r, s.foreign, place, callers)
		}
	}
}

func (s *sweep) compare(t *testing.T, r *route, things map[string]string, place string, callers map[string]*client) {
	body := strings.NewReplacer("{org}", "other", "{repo}", "other/secret").Replace(s.row(t, r).body)
	there, missing := maps.Clone(things), maps.Clone(things)
	if there[place] == "v1" {
		there[place] = "theirs"
	}
	key := s.key(r, place)
	missing[key] = absentee(there[key])
	for who, c := range callers {
		same(t, who+" "+place, c, exchanged{r.Method, s.path(r, there), body}, exchanged{r.Method, s.path(r, missing), body}, there[key], missing[key])
	}
}

// exchanged is what is sent.
type exchanged struct{ method, path, body string }

// same sends two requests, about what is there and about what is missing, and compares the answers.
func same(t *testing.T, name string, c *client, there, missing exchanged, thing, nothing string) {
	t.Helper()
	a := c.do(there.method, there.path, there.body)
	b := c.do(missing.method, missing.path, missing.body)
	for _, h := range []http.Header{a.header, b.header} {
		h.Del("Date")
		h.Del("Set-Cookie")
	}
	inHTML := strings.NewReplacer("+", "&#43;")
	b.body = strings.NewReplacer(nothing, thing, inHTML.Replace(nothing), inHTML.Replace(thing)).Replace(b.body)
	for _, values := range b.header {
		for i := range values {
			values[i] = strings.ReplaceAll(values[i], nothing, thing)
		}
	}
	if diff := cmp.Diff(a, b, cmp.AllowUnexported(answer{})); diff != "" {
		t.Errorf("%s: %s %s is told from %s (-there +missing):\n%s", name, there.method, there.path, missing.path, diff)
	}
}

// TestNoNameInABodyOrAQueryTellsWhatExists does the same for names that are not in the path, and for a robot of another
// organization in the hands of an administrator.
func TestNoNameInABodyOrAQueryTellsWhatExists(t *testing.T) {
	const (
		get, put, post, del = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
		acme                = "/api/v1/organization/acme"
		create              = `{"namespace":"other","repository":"{}","visibility":"private","description":""}`
		delegate            = `{"role":"read","delegate":{"name":"{}","kind":"user"}}`
		activating          = `{"role":"read","activating_user":{"name":"{}"},"delegate":{"name":"docs","kind":"team"}}`
	)
	type asked struct{ who, method, path, body, thing string }
	all := []asked{
		{"alice", post, "/api/v1/user/starred", `{"namespace":"other","repository":"{}"}`, "secret"},
		{"alice", del, "/api/v1/user/starred/other/{}", "", "secret"},
		{"alice", post, "/api/v1/repository", create, "secret"},
		{"nobody", post, "/api/v1/repository", create, "secret"},
		{"alice", get, "/api/v1/users/{}", "", "other+theirs"},
		{"nobody", get, "/api/v1/users/{}", "", "other+theirs"},
		{"alice", get, "/api/v1/organization/{}", "", "other+theirs"},
		{"alice", put, acme + "/team/docs/members/{}", "", "other+theirs"},
		{"alice", del, acme + "/team/docs/members/{}", "", "other+theirs"},
		{"alice", get, acme + "/members/{}", "", "other+theirs"},
		{"alice", del, acme + "/members/{}", "", "other+theirs"},
		{"alice", put, "/api/v1/repository/acme/app/permissions/user/{}", `{"role":"read"}`, "other+theirs"},
		{"alice", del, "/api/v1/repository/acme/app/permissions/user/{}", "", "other+theirs"},
		{"alice", get, "/api/v1/repository/acme/app/permissions/user/{}", "", "other+theirs"},
		{"alice", get, "/api/v1/repository/acme/app/permissions/user/{}/transitive", "", "other+theirs"},
		{"alice", get, "/api/v1/repository/acme/app/explain?action=pull&user={}", "", "other+theirs"},
		{"alice", post, acme + "/prototypes", delegate, "other+theirs"},
		{"alice", post, acme + "/prototypes", activating, "other+theirs"},
		{"alice", get, acme + "/logs?performer={}", "", "other+theirs"},
		{"alice", get, "/api/v1/user/logs?performer={}", "", "other+theirs"},
		{"alice", put, "/api/v1/user/", `{"username":"{}"}`, "other+theirs"},
		{"alice", post, "/api/v1/user/convert", `{"adminUser":"{}","adminPassword":"wrong"}`, "other+theirs"},
		{"nobody", post, "/api/v1/signin", `{"username":"{}","password":"wrong"}`, "other+theirs"},
		{"nobody", post, "/api/v1/signin", `{"username":"{}","password":"wrong"}`, "mallory"},
		{"nobody", get, "/repository/other/{}/status", "", "secret"},
		{"nobody", get, "/repository/other/{}/status?token=wrong", "", "secret"},
	}
	for _, who := range []string{"alice", "mallory", "nobody", "user:read", "robot"} {
		for _, thing := range []string{"secret", "other/secret", "theirs", "other+theirs"} {
			all = append(all, asked{who, get, "/api/v1/find/all?query={}", "", thing}, asked{who, get, "/api/v1/find/repositories?query={}&includeUsage=true", "", thing},
				asked{who, get, "/api/v1/entities/{}?namespace=other&includeTeams=true&includeOrgs=true", "", thing},
				asked{who, get, "/api/v1/entities/{}?namespace=other%2Btheirs&includeTeams=true", "", thing})
		}
	}
	unsorted(t, func(t *testing.T, d *db.DB) {
		s := newSweep(t, d)
		for _, a := range all {
			nothing := absentee(a.thing)
			with := func(name string) exchanged {
				escaped := strings.NewReplacer("/", "%2F", "+", "%2B").Replace(name)
				return exchanged{a.method, strings.ReplaceAll(a.path, "{}", escaped), strings.ReplaceAll(a.body, "{}", name)}
			}
			same(t, a.who, s.client(a.who), with(a.thing), with(nothing), a.thing, nothing)
		}
	})
}
