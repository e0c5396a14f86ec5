package app

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/config"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/secret"
	"github.com/longshore-registry/longshore/internal/server"
)

var (
	sameSeeds = flag.Int("same.seeds", 6, "random histories that every database must answer alike")
	sameSteps = flag.Int("same.steps", 120, "requests in each")
)

const testPassword = "correct-horse-battery"

// testRegistry is the whole registry behind an HTTP test server.
type testRegistry struct {
	url    string
	parts  *parts
	tokens map[string]string
}

// startRegistry builds the program's parts over a fresh database of a kind, with a user "alice".
func startRegistry(t *testing.T, kind dbtest.Kind, change func(*config.Config)) *testRegistry {
	t.Helper()
	c := config.Default()
	c.Database.URI = secret.New(dbtest.URI(t, kind))
	c.Keys.Secret, c.Keys.DatabaseSecret = secret.New("test secret key"), secret.New("test database secret key")
	if change != nil {
		change(c)
	}
	i := &installation{config: c, data: t.TempDir(), log: slog.New(slog.DiscardHandler)}
	if err := i.prepare(); err != nil {
		t.Fatal(err)
	}
	parts, err := i.build(t.Context(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { parts.close(context.Background()) })
	s, err := server.New(serveCommand{}.serverOptions(i, parts))
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(s.Handler())
	t.Cleanup(listener.Close)
	if _, err := parts.identity.CreateUser(t.Context(), identity.NewUser{Name: "alice", Password: testPassword, Verified: true, Trusted: true}); err != nil {
		t.Fatal(err)
	}
	return &testRegistry{url: listener.URL, parts: parts, tokens: map[string]string{}}
}

// token is alice's for some repositories, fetched as a client does.
func (r *testRegistry) token(t *testing.T, repositories ...string) string {
	t.Helper()
	key := strings.Join(repositories, " ")
	if token := r.tokens[key]; token != "" {
		return token
	}
	query := url.Values{"service": {defaultAudience}}
	for _, name := range repositories {
		query.Add("scope", "repository:"+name+":pull,push")
	}
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/v2/auth?"+query.Encode(), nil)
	request.SetBasicAuth("alice", testPassword)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Token string }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Token == "" {
		t.Fatalf("token endpoint: %s, %v", response.Status, err)
	}
	r.tokens[key] = answer.Token
	return answer.Token
}

// step is one request of a history. With follow, it goes to the Location that the step before answered.
type step struct {
	method, path, mediaType string
	repositories            []string
	body                    []byte
	follow                  bool
}

// answer is what of a response must be the same on every database.
type answer struct {
	Step   string
	Status int
	Header map[string]string
	Body   string
}

