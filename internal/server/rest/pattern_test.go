package rest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testTable has the path shapes of the whole contract, built or not.
func testTable() *table {
	var rows []*route
	for _, path := range []string{
		"/csrf_token",
		"/api/v1/user/",
		"/api/v1/user/robots",
		"/api/v1/user/robots/{robot_shortname}",
		"/api/v1/user/starred/{repository}",
		"/api/v1/users/{username}",
		"/api/v1/organization/",
		"/api/v1/organization/{orgname}",
		"/api/v1/organization/{orgname}/robots",
		"/api/v1/organization/{orgname}/robots/{robot_shortname}/regenerate",
		"/api/v1/repository",
		"/api/v1/repository/{repository}",
		"/api/v1/repository/{repository}/changevisibility",
		"/api/v1/repository/{repository}/permissions/user/",
		"/api/v1/repository/{repository}/permissions/user/{username}",
		"/api/v1/repository/{repository}/permissions/user/{username}/transitive",
		"/api/v1/repository/{repository}/permissions/team/",
		"/api/v1/repository/{repository}/permissions/team/{teamname}",
		"/api/v1/repository/{repository}/tag/",
		"/api/v1/repository/{repository}/tag/{tag}",
		"/api/v1/repository/{repository}/tag/{tag}/restore",
		"/api/v1/repository/{repository}/manifest/{manifestref}/labels/{labelid}",
	} {
		rows = append(rows, &route{Method: http.MethodGet, Path: path, ID: path})
	}
	t := newTable(rows)
	return &t
}

func TestFind(t *testing.T) {
	const repo = "/api/v1/repository/{repository}"
	for _, test := range []struct {
		name, path, want, repository string
		variable, value              string
		missingSlash                 bool
	}{
		{name: "a plain path", path: "/api/v1/user/", want: "/api/v1/user/"},
		{name: "a missing final slash is noticed", path: "/api/v1/user", want: "/api/v1/user/", missingSlash: true},
		{name: "a superfluous final slash matches nothing", path: "/api/v1/user/robots/"},
		{name: "a literal goes before a variable", path: "/api/v1/organization/acme/robots", want: "/api/v1/organization/{orgname}/robots", variable: "orgname", value: "acme"},
		{name: "a repository", path: "/api/v1/repository/acme/app", want: repo, repository: "acme/app"},
		{name: "a nested repository", path: "/api/v1/repository/acme/a/b/c/d", want: repo, repository: "acme/a/b/c/d"},
		{name: "a namespace alone is no repository", path: "/api/v1/repository/acme"},
		{name: "a namespace alone has no tags", path: "/api/v1/repository/acme/tag/", want: ""},
		{name: "the list of tags", path: "/api/v1/repository/acme/app/tag/", want: repo + "/tag/", repository: "acme/app"},
		{name: "a tag", path: "/api/v1/repository/acme/app/tag/v1", want: repo + "/tag/{tag}", repository: "acme/app", variable: "tag", value: "v1"},
		{name: "tags of a repository named after a tag's route", path: "/api/v1/repository/acme/app/tag/v1/tag/", want: repo + "/tag/", repository: "acme/app/tag/v1"},
		{name: "a tag of a repository named after a tag's route", path: "/api/v1/repository/acme/app/tag/v1/tag/v2", want: repo + "/tag/{tag}", repository: "acme/app/tag/v1", variable: "tag", value: "v2"},
		{name: "escaped slashes force the name", path: "/api/v1/repository/acme%2Fapp%2Ftag%2Fv1", want: repo, repository: "acme/app/tag/v1"},
		{name: "escaped slashes in a part force the name up to there", path: "/api/v1/repository/acme/app/tag%2Fv1", want: repo, repository: "acme/app/tag/v1"},
		{name: "a route follows a forced name", path: "/api/v1/repository/acme%2Fapp%2Ftag%2Fv1/tag/v2", want: repo + "/tag/{tag}", repository: "acme/app/tag/v1", variable: "tag", value: "v2"},
		{name: "a forced name of one segment", path: "/api/v1/repository/acme%2Ftag/tag/", want: repo + "/tag/", repository: "acme/tag"},
		{name: "a variable takes no escaped slash", path: "/api/v1/users/a%2Fb"},
		{name: "the word alone is the list without its slash", path: "/api/v1/repository/acme/app/tag", want: repo + "/tag/", repository: "acme/app", missingSlash: true},
		{name: "the route with more words wins", path: "/api/v1/repository/acme/app/permissions/user/bob/transitive", want: repo + "/permissions/user/{username}/transitive", repository: "acme/app", variable: "username", value: "bob"},
		{name: "a robot's name", path: "/api/v1/repository/acme/app/permissions/user/acme+ci", want: repo + "/permissions/user/{username}", repository: "acme/app", variable: "username", value: "acme+ci"},
		{name: "a robot's name with an escaped plus", path: "/api/v1/repository/acme/app/permissions/user/acme%2Bci", want: repo + "/permissions/user/{username}", repository: "acme/app", variable: "username", value: "acme+ci"},
		{name: "a starred repository", path: "/api/v1/user/starred/acme/robots", want: "/api/v1/user/starred/{repository}", repository: "acme/robots"},
		{name: "a repository called robots", path: "/api/v1/repository/acme/robots", want: repo, repository: "acme/robots"},
		{name: "an empty segment", path: "/api/v1/repository/acme//app"},
		{name: "an empty part of a forced name", path: "/api/v1/repository/acme%2F"},
		{name: "a control character", path: "/api/v1/users/a%00b"},
		{name: "bytes that are no text", path: "/api/v1/users/a%ffb"},
		{name: "too long", path: "/api/v1/users/" + strings.Repeat("a", maxPathLength)},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, path, missing := testTable().find(test.path)
			got := ""
			if e != nil {
				got = e.pattern.source
			}
			if got != test.want || missing != test.missingSlash {
				t.Fatalf("%s goes to %q, slash missing %t; want %q, %t", test.path, got, missing, test.want, test.missingSlash)
			}
			if diff := cmp.Diff(test.repository, path.Variable(repositoryVariable)); diff != "" {
				t.Error(diff)
			}
			if test.variable != "" && path.Variable(test.variable) != test.value {
				t.Errorf("%s is %q, want %q", test.variable, path.Variable(test.variable), test.value)
			}
		})
	}
}

