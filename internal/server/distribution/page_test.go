package distribution

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestPagesOfLists(t *testing.T) {
	for _, row := range []struct {
		query string
		want  page
	}{
		{"", page{size: 50}},
		{"n=7", page{size: 7}},
		{"n=0", page{size: 0}},
		{"n=1000", page{size: 1000}},
		{"n=1001", page{size: 1000}},
		{"n=99999999999999999999", page{size: 1000}},
		{"n=-1", page{size: 50}},
		{"n=many", page{size: 50}},
		{"last=v1", page{size: 50, last: "v1"}},
		{"next_page=v1", page{size: 50, last: "v1"}},
		{"n=2&last=a&next_page=b", page{size: 2, last: "a"}},
	} {
		query, err := url.ParseQuery(row.query)
		if err != nil {
			t.Fatal(err)
		}
		if got := parsePage(query, 50); got != row.want {
			t.Errorf("%q: %+v", row.query, got)
		}
	}
	if got := parsePage(nil, 5000); got.size != maxPage {
		t.Errorf("a configured page size is bounded, too: %d", got.size)
	}
}

func FuzzLinkNext(f *testing.F) {
	f.Add("v1.0", "/v2/acme/app/tags/list", 3)
	f.Add(`a>; rel="prev", <b`, "/v2/acme/a%3Ep/tags/list", 1)
	f.Fuzz(func(t *testing.T, last, path string, size int) {
		u, err := url.ParseRequestURI(path)
		if err != nil || last == "" || size < 0 || size > maxPage {
			return
		}
		if _, err := parsePath(u.EscapedPath()); err != nil {
			return // no list is there
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.URL = u
		w := httptest.NewRecorder()
		linkNext(w, r, page{size: size}.next(last))
		link := w.Header().Get("Link")
		address, found := strings.CutSuffix(link, `>; rel="next"`)
		if !found || !strings.HasPrefix(address, "<") || strings.ContainsAny(address[1:], "<>\"\r\n") {
			t.Fatalf("%q is no link", link)
		}
		next, err := url.Parse(address[1:])
		if err != nil {
			t.Fatal(err)
		}
		if got := parsePage(next.Query(), 50); got != (page{size: size, last: last}) {
			t.Errorf("%q leads to %+v, not to %d after %q", link, got, size, last)
		}
	})
}
