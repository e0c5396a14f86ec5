package rest

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/identity"
)

// sweep is the stage of the permission table with one thing of each kind that a path can name, once alice's or acme's
// and once zed's or other's.
type sweep struct {
	*stage
	t            *testing.T
	own, foreign map[string]string                  // by placeholder, or by the word before it and the placeholder
	tolerated    map[string]string                  // see tolerances
	dump         func(testing.TB) map[string]string // every table but for what is unheld
}

// unsorted runs fn on every kind of database but PostgreSQL that sorts as people do: rights and refusals do not depend
// on an order, and the sweeps are long.
func unsorted(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	for _, kind := range dbtest.Kinds() {
		if kind != dbtest.PostgreSQLICU {
			t.Run(string(kind), func(t *testing.T) { fn(t, dbtest.Open(t, kind)) })
		}
	}
}

// allScopes is what stands before a user's name in the name of the client that holds their token.
const allScopes = "token of "

func newSweep(t *testing.T, d *db.DB) *sweep {
	t.Helper()
	w := newWorld(t, d, withAuditor, withInviter, func(s *settings) {
		s.options.Initialize, s.options.Rename, s.options.Metadata, s.options.Immutable = true, true, true, true
	})
	s := &sweep{stage: &stage{w: w, clients: map[string]*client{}}, t: t, tolerated: tolerances()}
	s.set()
	s.own = s.things("alice", "acme", "acme/app", "docs", "ci", "bob")
	w.tag(must(w.registry.Repository(t.Context(), "other", "secret"))(t), "theirs")
	if _, _, err := w.identity.SetTeam(t.Context(), w.account("other").ID, "theirs", identity.TeamMember, nil); err != nil {
		t.Fatal(err)
	}
	must(w.identity.CreateRobot(t.Context(), w.account("other"), "theirs", "", ""))(t)
	s.foreign = s.things("zed", "other", "other/secret", "theirs", "theirs", "other+theirs")
	s.foreign["{tag}"] = "theirs"
	for _, who := range []string{"alice", "root", "auditor"} {
		s.clients[allScopes+who] = w.bearer(w.token(who, scopes))
	}
	s.dump = dbtest.Dumper(t, d, unheld)
	return s
}

// things makes one of everything for a user and an organization, over HTTP.
func (s *sweep) things(user, org, repo, team, robot, member string) map[string]string {
	c, root := s.client(user), s.client("root")
	base, apps := "/api/v1/organization/"+org, "/api/v1/organization/"+org+"/applications"
	client := s.made(c, apps, `{"name":"tool"}`, "client_id")
	labels := "/api/v1/repository/" + repo + "/manifest/" + taggedV1 + "/labels"
	if user == "zed" {
		labels = strings.Replace(labels, taggedV1, s.digestOf(repo, "theirs"), 1)
	}
	s.notify(user)
	s.assign(user, client)
	s.w.token(user, "repo:read")
	wantStatus(s.t, "a message", root.do(http.MethodPost, "/api/v1/messages", `{"message":{"content":"x","media_type":"text/plain","severity":"info"}}`), 201)
	return map[string]string{
		"{orgname}":                     org,
		"{repository}":                  repo,
		"{teamname}":                    team,
		"{robot_shortname}":             robot,
		"{membername}":                  member,
		"{username}":                    member,
		"{tag}":                         "v1",
		"{manifestref}":                 strings.Split(labels, "/")[7],
		"{labelid}":                     s.made(c, labels, `{"key":"a","value":"b","media_type":null}`, "id"),
		"{client_id}":                   client,
		"{token_uuid}":                  s.made(c, apps+"/"+client+"/tokens", `{"name":"ci","scope":"repo:read"}`, "uuid"),
		"apptoken/{token_uuid}":         s.made(c, "/api/v1/user/apptoken", `{"title":"laptop"}`, "uuid"),
		"{prototypeid}":                 s.made(c, base+"/prototypes", `{"role":"read","delegate":{"name":"`+team+`","kind":"team"}}`, "id"),
		"{kid}":                         s.made(root, "/api/v1/superuser/keys", `{"service":"scanner","expiration":null}`, "kid"),
		"message/{uuid}":                s.found(root, "/api/v1/messages", "uuid"),
		"notifications/{uuid}":          s.found(c, "/api/v1/user/notifications?limit=100", "id"),
		"{access_token_uuid}":           s.found(c, "/api/v1/user/authorizations", "uuid"),
		"{assigned_authorization_uuid}": s.found(c, "/api/v1/user/assignedauthorization", "uuid"),
		"{email}":                       "new@example.com",
		"{code}":                        "none",
		"{service_id}":                  "github",
		"{error_type}":                  "invalid_token",
		"{prefix}":                      "ali",
		"{secret}":                      "wrong",
		"{name}":                        org,
		"{namespace}":                   org,
	}
}