// FuzzFind holds that parsing never fails in another way than finding nothing, that what is found spells the path that
// was sent, and that a name with escaped slashes reaches exactly the repository it names, whatever words it holds.
func FuzzFind(f *testing.F) {
	for _, seed := range []string{"acme/app", "acme/app/tag/v1", "acme/tag/tag/", "a/permissions/user/b/transitive", "a//b", "%2F", "a/%2e%2e/b"} {
		f.Add(seed)
	}
	routes := testTable()
	f.Fuzz(func(t *testing.T, text string) {
		if e, path, missing := routes.find("/api/v1/repository/" + text); e != nil {
			checkSpelling(t, e, path, missing, "/api/v1/repository/"+text)
		}
		namespace, name, ok := strings.Cut(text, "/")
		if !ok || namespace == "" || name == "" || len(text) > 1000 {
			return
		}
		forced := "/api/v1/repository/" + url.PathEscape(text)
		if e, path, _ := routes.find(forced); e != nil {
			if path.Namespace != namespace || path.Name != name || e.pattern.source != "/api/v1/repository/{repository}" {
				t.Errorf("%q is taken for %q of %s", forced, path.Variable(repositoryVariable), e.pattern.source)
			}
			e, path, _ := routes.find(forced + "/tag/v1")
			if e == nil || path.Name != name || path.Variable("tag") != "v1" {
				t.Errorf("%q/tag/v1 is not that repository's tag", forced)
			}
		}
	})
}

// checkSpelling puts the found values back into the pattern: the result must be the unescaped path.
func checkSpelling(t *testing.T, e *entry, path Path, missing bool, sent string) {
	t.Helper()
	parts := strings.Split(e.pattern.source, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			parts[i] = path.Variable(strings.TrimSuffix(name, "}"))
		}
	}
	spelled := strings.Join(parts, "/")
	if missing {
		spelled = strings.TrimSuffix(spelled, "/")
	}
	want, err := url.PathUnescape(sent)
	if err != nil || spelled != want {
		t.Errorf("%q was read as %q", sent, spelled)
	}
	if path.Namespace == "" || path.Name == "" || strings.Contains(path.Namespace, "/") {
		t.Errorf("%q has namespace %q and name %q", sent, path.Namespace, path.Name)
	}
}
