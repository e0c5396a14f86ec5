package distribution_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/server/distribution"
)

// TestNoAnswerTellsWhetherAPrivateRepositoryExists asks every route that names a repository for a private one and for
// one that is missing, in the name of everybody who may see neither: status, headers and body are the same but for the
// name. So are a token's rights and the answers of the token endpoint and of a mount.
func TestNoAnswerTellsWhetherAPrivateRepositoryExists(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := newMatrix(t, d)
		const there, missing = "mallory/secret", "mallory/absent"
		maker := m.ownerToken("mallory", there)
		blob := m.upload(maker, there, []byte("a secret"))
		m.push(maker, there, "v1", manifest(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": []any{}}))
		upload := strings.TrimPrefix(m.started(there, maker, maker), "/v2/"+there)
		for _, actor := range []string{"anonymous", "reader", "robot", "elsewhere", "disabled"} {
			tokens := map[string]string{there: m.tokenFor(actor, there), missing: m.tokenFor(actor, missing)}
			ask := func(repo string, method, rest string) answer {
				a := m.send(call{method: method, path: "/v2/" + repo + rest, token: tokens[repo]})
				return likened(a, repo)
			}
			for _, route := range distribution.Routes() {
				rest := map[string]string{
					"blob": "/blobs/" + blob.String(), "upload": upload, "manifest": "/manifests/v1", "tags": "/tags/list", "referrers": "/referrers/" + blob.String(),
				}[strings.Split(route.Label, ".")[0]]
				if route.Label == "upload.start" {
					rest = "/blobs/uploads/"
				}
				if !route.Repository {
					continue
				}
				compare(t, actor+" "+route.Label, ask(there, route.Method, rest), ask(missing, route.Method, rest))
			}
			if tokens[there] != "" && strings.ReplaceAll(strings.Join(granted(t, tokens[there]), " "), there, missing) != strings.Join(granted(t, tokens[missing]), " ") {
				t.Errorf("%s is granted %v and %v", actor, granted(t, tokens[there]), granted(t, tokens[missing]))
			}
		}
		into := m.token("writer", scopeOf("writer/target", "pull,push"))
		mount := func(from, digest string) answer {
			return likened(m.send(call{method: "POST", path: "/v2/writer/target/blobs/uploads/?mount=" + digest + "&from=" + from, token: into}), from)
		}
		compare(t, "a mount", mount(there, blob.String()), mount(missing, blob.String()))
		compare(t, "a mount of what is nowhere", mount(there, blob.String()), mount(there, "sha256:"+strings.Repeat("0", 64)))

		catalog := m.send(call{path: "/v2/_catalog?last=mallory/a&n=100", token: into})
		if strings.Contains(string(catalog.body), "secret") {
			t.Errorf("the catalog holds %s", catalog.body)
		}
	})
}

// likened is an answer without what is new in each: dates, identifiers and the name that was asked for.
func likened(a answer, repo string) answer {
	for _, name := range []string{"Date", "X-Request-Id", "Docker-Upload-Uuid"} {
		a.header.Del(name)
	}
	if _, ok := a.header["Location"]; ok {
		a.header.Set("Location", "an upload")
	}
	for _, values := range a.header {
		for i := range values {
			values[i] = strings.ReplaceAll(values[i], repo, "REPOSITORY")
		}
	}
	a.body = []byte(strings.ReplaceAll(string(a.body), repo, "REPOSITORY"))
	return a
}

func compare(t *testing.T, name string, a, b answer) {
	t.Helper()
	if diff := cmp.Diff(seen(a), seen(b)); diff != "" {
		t.Errorf("%s tells what is there (-there +missing):\n%s", name, diff)
	}
}

// seen is what a client sees of an answer.
func seen(a answer) any {
	return struct {
		Status int
		Header http.Header
		Body   string
	}{a.status, a.header, string(a.body)}
}
