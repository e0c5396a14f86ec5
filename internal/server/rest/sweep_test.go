package rest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
)

// TestBadInputIsRefusedOnEveryRoute sends every operation what its schema forbids, each time from somebody who has the
// right: members of a wrong type, missing, null, too long or outside of their range, bodies that are none, parameters
// that are none, identifiers that name nothing or somebody else's. Every answer is an error in Quay's envelope that
// names the member, and no row of any table has changed. A new operation is swept as soon as it is in the route table.
func TestBadInputIsRefusedOnEveryRoute(t *testing.T) {
	unsorted(t, func(t *testing.T, d *db.DB) {
		s := newSweep(t, d)
		before := s.dump(t)
		for _, id := range slices.Sorted(maps.Keys(s.w.api.rows)) {
			r := s.w.api.rows[id]
			if r.Off != 0 {
				continue
			}
			t.Run(id, func(t *testing.T) {
				s.badBodies(t, r)
				s.badParameters(t, r)
				s.badIdentifiers(t, r)
				after := s.dump(t)
				for table := range after {
					if diff := cmp.Diff(before[table], after[table]); diff != "" {
						t.Errorf("table %s changed (-before +after):\n%s", table, diff)
					}
				}
				before = after
			})
		}
	})
}

// TestNoValueBreaksAnOperation sends values that a schema allows and no program likes. They may be taken or refused.
func TestNoValueBreaksAnOperation(t *testing.T) {
	texts := []string{`""`, `" "`, `"\u0001\u001b[2J"`, `"\ud800"`, `"\u202e\u200b"`, `"'; DROP TABLE account; --"`, `"%00%ff"`, `"../../etc/passwd"`,
		`"<script>"`, `"` + strings.Repeat("ä", 120) + `"`, `"-1"`, `"a\\b%_"`, `"9999999999999999999"`, `"http://[::1"`, `"a@b@c"`}
	numbers := []string{"0", "-1", "-0", "9223372036854775807", "-9223372036854775808", "1e18", "1e300", "-1e300", "253402300800", "1e-300", "0.5"}
	unsorted(t, func(t *testing.T, d *db.DB) {
		s := newSweep(t, d)
		for _, id := range slices.Sorted(maps.Keys(s.w.api.rows)) {
			r := s.w.api.rows[id]
			schema := s.schema(r.schema())
			if r.Off != 0 || schema == nil || schema.Type != huma.TypeObject {
				continue
			}
			good := s.fill(s.row(t, r).body)
			for name, property := range schema.Properties {
				values := map[string][]string{huma.TypeString: texts, huma.TypeInteger: numbers, huma.TypeNumber: numbers,
					huma.TypeObject: {`{}`, `{"name":"\u0001","kind":""}`, `{"":{"":[{}]}}`}}[s.schema(property).Type]
				if id == "createServiceKey" {
					values = values[:min(3, len(values))] // each success makes an RSA key
				}
				for _, value := range values {
					object, _ := parsed(good).(map[string]any)
					object[name] = json.RawMessage(value)
					a := s.as(r).do(r.Method, s.path(r, s.own), badValue{value: object}.json())
					if a.status >= http.StatusInternalServerError {
						t.Errorf("%s: %s %s: %d %s", id, name, value, a.status, a.body)
					}
				}
			}
		}
	})
}

// refusal is a request that has to be refused.
type refusal struct {
	name        string
	path        string
	body        string
	contentType string
	field       string // what the error has to name
	statuses    []int  // the statuses it may have; nil: 400
}

func (s *sweep) refuse(t *testing.T, r *route, c refusal) {
	t.Helper()
	a := s.as(r).do(r.Method, c.path, c.body, func(q *http.Request) {
		if c.contentType != "" {
			q.Header.Set("Content-Type", c.contentType)
		}
	})
	allowed := c.statuses
	if allowed == nil {
		allowed = []int{http.StatusBadRequest}
	}
	if !slices.Contains(allowed, a.status) {
		t.Errorf("%s: %s %.200s %.200s: %d, want one of %v: %.300s", c.name, r.Method, c.path, c.body, a.status, allowed, a.body)
		return
	}
	if a.status == http.StatusOK {
		return // what is outside of a range that Quay brings back into it
	}
	text, ok := envelope(a)
	if !ok {
		t.Errorf("%s: %.200s is answered with no envelope of Quay's: %q", c.name, c.path, a.body)
	}
	if !strings.Contains(text, c.field) {
		t.Errorf("%s: %.200s is answered without the name %q: %s", c.name, c.path, c.field, a.body)
	}
}

// envelope gives the text of an error in any of the shapes that Quay's clients read.
func envelope(a answer) (string, bool) {
	if a.header.Get("Content-Type") != "application/json" {
		return a.body, strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || a.status == http.StatusTooManyRequests
	}
	var body struct {
		Detail, Message, Error *string
		Text                   string `json:"error_message"`
		Kind                   string `json:"error_type"`
		Status                 int
	}
	if json.Unmarshal([]byte(a.body), &body) != nil {
		return a.body, false
	}
	switch {
	case body.Kind != "":
		return body.Text, body.Detail != nil && *body.Detail == body.Text && body.Text != "" && body.Status == a.status
	case body.Message != nil:
		return *body.Message, *body.Message != ""
	case body.Error != nil:
		return *body.Error, *body.Error != ""
	}
	return a.body, false
}

