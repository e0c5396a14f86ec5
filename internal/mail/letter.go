package mail

import (
	"context"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"
	"time"
)

//go:embed letters/*.txt letters/*.html
var letterFiles embed.FS

// facts are what letters mention.
type facts struct {
	Registry     string
	Name         string // the user's, or the organization's
	Link         string
	Life         string // how long the link works, in words
	Address      string // the new one
	Organization string
	Team         string
	Inviter      string
	Admins       []string
	Status       string // how an export ended
	Missing      string // entries from before this date are not in it
}

// Confirm asks whoever reads the address to confirm that it is the user's.
func (s *Sender) Confirm(ctx context.Context, to, name, link string, life time.Duration) error {
	return s.send(ctx, to, "confirm", facts{Name: name, Link: link, Life: inWords(life)})
}

// Recover sends a link under which the user sets a new password.
func (s *Sender) Recover(ctx context.Context, to, name, link string, life time.Duration) error {
	return s.send(ctx, to, "recover", facts{Name: name, Link: link, Life: inWords(life)})
}

// RecoverOrganization tells who administers an organization, whose own account nobody can sign in to.
func (s *Sender) RecoverOrganization(ctx context.Context, to, organization string, admins []string) error {
	return s.send(ctx, to, "organization", facts{Name: organization, Admins: admins})
}

// ChangeAddress asks the reader of a new address to confirm it.
func (s *Sender) ChangeAddress(ctx context.Context, to, name, link string, life time.Duration) error {
	return s.send(ctx, to, "change", facts{Name: name, Address: to, Link: link, Life: inWords(life)})
}

// AddressChanged tells the reader of the former address that it is no longer the user's.
func (s *Sender) AddressChanged(ctx context.Context, to, name, address string) error {
	return s.send(ctx, to, "changed", facts{Name: name, Address: address})
}

// Invite invites the reader into a team; the link accepts the invitation.
func (s *Sender) Invite(ctx context.Context, to, organization, team, inviter, link string) error {
	return s.send(ctx, to, "invite", facts{Organization: organization, Team: team, Inviter: inviter, Link: link})
}

// LogsExported tells that an export of the action log of a namespace or repository has ended: with success when there is
// a link, which works for life, else with the status failed or timedout. Entries from before missing, a date, are not in
// the file; empty: all are.
func (s *Sender) LogsExported(ctx context.Context, to, whose, status, link, missing string, life time.Duration) error {
	return s.send(ctx, to, "exported", facts{Name: whose, Status: status, Link: link, Missing: missing, Life: inWords(life)})
}

// letter is a text with its subject, and the same as HTML.
type letter struct{ subject, text, html string }

// letters are the templates. The first line of a text is its subject.
type letters struct {
	text *texttemplate.Template
	html *htmltemplate.Template
}

func parseLetters() (letters, error) {
	text, err := texttemplate.ParseFS(letterFiles, "letters/*.txt")
	if err != nil {
		return letters{}, fmt.Errorf("read the letters: %w", err)
	}
	html, err := htmltemplate.ParseFS(letterFiles, "letters/*.html")
	if err != nil {
		return letters{}, fmt.Errorf("read the letters: %w", err)
	}
	return letters{text, html}, nil
}

func (l letters) write(kind string, f facts) (letter, error) {
	var text, html strings.Builder
	if err := l.text.ExecuteTemplate(&text, kind+".txt", f); err != nil {
		return letter{}, fmt.Errorf("write the letter %s: %w", kind, err)
	}
	subject, body, _ := strings.Cut(text.String(), "\n\n")
	paragraphs := struct {
		Subject, Link string
		Paragraphs    []string
	}{subject, f.Link, strings.Split(strings.TrimSpace(body), "\n\n")}
	if err := l.html.ExecuteTemplate(&html, "letter.html", paragraphs); err != nil {
		return letter{}, fmt.Errorf("write the letter %s: %w", kind, err)
	}
	return letter{strings.Join(strings.Fields(subject), " "), body, html.String()}, nil
}

// inWords is a duration as a reader says it: "30 minutes", "2 hours".
func inWords(d time.Duration) string {
	n, unit := int(d/time.Minute), "minute"
	switch {
	case d < time.Minute:
		n, unit = int(d/time.Second), "second"
	case d%time.Hour == 0:
		n, unit = int(d/time.Hour), "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}
