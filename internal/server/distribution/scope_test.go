package distribution

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/problem"
)

func TestScopesThatAreUnderstood(t *testing.T) {
	for _, row := range []struct {
		params []string
		host   string
		want   []scope
	}{
		{nil, "", nil},
		{[]string{"", " "}, "", nil},
		{[]string{"repository:acme/app:pull"}, "", []scope{{resource: "repository", name: "acme/app", path: "acme/app", pull: true}}},
		{[]string{"repository:acme/app:pull,push"}, "", []scope{{resource: "repository", name: "acme/app", path: "acme/app", pull: true, push: true}}},
		{[]string{"repository:acme/a/b/c:*"}, "", []scope{{resource: "repository", name: "acme/a/b/c", path: "acme/a/b/c", admin: true}}},
		{[]string{"repository:busybox:pull"}, "", []scope{{resource: "repository", name: "busybox", path: "busybox", pull: true}}},
		{[]string{"repository:acme/app:delete,pull"}, "", []scope{{resource: "repository", name: "acme/app", path: "acme/app", pull: true}}},
		{[]string{"repository:reg.example:5000/acme/app:pull"}, "reg.example:5000",
			[]scope{{resource: "repository", name: "reg.example:5000/acme/app", path: "acme/app", pull: true}}},
		{[]string{"repository:other.example/acme/app:pull"}, "reg.example",
			[]scope{{resource: "repository", name: "other.example/acme/app", path: "other.example/acme/app", pull: true}}},
		{[]string{"repository:reg.example:pull"}, "reg.example", []scope{{resource: "repository", name: "reg.example", path: "reg.example", pull: true}}},
		{[]string{"repository:a/b:pull repository:c/d:push"}, "", []scope{
			{resource: "repository", name: "a/b", path: "a/b", pull: true}, {resource: "repository", name: "c/d", path: "c/d", push: true}}},
		{[]string{"repository:a/b:pull", "repository:c/d:push"}, "", []scope{
			{resource: "repository", name: "a/b", path: "a/b", pull: true}, {resource: "repository", name: "c/d", path: "c/d", push: true}}},
		{[]string{"registry:catalog:*"}, "", []scope{{resource: "registry", name: "catalog", admin: true}}},
	} {
		t.Run(strings.Join(row.params, "&"), func(t *testing.T) {
			got, err := parseScopes(row.params, row.host)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got, cmp.AllowUnexported(scope{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestScopesThatAreRefused(t *testing.T) {
	for _, text := range []string{
		"repository", "repository:", "repository:acme/app", "repository:acme/app:", "repository::pull", "repository:acme/app:pull,",
		"repository:acme//app:pull", "repository:/acme/app:pull", "repository:acme/app/:pull", "repository:acme/ä:pull", "repository:acme/%61:pull",
		"repository:acme/app:PULL", "repository(plugin):acme/app:pull", "registry:metrics:*", "image:acme/app:pull",
		"repository:other.example:5000/acme/app:pull",
	} {
		t.Run(text, func(t *testing.T) {
			got, err := parseScopes([]string{text}, "reg.example")
			if !problem.HasCode(err, "INVALID_REQUEST") || !problem.Is(err, problem.Invalid) {
				t.Errorf("parsed as %+v, error %v", got, err)
			}
		})
	}
	if _, err := parseScopes([]string{strings.Repeat("repository:a/b:pull ", maxScopes+1)}, ""); !problem.Is(err, problem.Invalid) {
		t.Errorf("one scope over the limit: %v", err)
	}
	if got, err := parseScopes([]string{strings.Repeat("repository:a/b:pull ", maxScopes)}, ""); err != nil || len(got) != maxScopes {
		t.Errorf("as many scopes as allowed: %d, %v", len(got), err)
	}
}

func FuzzParseScopes(f *testing.F) {
	for _, seed := range []string{"repository:a/b:pull,push", "repository:h:1/a/b:*", "registry:catalog:*", "repository:a:b:c"} {
		f.Add(seed, "h:1")
	}
	f.Fuzz(func(t *testing.T, text, host string) {
		scopes, err := parseScopes([]string{text}, host)
		if err != nil {
			return
		}
		for _, s := range scopes {
			if s.resource != "repository" {
				continue
			}
			if s.path == "" || strings.ContainsAny(s.path, ":%\\ ") || strings.Contains(s.path, "//") {
				t.Errorf("%q at %q gives repository %q", text, host, s.path)
			}
			if s.name != s.path && s.name != host+"/"+s.path {
				t.Errorf("%q at %q: %q is neither the path %q nor that behind the host", text, host, s.name, s.path)
			}
		}
	})
}
