// Package mail hands the registry's letters to an SMTP server: to confirm an address, to set a new password, to change
// an address, to invite into a team, to say that logs were exported.
//
// A method returns when the server has taken the letter or has refused it; nothing is queued and nothing is tried
// again. An error is problem.Invalid when the server refuses the recipient, else problem.Unavailable, and says what
// failed: reaching the server, TLS, signing in, or the letter. No method may be called inside a database transaction.
//
// Where TLS is asked for (MAIL_USE_TLS) it is demanded: a server that offers none gets neither password nor letter.
package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/secret"
)

// defaultTimeout bounds the whole dialogue with the server.
const defaultTimeout = 20 * time.Second

// Options say which server takes letters and what stands on them. Server, Sender and Clock are required.
type Options struct {
	Server   string        // MAIL_SERVER
	Port     int           // MAIL_PORT
	StartTLS bool          // MAIL_USE_TLS: nothing is sent before STARTTLS
	Username string        // MAIL_USERNAME; empty: no signing in
	Password secret.String // MAIL_PASSWORD
	Sender   string        // MAIL_DEFAULT_SENDER: an address, with a name or without
	Registry string        // what letters call the registry: its host name

	Roots   *x509.CertPool // who is believed about the server's certificate; nil: the system's
	Timeout time.Duration  // of one letter; 0: 20 s
	Clock   func() time.Time
}

// Sender sends letters. Its methods may be called concurrently.
type Sender struct {
	options Options
	from    *netmail.Address
	letters letters
}

// New checks the options; the server is asked nothing yet.
func New(o Options) (*Sender, error) {
	if o.Server == "" || o.Clock == nil {
		return nil, problem.New(problem.Internal, "sending mail needs a server and a clock")
	}
	from, err := netmail.ParseAddress(o.Sender)
	if err != nil {
		return nil, problem.Wrap(err, problem.Invalid, "MAIL_DEFAULT_SENDER: found %q; allowed: an e-mail address, with a name or without", o.Sender)
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	letters, err := parseLetters()
	if err != nil {
		return nil, err
	}
	return &Sender{options: o, from: from, letters: letters}, nil
}

// Check signs in at the server and sends nothing.
func (s *Sender) Check(ctx context.Context) error {
	return s.connected(ctx, func(*gomail.Client, *smtp.Client) error { return nil })
}

// send hands one letter over.
func (s *Sender) send(ctx context.Context, to, kind string, facts facts) error {
	facts.Registry = s.options.Registry
	letter, err := s.letters.write(kind, facts)
	if err != nil {
		return err
	}
	recipient, err := netmail.ParseAddress(to)
	if err != nil || recipient.Name != "" {
		return problem.New(problem.Invalid, "Invalid email address %q: no mail can be sent to it", to)
	}
	message := gomail.NewMsg()
	message.FromMailAddress(s.from)
	message.ToMailAddress(recipient)
	message.Subject(letter.subject)
	message.SetDateWithValue(s.options.Clock())
	message.SetMessageID()
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5: nobody's out-of-office reply comes back
	message.SetBodyString(gomail.TypeTextPlain, letter.text)
	message.AddAlternativeString(gomail.TypeTextHTML, letter.html)
	return s.connected(ctx, func(client *gomail.Client, session *smtp.Client) error {
		if err := client.SendWithSMTPClient(session, message); err != nil {
			return s.refusedLetter(err, to)
		}
		return nil
	})
}

// connected runs one dialogue. However it ends the connection is closed; what goes wrong after the server has taken the
// letter is no failure.
func (s *Sender) connected(ctx context.Context, talk func(*gomail.Client, *smtp.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	line := &line{}
	defer line.close()
	client, err := gomail.NewClient(s.options.Server, s.clientOptions(line)...)
	if err != nil {
		return problem.Wrap(err, problem.Internal, "the mail client cannot be set up")
	}
	stop := context.AfterFunc(ctx, line.close)
	defer stop()
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return s.refusedDialogue(err, line.reached())
	}
	if err := talk(client, session); err != nil {
		return err
	}
	_ = session.Quit()
	return nil
}

func (s *Sender) clientOptions(l *line) []gomail.Option {
	o := s.options
	policy, login := gomail.NoTLS, gomail.SMTPAuthPlainNoEnc
	if o.StartTLS {
		policy, login = gomail.TLSMandatory, gomail.SMTPAuthAutoDiscover
	}
	all := []gomail.Option{
		gomail.WithPort(o.Port), gomail.WithTimeout(o.Timeout), gomail.WithTLSPolicy(policy), gomail.WithoutNoop(),
		gomail.WithTLSConfig(&tls.Config{ServerName: o.Server, RootCAs: o.Roots, MinVersion: tls.VersionTLS12}),
		gomail.WithDialContextFunc(l.dial),
	}
	if o.Username != "" {
		all = append(all, gomail.WithSMTPAuth(login), gomail.WithUsername(o.Username), gomail.WithPassword(o.Password.Reveal()))
	}
	return all
}

// address is the server's, for messages.
func (s *Sender) address() string {
	return net.JoinHostPort(s.options.Server, strconv.Itoa(s.options.Port))
}

// refusedDialogue says at which step a dialogue ended before there was a letter.
func (s *Sender) refusedDialogue(err error, reached bool) error {
	var certificate *tls.CertificateVerificationError
	step := "it answers no greeting"
	switch {
	case !reached:
		step = "it cannot be reached"
	case errors.As(err, &certificate):
		step = "its certificate is not trusted"
	case isAuthMissing(err):
		step = "it offers no way to sign in that can be used here"
	case isAuthRefusal(err):
		step = "it refused MAIL_USERNAME and MAIL_PASSWORD"
	case s.options.StartTLS && isTLSMissing(err):
		step = "it offers no STARTTLS, which MAIL_USE_TLS demands"
	}
	return problem.Wrap(err, problem.Unavailable, "No mail can be sent through %s: %s", s.address(), step)
}

// refusedLetter tells a refused recipient from anything else.
func (s *Sender) refusedLetter(err error, to string) error {
	var refusal *gomail.SendError
	if errors.As(err, &refusal) && refusal.Reason == gomail.ErrSMTPRcptTo && !refusal.IsTemp() {
		return problem.Wrap(err, problem.Invalid, "The mail server %s refuses mail to %q", s.address(), to)
	}
	return problem.Wrap(err, problem.Unavailable, "The mail server %s did not take the mail: %s", s.address(), reasonOf(err))
}

func reasonOf(err error) string {
	var refusal *gomail.SendError
	if errors.As(err, &refusal) {
		return fmt.Sprintf("%s (code %d)", refusal.Reason, refusal.ErrorCode())
	}
	return "the connection broke"
}
