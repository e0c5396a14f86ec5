package rest

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/bearer"
	"github.com/longshore-registry/longshore/internal/mail"
	"github.com/longshore-registry/longshore/internal/mail/mailtest"
	"github.com/longshore-registry/longshore/internal/oauth"
	"github.com/longshore-registry/longshore/internal/outbound"
	"github.com/longshore-registry/longshore/internal/overview"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
	"github.com/longshore-registry/longshore/internal/server/live"
	"github.com/longshore-registry/longshore/internal/server/logexport"
	"github.com/longshore-registry/longshore/internal/server/record"
)

const password = "correct-horse"

// world is an API with its real services on one database, behind HTTP, with a clock that the test moves.
type world struct {
	t        testing.TB
	db       *db.DB
	identity *identity.Service
	access   *access.Authority
	registry *registry.Registry
	oauth    *oauth.Service
	log      *audit.Log
	recorder *recorder
	keys     *bearer.Authority
	sizes    *fakeSizes
	events   *live.Hub
	api      *API
	server   *httptest.Server
	scheme   string // as clients see it
	ip       string // whence they come
	peer     string // whose connection it is; empty for ip
	mail     *mailtest.Server
	sender   *mail.Sender
	dump     func(testing.TB) map[string]string // see refusedWithoutLog

	mu  sync.Mutex
	now time.Time
}

// settings is what a test may change before the services are made.
type settings struct {
	policy  access.Policy
	options Options
	account identity.Options

	maxTokens int      // of an OAuth application
	callable  []string // SSRF_ALLOWED_HOSTS
}

// fakeSizes is a blob store that is only asked for its size.
type fakeSizes struct{ content.Measurement }

func (f *fakeSizes) Measured(context.Context) (content.Measurement, error) { return f.Measurement, nil }

func (f *fakeSizes) QueueMeasure(context.Context) (bool, error) {
	queued := !f.Queued
	f.Queued = true
	return queued, nil
}

// noBlobs is a blob store without blobs: the manifests of these tests are indexes.
type noBlobs struct{}

func (noBlobs) Bytes(context.Context, int64, digest.Digest, int64) ([]byte, error) {
	return nil, problem.New(problem.NotFound, "no blob").WithCode("BLOB_UNKNOWN")
}

func newWorld(t testing.TB, d *db.DB, change ...func(*settings)) *world {
	t.Helper()
	w := &world{t: t, db: d, ip: "127.0.0.1", scheme: "http", now: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)}
	s := settings{
		policy:  access.Policy{AnonymousAccess: true, SuperUsersEnabled: true, SuperUsers: []string{"root"}},
		account: identity.Options{DB: d, SecretKey: "a secret key", DatabaseSecretKey: "another secret key", BcryptCost: 4, Clock: w.clock},
		options: Options{Secret: []byte("a secret key"), Clock: w.clock, Version: "test", FreshLogin: 10 * time.Minute, XHROnly: true,
			UserEvents: true, DirectLogin: true, DatabaseAuth: true, ChangeTagWindow: true, TagWindows: []time.Duration{0, 24 * time.Hour, 14 * 24 * time.Hour}, AssignTokens: true, AuditLogins: true, LogExport: true, LogCounts: true, Cookie: Cookie{Persistent: true},
			Registration: Registration{Open: true}, AppTokens: true, Mirror: true, PurgeTags: true, PartialNames: true},
	}
	for _, fn := range change {
		fn(&s)
	}
	w.mails(&s.options)
	var err error
	w.log, err = audit.Open(t.Context(), audit.Options{DB: d, Dir: t.TempDir(), Clock: w.clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.log.Close(context.Background()) })
	w.recorder = &recorder{Recorder: w.log}
	s.account.Audit = w.recorder
	if w.identity, err = identity.NewService(s.account); err != nil {
		t.Fatal(err)
	}
	w.access = access.NewAuthority(access.Options{DB: d, Policy: s.policy, Accounts: w.identity, Audit: w.recorder, Clock: w.clock})
	w.registry, err = registry.New(registry.Options{DB: d, Content: noBlobs{}, Names: registry.NameOptions{Extended: true}, Audit: w.recorder, Clock: w.clock,
		Immutable: registry.Immutability{On: s.options.Immutable}})
	if err != nil {
		t.Fatal(err)
	}
	w.keys, err = bearer.New(t.Context(), bearer.Options{DB: d, DatabaseSecretKey: "another secret key", Audit: w.recorder, Clock: w.clock, SuperUsers: w.access.SuperUsers})
	if err != nil {
		t.Fatal(err)
	}
	w.sizes, w.events = &fakeSizes{}, live.NewHub()
	s.options.Keys, s.options.Size, s.options.Events = w.keys, w.sizes, w.events
	if s.options.Shutdown == nil {
		s.options.Shutdown = func() {}
	}
	s.options.Identity, s.options.Access, s.options.Registry, s.options.Lists = w.identity, w.access, w.registry, overview.New(d)
	w.oauth = oauth.New(oauth.Options{DB: d, Identity: w.identity, Audit: w.recorder, MaxTokens: s.maxTokens, Clock: w.clock})
	s.options.OAuth = w.oauth
	s.options.Audit = w.log
	exports := logexport.Options{
		Log: w.log, Dir: t.TempDir(), Guard: outbound.New(s.callable, nil), Clock: w.clock, Logger: slog.New(slog.DiscardHandler),
		PerAccount: 16, // each test asks as often as it likes
	}
	if w.sender != nil {
		exports.Mail = w.sender
	}
	s.options.Exports, err = logexport.New(exports)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.options.Exports.Run(t.Context()) }()
	if w.api, err = New(s.options); err != nil {
		t.Fatal(err)
	}
	if err := w.api.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.server.Close)
	return w
}

