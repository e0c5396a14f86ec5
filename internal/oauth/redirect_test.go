package oauth

import "testing"

// The addresses that are refused are the known ways to lead a browser elsewhere by an address that begins well.
func TestRedirects(t *testing.T) {
	const registered = "https://good.example/app/cb"
	for _, c := range []struct {
		name, registered, requested string
		want                        bool
	}{
		{"the registered address", registered, "https://good.example/app/cb", true},
		{"a path below it", registered, "https://good.example/app/cb/done", true},
		{"with a query", registered, "https://good.example/app/cb?x=1", true},
		{"the host in capitals", registered, "https://GOOD.example/app/cb", true},
		{"the scheme's own port", registered, "https://good.example:443/app/cb", true},
		{"any path below a host alone", "https://good.example", "https://good.example/any", true},
		{"below a final slash", "https://good.example/cb/", "https://good.example/cb/x", true},
		{"the same query", "https://good.example/cb?a=1", "https://good.example/cb?a=1", true},
		{"an address of IPv6", "http://[::1]:8080/cb", "http://[::1]:8080/cb", true},

		{"another host", registered, "https://evil.test/app/cb", false},
		{"a host that goes on", "https://good.example", "https://good.example.evil.test/", false},
		{"a host that goes on after the path is cut", registered, "https://good.example.evil.test/app/cb", false},
		{"a sub-domain", registered, "https://sub.good.example/app/cb", false},
		{"a user name", registered, "https://good.example@evil.test/app/cb", false},
		{"the host as a user name", "https://good.example", "https://good.example@evil.test", false},
		{"a user name before the right host", registered, "https://me@good.example/app/cb", false},
		{"an empty user name", registered, "https://@good.example/app/cb", false},
		{"a user name and a password", registered, "https://a:b@good.example/app/cb", false},
		{"a backslash", registered, `https://good.example\@evil.test/app/cb`, false},
		{"a backslash before the host", registered, `https:\\good.example/app/cb`, false},
		{"an encoded backslash", registered, "https://good.example/app/cb/%5c%5cevil.test", false},
		{"no scheme", registered, "//good.example/app/cb", false},
		{"no scheme and another host", registered, "//evil.test/app/cb", false},
		{"a path alone", registered, "/app/cb", false},
		{"two slashes in the path", registered, "https://good.example/app/cb//evil.test", false},
		{"three slashes", registered, "https:///good.example/app/cb", false},
		{"an opaque address", registered, "https:good.example/app/cb", false},
		{"a blank in the path", registered, "https://good.example/app/cb/ x", false},
		{"letters beyond ASCII", registered, "https://good.example/app/cb/\u00fc", false},
		{"another scheme with the same port", "https://good.example:8443/cb", "http://good.example:8443/cb", false},
		{"another scheme", registered, "http://good.example/app/cb", false},
		{"a scheme that runs", registered, "javascript:alert(1)//good.example/app/cb", false},
		{"a data address", registered, "data:text/html,x", false},
		{"another port", registered, "https://good.example:8443/app/cb", false},
		{"an empty port", registered, "https://good.example:/app/cb", false},
		{"a port that is a user name", registered, "https://good.example:x@evil.test/app/cb", false},
		{"the beginning of a longer segment", registered, "https://good.example/app/cbx", false},
		{"a path above", registered, "https://good.example/app", false},
		{"the registered slash is missing", "https://good.example/cb/", "https://good.example/cb", false},
		{"dot segments", registered, "https://good.example/app/cb/../../evil", false},
		{"one dot", registered, "https://good.example/app/cb/./x", false},
		{"encoded dots", registered, "https://good.example/app/cb/%2e%2e/evil", false},
		{"half-encoded dots", registered, "https://good.example/app/cb/.%2E/evil", false},
		{"doubly encoded dots", registered, "https://good.example/app/cb/%252e%252e/evil", false},
		{"dots behind an encoded slash", registered, "https://good.example/app/cb/..%2fevil", false},
		{"dots with a parameter", registered, "https://good.example/app/cb/..;/evil", false},
		{"an encoded host", registered, "https://good%2eexample/app/cb", false},
		{"a fragment", registered, "https://good.example/app/cb#x", false},
		{"an empty fragment", registered, "https://good.example/app/cb#", false},
		{"a line break", registered, "https://good.example/app/cb\r\nLocation: https://evil.test", false},
		{"a tab in the host", registered, "https://good.exam\tple/app/cb", false},
		{"a blank before", registered, " https://good.example/app/cb", false},
		{"a zero byte", registered, "https://good.example/app/cb\x00", false},
		{"an encoded zero byte", registered, "https://good.example/app/cb/%00", false},
		{"letters that look the same", registered, "https://gооd.example/app/cb", false},
		{"a full-width dot", registered, "https://good.example。evil.test/app/cb", false},
		{"more query than registered", "https://good.example/cb?a=1", "https://good.example/cb?a=1&b=2", false},
		{"the query is missing", "https://good.example/cb?a=1", "https://good.example/cb", false},
		{"nothing", registered, "", false},
		{"nothing is registered", "", "https://good.example/app/cb", false},
		{"nothing at all", "", "", false},
		{"what a Quay took may be no address", "javascript:alert(1)", "javascript:alert(1)", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Allows(c.registered, c.requested); got != c.want {
				t.Errorf("registered %q, requested %q: %v", c.registered, c.requested, got)
			}
		})
	}
}

func TestAnAnswerReplacesParametersOfItsNames(t *testing.T) {
	got := Answer("https://good.example/cb?code=planted&x=1&state=planted", map[string]string{"code": "real", "state": ""})
	if got != "https://good.example/cb?code=real&x=1" {
		t.Errorf("got %s", got)
	}
	if got := Answer("javascript:alert(1)", map[string]string{"code": "real"}); got != "" {
		t.Errorf("got %s", got)
	}
}
