package rest

import (
	"net/http"
	"slices"
	"strings"
)

// checkBrowser refuses a GET that a browser made by following a link: a page of ours marks its calls.
func (a *API) checkBrowser(x *exchange) error {
	if !a.options.XHROnly || x.route.Browser || x.route.changes() || !isBrowser(x.r.UserAgent()) {
		return nil
	}
	if strings.EqualFold(x.r.Header.Get("X-Requested-With"), "XMLHttpRequest") {
		return nil
	}
	return abort(http.StatusBadRequest, "API calls must be invoked with an X-Requested-With header if called from a browser")
}

// isBrowser knows the words with which every browser of the last decades introduces itself.
func isBrowser(agent string) bool {
	agent = strings.ToLower(agent)
	return slices.ContainsFunc([]string{"mozilla/", "opera/", "applewebkit/", "lynx/", "links "}, func(word string) bool {
		return strings.Contains(agent, word)
	})
}

// allowOrigin writes the CORS headers. Credentials are never allowed, so that a foreign page can read what anybody
// can read, and what a token it holds can read.
func (a *API) allowOrigin(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	origin := "*"
	if len(a.options.Origins) > 0 && !slices.Contains(a.options.Origins, "*") {
		header.Add("Vary", "Origin")
		origin = r.Header.Get("Origin")
		if !slices.Contains(a.options.Origins, origin) {
			return
		}
	}
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Requested-With")
	header.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS, POST, PUT, DELETE")
}
