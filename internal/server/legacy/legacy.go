// Package legacy answers what is left of /v1, Docker's first protocol: the ping and the search, which docker search and
// podman search still use. Every other path below /v1 is 404 with a sentence.
package legacy

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/overview"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/record"
)

// Options is what the handler works with; all are required.
type Options struct {
	Identity *identity.Service
	Access   *access.Authority
	Lists    *overview.Reader
	Clock    func() time.Time
}

// Handler answers everything below /v1.
type Handler struct{ options Options }

// New makes the handler.
func New(o Options) *Handler { return &Handler{o} }

const (
	usualPage = 25
	maxPage   = 100
	maxPages  = 5
	maxQuery  = 1024 // bytes
)

// ServeHTTP routes by the path alone.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch path := r.URL.Path; {
	case reads && (path == "/v1/_ping" || path == "/v1/_ping/"):
		rec.Route = "v1 ping"
		w.Header().Set("X-Docker-Registry-Version", "0.6.0")
		w.Header().Set("X-Docker-Registry-Standalone", "0")
		answer(w, r, http.StatusOK, true)
	case reads && (path == "/v1/search" || path == "/v1/search/"):
		rec.Route = "v1 search"
		h.search(w, r, rec)
	default:
		rec.Route = "v1"
		answer(w, r, http.StatusNotFound, map[string]string{
			"error": "Docker's first registry protocol is gone: this registry speaks /v2, of /v1 there are only _ping and search",
		})
	}
}

type result struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	IsPublic    bool   `json:"is_public"`
	Href        string `json:"href"`
}

type results struct {
	Query    string   `json:"query"`
	Found    int      `json:"num_results"`
	Pages    int      `json:"num_pages"`
	Page     int      `json:"page"`
	PageSize int      `json:"page_size"`
	Results  []result `json:"results"`
}

func (h *Handler) search(w http.ResponseWriter, r *http.Request, rec *record.Record) {
	out, err := h.find(r.Context(), r, rec)
	if err == nil {
		answer(w, r, http.StatusOK, out)
		return
	}
	rec.Err = err
	e := problem.From(err)
	status := statusOf(e.Kind)
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="`+rec.Host+`"`)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(e.RetryAfter.Seconds()))))
	}
	answer(w, r, status, map[string]string{"error": e.Message})
}

func statusOf(k problem.Kind) int {
	switch k {
	case problem.Invalid:
		return http.StatusBadRequest
	case problem.Unauthenticated, problem.Forbidden:
		return http.StatusUnauthorized
	case problem.TooMany:
		return http.StatusTooManyRequests
	case problem.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func (h *Handler) find(ctx context.Context, r *http.Request, rec *record.Record) (results, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if text := query.Get("q"); err != nil || len(text) > maxQuery || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return results{}, problem.New(problem.Invalid, "the query is malformed, no text, or longer than %d bytes", maxQuery)
	}
	seeker, err := h.seeker(ctx, r, rec)
	if err != nil {
		return results{}, err
	}
	out := results{
		Query: query.Get("q"), Page: number(query.Get("page"), 1, 1, maxPages), PageSize: number(query.Get("n"), usualPage, 1, maxPage),
		Results: []result{},
	}
	offset := (out.Page - 1) * out.PageSize
	list, err := h.options.Lists.FindRepositories(ctx, seeker, out.Query, offset, out.PageSize+1, h.options.Clock())
	if err != nil {
		return results{}, err
	}
	out.Pages = out.Page
	if len(list) > out.PageSize {
		list = list[:out.PageSize]
		out.Pages = min(out.Page+1, maxPages)
	}
	for _, f := range list {
		name := f.Owner.Name + "/" + f.Name
		out.Results = append(out.Results, result{name, f.Description, f.Public, rec.URL("/repository/" + name)})
	}
	out.Found = len(out.Results)
	return out, nil
}

// seeker is who asks, by HTTP Basic as docker sends it. A wrong password is refused; without one, what everybody may see
// is found.
func (h *Handler) seeker(ctx context.Context, r *http.Request, rec *record.Record) (s overview.Seeker, err error) {
	var p identity.Principal
	if r.Header.Get("Authorization") != "" {
		name, secret, ok := r.BasicAuth()
		if !ok {
			return s, problem.New(problem.Unauthenticated, "The search takes a user name and a password or token")
		}
		if p, err = h.options.Identity.Login(ctx, name, secret); err != nil {
			return s, err
		}
		rec.Actor = p.Account.Name
	}
	if p.IsAnonymous() {
		if !h.options.Access.Policy().AnonymousAccess {
			return s, problem.New(problem.Unauthenticated, "Anonymous access is not allowed")
		}
		return s, nil
	}
	if p.Credential == identity.OAuthToken && !p.Scopes.Has(identity.ScopeRepoRead) {
		return s, nil
	}
	s.AccountID = p.Account.ID
	// Who may read a repository that is not there may read all.
	decision, err := h.options.Access.Check(ctx, p, access.Pull, access.Object{
		NamespaceID: -1, Namespace: "*", NamespaceKind: identity.Organization, NamespaceEnabled: true, Name: "*",
	})
	s.AllRepositories = decision.Allowed
	return s, err
}

// number reads a number within bounds; what is none is the usual one.
func number(text string, usual, low, high int) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return usual
	}
	return min(max(n, low), high)
}

func answer(w http.ResponseWriter, r *http.Request, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil { // texts and numbers: nothing can fail
		status, body = http.StatusInternalServerError, []byte(`{}`)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that has left needs no answer
	}
}