var (
	uploadID     = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[A-Z2-7]{26}`)
	sameHeaders  = []string{"Content-Type", "Content-Length", "Docker-Content-Digest", "Location", "Range", "Link", "OCI-Subject", "OCI-Tag", "OCI-Filters-Applied"}
	imageType    = "application/vnd.oci.image.manifest.v1+json"
	indexType    = "application/vnd.oci.image.index.v1+json"
	repositories = []string{"alice/app", "alice/app/nested", "alice/tags/list"}
)

func (r *testRegistry) run(t *testing.T, s step, location *string) answer {
	t.Helper()
	target := r.url + s.path
	if s.follow {
		target = *location
		if strings.HasPrefix(target, "/") {
			target = r.url + target
		}
		target += s.path
	}
	request, err := http.NewRequestWithContext(t.Context(), s.method, target, bytes.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.token(t, s.repositories...))
	if s.mediaType != "" {
		request.Header.Set("Content-Type", s.mediaType)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	*location = response.Header.Get("Location")
	a := answer{Step: s.method + " " + s.path, Status: response.StatusCode, Header: map[string]string{}, Body: uploadID.ReplaceAllString(string(body), "<id>")}
	for _, name := range sameHeaders {
		if v := response.Header.Get(name); v != "" {
			a.Header[name] = strings.ReplaceAll(uploadID.ReplaceAllString(v, "<id>"), r.url, "")
		}
	}
	return a
}

// history makes random requests. What exists is not tracked: refusals must be the same as well.
func history(random *rand.Rand, count int) []step {
	pick := func(n int) int { return random.IntN(n) }
	content := func() []byte { return fmt.Appendf(nil, "blob %d", pick(6)) }
	tag := func() string { return []string{"v1", "V1", "latest", "v1.0", "_x"}[pick(5)] }
	var known [][]byte // manifests that were pushed, perhaps in vain
	reference := func() string {
		if len(known) > 0 && pick(2) == 0 {
			return digest.SHA256.Of(known[pick(len(known))]).String()
		}
		return tag()
	}
	var steps []step
	for len(steps) < count {
		name := repositories[pick(len(repositories))]
		at := []string{name}
		add := func(method, path string, body []byte, mediaType string) {
			steps = append(steps, step{method: method, path: "/v2/" + name + path, repositories: at, body: body, mediaType: mediaType})
		}
		switch pick(11) {
		case 0:
			b := content()
			add("POST", "/blobs/uploads/?digest="+digest.SHA256.Of(b).String(), b, "application/octet-stream")
		case 1:
			b := content()
			add("POST", "/blobs/uploads/", nil, "")
			steps = append(steps, step{method: "PATCH", repositories: at, body: b[:3], follow: true}, step{method: "PUT", repositories: at, body: b[3:], follow: true,
				path: "?digest=" + digest.SHA256.Of(b).String()})
		case 2:
			from := repositories[pick(len(repositories))]
			at = []string{name, from}
			add("POST", "/blobs/uploads/?mount="+digest.SHA256.Of(content()).String()+"&from="+from, nil, "")
		case 3, 4:
			b := imageOf(content(), content())
			known = append(known, b)
			add("PUT", "/manifests/"+tag(), b, imageType)
		case 5:
			if len(known) == 0 {
				continue
			}
			b := indexOf(known[pick(len(known))], known[pick(len(known))])
			known = append(known, b)
			add("PUT", "/manifests/"+tag(), b, indexType)
		case 6:
			add("DELETE", "/manifests/"+reference(), nil, "")
		case 7:
			add("DELETE", "/blobs/"+digest.SHA256.Of(content()).String(), nil, "")
		case 8:
			add([]string{"GET", "HEAD"}[pick(2)], "/manifests/"+reference(), nil, "")
		case 9:
			add([]string{"GET", "HEAD"}[pick(2)], "/blobs/"+digest.SHA256.Of(content()).String(), nil, "")
		case 10:
			add("GET", []string{"/tags/list", "/tags/list?n=2", "/tags/list?n=2&last=V1", "/referrers/" + digest.SHA256.Of(content()).String()}[pick(4)], nil, "")
		}
	}
	return steps
}

func imageOf(config, layer []byte) []byte {
	b, _ := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": imageType,
		"config": map[string]any{"mediaType": "application/vnd.example.config", "digest": digest.SHA256.Of(config), "size": len(config)},
		"layers": []any{map[string]any{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest.SHA256.Of(layer), "size": len(layer)}}})
	return b
}

func indexOf(children ...[]byte) []byte {
	var list []any
	for _, c := range children {
		list = append(list, map[string]any{"mediaType": imageType, "digest": digest.SHA256.Of(c), "size": len(c)})
	}
	b, _ := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": list})
	return b
}

func TestEveryDatabaseAnswersTheSame(t *testing.T) {
	for seed := range *sameSeeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			steps := history(rand.New(rand.NewPCG(uint64(seed), 1)), *sameSteps)
			var first []answer
			for _, kind := range dbtest.Kinds() {
				t.Run(string(kind), func(t *testing.T) {
					r := startRegistry(t, kind, nil)
					var got []answer
					var location string
					for _, s := range steps {
						got = append(got, r.run(t, s, &location))
					}
					if first == nil {
						first = got
						reportMix(t, got)
						return
					}
					if diff := cmp.Diff(first, got); diff != "" {
						t.Errorf("answers differ from SQLite's (-sqlite +%s):\n%s", kind, diff)
					}
				})
			}
		})
	}
}

// reportMix fails when a history is so unlucky that it shows nothing.
func reportMix(t *testing.T, answers []answer) {
	t.Helper()
	counts := map[int]int{}
	for _, a := range answers {
		counts[a.Status/100]++
		if a.Status >= 500 {
			t.Errorf("%s: %d %s", a.Step, a.Status, a.Body)
		}
	}
	t.Logf("answers by class: %v", counts)
	if counts[2] < len(answers)/4 {
		t.Errorf("only %d of %d requests succeeded: the history shows too little", counts[2], len(answers))
	}
}
