package rest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/longshore-registry/longshore/internal/config"
	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity/federated"
	"github.com/longshore-registry/longshore/internal/identity/federated/issuertest"
	"github.com/longshore-registry/longshore/internal/overview"
	"github.com/longshore-registry/longshore/internal/registry"
	"github.com/longshore-registry/longshore/internal/secret"
	"github.com/longshore-registry/longshore/internal/server"
	"github.com/longshore-registry/longshore/internal/server/distribution"
	"github.com/longshore-registry/longshore/internal/server/legacy"
	"github.com/longshore-registry/longshore/internal/server/maillink"
	"github.com/longshore-registry/longshore/internal/server/record"
)

// players are the callers of a golden file; each keeps its session through the file.
type players struct {
	w       *world
	clients map[string]*client
	said    map[string]string // texts that answers held by name, for {name}
	issuer  *issuertest.Issuer
	unwell  *sync.Map // names of parts whose health check fails
}

// newPlayers makes the registry of a golden file. Most are configured alike; a file about something that has to be
// switched on is named after it.
func newPlayers(t *testing.T, d *db.DB, file string) *players {
	t.Helper()
	p := &players{clients: map[string]*client{}, said: map[string]string{}, unwell: &sync.Map{}}
	p.w = newWorld(t, d, func(s *settings) {
		s.options.Initialize, s.options.Rename, s.options.Metadata = true, true, true
		switch file {
		case "mail":
			s.options.Mailing = true
		case "invitation":
			s.options.Mailing, s.options.RequireTeamInvite = true, true
		case "panel":
			withAuditor(s)
			s.options.Config = config.View{
				Set: map[string]any{"REGISTRY_TITLE": "Ours", "SECRET_KEY": secret.Redacted}, Unknown: map[string]any{"SECRET_KY": secret.Redacted}, Env: map[string]any{},
			}
		case "health":
			s.options.HealthDebug = secret.New("hunter2")
		case "federation":
			p.issuer = issuertest.Start(t)
			p.said["issuer"] = p.issuer.URL
			s.options.Service = "registry.test"
			s.account.Federation = federated.New(federated.Options{
				Client: &http.Client{Timeout: time.Minute}, Audiences: []string{"registry.test"}, Clock: s.account.Clock,
			})
		}
	})
	p.publish(t)
	p.said["setup_code"] = p.w.api.setup
	if file == "initialize" || file == "firstuser" {
		return p
	}
	for _, name := range []string{"root", "alice", "bob"} {
		p.w.user(name)
	}
	if file == "panel" {
		p.w.user("auditor")
	}
	return p
}

// publish puts the API behind the public listener with everything that the program has beside it.
func (p *players) publish(t *testing.T) {
	t.Helper()
	w := p.w
	files := must(fs.New(fs.Options{Root: t.TempDir()}))(t)
	log := slog.New(slog.DiscardHandler)
	blobs := must(content.NewStore(t.Context(), content.Options{
		Memory: content.DefaultMemory, DB: w.db, Locations: []content.Location{{Name: "default", Driver: files}}, Clock: w.clock, Log: log,
	}))(t)
	o := server.Options{
		Address: server.Address{Hostname: "registry.test", Scheme: "http"}, Companion: w.api.Serves, API: http.HandlerFunc(w.watch),
		Distribution: must(distribution.New(distribution.Options{
			Registry: w.registry, Content: blobs, Access: w.access, Identity: w.identity, Tokens: w.keys, Service: "registry.test",
			Names: registry.NameOptions{Extended: true}, Clock: w.clock, Log: log,
		}))(t),
		Legacy:  legacy.New(legacy.Options{Identity: w.identity, Access: w.access, Lists: overview.New(w.db), Clock: w.clock}),
		Exports: w.api.options.Exports, Root: http.NotFoundHandler(), Checks: p.checks(), HealthDebug: w.api.options.HealthDebug,
		Health:    server.HealthDetails{Provider: "file", Hostname: "machine", Key: w.keys.SigningKey, Sees: w.api.SeesHealth},
		Namespace: "quay", Log: log, Clock: w.clock,
	}
	if w.mail != nil {
		o.MailLinks = must(maillink.New(maillink.Options{Identity: w.identity, Registry: w.registry, Mail: w.sender}))(t)
	}
	w.server = httptest.NewServer(must(server.New(o))(t).Handler())
	t.Cleanup(w.server.Close)
}

