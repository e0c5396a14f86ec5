package mail

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/mail/mailtest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/secret"
)

func sender(t *testing.T, s *mailtest.Server, change ...func(*Options)) *Sender {
	t.Helper()
	o := Options{
		Server: "127.0.0.1", Port: s.Port(), Sender: "Registry <noreply@registry.test>", Registry: "registry.test",
		Clock: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
	}
	for _, fn := range change {
		fn(&o)
	}
	made, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func signedIn(password string) func(*Options) {
	return func(o *Options) { o.Username, o.Password = "registry", secret.New(password) }
}

func TestALetterArrivesAsTextAndHTML(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{})
	const link = "https://registry.test/confirm?code=ABC&x=<y>"
	if err := sender(t, s).Confirm(t.Context(), "alice@example.com", "alice", link, 30*time.Minute); err != nil {
		t.Fatal(err)
	}
	got := s.Next(t)
	if !strings.Contains(got.Text, "\n"+link+"\n") || !strings.Contains(got.Text, "30 minutes") || !strings.Contains(got.Text, "Hello alice,") {
		t.Errorf("the text is %s", got.Text)
	}
	if !strings.Contains(got.HTML, `<a href="https://registry.test/confirm?code=ABC&amp;x=%3cy%3e">`) || strings.Contains(got.HTML, "<y>") {
		t.Errorf("the HTML is %s", got.HTML)
	}
	got.Text, got.HTML = "", ""
	want := mailtest.Letter{From: "noreply@registry.test", To: "alice@example.com", Subject: "Confirm your address for registry.test"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryLetterSaysWhatItIsAbout(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{})
	m := sender(t, s)
	for _, c := range []struct {
		name, subject, text string
		send                func(context.Context) error
	}{
		{"recovery", "Set a new password on registry.test", "https://l/1", func(ctx context.Context) error {
			return m.Recover(ctx, "a@b.c", "alice", "https://l/1", time.Hour)
		}},
		{"organization", "acme on registry.test", "administered by: alice, bob.", func(ctx context.Context) error {
			return m.RecoverOrganization(ctx, "a@b.c", "acme", []string{"alice", "bob"})
		}},
		{"new address", "Confirm your new address for registry.test", "the address a@b.c", func(ctx context.Context) error {
			return m.ChangeAddress(ctx, "a@b.c", "alice", "https://l/2", time.Minute)
		}},
		{"address changed", "Your address on registry.test was changed", "now has the address new@b.c", func(ctx context.Context) error {
			return m.AddressChanged(ctx, "a@b.c", "alice", "new@b.c")
		}},
		{"invitation", "Invitation into acme on registry.test", "bob invites you into the team devs of the organization acme", func(ctx context.Context) error {
			return m.Invite(ctx, "a@b.c", "acme", "devs", "bob", "https://l/3")
		}},
		{"exported logs", "Export Action Logs Complete", "\nhttps://l/4\n\nThe link works for 24 hours.", func(ctx context.Context) error {
			return m.LogsExported(ctx, "a@b.c", "acme/app", "success", "https://l/4", "", 24*time.Hour)
		}},
		{"logs of which a part was exported", "Export Action Logs Complete", "entries from before Monday are not in it", func(ctx context.Context) error {
			return m.LogsExported(ctx, "a@b.c", "acme/app", "success", "https://l/4", "Monday", 24*time.Hour)
		}},
		{"logs that took too long", "Export Action Logs Complete", "The action log of acme/app on registry.test was to be exported, and the export took too long", func(ctx context.Context) error {
			return m.LogsExported(ctx, "a@b.c", "acme/app", "timedout", "", "", 24*time.Hour)
		}},
		{"logs that could not be exported", "Export Action Logs Complete", "the export failed", func(ctx context.Context) error {
			return m.LogsExported(ctx, "a@b.c", "acme/app", "failed", "", "", 24*time.Hour)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.send(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := s.Next(t); got.Subject != c.subject || !strings.Contains(got.Text, c.text) || !strings.Contains(got.HTML, "<p>") {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestTLSAndSigningIn(t *testing.T) {
	certificate := mailtest.Certificate(t)
	s := mailtest.Start(t, mailtest.Options{Certificate: certificate, User: "registry", Password: "right"})
	m := sender(t, s, signedIn("right"), func(o *Options) { o.StartTLS, o.Roots = true, mailtest.Roots(certificate) })
	if err := m.Recover(t.Context(), "a@b.c", "alice", "https://l", time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := s.Next(t); !got.TLS || got.User != "registry" {
		t.Errorf("TLS %t, user %q", got.TLS, got.User)
	}
	if err := m.Check(t.Context()); err != nil || s.Count() != 0 {
		t.Errorf("a check: %v, %d letters", err, s.Count())
	}
}

func TestPlainSigningInWhereTheOperatorWantsNoTLS(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{User: "registry", Password: "right"})
	if err := sender(t, s, signedIn("right")).Recover(t.Context(), "a@b.c", "alice", "https://l", time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := s.Next(t); got.TLS || got.User != "registry" {
		t.Errorf("TLS %t, user %q", got.TLS, got.User)
	}
}

func TestWhatTheServerRefuses(t *testing.T) {
	certificate := mailtest.Certificate(t)
	secured := func(o *Options) { o.StartTLS, o.Roots = true, mailtest.Roots(certificate) }
	for _, c := range []struct {
		name   string
		server mailtest.Options
		change []func(*Options)
		kind   problem.Kind
		text   string
	}{
		{"no STARTTLS", mailtest.Options{}, []func(*Options){secured}, problem.Unavailable, "it offers no STARTTLS, which MAIL_USE_TLS demands"},
		{"no STARTTLS: the password stays here", mailtest.Options{User: "registry", Password: "right"}, []func(*Options){secured, signedIn("right")}, problem.Unavailable, "STARTTLS"},
		{"a certificate nobody knows", mailtest.Options{Certificate: certificate}, []func(*Options){func(o *Options) { o.StartTLS = true }}, problem.Unavailable, "its certificate is not trusted"},
		{"a wrong password", mailtest.Options{Certificate: certificate, User: "registry", Password: "right"}, []func(*Options){secured, signedIn("wrong")}, problem.Unavailable, "it refused MAIL_USERNAME and MAIL_PASSWORD"},
		{"no way to sign in", mailtest.Options{Certificate: certificate}, []func(*Options){secured, signedIn("right")}, problem.Unavailable, "it offers no way to sign in"},
		{"a recipient", mailtest.Options{RefuseTo: "a@b.c"}, nil, problem.Invalid, `refuses mail to "a@b.c"`},
		{"the letter", mailtest.Options{RefuseData: true}, nil, problem.Unavailable, "did not take the mail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mailtest.Start(t, c.server)
			err := sender(t, s, c.change...).Recover(t.Context(), "a@b.c", "alice", "https://l", time.Hour)
			if !problem.Is(err, c.kind) || !strings.Contains(problem.From(err).Message, c.text) {
				t.Errorf("%v, want %q", err, c.text)
			}
			if err != nil && (strings.Contains(err.Error(), "right") || strings.Contains(err.Error(), "wrong-")) {
				t.Errorf("the error holds the password: %v", err)
			}
			if s.Count() != 0 {
				t.Error("a letter was delivered")
			}
		})
	}
}

func TestAServerThatIsAwayOrSilentIsAnErrorInTime(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{Silent: true})
	m := sender(t, s, func(o *Options) { o.Timeout = 50 * time.Millisecond })
	wantUnavailable(t, m.Recover(t.Context(), "a@b.c", "alice", "https://l", time.Hour), "it answers no greeting")
	s.Stop()
	wantUnavailable(t, m.Recover(t.Context(), "a@b.c", "alice", "https://l", time.Hour), "it cannot be reached")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	wantUnavailable(t, m.Check(ended), "it cannot be reached")
}

func wantUnavailable(t *testing.T, err error, text string) {
	t.Helper()
	if !problem.Is(err, problem.Unavailable) || !strings.Contains(problem.From(err).Message, text) {
		t.Errorf("%v, want %q", err, text)
	}
}

func TestAddressesCannotCarryHeaders(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{})
	for _, to := range []string{"", "alice", "a@b.c\r\nBcc: x@y.z", "a@b.c, d@e.f", "Alice <a@b.c>"} {
		if err := sender(t, s).Recover(t.Context(), to, "alice", "https://l", time.Hour); !problem.Is(err, problem.Invalid) {
			t.Errorf("%q: %v", to, err)
		}
	}
	if s.Count() != 0 {
		t.Error("a letter was delivered")
	}
}

func TestNewRefusesWhatCannotBeASender(t *testing.T) {
	for _, from := range []string{"", "nobody", "a@b.c, d@e.f"} {
		_, err := New(Options{Server: "smtp", Sender: from, Clock: time.Now})
		if !problem.Is(err, problem.Invalid) || !strings.Contains(err.Error(), "MAIL_DEFAULT_SENDER") {
			t.Errorf("%q: %v", from, err)
		}
	}
}

func TestDurationsInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		30 * time.Minute: "30 minutes", time.Minute: "1 minute", time.Hour: "1 hour", 48 * time.Hour: "48 hours",
		90 * time.Minute: "90 minutes", 30 * time.Second: "30 seconds",
	} {
		if got := inWords(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
