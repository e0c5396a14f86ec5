package app

import (
	"fmt"
	"strings"
	"testing"
)

func TestHostileAPIRequests(t *testing.T) {
	eachTarget(t, func(t *testing.T, x *target) []attack {
		mallory := x.signIn(t, "mallory", malloryPasswd)
		x.secrets = append(x.secrets, mallory.cookie, mallory.csrf)
		x.state = x.counts(t)
		var rows []attack
		as := func(s *session, name, method, path, body string, status int, code string, header ...string) *attack {
			rows = append(rows, attack{name: name, session: s, method: method, path: path, body: body, header: header, status: status, code: code})
			return &rows[len(rows)-1]
		}
		const app, none, repos = "/api/v1/repository/alice/app", "/api/v1/repository/alice/none", "/api/v1/repository"

		// Other people's objects.
		for _, m := range []string{"GET", "PUT", "DELETE"} {
			as(&mallory, m+" of a foreign repository", m, app, "{}", 403, "insufficient_scope")
			as(&mallory, m+" of a missing one in a foreign namespace", m, none, "{}", 403, "insufficient_scope")
			as(nil, m+" of a private repository by nobody", m, app, "{}", map[bool]int{true: 401, false: 403}[m == "GET"], map[bool]string{true: "invalid_token", false: "error"}[m == "GET"])
		}
		as(&mallory, "a foreign repository made public", "POST", app+"/changevisibility", `{"visibility":"public"}`, 403, "insufficient_scope")
		as(&mallory, "a permission on a foreign repository", "PUT", app+"/permissions/user/mallory", `{"role":"admin"}`, 403, "insufficient_scope")
		as(&mallory, "the permissions of a foreign repository", "GET", app+"/permissions/user/", "", 403, "insufficient_scope")
		as(&mallory, "a repository in a foreign namespace", "POST", repos, `{"repository":"x","visibility":"public","description":"","namespace":"alice"}`, 403, "insufficient_scope")
		as(&mallory, "a foreign organization deleted", "DELETE", "/api/v1/organization/acme", "", 403, "insufficient_scope")
		as(&mallory, "a user deleted as an organization", "DELETE", "/api/v1/organization/mallory", "", 404, "not_found")
		as(&mallory, "the robots of a foreign organization", "GET", "/api/v1/organization/acme/robots", "", 403, "insufficient_scope")
		as(&mallory, "the robots of a user through the organization's route", "GET", "/api/v1/organization/alice/robots/bot", "", 403, "insufficient_scope")
		as(&mallory, "a robot in a foreign organization", "PUT", "/api/v1/organization/acme/robots/evil", "{}", 403, "insufficient_scope")
		as(&mallory, "a foreign robot by its full name", "GET", "/api/v1/user/robots/alice+bot", "", 400, "message")
		as(&mallory, "a foreign robot by a path", "GET", "/api/v1/user/robots/..%2Falice+bot", "", 404, "error")
		as(&mallory, "a foreign robot's new token", "POST", "/api/v1/user/robots/bot/regenerate", "", 400, "message")
		as(&mallory, "a first user, once more", "POST", "/api/v1/user/initialize", `{"username":"root","password":"canary-initialize"}`, 404, "error")

		// Mass assignment: members that no schema names change nothing; what they aim at is looked at below.
		as(&mallory, "a repository with members it must not have", "POST", repos,
			`{"repository":"massed","visibility":"private","description":"","id":1,"namespace_id":1,"NAMESPACE":"alice","Visibility":"public","is_public":true,"state":"READ_ONLY","creator_id":1,"__proto__":{"admin":true}}`, 201, "").says = `"namespace":"mallory"`
		as(&mallory, "it is mallory's and private", "GET", repos+"/mallory/massed", "", 200, "").says = `"is_public":false`
		as(&mallory, "a robot with members it must not have", "PUT", "/api/v1/user/robots/massed", `{"description":"x","token":"chosen","owner":"alice","name":"alice+evil","enabled":true}`, 201, "").says = `"name":"mallory+massed"`
		as(&mallory, "an organization with members it must not have", "POST", "/api/v1/organization/", `{"name":"massed-org","super_user":true,"kind":1,"id":1,"verified":true}`, 201, "")
		as(&mallory, "mallory is no superuser after all", "GET", "/api/v1/user/", "", 200, "").says = `"username":"mallory"`

		// Bodies.
		body := func(name, content string, status int, code string, header ...string) *attack {
			return as(&x.session, name, "PUT", app, content, status, code, header...)
		}
		body("no body", "", 400, "invalid_request")
		body("half a body", `{"description":`, 400, "invalid_request")
		body("two bodies", `{"description":"x"}{}`, 400, "invalid_request")
		body("an array", `[]`, 400, "invalid_request")
		body("null", `null`, 400, "invalid_request")
		body("a wrong type", `{"description":1}`, 400, "invalid_request").says = "description"
		body("a missing member", `{}`, 400, "invalid_request").says = "description"
		body("a member in another case", `{"Description":"x"}`, 400, "invalid_request").says = "description"
		body("NUL in a string", `{"description":"\u0000"}`, 400, "invalid_request").says = "NUL"
		body("NUL in a name", `{"description":"x","a\u0000":1}`, 400, "invalid_request").says = "NUL"
		body("33 levels", `{"x":`+strings.Repeat("[", 32)+strings.Repeat("]", 32)+`}`, 400, "invalid_request").says = "32"
		body("a depth bomb", strings.Repeat(`{"description":`, 60_000), 400, "invalid_request").says = "32"
		body("one byte above 1 MiB", `{"description":"`+strings.Repeat("x", 1<<20-17)+`"}`, 413, "error")
		body("a form", "description=x", 400, "invalid_request", "Content-Type: application/x-www-form-urlencoded")
		body("text that is JSON, as a simple cross-site request", `{"description":"x"}`, 400, "invalid_request", "Content-Type: text/plain")
		body("a body that was compressed on the way", gzipped(`{"description":"x"}`), 400, "invalid_request", "Content-Encoding: gzip")
		body("XML", `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, 400, "invalid_request")
		body("a member twice counts once, as what was checked", `{"description":1,"description":"second"}`, 200, "")
		as(&x.session, "the description is the one that was checked", "GET", app, "", 200, "").says = `"description":"second"`
		as(&x.session, "an unknown value of a choice", "POST", app+"/changevisibility", `{"visibility":"PUBLIC"}`, 400, "invalid_request").says = "visibility"
		as(&x.session, "a role that is none", "PUT", app+"/permissions/user/mallory", `{"role":"owner"}`, 400, "invalid_request").says = "role"

		// Names.
		for _, name := range []string{"..", ".", "../x", "a//b", "A", "a b", "a%2Fb", "<script>", "é", "a\\\\b", "/a", "a/", strings.Repeat("a", 256), "-a", "a\\nb"} {
			as(&x.session, fmt.Sprintf("a repository called %.20q", name), "POST", repos, `{"repository":"`+name+`","visibility":"private","description":""}`, 400, "invalid_request")
			as(&x.session, fmt.Sprintf("an organization called %.20q", name), "POST", "/api/v1/organization/", `{"name":"`+name+`"}`, 400, "invalid_request")
		}
		for _, name := range []string{"a", "alice", "acme", "a+b", "$token", "a@b.c", "admin--x", "x."} {
			as(&x.session, fmt.Sprintf("an organization called %q", name), "POST", "/api/v1/organization/", `{"name":"`+name+`"}`, 400, "invalid_request")
		}
		for name, status := range map[string]int{"a+b": 400, "A": 400, "a": 400, "a%20b": 400, "%C3%A9e": 400, "a%2Fb": 405, "%2e%2e": 400, "%00": 405, "a%0Ab": 405, "%ff": 405, strings.Repeat("a", 256): 400, strings.Repeat("a", 5000): 405, "a--b": 400, "b%3Fx": 400, "%24token": 400} {
			as(&x.session, fmt.Sprintf("a robot called %.20q", name), "PUT", "/api/v1/user/robots/"+name, "{}", status, map[int]string{400: "invalid_request", 405: "error"}[status])
		}

		// Paths and queries.
		for name, path := range map[string]string{
			"a way out": "/api/v1/repository/alice/..%2f..%2fmallory/own", "NUL": "/api/v1/repository/alice/app%00", "empty segments": "/api//v1//user/", "no such route": "/api/v1/none",
			"no such version": "/api/v2/user/", "a path of 5,000 bytes": "/api/v1/repository/alice/" + strings.Repeat("a", 5000), "the API's root": "/api/", "a backslash": "/api/v1%5Cuser/",
		} {
			status, code := 404, "error"
			if name == "a way out" {
				code = "not_found"
			}
			as(&x.session, name, "GET", path, "", status, code)
		}
		for _, query := range []string{"%zz", "a=%ff", "a=%00", "next_page=x", "limit=x", "limit=99999999999999999999"} {
			as(&x.session, "the query "+query, "GET", repos+"?namespace=alice&"+query, "", 400, "invalid_request")
			rows[len(rows)-1].status = map[bool]int{true: 200, false: 400}[strings.HasPrefix(query, "limit")]
			if strings.HasPrefix(query, "limit") {
				rows[len(rows)-1].code = ""
			}
		}
		for _, q := range []string{"page=-1", "page=0", "limit=-1", "limit=1000000", "page=99999999", "filter_tag_name=like:%25", "specificTag=' OR 1=1", "onlyActiveTags=maybe"} {
			as(&x.session, "tags with "+q, "GET", app+"/tag/?"+strings.ReplaceAll(q, " ", "%20"), "", 200, "")
		}
		as(&x.session, "a filter of tags that is none", "GET", app+"/tag/?filter_tag_name=x", "", 400, "invalid_request").says = "filter_tag_name"
		for _, m := range []string{"PATCH", "TRACE", "PROPFIND", "FOO", "get"} {
			as(&x.session, "the method "+m, m, app, "", 405, "error")
		}
		return rows
	})
}
