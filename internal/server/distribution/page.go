package distribution

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// maxPage is the largest page of a list. A client that asks for more gets this many and a Link.
const maxPage = 1000

// page is a part of a list: at most size entries after last.
type page struct {
	size int
	last string
}

// parsePage reads n and last. next_page is Quay's name for the cursor. Without n, or with one that is no number, the
// page has the configured size; n=0 asks for nothing.
func parsePage(query url.Values, usual int) page {
	p := page{size: min(usual, maxPage), last: query.Get("last")}
	if p.last == "" {
		p.last = query.Get("next_page")
	}
	if n, ok := parseDecimal(query.Get("n")); ok {
		p.size = int(min(n, maxPage))
	}
	return p
}

// linkNext tells the client where the page after last is (RFC 8288). The address is relative: it holds behind any proxy.
func linkNext(w http.ResponseWriter, r *http.Request, query url.Values) {
	w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", r.URL.EscapedPath(), query.Encode()))
}

// next is the query of the page after last.
func (p page) next(last string) url.Values {
	return url.Values{"n": {strconv.Itoa(p.size)}, "last": {last}}
}