// mails gives an API that sends mail a mail server.
func (w *world) mails(o *Options) {
	if !o.Mailing {
		return
	}
	w.t.Helper()
	w.mail = mailtest.Start(w.t, mailtest.Options{RefuseTo: "refused@example.com"})
	w.sender = must(mail.New(mail.Options{
		Server: "127.0.0.1", Port: w.mail.Port(), Sender: "registry@registry.test", Registry: "registry.test", Clock: w.clock,
	}))(w.t)
	o.Mail, o.Links = w.sender, "https://registry.test"
	if o.RequireTeamInvite && o.Inviter == nil {
		o.Inviter = w.sender
	}
}

// serve does what the listener does around the API.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	rec := &record.Record{
		ID: "test", Scheme: w.scheme, Host: "registry.test",
		ClientIP: netip.MustParseAddr(w.ip), Peer: netip.MustParseAddr(cmp.Or(w.peer, w.ip)),
	}
	w.api.ServeHTTP(rw, r.WithContext(record.With(r.Context(), rec)))
	if rec.Err != nil && describe(rec.Err).status == http.StatusInternalServerError {
		w.t.Errorf("%s %s: %v", r.Method, r.URL, rec.Err)
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// must gives a value whose making may not fail.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func (w *world) user(name string) identity.Account {
	w.t.Helper()
	return must(w.identity.CreateUser(w.t.Context(), identity.NewUser{
		Name: name, Email: name + "@example.com", Password: password, Verified: true, Trusted: true,
	}))(w.t)
}

func (w *world) account(name string) identity.Account {
	w.t.Helper()
	return must(w.identity.Account(w.t.Context(), name))(w.t)
}

func (w *world) organization(name, owner string) identity.Account {
	w.t.Helper()
	return must(w.identity.CreateOrganization(w.t.Context(), name, "", w.account(owner).ID))(w.t)
}

func (w *world) repository(namespace, name string) registry.Repository {
	w.t.Helper()
	return must(w.registry.CreateRepository(w.t.Context(), registry.NewRepository{NamespaceID: w.account(namespace).ID, Name: name}))(w.t)
}

func (w *world) grant(r registry.Repository, who string, role access.Role) {
	w.t.Helper()
	if err := w.access.Grant(w.t.Context(), r.ID, access.Subject{AccountID: w.account(who).ID}, role); err != nil {
		w.t.Fatal(err)
	}
}

