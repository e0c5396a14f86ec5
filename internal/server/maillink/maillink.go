// Package maillink answers the links that stand in the registry's mails, for people with a browser: /confirm?code=
// confirms an address, /recovery?code= asks for a new password and sets it, /authrepoemail?code= lets an address be told
// of a repository's events.
//
// A code of an account works once and for a limited time, and is the only credential: nobody has to be signed in, and nobody is
// signed in by it, so that a link cannot put a browser into somebody else's account. The pages need no script, name no
// other host, and tell no other page where they were (the address holds the code).
package maillink

import (
	"context"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/intake"
	"github.com/longshore-registry/longshore/internal/server/record"
)

// maxForm bounds the one form, in bytes.
const maxForm = 16 << 10

//go:embed page.html
var pageText string

// Mailer tells the reader of a former address that it was changed.
type Mailer interface {
	AddressChanged(ctx context.Context, to, name, address string) error
}

// Repositories keeps which addresses may be told of a repository's events. AuthorizeEmail gives the repository's path
// and the address that a code stands for; it is NotFound for a code that stands for none.
type Repositories interface {
	AuthorizeEmail(ctx context.Context, code string) (repository, email string, err error)
}

// Options are what the pages need; all are required.
type Options struct {
	Identity *identity.Service
	Registry Repositories
	Mail     Mailer
	ReadOnly bool // REGISTRY_STATE: readonly
}

// Pages is the handler of /confirm, /recovery and /authrepoemail.
type Pages struct {
	options Options
	page    *template.Template
	mux     *http.ServeMux
}

// New makes the handler.
func New(o Options) (*Pages, error) {
	if o.Identity == nil || o.Registry == nil || o.Mail == nil {
		return nil, problem.New(problem.Internal, "the pages behind mails need accounts, repositories and a mailer")
	}
	page, err := template.New("page").Parse(pageText)
	if err != nil {
		return nil, err
	}
	p := &Pages{options: o, page: page, mux: http.NewServeMux()}
	p.mux.HandleFunc("GET /confirm", p.confirm)
	p.mux.HandleFunc("GET /authrepoemail", p.authorize)
	p.mux.HandleFunc("GET /recovery", p.askPassword)
	p.mux.HandleFunc("POST /recovery", p.setPassword)
	return p, nil
}

// ServeHTTP answers a link.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	record.From(r.Context()).Route = "maillink"
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	if r.Method == http.MethodHead {
		return // asking about a link must not use it
	}
	p.mux.ServeHTTP(w, r)
}

// view is what the page shows.
type view struct {
	Title string
	Text  string
	Error string
	Code  string // with a form for a new password
}

func (p *Pages) show(w http.ResponseWriter, status int, v view) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = p.page.Execute(w, v) // what the client does not take is the client's
}

// fail shows an error, whose cause goes to the log.
func (p *Pages) fail(w http.ResponseWriter, r *http.Request, err error) {
	record.From(r.Context()).Err = err
	e := problem.From(err)
	status, title := http.StatusInternalServerError, "That did not work"
	switch e.Kind {
	case problem.NotFound:
		status, title = http.StatusNotFound, "This link does not work"
	case problem.Invalid:
		status = http.StatusBadRequest
	case problem.TooLarge:
		status = http.StatusRequestEntityTooLarge
	case problem.TooMany:
		status = http.StatusTooManyRequests
	case problem.ReadOnly, problem.Unavailable:
		status = http.StatusServiceUnavailable
	}
	p.show(w, status, view{Title: title, Text: e.Message})
}

func (p *Pages) writable() error {
	if p.options.ReadOnly {
		return problem.New(problem.ReadOnly, "The registry is read only at present; the link works again when it is not, within its time")
	}
	return nil
}

// confirm confirms the address that the code went to.
func (p *Pages) confirm(w http.ResponseWriter, r *http.Request) {
	code, err := codeOf(r.URL.Query().Get("code"))
	if err = errors.Join(err, p.writable()); err != nil {
		p.fail(w, r, err)
		return
	}
	done, err := p.options.Identity.Confirm(r.Context(), code)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if done.Former != "" && done.Former != done.Email {
		if err := p.options.Mail.AddressChanged(r.Context(), done.Former, done.Name, done.Email); err != nil {
			record.From(r.Context()).Err = err // the change stands; its owner cannot be told
		}
	}
	p.show(w, http.StatusOK, view{Title: "Address confirmed", Text: "The address " + done.Email + " now belongs to the account " + done.Name + ". You can sign in."})
}

// authorize lets the address that the code went to be told of a repository's events.
func (p *Pages) authorize(w http.ResponseWriter, r *http.Request) {
	code, err := codeOf(r.URL.Query().Get("code"))
	if err = errors.Join(err, p.writable()); err != nil {
		p.fail(w, r, err)
		return
	}
	repository, email, err := p.options.Registry.AuthorizeEmail(r.Context(), code)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.show(w, http.StatusOK, view{Title: "Address authorized", Text: "The address " + email + " may now be told of what happens in the repository " + repository + "."})
}

// askPassword shows the form. It uses nothing up: programs that look at mails open links.
func (p *Pages) askPassword(w http.ResponseWriter, r *http.Request) {
	code, err := codeOf(r.URL.Query().Get("code"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	user, err := p.options.Identity.RecoveryAccount(r.Context(), code)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.show(w, http.StatusOK, form(user.Name, code, ""))
}

func form(name, code, mistake string) view {
	return view{Title: "New password", Text: "Choose a new password for the account " + name + ".", Error: mistake, Code: code}
}

// setPassword uses the code up, unless the password is against the rule.
func (p *Pages) setPassword(w http.ResponseWriter, r *http.Request) {
	code, password, err := p.readForm(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	user, err := p.options.Identity.Recover(r.Context(), code, password)
	if problem.Is(err, problem.Invalid) {
		if user, err := p.options.Identity.RecoveryAccount(r.Context(), code); err == nil {
			p.show(w, http.StatusBadRequest, form(user.Name, code, "The password must have at least 8 characters and no white space, and be the same twice."))
			return
		}
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.show(w, http.StatusOK, view{Title: "Password changed", Text: "The account " + user.Name + " has its new password, and is signed out everywhere. You can sign in."})
}

// readForm takes code and password from the form; two passwords that differ are none.
func (p *Pages) readForm(r *http.Request) (code, password string, err error) {
	if err := p.writable(); err != nil {
		return "", "", err
	}
	raw, err := record.From(r.Context()).Intake.Read(r.Context(), r.Body, intake.Body{Name: "form", Announced: r.ContentLength, Limit: maxForm})
	if err != nil {
		return "", "", err
	}
	sent, err := url.ParseQuery(string(raw))
	if err != nil {
		return "", "", problem.Wrap(err, problem.Invalid, "The form could not be read")
	}
	if code, err = codeOf(sent.Get("code")); err != nil {
		return "", "", err
	}
	if password = sent.Get("password"); password != sent.Get("again") || !utf8.ValidString(password) {
		return code, "", nil
	}
	return code, password, nil
}

// codeOf refuses what cannot be a code before any database is asked.
func codeOf(code string) (string, error) {
	const longest = 128
	if code == "" || len(code) > longest || !utf8.ValidString(code) {
		return "", problem.New(problem.NotFound, "This link is not complete: copy all of it from the mail")
	}
	return code, nil
}
