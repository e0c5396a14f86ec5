package distribution

import (
	"math"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// exact reads digits as what parseDecimal makes of them.
func exact(digits string) int64 {
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok || !n.IsInt64() {
		return math.MaxInt64
	}
	return n.Int64()
}

// FuzzRangeGrammar holds what is accepted against the grammar of RFC 9110, section 14.1.2, and counts with exact numbers.
func FuzzRangeGrammar(f *testing.F) {
	for _, s := range []string{"bytes=0-1", "bytes=-5", "bytes=5-", "bytes=9-1", "bytes=0-0", "bytes=-0", "bytes=--1", "bytes=+1-2", "bytes=1-99999999999999999999", "bytes=0-1,3-4", "BYTES=0-1", "bytes= 0-1 "} {
		f.Add(s, int64(10))
	}
	one := regexp.MustCompile(`\Abytes=\s*([0-9]*)-([0-9]*)\s*\z`)
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size <= 0 || strings.Contains(header, ",") || !strings.HasPrefix(header, "bytes=") {
			return
		}
		s, whole, err := parseRange(header, size)
		m := one.FindStringSubmatch(header)
		var first, last int64
		valid := m != nil && m[1]+m[2] != ""
		switch {
		case !valid:
		case m[1] == "":
			first, last = max(0, size-exact(m[2])), size-1
			valid = exact(m[2]) > 0
		default:
			first, last = exact(m[1]), size-1
			if m[2] != "" {
				last = min(last, exact(m[2]))
			}
			valid = first <= last
		}
		if valid != (err == nil) || whole {
			t.Fatalf("%q of %d bytes: the grammar says %v, we say %+v, %v, %v", header, size, valid, s, whole, err)
		}
		if valid && s != (span{first, last - first + 1}) {
			t.Errorf("%q of %d bytes: %+v, want bytes %d to %d", header, size, s, first, last)
		}
	})
}

// FuzzContentRangeGrammar is the same for the range of a chunk.
func FuzzContentRangeGrammar(f *testing.F) {
	for _, s := range []string{"0-1", "", "5-4", "5-3", "0-", "-1", "99999999999999999999-1", "0-9223372036854775807", "0-9223372036854775806", "bytes 0-1/2", " 0-1", "0--1", "+0-1"} {
		f.Add(s)
	}
	rule := regexp.MustCompile(`\A([0-9]+)-([0-9]+)\z`)
	f.Fuzz(func(t *testing.T, header string) {
		first, last, err := parseContentRange(header)
		if header == "" {
			if first != -1 || last != -1 || err != nil {
				t.Errorf("no header: %d-%d, %v", first, last, err)
			}
			return
		}
		m := rule.FindStringSubmatch(header)
		valid := m != nil && exact(m[1]) != math.MaxInt64 && exact(m[2]) != math.MaxInt64 && exact(m[2]) >= exact(m[1])-1
		if valid != (err == nil) {
			t.Fatalf("%q: the grammar says %v, we say %v", header, valid, err)
		}
		if valid && (first != exact(m[1]) || last != exact(m[2])) {
			t.Errorf("%q: %d to %d", header, first, last)
		}
	})
}