// tag pushes an index of its own without children under a tag and gives its digest.
func (w *world) tag(r registry.Repository, tag string) string {
	w.t.Helper()
	body := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"tag":"` + tag + `"}}`
	pushed := must(w.registry.Push(w.t.Context(), r, registry.Push{
		Tags: []string{tag}, ContentType: "application/vnd.oci.image.index.v1+json", Bytes: []byte(body),
	}))(w.t)
	return pushed.Digest.String()
}

// token makes an OAuth token of a user with scopes.
func (w *world) token(user, scopes string) string {
	w.t.Helper()
	who := w.account(user)
	var application int64
	err := w.db.Hard(w.t.Context(), "test", func(ctx context.Context, tx db.Tx) error {
		return tx.QueryRow(ctx, `INSERT INTO oauth_application (client_id, organization_id, name) VALUES ($1, $2, 'test')
			ON CONFLICT (client_id) DO UPDATE SET organization_id = excluded.organization_id RETURNING id`, "test-"+user, who.ID).Scan(&application)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	parsed := must(identity.ParseScopes(scopes))(w.t)
	return must(w.identity.CreateOAuthToken(w.t.Context(), identity.NewOAuthToken{ApplicationID: application, AccountID: who.ID, Scopes: parsed}))(w.t)
}

// client is somebody who calls the API.
type client struct {
	w      *world
	header http.Header
	cookie string // name=value of the session
	csrf   string
}

// anonymous is nobody, with a session that has a CSRF token.
func (w *world) anonymous() *client {
	w.t.Helper()
	c := &client{w: w, header: http.Header{}}
	c.readCSRF()
	return c
}

// bearer is a caller with a token.
func (w *world) bearer(token string) *client {
	return &client{w: w, header: http.Header{"Authorization": {"Bearer " + token}}}
}

// session is a user who signed in.
func (w *world) session(name string) *client {
	w.t.Helper()
	c := w.anonymous()
	a := c.do(http.MethodPost, "/api/v1/signin", `{"username":"`+name+`","password":"`+password+`"}`)
	if a.status != http.StatusOK {
		w.t.Fatalf("sign-in of %s: %d %s", name, a.status, a.body)
	}
	return c
}

func (c *client) readCSRF() {
	c.w.t.Helper()
	a := c.do(http.MethodGet, "/csrf_token", "")
	var out struct {
		Token string `json:"csrf_token"`
	}
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || out.Token == "" {
		c.w.t.Fatalf("/csrf_token: %d %s", a.status, a.body)
	}
	c.csrf = out.Token
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do makes a request and keeps the session's cookie and CSRF token as a browser and its page do.
func (c *client) do(method, path, body string, change ...func(*http.Request)) answer {
	c.w.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := must(http.NewRequestWithContext(c.w.t.Context(), method, c.w.server.URL+path, reader))(c.w.t)
	for name, values := range c.header {
		r.Header[name] = values
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.cookie != "" {
		r.Header.Set("Cookie", c.cookie)
	}
	if c.csrf != "" {
		r.Header.Set("X-CSRF-Token", c.csrf)
	}
	for _, fn := range change {
		fn(r)
	}
	return c.send(r)
}

func (c *client) send(r *http.Request) answer {
	c.w.t.Helper()
	res := must(http.DefaultTransport.RoundTrip(r))(c.w.t)
	defer res.Body.Close()
	content := must(readAnswer(res))(c.w.t)
	for _, cookie := range res.Cookies() {
		c.cookie = cookie.Name + "=" + cookie.Value
		if cookie.MaxAge < 0 {
			c.cookie = ""
		}
	}
	if next := res.Header.Get("X-Next-CSRF-Token"); next != "" {
		c.csrf = next
	}
	return answer{res.StatusCode, res.Header, string(bytes.TrimSpace(content))}
}

// readAnswer reads all of an answer, and of a stream of events, which has no end, the first.
func readAnswer(res *http.Response) ([]byte, error) {
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		return io.ReadAll(res.Body)
	}
	line, err := bufio.NewReader(res.Body).ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		err = nil // HEAD opens no stream
	}
	return line, err
}
