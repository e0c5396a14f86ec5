package app

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/config"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/mail/mailtest"
	"github.com/longshore-registry/longshore/internal/secret"
)

// posting is a configuration whose mails go to a server of the test.
func posting(s *mailtest.Server) func(*config.Config) {
	return func(c *config.Config) {
		c.Mail = config.Mail{
			Enabled: true, Server: "127.0.0.1", Port: s.Port(), Username: "registry", Password: secret.New("canary-mail-password"), Sender: "Registry <noreply@registry.example>",
		}
	}
}

// runExports writes exports until the test ends, as the program's background does.
func (x *target) runExports(t *testing.T) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- x.parts.exports.Run(t.Context()) }()
	t.Cleanup(func() { <-done })
}

// exportTo asks for an export whose end is told to an address, in the name of a host that is not ours.
func (x *target) exportTo(t *testing.T, path, email string) (id string) {
	t.Helper()
	ask := attack{session: &x.session, method: "POST", path: path + "/exportlogs", body: `{"callback_email":"` + email + `"}`,
		header: []string{"Host: evil.example"}}
	r := x.send(t, ask)
	for r.StatusCode == http.StatusTooManyRequests { // the one before is not finished
		time.Sleep(10 * time.Millisecond)
		r = x.send(t, ask)
	}
	var out struct {
		ID string `json:"export_id"`
	}
	if err := json.Unmarshal(r.body, &out); err != nil || out.ID == "" {
		t.Fatalf("%s, %v", r.body, err)
	}
	x.secrets = append(x.secrets, out.ID)
	return out.ID
}

// TestTheEndOfAnExportIsMailed goes from the call over SMTP to the file behind the mail's link.
func TestTheEndOfAnExportIsMailed(t *testing.T) {
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			s := mailtest.Start(t, mailtest.Options{User: "registry", Password: "canary-mail-password", RefuseTo: "refused@example.com"})
			x := startTarget(t, kind, posting(s))
			x.runExports(t)
			for _, c := range []struct{ path, whose string }{
				{"/api/v1/user", "alice"}, {"/api/v1/organization/acme", "acme"}, {"/api/v1/repository/alice/app", "alice/app"},
			} {
				id := x.exportTo(t, c.path, "ops@example.com")
				got := s.Next(t)
				link := "https://" + abuseHost + "/exportedlogs/" + id
				if got.To != "ops@example.com" || got.From != "noreply@registry.example" || got.User != "registry" || got.Subject != "Export Action Logs Complete" {
					t.Errorf("%s: %+v", c.path, got)
				}
				if !strings.Contains(got.Text, "\n"+link+"\n") || !strings.Contains(got.Text, "The action log of "+c.whose+" on") || !strings.Contains(got.HTML, `href="`+link+`"`) {
					t.Errorf("%s: the letter is %s", c.path, got.Text)
				}
				parsed, err := url.Parse(link)
				if err != nil {
					t.Fatal(err)
				}
				if file := x.must(t, attack{method: "GET", path: parsed.Path}, 200); !json.Valid(file.body) || !strings.Contains(string(file.body), `"export_id": "`+id+`"`) {
					t.Errorf("%s: the file is %s", c.path, file.body)
				}
			}
			refused := x.exportTo(t, "/api/v1/user", "refused@example.com")
			x.exportTo(t, "/api/v1/user", "ops@example.com")
			s.Next(t) // exports are written and told one after the other
			x.must(t, attack{method: "GET", path: "/exportedlogs/" + refused}, 200)
			if log := x.log.String(); !strings.Contains(log, "could not be told") || !strings.Contains(log, "refuses mail to") {
				t.Error("that the server refused the mail is not in the log")
			}
		})
	}
}

func TestBadAddressesForTheEndOfAnExport(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{})
	ask := func(x *target, email string) string {
		return string(x.must(t, attack{session: &x.session, method: "POST", path: "/api/v1/user/exportlogs", body: `{"callback_email":"` + email + `"}`}, 400).body)
	}
	x := startTarget(t, dbtest.SQLite, posting(s))
	for email, says := range map[string]string{"none": "Invalid callback e-mail", strings.Repeat("a", 251) + "@b.c": "callback_email"} {
		if got := ask(x, email); !strings.Contains(got, says) {
			t.Errorf("%.10s: %s", email, got)
		}
	}
	if got := ask(startTarget(t, dbtest.SQLite, nil), "a@b.c"); !strings.Contains(got, "this registry sends no mail") {
		t.Error(got)
	}
}

// TestAMailServerThatIsSilentHoldsNobodyUp: the file of an export is there before its mail is sent, and stays.
func TestAMailServerThatIsSilentHoldsNobodyUp(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{Silent: true})
	x := startTarget(t, dbtest.SQLite, posting(s))
	x.runExports(t)
	id := x.exportTo(t, "/api/v1/user", "ops@example.com")
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if x.send(t, attack{method: "GET", path: "/exportedlogs/" + id}).StatusCode == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the export is not there within 15 s")
		}
	}
}
