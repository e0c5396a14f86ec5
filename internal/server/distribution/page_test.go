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
		if got, err := parsePage(query, 50); got != row.want || err != nil {
			t.Errorf("%q: %+v, %v", row.query, got, err)
		}
	}
	if got, err := parsePage(nil, 5000); got.size != maxPage || err != nil {
		t.Errorf("a configured page size is bounded, too: %d, %v", got.size, err)
	}
}

func TestACursorThatIsNoTextIsNamed(t *testing.T) {
	for query, name := range map[string]string{"last=%00": "last", "last=%ff": "last", "next_page=a%00/b": "next_page"} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsePage(values, 50); err == nil || !strings.Contains(err.Error(), "parameter "+name+" ") {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func FuzzLinkNext(f *testing.F) {
	f.Add("v1.0", "/v2/acme/app/tags/list", 3)
	f.Add(`a>; rel="prev", <b`, "/v2/acme/a%3Ep/tags/list", 1)
	f.Fuzz(func(t *testing.T, last, path string, size int) {
		u, err := url.ParseRequestURI(path)
		if _, unsound := textParameter(url.Values{"last": {last}}, "last"); err != nil || unsound != nil || last == "" || size < 0 || size > maxPage {
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
		if got, err := parsePage(next.Query(), 50); err != nil || got != (page{size: size, last: last}) {
			t.Errorf("%q leads to %+v, not to %d after %q", link, got, size, last)
		}
	})
}
