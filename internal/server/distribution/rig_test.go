package distribution_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/bearer"
	"github.com/longshore-registry/longshore/internal/registry"
	"github.com/longshore-registry/longshore/internal/server"
	"github.com/longshore-registry/longshore/internal/server/distribution"
)

const (
	service   = "registry.test"
	secretKey = "a-key-for-tests-of-more-than-32-bytes"

	imageType   = "application/vnd.oci.image.manifest.v1+json"
	indexType   = "application/vnd.oci.image.index.v1+json"
	configType  = "application/vnd.oci.image.config.v1+json"
	layerType   = "application/vnd.oci.image.layer.v1.tar+gzip"
	octetStream = "application/octet-stream"
)

// rig is a registry with real parts behind a real TCP listener and the real middleware.
type rig struct {
	t        *testing.T
	url      string
	clock    *clock
	db       *db.DB
	identity *identity.Service
	access   *access.Authority
	registry *registry.Registry
	content  *content.Store
	tokens   *bearer.Authority
	people   map[string]identity.Account
}

// settings are what a test may change before its rig is built.
type settings struct {
	options  distribution.Options
	policy   access.Policy
	identity identity.Options
	registry registry.Options
	listener func(net.Listener) net.Listener
	storage  func(dir string) // is told where blobs lie
	folder   string           // where blobs lie; empty for a folder of its own
	driver   func(*fs.Driver) content.Driver
	maxBlob  int64
	tls      bool
}

func newRig(t *testing.T, d *db.DB, change ...func(*settings)) *rig {
	t.Helper()
	r := &rig{t: t, db: d, clock: &clock{now: time.Now()}, people: map[string]identity.Account{}}
	s := settings{
		options:  distribution.Options{Service: service, AdvertiseV2: true, BlacklistV2: "<1.6.0", ReferrersAPI: true},
		policy:   access.Policy{AnonymousAccess: true},
		identity: identity.Options{AppTokens: true},
		registry: registry.Options{Memory: registry.DefaultMemory, Names: registry.NameOptions{Extended: true, Library: "library"}},
	}
	for _, c := range change {
		c(&s)
	}
	log := slog.New(slog.DiscardHandler)
	var err error
	s.identity.DB, s.identity.SecretKey, s.identity.DatabaseSecretKey, s.identity.BcryptCost, s.identity.Clock, s.identity.Log = d, secretKey, secretKey, 4, r.clock.Now, log
	r.identity, err = identity.NewService(s.identity)
	r.must(err)
	r.access = access.NewAuthority(access.Options{DB: d, Policy: s.policy, Accounts: r.identity, Clock: r.clock.Now})
	r.tokens, err = bearer.New(t.Context(), bearer.Options{DB: d, DatabaseSecretKey: secretKey, Clock: r.clock.Now, Log: log})
	r.must(err)
	dir := s.folder
	if dir == "" {
		dir = t.TempDir()
	}
	if s.storage != nil {
		s.storage(dir)
	}
	driver, err := fs.New(fs.Options{Root: dir})
	r.must(err)
	location := content.Location{Name: "default", Driver: driver}
	if s.driver != nil {
		location.Driver = s.driver(driver)
	}
	r.content, err = content.NewStore(t.Context(), content.Options{Memory: content.DefaultMemory, DB: d, Locations: []content.Location{location}, MaxBlob: s.maxBlob, Clock: r.clock.Now, Log: log})
	r.must(err)
	s.registry.DB, s.registry.Content, s.registry.Clock, s.registry.Log = d, r.content, r.clock.Now, log
	s.registry.Accounts = r.identity
	r.registry, err = registry.New(s.registry)
	r.must(err)
	o := s.options
	o.Registry, o.Content, o.Access, o.Identity, o.Tokens = r.registry, r.content, r.access, r.identity, r.tokens
	o.Names, o.Clock, o.Log = s.registry.Names, r.clock.Now, log
	handler, err := distribution.New(o)
	r.must(err)
	web, err := server.New(server.Options{Distribution: handler, API: http.NotFoundHandler(), Root: http.NotFoundHandler(), Namespace: "quay", Log: log})
	r.must(err)
	r.serve(web.Handler(), s)
	return r
}

