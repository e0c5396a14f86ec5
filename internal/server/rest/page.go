package rest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longshore-registry/longshore/internal/server/intake"
)

// pageHandler answers a request of a browser: it writes a page or a redirect into the exchange.
type pageHandler func(ctx context.Context, c *Call, x *exchange) error

// page makes a page handler the handler of a row. It passes the same gates as any operation of the API; what it writes
// is sent once the session is stored.
func page(h pageHandler) registrar {
	return func(a *API, api huma.API, r *route) {
		op := r.operation()
		op.Responses[strconv.Itoa(cmp.Or(op.DefaultStatus, http.StatusOK))] = &huma.Response{Description: "The page, or what it leads to"}
		if r.Off == 0 {
			api.OpenAPI().AddOperation(&op)
		}
		r.op = &op
		r.serve = func(x *exchange) { x.failed = h(x.ctx, x.call, x) }
	}
}

// readForm reads the form of a row that takes one; any other type of body is no form and has no values.
func (x *exchange) readForm(ctx context.Context) error {
	if !x.route.Form || !x.route.changes() {
		return nil
	}
	media, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil
	}
	raw, err := x.call.Record.Intake.Read(ctx, x.r.Body, intake.Body{Name: "form", Announced: x.r.ContentLength, Limit: smallBody})
	if err != nil {
		return err
	}
	if x.form, err = url.ParseQuery(string(raw)); err != nil {
		return invalidRequest("the form is malformed: %s", err)
	}
	for name, values := range x.form {
		if !storable(name + strings.Join(values, "")) {
			return invalidRequest("the form has bytes that are no text in %q", name)
		}
	}
	return nil
}

// value is a parameter of the form or, when the form has none of that name, of the query.
func (x *exchange) value(name string) string {
	if values, ok := x.form[name]; ok {
		return values[0]
	}
	return x.query.Get(name)
}

// repeated is a parameter that the request has more than once, in form and query together; empty for none. Two parties
// that read one request must not see two (RFC 6749 §3.1 and §3.2).
func (x *exchange) repeated() string {
	times, worst := map[string]int{}, ""
	for _, sent := range []url.Values{x.form, x.query} {
		for name, values := range sent {
			if times[name] += len(values); times[name] > 1 && (worst == "" || name < worst) {
				worst = name
			}
		}
	}
	return worst
}

// redirect sends the browser on.
func (x *exchange) redirect(target string) {
	header := x.w.Header()
	header.Set("Location", target)
	header.Set("Referrer-Policy", "no-referrer")
	x.SetStatus(http.StatusFound)
}

// json answers a program instead of a browser.
func (x *exchange) json(status int, v any) error {
	x.w.Header().Set("Content-Type", "application/json")
	x.SetStatus(status)
	return marshal(&x.answer, v)
}

// wantsJSON reports whether the caller asked for JSON in place of a page.
func (x *exchange) wantsJSON() bool { return x.value("format") == "json" }

// html answers with a page that holds no script, stands in no frame and sends forms here alone, or to the one further
// origin that a form's answer redirects to: browsers look at that, too.
func (x *exchange) html(status int, t *template.Template, data any, formTarget string) error {
	header := x.w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Content-Security-Policy", strings.TrimSpace("default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src '"+styleSum()+"'; form-action 'self' "+formTarget))
	x.SetStatus(status)
	return t.Execute(&x.answer, data)
}

// styleSum is what the pages' policy allows their style by.
func styleSum() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