// made sends a body and gives what the answer says under a name, however deep.
func (s *sweep) made(c *client, path, body, name string) string {
	s.w.t.Helper()
	a := c.do(http.MethodPost, path, body)
	if a.status >= 300 {
		s.w.t.Fatalf("POST %s: %d %s", path, a.status, a.body)
	}
	return s.member(path, a, name)
}

func (s *sweep) found(c *client, path, name string) string {
	s.w.t.Helper()
	return s.member(path, c.do(http.MethodGet, path, ""), name)
}

func (s *sweep) member(path string, a answer, name string) string {
	s.w.t.Helper()
	text := memberOf(parsed(a.body), name)
	if text == "" {
		s.w.t.Fatalf("%s says no %s: %d %s", path, name, a.status, a.body)
	}
	return text
}

// memberOf looks for a text of a name in a value and what is in it.
func memberOf(value any, name string) string {
	switch v := value.(type) {
	case map[string]any:
		if text, ok := v[name].(string); ok {
			return text
		}
		for _, member := range slices.Sorted(maps.Keys(v)) {
			if text := memberOf(v[member], name); text != "" {
				return text
			}
		}
	case []any:
		for _, member := range v {
			if text := memberOf(member, name); text != "" {
				return text
			}
		}
	}
	return ""
}

func (s *sweep) digestOf(repo, tag string) string {
	return s.found(s.client("zed"), "/api/v1/repository/"+repo+"/tag/?specificTag="+tag, "manifest_digest")
}

func (s *sweep) notify(user string) {
	err := s.w.db.Hard(s.w.t.Context(), "test", func(ctx context.Context, tx db.Tx) error {
		return s.w.identity.NotifyTx(ctx, tx, identity.NewNotification{Kind: "maintenance", AccountID: s.w.account(user).ID})
	})
	if err != nil {
		s.w.t.Fatal(err)
	}
}

func (s *sweep) assign(user, client string) {
	s.w.t.Helper()
	_, err := s.w.db.Exec(s.w.t.Context(), `INSERT INTO oauth_assigned_token (uuid, account_id, application_id, redirect_uri, scope, response_type)
		SELECT $1, $2, id, '', 'repo:read', 'token' FROM oauth_application WHERE client_id = $3`, "assigned-"+user, s.w.account(user).ID, client)
	if err != nil {
		s.w.t.Fatal(err)
	}
}

// row is what the permission table says about a route.
func (s *sweep) row(t *testing.T, r *route) permitted {
	t.Helper()
	i := slices.IndexFunc(permissionTable, func(p permitted) bool { return p.id == r.ID })
	if i < 0 {
		t.Fatalf("%s is not in the permission table", r.ID)
	}
	return permissionTable[i]
}

func (s *sweep) fill(text string) string {
	return strings.NewReplacer("{org}", "acme", "{repo}", "acme/app").Replace(text)
}

// as is somebody who has the right to an operation: by a token of all scopes, or by a session where no token counts.
func (s *sweep) as(r *route) *client {
	row := s.row(s.t, r)
	who := "alice"
	for _, right := range []string{"alice", "root", "auditor"} {
		if slices.Contains(strings.Fields(row.own), right) {
			who = right
			break
		}
	}
	if strings.HasPrefix(r.Path, "/oauth/") {
		return s.client(who)
	}
	return s.clients[allScopes+who]
}

// placeholders are the variables of a path with their braces.
func placeholders(path string) []string {
	var all []string
	for segment := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(segment, "{") {
			all = append(all, segment)
		}
	}
	return all
}

// key is the name under which a placeholder of a route stands among the things.
func (s *sweep) key(r *route, place string) string {
	segments := strings.Split(r.Path, "/")
	i := slices.Index(segments, place)
	if long := segments[i-1] + "/" + place; s.own[long] != "" {
		return long
	}
	if s.own[place] == "" {
		s.w.t.Fatalf("%s: nothing stands for %s: add it to things", r.ID, place)
	}
	return place
}

// path is a route's path with things for its placeholders.
func (s *sweep) path(r *route, things map[string]string) string {
	path := r.Path
	for _, place := range placeholders(r.Path) {
		path = strings.Replace(path, place, things[s.key(r, place)], 1)
	}
	return path
}

// unheld are the columns that an error may well change: the action log, sessions, when something was used last, and
// counts of failed sign-ins.
func unheld(table, column string) bool {
	for _, prefix := range []string{"audit", "repo_day", "pull_stat", "session", "login_failure", "sqlite_", "goose", "search_"} {
		if strings.HasPrefix(table, prefix) {
			return true
		}
	}
	return slices.Contains([]string{"last_used_ms", "last_accessed_ms"}, column)
}