// badBodies sends what is no body of the operation.
func (s *sweep) badBodies(t *testing.T, r *route) {
	schema := s.schema(r.schema())
	if schema == nil {
		return
	}
	row := s.row(t, r)
	path, good := s.path(r, s.own), s.fill(row.body)
	send := func(name, body, field string) {
		s.refuse(t, r, refusal{name: name, path: path, body: body, field: field})
	}
	if r.op.RequestBody.Required {
		send("no body", "", "Missing JSON body")
		send("blanks", " \n", "Missing JSON body")
	}
	send("no JSON", "description=x", "not JSON")
	send("half a value", `{"a":[`, "not JSON")
	send("two values", `{} {}`, "more than one JSON value")
	send("NUL", `{"a":"\u0000"}`, "NUL")
	send("nested too deep", strings.Repeat("[", 100)+strings.Repeat("]", 100), "nests deeper")
	for _, sent := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "/"} {
		s.refuse(t, r, refusal{name: "as " + sent, path: path, body: good, contentType: sent, field: "Content-Type"})
	}
	for _, v := range s.badValues(schema, parsed(good)) {
		send(v.name, v.json(), v.field)
	}
	if object, ok := parsed(good).(map[string]any); ok {
		for name := range object {
			sent := strings.TrimSuffix(strings.TrimSpace(good), "}")
			send(name+" twice, the second of a wrong type", sent+`,"`+name+`":[[]]}`, name)
		}
	}
}

// badParameters sends query parameters that are none.
func (s *sweep) badParameters(t *testing.T, r *route) {
	s.row(t, r)
	path, body := s.path(r, s.own), s.fill(s.row(t, r).body)
	for _, p := range r.op.Parameters {
		if p.In != "query" {
			continue
		}
		for _, value := range badParameter(p.Schema) {
			s.refuse(t, r, refusal{name: p.Name, path: path + query(r, p.Name, value), body: body, field: p.Name})
		}
	}
	for _, p := range r.op.Parameters {
		if p.In == "query" && p.Schema.Type == huma.TypeInteger {
			for _, value := range []string{"0", "-1", "9223372036854775807", "-9223372036854775808"} {
				s.refuse(t, r, refusal{name: p.Name, path: path + query(r, p.Name, value), body: body, statuses: []int{200, 400}})
			}
		}
	}
	for _, name := range []string{"next_page", "client_id", "unknown"} {
		for _, value := range []string{"%00", "%ff", "%zz"} {
			s.refuse(t, r, refusal{name: name, path: path + query(r, name, value), body: body, field: "query"})
		}
	}
}

// badIdentifiers puts into each place of the path what names nothing, what names something of somebody else's, and what
// is no name.
func (s *sweep) badIdentifiers(t *testing.T, r *route) {
	body := s.fill(s.row(t, r).body)
	send := func(place, kind, value string) {
		if s.tolerated[r.ID+" "+kind+" "+place] != "" {
			return
		}
		things := maps.Clone(s.own)
		things[s.key(r, place)] = value
		s.refuse(t, r, refusal{name: kind + " " + place, path: s.path(r, things), body: body, statuses: []int{400, 403, 404, 405, 410, 501}})
	}
	for _, place := range placeholders(r.Path) {
		send(place, "unknown", "no-such-thing")
		if r.Need.on != onNothing && r.Need.on != onRegistry {
			send(place, "foreign", s.foreign[s.key(r, place)])
		}
		for _, value := range []string{"%00", "%ff", "%0a", "%2e%2e", "a%20b", "%EF%BD%81lice", "-", "%27%22--", "UPPER", strings.Repeat("x", 300), strings.Repeat("9", 3000)} {
			send(place, "nonsense", value)
		}
	}
}

// query adds a parameter to what an operation cannot do without.
func query(r *route, name, value string) string {
	others := map[string][]string{
		"listRepos":         {"public=true"},
		"explainAccess":     {"user=bob", "action=pull", "object=acme/app"},
		"explainRepoAccess": {"user=bob", "action=pull"},
	}[r.ID]
	sent := []string{name + "=" + value}
	for _, other := range others {
		if !strings.HasPrefix(other, name+"=") {
			sent = append(sent, other)
		}
	}
	return "?" + strings.Join(sent, "&")
}

// tolerances are what is no error, with the reason: "operation kind place".
func tolerances() map[string]string {
	reasons := map[string]string{}
	add := func(place, reason, kinds string, ids ...string) {
		for _, id := range ids {
			for kind := range strings.FieldsSeq(kinds) {
				reasons[id+" "+kind+" "+place] = reason
			}
		}
	}
	add("{robot_shortname}", "makes the robot", "unknown foreign", "createOrgRobot", "createUserRobot")
	add("{teamname}", "makes the team", "unknown foreign", "updateOrganizationTeam")
	add("{tag}", "an empty change, a digest of the repository: any tag", "unknown foreign nonsense", "changeTag", "restoreTag")
	add("{uuid}", "who deletes a message that is gone has what they want", "unknown foreign nonsense", "deleteGlobalMessage")
	add("{repository}", "so has who takes a star away", "unknown foreign", "deleteStar")
	add("{service_id}", "so has who parts from a login service", "unknown foreign nonsense", "detachExternalLogin")
	add("{prefix}", "a part of a name can be anything", "unknown nonsense", "getMatchingEntities")
	const repeats = "the page repeats what the address says, and looks nothing up"
	add("{username}", repeats, "unknown foreign nonsense", "userPage")
	add("{orgname}", repeats, "unknown foreign nonsense", "organizationPage")
	add("{repository}", repeats, "unknown foreign nonsense", "repositoryPage")
	add("{repository}", "it is the page of a repository called status", "unknown foreign nonsense", "getBuildBadge")
	add("{email}", "an address is nobody's", "foreign", "inviteTeamMemberEmail")
	return reasons
}
