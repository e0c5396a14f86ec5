package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/config"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/secret"
	"github.com/longshore-registry/longshore/internal/server"
)

// The attacks run against the whole program behind its own listener, over connections that send exactly the bytes of
// the row. Beside the row's own status and code, every answer is held against what must hold whatever is sent:
// see (*target).survives.

const (
	abuseHost     = "registry.example"
	malloryPasswd = "canary-mallory-password"
	abuseTimeout  = 30 * time.Second
)

// target is the program under attack with what the attacker and the victim have in it.
type target struct {
	*testRegistry
	addr    string
	server  *server.Server
	log     *logBuffer
	robot   string // token of alice+bot, which may write to alice/app
	upload  string // an upload of alice's in alice/app
	layer   digest.Digest
	image   digest.Digest
	session session // alice's
	secrets []string
	state   string // counts after the last request that was answered with success
}

// session is a signed-in browser.
type session struct{ cookie, csrf string }

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// startTarget starts the program and gives alice a private and a public repository, an image, an open upload, a robot
// and an organization, and mallory a repository of her own.
func startTarget(t *testing.T, kind dbtest.Kind, change func(*config.Config)) *target {
	t.Helper()
	c := config.Default()
	c.Database.URI = secret.New(dbtest.URI(t, kind))
	c.Keys.Secret, c.Keys.DatabaseSecret = secret.New("canary-secret-key"), secret.New("canary-database-secret-key")
	c.Server.Hostname, c.Server.Scheme = abuseHost, "https"
	if change != nil {
		change(c)
	}
	x := &target{log: &logBuffer{}, secrets: []string{"canary-"}}
	i := &installation{config: c, data: t.TempDir(), log: slog.New(slog.NewJSONHandler(x.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if err := i.prepare(); err != nil {
		t.Fatal(err)
	}
	p, err := i.build(t.Context(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.close(context.Background()) })
	x.testRegistry = &testRegistry{parts: p, tokens: map[string]string{}}
	x.listen(t, i)
	x.populate(t)
	x.state = x.counts(t)
	return x
}

// listen serves on the program's own listener, whose limits are part of what is tested.
func (x *target) listen(t *testing.T, i *installation) {
	t.Helper()
	none := ""
	s, err := server.New(serveCommand{Listen: "127.0.0.1:0", AdminListen: &none}.serverOptions(i, x.parts))
	if err != nil {
		t.Fatal(err)
	}
	x.server = s
	ready, done := make(chan net.Addr, 1), make(chan error, 1)
	go func() { done <- s.Run(t.Context(), func(a net.Addr) { ready <- a }) }()
	select {
	case a := <-ready:
		x.addr, x.url = a.String(), "http://"+a.String()
	case err := <-done:
		t.Fatal(err)
	}
	t.Cleanup(func() { <-done })
}

func (x *target) populate(t *testing.T) {
	t.Helper()
	ctx, people := t.Context(), x.parts.identity
	alice, err := people.CreateUser(ctx, identity.NewUser{Name: "alice", Password: "canary-" + testPassword, Verified: true, Trusted: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := people.CreateUser(ctx, identity.NewUser{Name: "mallory", Password: malloryPasswd, Verified: true, Trusted: true}); err != nil {
		t.Fatal(err)
	}
	robot, err := people.CreateRobot(ctx, alice, "bot", "", "")
	if err != nil {
		t.Fatal(err)
	}
	x.robot = robot.Token
	if _, err := people.CreateOrganization(ctx, "acme", "", alice.ID); err != nil {
		t.Fatal(err)
	}
	config, layer := []byte("{}"), []byte("a private layer")
	x.layer, x.image = digest.SHA256.Of(layer), digest.SHA256.Of(imageOf(config, layer))
	for _, b := range [][]byte{config, layer} {
		x.must(t, attack{who: "alice", scope: "alice/app", method: "POST", path: "/v2/alice/app/blobs/uploads/?digest=" + digest.SHA256.Of(b).String(), body: string(b)}, 201)
	}
	x.must(t, attack{who: "alice", scope: "alice/app", method: "PUT", path: "/v2/alice/app/manifests/v1", body: string(imageOf(config, layer))}, 201)
	x.upload = x.must(t, attack{who: "alice", scope: "alice/app", method: "POST", path: "/v2/alice/app/blobs/uploads/"}, 202).Header.Get("Docker-Upload-UUID")
	x.must(t, attack{who: "mallory", scope: "mallory/own", method: "POST", path: "/v2/mallory/own/blobs/uploads/?digest=" + digest.SHA256.Of(config).String(), body: string(config)}, 201)
	x.session = x.signIn(t, "alice", "canary-"+testPassword)
	x.must(t, attack{session: &x.session, method: "PUT", path: "/api/v1/repository/alice/app/permissions/user/alice+bot", body: `{"role":"write"}`}, 200)
	x.secrets = append(x.secrets, x.robot, x.session.cookie, x.session.csrf)
}

// signIn signs in as a browser does.
func (x *target) signIn(t *testing.T, name, password string) session {
	t.Helper()
	first := x.must(t, attack{method: "GET", path: "/csrf_token"}, 200)
	s := session{cookie: cookieOf(first.Response)}
	var body struct {
		Token string `json:"csrf_token"`
	}
	if err := json.Unmarshal(first.body, &body); err != nil {
		t.Fatal(err)
	}
	s.csrf = body.Token
	in := x.must(t, attack{session: &s, method: "POST", path: "/api/v1/signin", body: fmt.Sprintf(`{"username":%q,"password":%q}`, name, password)}, 200)
	return session{cookie: cookieOf(in.Response), csrf: in.Header.Get("X-Next-CSRF-Token")}
}

func cookieOf(r *http.Response) string {
	for _, c := range r.Cookies() {
		if c.Name == "_csrf_token" {
			return c.Value
		}
	}
	return ""
}

// attack is a row: a request, and the answer that the contract asks for.
type attack struct {
	name    string
	by      string // who it is, for the document, where the fields below do not say it
	who     string // "alice", "mallory", "robot": with a token for scope; empty: without
	scope   string // repositories between blanks, pull and push
	session *session
	method  string
	path    string // the request target, sent as it is
	header  []string
	body    string
	length  string // instead of the body's Content-Length; "-" for none

	status int
	code   string   // of the protocol's error; empty for an answer that is none
	says   string   // part of the error's text: what is wrong
	leads  string   // the Location of the answer
	tells  []string // "Name: part" of the answer's headers
	keeps  bool     // the request may leave something behind
}

// reply is an answer with its body read.
type reply struct {
	*http.Response
	body []byte
}

// send writes the request's bytes on a connection of its own and reads the answer.
func (x *target) send(t *testing.T, a attack) reply {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nConnection: close\r\n", a.method, a.path)
	if !slices.ContainsFunc(a.header, func(h string) bool { return strings.HasPrefix(h, "Host:") }) {
		fmt.Fprintf(&b, "Host: %s\r\n", abuseHost)
	}
	if a.who != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", x.tokenOf(t, a.who, a.scope))
	}
	if a.session != nil {
		fmt.Fprintf(&b, "Cookie: _csrf_token=%s\r\nX-CSRF-Token: %s\r\n", a.session.cookie, a.session.csrf)
	}
	for _, h := range a.header {
		b.WriteString(h + "\r\n")
	}
	switch {
	case a.length == "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(a.body))
	case a.length != "-":
		fmt.Fprintf(&b, "Content-Length: %s\r\n", a.length)
	}
	return x.exchange(t, a.method, b.String()+"\r\n"+a.body)
}

// exchange sends bytes and reads one answer.
func (x *target) exchange(t *testing.T, method, raw string) reply {
	t.Helper()
	r, err := x.converse(method, []byte(raw), abuseTimeout)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// converse is exchange for goroutines of a test, which may not end it. The write may fail when the server has answered
// and closed.
func (x *target) converse(method string, raw []byte, patience time.Duration) (reply, error) {
	conn, err := net.Dial("tcp", x.addr)
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = conn.Write(raw)
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return reply{}, fmt.Errorf("no answer: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, fmt.Errorf("the answer breaks off: %w", err)
	}
	return reply{response, body}, nil
}

func (x *target) must(t *testing.T, a attack, status int) reply {
	t.Helper()
	r := x.send(t, a)
	if r.StatusCode != status {
		t.Fatalf("%s %s: %d %s, want %d", a.method, a.path, r.StatusCode, r.body, status)
	}
	return r
}

// tokenOf asks the token endpoint once for each scope.
func (x *target) tokenOf(t *testing.T, who, scope string) string {
	t.Helper()
	key := who + " " + scope
	if x.tokens[key] == "" {
		x.tokens[key] = x.newToken(t, who, scope, abuseHost)
		x.secrets = append(x.secrets, x.tokens[key])
	}
	return x.tokens[key]
}

func (x *target) newToken(t *testing.T, who, scope, service string) string {
	t.Helper()
	query := url.Values{"service": {service}}
	for _, name := range strings.Fields(scope) {
		query.Add("scope", "repository:"+name+":pull,push")
	}
	r := x.must(t, attack{method: "GET", path: "/v2/auth?" + query.Encode(), header: []string{"Authorization: " + x.basic(who)}}, 200)
	var body struct{ Token string }
	if err := json.Unmarshal(r.body, &body); err != nil || body.Token == "" {
		t.Fatalf("token endpoint: %s, %v", r.body, err)
	}
	return body.Token
}

func (x *target) basic(who string) string {
	pair := map[string]string{"alice": "alice:canary-" + testPassword, "mallory": "mallory:" + malloryPasswd, "robot": "alice+bot:" + x.robot}[who]
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

// counts is how much of everything there is.
func (x *target) counts(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, table := range []string{"account", "repository", "repository_permission", "robot_token", "team_member", "upload", "blob", "manifest", "tag", "manifest_label"} {
		var n int64
		if err := x.parts.db.QueryRow(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %d, ", table, n)
	}
	return b.String()
}

// run sends a row and holds the answer against it.
func (x *target) run(t *testing.T, a attack) {
	t.Helper()
	r := x.send(t, a)
	if r.StatusCode != a.status {
		t.Errorf("%s %.200s: %d %.300s, want %d", a.method, a.path, r.StatusCode, r.body, a.status)
	}
	if got := codeOf(r); got != a.code && r.StatusCode == a.status {
		t.Errorf("%s %.200s: code %q, want %q; the body is %.300s", a.method, a.path, got, a.code, r.body)
	}
	if !strings.Contains(string(r.body), a.says) {
		t.Errorf("the error does not say %q: %.300s", a.says, r.body)
	}
	if got := r.Header.Get("Location"); a.leads != "" && got != a.leads {
		t.Errorf("%s %.200s leads to %q, want %q", a.method, a.path, got, a.leads)
	}
	for _, want := range a.tells {
		name, part, _ := strings.Cut(want, ": ")
		if !strings.Contains(r.Header.Get(name), part) {
			t.Errorf("%s %.200s: %s is %q, want %q in it", a.method, a.path, name, r.Header.Get(name), part)
		}
	}
	x.survives(t, a, r)
}

// survives is what holds for every request: no 5xx that the row does not expect, no panic, an error in the
// protocol's form, nothing left behind by what was refused, no secret in the log.
func (x *target) survives(t *testing.T, a attack, r reply) {
	t.Helper()
	if r.StatusCode >= 500 && r.StatusCode != a.status {
		t.Errorf("%d is nobody's fault but ours: %s", r.StatusCode, r.body)
	}
	state := x.counts(t)
	if r.StatusCode >= 400 && state != x.state && !a.keeps {
		t.Errorf("a refused request left something behind:\n was %s\n now %s", x.state, state)
	}
	x.state = state
	log := x.log.String()
	if strings.Contains(log, "handler panicked") {
		t.Error("a handler panicked")
	}
	for _, s := range x.secrets {
		if s != "" && strings.Contains(log, s) {
			t.Errorf("the log has a secret that begins with %.12s", s)
		}
	}
}

// codeOf is what an error is called in its protocol: /v2's first code, the API's error_type, else the name of the one
// member of a plain error.
func codeOf(r reply) string {
	if r.StatusCode < 400 || len(r.body) == 0 {
		return ""
	}
	var body struct {
		Errors []struct{ Code, Message string }
		Type   string `json:"error_type"`
		Error  string
		Msg    string `json:"message"`
	}
	if err := json.Unmarshal(r.body, &body); err != nil {
		return "text"
	}
	switch {
	case len(body.Errors) == 1 && body.Errors[0].Message != "":
		return body.Errors[0].Code
	case body.Type != "":
		return body.Type
	case body.Error != "":
		return "error"
	case body.Msg != "":
		return "message"
	}
	return "?"
}

// eachTarget runs tables of attacks on every database, each row a subtest.
func eachTarget(t *testing.T, rows func(*testing.T, *target) []attack, change ...func(*config.Config)) {
	t.Helper()
	for i, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			x := startTarget(t, kind, func(c *config.Config) {
				c.Registry.MaxBlobSize = 1 << 20
				for _, fn := range change {
					fn(c)
				}
			})
			attacks := rows(t, x)
			if i == 0 && len(attacks) > 0 {
				document(t, attacks)
			}
			for _, a := range attacks {
				t.Run(a.name, func(t *testing.T) { x.run(t, a) })
			}
		})
	}
}
