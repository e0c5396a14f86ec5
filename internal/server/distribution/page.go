package distribution

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/longshore-registry/longshore/internal/problem"
)

// maxPage is the largest page of a list. A client that asks for more gets this many and a Link.
const maxPage = 1000

// page is a part of a list: at most size entries after last.
type page struct {
	size int
	last string
}

// parsePage reads n and last. next_page is Quay's name for the cursor. Without n, or with one that is no number, the
// page has the configured size; n=0 asks for nothing. A cursor that no database can look for is refused.
func parsePage(query url.Values, usual int) (page, error) {
	p := page{size: min(usual, maxPage)}
	if n, ok := parseDecimal(query.Get("n")); ok {
		p.size = int(min(n, maxPage))
	}
	for _, name := range []string{"last", "next_page"} {
		var err error
		if p.last, err = textParameter(query, name); p.last != "" || err != nil {
			return p, err
		}
	}
	return p, nil
}

// textParameter is a query parameter that is compared with what a database holds.
func textParameter(query url.Values, name string) (string, error) {
	text := query.Get(name)
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", problem.New(problem.Invalid, "the parameter %s holds a NUL character or is no UTF-8: %q", name, clip(text))
	}
	return text, nil
}

// linkNext tells the client where the page after last is (RFC 8288). The address is relative: it holds behind any proxy.
func linkNext(w http.ResponseWriter, r *http.Request, query url.Values) {
	w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", r.URL.EscapedPath(), query.Encode()))
}

// next is the query of the page after last.
func (p page) next(last string) url.Values {
	return url.Values{"n": {strconv.Itoa(p.size)}, "last": {last}}
}