// watch fails the test for what the API answers with 500.
func (w *world) watch(rw http.ResponseWriter, r *http.Request) {
	w.api.ServeHTTP(rw, r)
	if err := record.From(r.Context()).Err; err != nil && describe(err).status == http.StatusInternalServerError {
		w.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
}

// checks are the parts that the program reports, under the same names.
func (p *players) checks() []server.Check {
	all := []server.Check{
		{Name: "registry_gunicorn", Instance: true}, {Name: "web_gunicorn", Instance: true}, {Name: "service_key", Instance: true},
		{Name: "database", Instance: true, EndToEnd: true}, {Name: "auth", Instance: true, EndToEnd: true}, {Name: "storage", EndToEnd: true},
		{Name: "disk_space", Instance: true}, {Name: "disk_space_warning", Warning: true},
	}
	for i := range all {
		all[i].Run = func(context.Context) error {
			if why, ok := p.unwell.Load(all[i].Name); ok {
				return errors.New(why.(string))
			}
			return nil
		}
	}
	return all
}

// direct does what stands in a golden file in place of an exchange:
//
//	push ns/repo tag           pushes a manifest of its own
//	pass time 1h               moves the clock
//	mail address /page         reads the next letter, which must be to that address; {code} is that of its link to the page,
//	                           "-" for a letter without such a link
//	note ns/repo address       has an address wait to be told of a repository's events; {code} is its code
//	key service name           makes a key as the service does: {name.kid}, {name.jwk}, and {name.pass}, a JWT signed with it
//	issue subject audience     makes a token of the issuer {issuer}: {job}
//	unwell part why            has a health check fail
func (p *players) direct(t *testing.T, s step) {
	t.Helper()
	verb, first, second := s.direction[0], s.direction[1], p.fill(s.direction[2])
	switch verb {
	case "push":
		namespace, name, _ := strings.Cut(first, "/")
		p.w.tag(must(p.w.registry.Repository(t.Context(), namespace, name))(t), second)
	case "pass":
		p.w.pass(must(time.ParseDuration(second))(t))
	case "mail":
		if t.Failed() {
			t.Fatal("a letter is not waited for after an error: it may never come")
		}
		letter := p.w.mail.Next(t)
		if letter.To != first {
			t.Errorf("line %d: the letter went to %s", s.line, letter.To)
		}
		if second != "-" {
			_, after, _ := strings.Cut(letter.Text, "registry.test"+second+"?code=")
			p.said["code"], _, _ = strings.Cut(after, "\n")
		}
	case "note":
		p.note(t, first, second)
	case "key":
		p.key(t, first, second)
	case "issue":
		now := p.w.clock()
		p.said["job"] = p.issuer.Sign(t, map[string]any{
			"iss": p.issuer.URL, "sub": first, "aud": second, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		})
	case "unwell":
		p.unwell.Store(first, second)
		p.w.pass(3 * time.Second) // so long is a result used again
	default:
		t.Fatalf("line %d: %q is no direction", s.line, verb)
	}
}

// note stands for the call that asks for an address, which this version does not have: imported registries have such
// codes.
func (p *players) note(t *testing.T, repository, address string) {
	t.Helper()
	namespace, name, _ := strings.Cut(repository, "/")
	found := must(p.w.registry.Repository(t.Context(), namespace, name))(t)
	p.said["code"] = "a-code-for-" + address
	if _, err := p.w.db.Exec(t.Context(), `INSERT INTO repository_authorized_email (repo_id, email, code) VALUES ($1, $2, $3)`, found.ID, address, p.said["code"]); err != nil {
		t.Fatal(err)
	}
}

func (p *players) key(t *testing.T, service, name string) {
	t.Helper()
	private := jose.JSONWebKey{Key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)}
	private.KeyID = hex.EncodeToString(must(private.Thumbprint(crypto.SHA256))(t))
	p.said[name+".kid"] = private.KeyID
	p.said[name+".jwk"] = string(must(private.Public().MarshalJSON())(t))
	p.said[name+".pass"] = issuertest.Sign(t, jose.SigningKey{Algorithm: jose.ES256, Key: private},
		map[string]any{"iss": service, "aud": "http://registry.test", "exp": p.w.clock().Add(time.Hour).Unix()})
}

// fill puts what answers said into a text.
func (p *players) fill(text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	for name, said := range p.said {
		text = strings.ReplaceAll(text, "{"+name+"}", said)
	}
	return text
}

// remember keeps what an answer says by name: members of its body, and parameters of the address it leads to.
func (p *players) remember(a answer) {
	members, _ := parsed(a.body).(map[string]any)
	for name, value := range members {
		if text, ok := value.(string); ok {
			p.said[name] = text
		}
	}
	for _, name := range []string{"uuid", "id"} {
		if text := memberOf(parsed(a.body), name); text != "" {
			p.said["first."+name] = text
		}
	}
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		return
	}
	fragment, _ := url.ParseQuery(to.Fragment)
	for _, values := range []url.Values{to.Query(), fragment} {
		for name := range values {
			p.said[name] = values.Get(name)
		}
	}
}

func (p *players) get(who string) *client {
	if p.clients[who] == nil {
		user, scopes, token := strings.Cut(who, "/")
		switch {
		case who == "nobody":
			p.clients[who] = p.w.anonymous()
		case token:
			p.clients[who] = p.w.bearer(p.w.token(user, scopes))
		default:
			p.clients[who] = p.w.session(user)
		}
	}
	return p.clients[who]
}

// credentials encodes "Basic name:secret" as the header needs it.
func credentials(value string) string {
	pair, isBasic := strings.CutPrefix(value, "Basic ")
	name, password, written := strings.Cut(pair, ":")
	if !isBasic || !written {
		return value
	}
	return basic(name, password)
}

// shown is what of an answer stands in a golden file.
func (a answer) shown() string {
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		return a.body
	}
	_, inside, _ := strings.Cut(a.body, "<body>\n")
	inside, _, _ = strings.Cut(inside, "</body>")
	return strings.TrimSpace(inside)
}
