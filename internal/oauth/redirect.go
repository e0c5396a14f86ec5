package oauth

import (
	"net/url"
	"strings"
)

// Allows reports whether a redirect address lies within the registered one: the same scheme, host and port, a path that
// is equal or goes on behind a slash, no user name and no fragment. When a query is registered, path and query must be
// equal. Quay compares the beginnings of the texts instead, so that https://good.example also allows
// https://good.example.evil.test and https://good.example@evil.test.
//
// Browsers repair addresses before they follow them: they turn backslashes into slashes, drop line breaks, resolve dots
// even when these are encoded. Whatever could be repaired into something else is refused before it is compared.
func Allows(registered, requested string) bool {
	want, ok := parseTarget(registered)
	if !ok {
		return false
	}
	got, ok := parseTarget(requested)
	if !ok || got.Scheme != want.Scheme || !strings.EqualFold(got.Hostname(), want.Hostname()) || port(got) != port(want) {
		return false
	}
	if want.RawQuery != "" {
		return got.EscapedPath() == want.EscapedPath() && got.RawQuery == want.RawQuery
	}
	return below(want.EscapedPath(), got.EscapedPath())
}

// below reports whether a path is another one or lies under it, at the border of a segment.
func below(base, path string) bool {
	if path == base || base == "" {
		return true
	}
	if !strings.HasSuffix(base, "/") {
		base += "/"
	}
	return strings.HasPrefix(path, base)
}

// registrable reports whether an address can be registered: Allows is able to compare it.
func registrable(address string) bool {
	_, ok := parseTarget(address)
	return ok
}

// parseTarget reads an address that every reader reads the same way.
func parseTarget(address string) (*url.URL, bool) {
	for i := range len(address) {
		if c := address[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '#' {
			return nil, false
		}
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" || u.User != nil || u.Hostname() == "" {
		return nil, false
	}
	if strings.Contains(u.Host, "@") || strings.HasSuffix(u.Host, ":") || strings.Contains(u.Host, "%") || !plainPath(u.EscapedPath()) {
		return nil, false
	}
	return u, true
}

// plainPath reports whether no reader resolves the path into another one: it has no dot segments, no empty ones within,
// and no separator in encoded form.
func plainPath(path string) bool {
	lower := strings.ToLower(path)
	for _, hidden := range []string{"//", "%2f", "%5c", "%25", "%00", ";"} {
		if strings.Contains(lower, hidden) {
			return false
		}
	}
	for segment := range strings.SplitSeq(strings.ReplaceAll(lower, "%2e", "."), "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// isLink reports whether an address can be shown as a link.
func isLink(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// Answer is a redirect address with parameters of an answer in its query, in place of any of the same names.
func Answer(redirect string, parameters map[string]string) string {
	u, ok := parseTarget(redirect)
	if !ok {
		return ""
	}
	query := u.Query()
	for name, value := range parameters {
		if query.Del(name); value != "" {
			query.Set(name, value)
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}
