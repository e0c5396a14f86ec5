package server

import (
	"crypto/tls"
	"net/http/httptest"
	"testing"

	"github.com/longshore-registry/longshore/internal/server/record"
)

func TestWhereTheClientIs(t *testing.T) {
	const public, private, loopback = "203.0.113.9:1000", "10.1.2.3:1000", "127.0.0.1:1000"
	forwarded := map[string]string{"X-Forwarded-For": "198.51.100.7, 10.9.9.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "reg.example"}
	for _, c := range []struct {
		name    string
		address Address
		peer    string
		tls     bool
		header  map[string]string
		ip, url string
	}{
		{"plain request", Address{}, loopback, false, nil, "127.0.0.1", "http://here:5000/v2/"},
		{"own TLS", Address{}, public, true, nil, "203.0.113.9", "https://here:5000/v2/"},
		{"a private peer may forward", Address{}, private, false, forwarded, "10.9.9.9", "https://reg.example/v2/"},
		{"a public peer may not", Address{}, public, false, forwarded, "203.0.113.9", "http://here:5000/v2/"},
		{"PROXY_COUNT trusts any peer", Address{Proxies: 1, ProxiesOn: true}, public, false, forwarded, "10.9.9.9", "https://reg.example/v2/"},
		{"two proxies: the second from the right", Address{Proxies: 2, ProxiesOn: true}, public, false, forwarded, "198.51.100.7", "https://reg.example/v2/"},
		{"more proxies than entries: the first", Address{Proxies: 9, ProxiesOn: true}, public, false, forwarded, "198.51.100.7", "https://reg.example/v2/"},
		{"PROXY_COUNT 0 trusts nobody", Address{ProxiesOn: true}, loopback, false, forwarded, "127.0.0.1", "http://here:5000/v2/"},
		{"SERVER_HOSTNAME is the only name", Address{Hostname: "quay.example", Scheme: "https"}, private, false, forwarded, "10.9.9.9", "https://quay.example/v2/"},
		{"TLS that ends outside", Address{External: true}, public, false, nil, "203.0.113.9", "https://here:5000/v2/"},
		{"a forged host is not a link", Address{}, loopback, false, map[string]string{"X-Forwarded-Host": "evil/@x"}, "127.0.0.1", "http://here:5000/v2/"},
		{"an unreadable address is not the client's", Address{}, loopback, false, map[string]string{"X-Forwarded-For": "unknown"}, "127.0.0.1", "http://here:5000/v2/"},
		{"IPv6 with port", Address{}, loopback, false, map[string]string{"X-Forwarded-For": "[2001:db8::1]:443"}, "2001:db8::1", "http://here:5000/v2/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "http://here:5000/v2/", nil)
			r.RemoteAddr = c.peer
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			} else {
				r.TLS = nil
			}
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			var rec record.Record
			c.address.locate(r, &rec)
			if got := rec.ClientIP.String(); got != c.ip {
				t.Errorf("client is %s, want %s", got, c.ip)
			}
			if got := rec.URL("/v2/"); got != c.url {
				t.Errorf("link is %s, want %s", got, c.url)
			}
		})
	}
}
