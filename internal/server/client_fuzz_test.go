package server

import (
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/server/record"
)

// FuzzForwarded holds for any forwarded headers: links stay links to one host and the path that was meant, a configured
// name is the only one, a peer that is not trusted changes nothing, and the client's address is one of those named.
func FuzzForwarded(f *testing.F) {
	for _, s := range []struct{ client, proto, host string }{
		{"1.2.3.4, 5.6.7.8", "https", "reg.example"}, {",,,", "HTTPS", "a,b"}, {"[2001:db8::1]:443", "http, https", "reg.example:8443"},
		{"unknown", "javascript", "evil/@x"}, {"::ffff:1.2.3.4", "", "a%zz"}, {"", "https", "[::1]"}, {"1", "https", "a:b:c"}, {"", "", "user:pw@h"},
		{"", "https", "a<b>"}, {"", "https", "h\x7f"}, {"", "https", "ä"}, {"", "https", ":80"}, {"", "https", "h:"},
	} {
		f.Add(s.client, s.proto, s.host, 1)
	}
	f.Fuzz(func(t *testing.T, client, proto, host string, proxies int) {
		locate := func(a Address, peer string) record.Record {
			r := httptest.NewRequest("GET", "http://here:5000/v2/", nil)
			r.RemoteAddr = peer
			r.Header["X-Forwarded-For"], r.Header["X-Forwarded-Proto"], r.Header["X-Forwarded-Host"] = []string{client}, []string{proto}, []string{host}
			var rec record.Record
			a.locate(r, &rec)
			return rec
		}
		trusted := locate(Address{Proxies: proxies, ProxiesOn: true}, "127.0.0.1:1000")
		u, err := url.Parse(trusted.URL("/v2/"))
		if err != nil || u.Host != trusted.Host || u.User != nil || u.Path != "/v2/" || u.RawQuery != "" || u.Fragment != "" || u.Hostname() == "" {
			t.Errorf("host %q makes the link %q: %+v, %v", host, trusted.URL("/v2/"), u, err)
		}
		if trusted.Scheme != "http" && trusted.Scheme != "https" {
			t.Errorf("scheme %q", trusted.Scheme)
		}
		if ip := trusted.ClientIP; ip != netip.AddrFrom4([4]byte{127, 0, 0, 1}) && !named(client, ip) {
			t.Errorf("%q gives the client %s", client, ip)
		}
		if named := locate(Address{Hostname: "quay.example", Proxies: proxies, ProxiesOn: true}, "127.0.0.1:1000"); named.Host != "quay.example" {
			t.Errorf("the configured name became %q", named.Host)
		}
		if foreign := locate(Address{}, "203.0.113.9:1000"); foreign.URL("/") != "http://here:5000/" || foreign.ClientIP.String() != "203.0.113.9" {
			t.Errorf("a peer that is not trusted makes %s of %s", foreign.URL("/"), foreign.ClientIP)
		}
	})
}

// named reports whether an address is an item of the header, as it is or with a port.
func named(header string, ip netip.Addr) bool {
	for item := range strings.SplitSeq(header, ",") {
		item = strings.TrimSpace(item)
		if a, err := netip.ParseAddr(strings.Trim(item, "[]")); err == nil && a.Unmap() == ip {
			return true
		}
		if ap, err := netip.ParseAddrPort(item); err == nil && ap.Addr().Unmap() == ip {
			return true
		}
	}
	return false
}