// FuzzScopeGrammar holds one scope against the grammar of the token endpoint.
func FuzzScopeGrammar(f *testing.F) {
	for _, s := range []string{"repository:a/b:pull,push", "repository:h:1/a/b:*", "registry:catalog:*", "repository:a:b:c", "repository:a/b:", "repository::pull", "repository:a//b:pull", "repository:a/b:PULL", "x:a:pull", "repository:a/b:pull,", "registry:catalog:pull,*", "repository:h:1/:pull"} {
		f.Add(s, "h:1")
	}
	repository := regexp.MustCompile(`\Arepository:(.+):((?:[a-z]+|\*)(?:,(?:[a-z]+|\*))*)\z`)
	path := regexp.MustCompile(`\A[.A-Za-z0-9_-]+(?:/[.A-Za-z0-9_-]+)*\z`)
	catalog := regexp.MustCompile(`\Aregistry:catalog:((?:[a-z]+|\*)(?:,(?:[a-z]+|\*))*)\z`)
	f.Fuzz(func(t *testing.T, text, host string) {
		if len(strings.Fields(text)) != 1 || strings.Fields(text)[0] != text || strings.ContainsAny(text, "\n") {
			return
		}
		scopes, err := parseScopes([]string{text}, host)
		actions := ""
		valid := false
		if m := repository.FindStringSubmatch(text); m != nil && !strings.Contains(m[2], ":") {
			name := m[1]
			if host != "" && strings.HasPrefix(name, host+"/") && name != host+"/" {
				name = name[len(host)+1:]
			}
			valid, actions = path.MatchString(name), m[2]
		} else if m := catalog.FindStringSubmatch(text); m != nil {
			valid, actions = true, m[1]
		}
		if valid != (err == nil) {
			t.Fatalf("%q at %q: the grammar says %v, we say %v", text, host, valid, err)
		}
		if !valid {
			return
		}
		s, list := scopes[0], strings.Split(actions, ",")
		has := func(action string) bool {
			for _, a := range list {
				if a == action {
					return true
				}
			}
			return false
		}
		if s.pull != has("pull") || s.push != has("push") || s.admin != has("*") {
			t.Errorf("%q asks for %+v", text, s)
		}
	})
}

// FuzzCursor holds for any query: a page is within its bounds and begins where the client said, and what the first page
// hands on leads to itself.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{"", "n=5&last=v1", "n=0", "n=-1", "n=99999999999999999999", "n=1001", "next_page=x", "last=&next_page=y", "last=a&last=b", "n=%31", "last=%00", "next_page=%ff", "n=5;last=x", "%zz"} {
		f.Add(s, 50)
	}
	f.Fuzz(func(t *testing.T, text string, usual int) {
		if usual < 1 {
			return
		}
		query, _ := url.ParseQuery(text)
		storable := func(name string) bool {
			return utf8.ValidString(query.Get(name)) && !strings.Contains(query.Get(name), "\x00")
		}
		p, err := parsePage(query, usual)
		if good := storable("last") && (query.Get("last") != "" || storable("next_page")); good != (err == nil) {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil {
			return
		}
		if p.size < 0 || p.size > maxPage {
			t.Errorf("%q: a page of %d", text, p.size)
		}
		want := query.Get("last")
		if want == "" {
			want = query.Get("next_page")
		}
		if p.last != want {
			t.Errorf("%q begins after %q", text, p.last)
		}
		again, err := url.ParseQuery(p.next(p.last).Encode())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parsePage(again, usual); got != p || err != nil {
			t.Errorf("%q: %+v leads to %+v, %v", text, p, got, err)
		}
	})
}

// FuzzBasicCredentials sends any Authorization header: it is read as Basic credentials exactly when it is such, and the
// label of what was presented is one of the few that metrics know.
func FuzzBasicCredentials(f *testing.F) {
	for _, s := range []string{"Basic YTpi", "basic YTpi", "Basic YTo=", "Basic Og==", "Basic YQ==", "Basic", "Basic  YTpi", "Bearer x", "Basic YTpi\n", "Basic JGFwcDp4", "Basic YStiOmM=", "Basic \xff"} {
		f.Add(s)
	}
	kinds := map[string]bool{"app_specific_token": true, "oauth": true, "token": true, "robot": true, "user": true}
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Authorization": {header}}}
		name, secret, ok := r.BasicAuth()
		if !ok {
			return
		}
		if kind := credentialKind(name); !kinds[kind] {
			t.Errorf("%q is a %q", name, kind)
		}
		if strings.Contains(name, ":") {
			t.Errorf("%q: the name %q has the secret's colon, the secret is %q", header, name, secret)
		}
		again := &http.Request{Header: http.Header{}}
		again.SetBasicAuth(name, secret)
		if n, s, ok := again.BasicAuth(); !ok || n != name || s != secret {
			t.Errorf("%q reads %q and %q, which read %q and %q", header, name, secret, n, s)
		}
	})
}