func (r *rig) serve(h http.Handler, s settings) {
	srv := httptest.NewUnstartedServer(h)
	if s.listener != nil {
		srv.Listener = s.listener(srv.Listener)
	}
	if s.tls {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	} else {
		srv.Start()
	}
	r.t.Cleanup(srv.Close)
	r.url = srv.URL
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// clock is the time of a rig; tests move it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// call is a request.
type call struct {
	method string
	path   string // with query, escaped as it is to be sent
	token  string // bearer token
	user   string // Basic credentials
	secret string
	header map[string]string
	body   []byte
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send makes one request on a connection of its own.
func (r *rig) send(c call) answer {
	r.t.Helper()
	if c.method == "" {
		c.method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(r.t.Context(), c.method, r.url, bytes.NewReader(c.body))
	r.must(err)
	req.URL, err = url.Parse(r.url + c.path)
	r.must(err)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.user != "" {
		req.SetBasicAuth(c.user, c.secret)
	}
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	transport := http.Transport{DisableKeepAlives: true, DisableCompression: true}
	resp, err := transport.RoundTrip(req)
	r.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	r.must(err)
	return answer{status: resp.StatusCode, header: resp.Header, body: body}
}

// code is the first error code of an answer's envelope.
func (a answer) code() string {
	var e struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(a.body, &e) != nil || len(e.Errors) == 0 {
		return ""
	}
	return e.Errors[0].Code
}

// want fails the test unless the status is one of those.
func (r *rig) want(a answer, statuses ...int) answer {
	r.t.Helper()
	for _, s := range statuses {
		if a.status == s {
			return a
		}
	}
	r.t.Fatalf("status %d, want %v; body %s", a.status, statuses, a.body)
	return a
}

func password(name string) string { return "password-of-" + name }

// user makes a user, once.
func (r *rig) user(name string) identity.Account {
	r.t.Helper()
	if a, ok := r.people[name]; ok {
		return a
	}
	a, err := r.identity.CreateUser(r.t.Context(), identity.NewUser{Name: name, Email: name + "@example.com", Password: password(name), Verified: true, Trusted: true})
	r.must(err)
	r.people[name] = a
	return a
}

func (r *rig) organization(name, owner string) identity.Account {
	r.t.Helper()
	a, err := r.identity.CreateOrganization(r.t.Context(), name, name+"@example.com", r.user(owner).ID)
	r.must(err)
	return a
}

// repository makes a repository in the namespace of an account.
func (r *rig) repository(owner identity.Account, name string, public bool) registry.Repository {
	r.t.Helper()
	repo, err := r.registry.CreateRepository(r.t.Context(), registry.NewRepository{NamespaceID: owner.ID, Name: name, Public: public})
	r.must(err)
	return repo
}

func (r *rig) grant(repo registry.Repository, to identity.Account, role access.Role) {
	r.t.Helper()
	r.must(r.access.Grant(r.t.Context(), repo.ID, access.Subject{AccountID: to.ID}, role))
}

// token logs in and asks for scopes; the user "" is nobody.
func (r *rig) token(user string, scopes ...string) string {
	r.t.Helper()
	if user != "" {
		r.user(user)
	}
	return r.tokenOf(user, password(user), scopes...)
}

func (r *rig) tokenOf(user, secret string, scopes ...string) string {
	r.t.Helper()
	return tokenIn(r.t, r.want(r.send(call{path: authPath(scopes...), user: user, secret: secret}), 200))
}

func tokenIn(t *testing.T, a answer) string {
	t.Helper()
	var body struct{ Token string }
	if err := json.Unmarshal(a.body, &body); err != nil || body.Token == "" {
		t.Fatalf("no token in %s", a.body)
	}
	return body.Token
}

func authPath(scopes ...string) string {
	return "/v2/auth?" + url.Values{"service": {service}, "scope": scopes}.Encode()
}

func scopeOf(repo, actions string) string { return "repository:" + repo + ":" + actions }

// upload pushes a blob in one POST.
func (r *rig) upload(token, repo string, blob []byte) digest.Digest {
	r.t.Helper()
	d := digest.SHA256.Of(blob)
	r.want(r.send(call{method: "POST", path: "/v2/" + repo + "/blobs/uploads/?digest=" + d.String(), token: token, body: blob}), 201)
	return d
}

// push pushes a manifest and gives its digest.
func (r *rig) push(token, repo, reference string, manifest []byte) digest.Digest {
	r.t.Helper()
	r.want(r.put(token, repo, reference, manifest), 201)
	return digest.SHA256.Of(manifest)
}

func (r *rig) put(token, repo, reference string, manifest []byte) answer {
	r.t.Helper()
	var m struct{ MediaType string }
	_ = json.Unmarshal(manifest, &m)
	return r.send(call{method: "PUT", path: "/v2/" + repo + "/manifests/" + reference, token: token, body: manifest,
		header: map[string]string{"Content-Type": m.MediaType}})
}

// image uploads a config and a layer and gives a manifest of them; the seed makes it another one.
func (r *rig) image(token, repo, seed string, more ...func(map[string]any)) []byte {
	r.t.Helper()
	config, layer := []byte(`{"architecture":"amd64","os":"linux","author":"`+seed+`","rootfs":{"type":"layers","diff_ids":[]}}`), []byte("layer "+seed)
	r.upload(token, repo, config)
	r.upload(token, repo, layer)
	return manifest(map[string]any{
		"schemaVersion": 2, "mediaType": imageType,
		"config": descriptor(configType, config), "layers": []any{descriptor(layerType, layer)},
	}, more...)
}

func manifest(m map[string]any, more ...func(map[string]any)) []byte {
	for _, f := range more {
		f(m)
	}
	b, _ := json.Marshal(m)
	return b
}

func descriptor(mediaType string, blob []byte) map[string]any {
	return map[string]any{"mediaType": mediaType, "digest": digest.SHA256.Of(blob).String(), "size": len(blob)}
}

// with sets a member of a manifest.
func with(name string, value any) func(map[string]any) {
	return func(m map[string]any) { m[name] = value }
}

// decode reads a JSON body.
func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return v
}

// path takes the scheme and host off a Location.
func path(location string) string {
	if u, err := url.Parse(location); err == nil && u.IsAbs() {
		return u.RequestURI()
	}
	return location
}

// query adds a parameter to a Location, which may have some.
func query(location, parameter string) string {
	if strings.Contains(location, "?") {
		return location + "&" + parameter
	}
	return location + "?" + parameter
}
