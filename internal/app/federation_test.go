package app

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/config"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/federated/issuertest"
)

// federation is an issuer that alice's robot trusts about one subject.
type federation struct {
	*issuertest.Issuer
	x *target
}

const jobSubject = "repo:acme/app:ref:refs/heads/main"

// federate makes alice+bot trust an issuer on this machine.
func (x *target) federate(t *testing.T) federation {
	t.Helper()
	f := federation{issuertest.Start(t), x}
	f.trust(t, identity.TrustRule{Issuer: f.URL, Subject: jobSubject})
	return f
}

func (f federation) trust(t *testing.T, rules ...identity.TrustRule) {
	t.Helper()
	alice, err := f.x.parts.identity.Account(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.x.parts.identity.SetRobotFederation(t.Context(), alice, "bot", rules); err != nil {
		t.Fatal(err)
	}
}

// job is the token of a job, with claims changed.
func (f federation) job(t *testing.T, changes ...any) string {
	t.Helper()
	now := time.Now()
	claims := map[string]any{"iss": f.URL, "sub": jobSubject, "aud": abuseHost, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	for i := 0; i+1 < len(changes); i += 2 {
		claims[changes[i].(string)] = changes[i+1]
	}
	return f.Sign(t, claims)
}

func basicOf(name, secret string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+secret))
}

const exchangePath = "/oauth2/federation/robot/token"

// pass exchanges a job's token.
func (f federation) pass(t *testing.T, token string) string {
	t.Helper()
	return tokenIn(t, f.x.must(t, attack{method: "GET", path: exchangePath, header: []string{basicOf("alice+bot", token)}}, 200))
}

// tokenIn is the member token of an answer.
func tokenIn(t *testing.T, r reply) string {
	t.Helper()
	var body struct{ Token string }
	if err := json.Unmarshal(r.body, &body); err != nil || body.Token == "" {
		t.Fatalf("no token: %s, %v", r.body, err)
	}
	return body.Token
}

// line is the first log line of a request to a path.
func (x *target) line(t *testing.T, path string) string {
	t.Helper()
	for line := range strings.Lines(x.log.String()) {
		if strings.Contains(line, `"path":"`+path+`"`) {
			return line
		}
	}
	t.Fatalf("no request to %s was logged", path)
	return ""
}

func innerIssuers(c *config.Config) { c.ActionLog.InnerHosts = []string{"127.0.0.1"} }

// TestAJobPushesWithItsIssuersToken goes the way of a CI job that has no secret of the registry: its issuer's token is
// exchanged for the robot's pass, with which it logs in, pushes and pulls.
func TestAJobPushesWithItsIssuersToken(t *testing.T) {
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			x := startTarget(t, kind, innerIssuers)
			f := x.federate(t)
			pass := f.pass(t, f.job(t))
			x.secrets = append(x.secrets, pass)
			bearer := func(token string) []string { return []string{"Authorization: Bearer " + token} }
			x.must(t, attack{method: "GET", path: "/v2/", header: bearer(pass)}, 200)
			x.must(t, attack{method: "GET", path: "/v2/alice/app/manifests/v1", header: bearer(pass)}, 401)
			granted := x.must(t, attack{method: "GET", path: "/v2/auth?service=" + abuseHost + "&scope=repository:alice/app:pull,push", header: []string{basicOf("alice+bot", pass)}}, 200)
			token := tokenIn(t, granted)
			layer := "a job's layer"
			x.must(t, attack{method: "POST", path: "/v2/alice/app/blobs/uploads/?digest=" + digest.SHA256.Of([]byte(layer)).String(), header: bearer(token), body: layer}, 201)
			x.must(t, attack{method: "GET", path: "/v2/alice/app/manifests/v1", header: bearer(token)}, 200)
			if err := x.parts.log.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			log := string(x.must(t, attack{session: &x.session, method: "GET", path: "/api/v1/user/logs"}, 200).body)
			for _, part := range []string{`"federated_robot_token_exchange"`, `"issuer":"` + f.URL + `"`, `"subject":"` + jobSubject + `"`, `"robot":"alice+bot"`} {
				if !strings.Contains(log, part) {
					t.Errorf("the log lacks %s: %s", part, log)
				}
			}
			if line := x.line(t, exchangePath); !strings.Contains(line, `"actor":"alice+bot"`) || !strings.Contains(line, `"credential":"federation"`) {
				t.Errorf("the log line of the exchange does not say who came in, and how: %s", line)
			}
			f.trust(t)
			for name, a := range map[string]attack{
				"the pass logs in no more":            {method: "GET", path: "/v2/auth?service=" + abuseHost, header: []string{basicOf("alice+bot", pass)}},
				"the pass is no registry token":       {method: "GET", path: "/v2/", header: bearer(pass)},
				"what it was exchanged for, neither":  {method: "GET", path: "/v2/alice/app/manifests/v1", header: bearer(token)},
				"the issuer's token is worth nothing": {method: "GET", path: exchangePath, header: []string{basicOf("alice+bot", f.job(t))}},
			} {
				t.Run("without the rule "+name, func(t *testing.T) { x.must(t, a, 401) })
			}
			x.must(t, attack{method: "GET", path: "/v2/auth?service=" + abuseHost, header: []string{"Authorization: " + x.basic("robot")}}, 200)
		})
	}
}

// TestAnIssuerBehindAPrivateAuthorityIsBelievedByItsFile has the issuer's authority among the files of extra_ca_certs, and
// not.
func TestAnIssuerBehindAPrivateAuthorityIsBelievedByItsFile(t *testing.T) {
	issuer, authority := issuertest.StartTLS(t)
	file := filepath.Join(t.TempDir(), "private.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		files  []string
		status int
	}{{"with its file", []string{file}, 200}, {"without", nil, 401}} {
		t.Run(c.name, func(t *testing.T) {
			x := startTarget(t, dbtest.Kinds()[0], func(o *config.Config) {
				innerIssuers(o)
				o.Bundle.ExtraCAs = c.files
			})
			f := federation{issuer, x}
			f.trust(t, identity.TrustRule{Issuer: f.URL, Subject: jobSubject})
			r := x.must(t, attack{method: "GET", path: exchangePath, header: []string{basicOf("alice+bot", f.job(t))}}, c.status)
			if c.status == 200 {
				x.secrets = append(x.secrets, tokenIn(t, r))
			} else if !strings.Contains(x.log.String(), "certificate signed by unknown authority") {
				t.Error("the log does not say that the issuer's authority is unknown")
			}
		})
	}
}
