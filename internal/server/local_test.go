package server

import (
	"net/http/httptest"
	"testing"

	"github.com/longshore-registry/longshore/internal/server/record"
)

func TestOnlyADirectCallFromLoopbackIsLocal(t *testing.T) {
	const private, loopback = "192.168.1.20:1000", "127.0.0.1:1000"
	for _, c := range []struct {
		name          string
		address       Address
		peer          string
		header, value string
		want          bool
	}{
		{"a call from the machine itself", Address{}, loopback, "", "", true},
		{"over IPv6", Address{}, "[::1]:1000", "", "", true},
		{"over IPv6 with an IPv4 address", Address{}, "[::ffff:127.0.0.1]:1000", "", "", true},
		{"with PROXY_COUNT 0", Address{ProxiesOn: true}, loopback, "", "", true},
		{"a private peer", Address{}, private, "", "", false},
		{"a private peer that says it is loopback", Address{}, private, "X-Forwarded-For", "127.0.0.1", false},
		{"with PROXY_COUNT 0 too", Address{ProxiesOn: true}, private, "X-Forwarded-For", "127.0.0.1", false},
		{"whom a proxy forwards as loopback", Address{Proxies: 1, ProxiesOn: true}, "203.0.113.9:1000", "X-Forwarded-For", "127.0.0.1", false},
		{"a proxy on this machine", Address{}, loopback, "X-Forwarded-For", "203.0.113.9", false},
		{"whose client says it is loopback", Address{}, loopback, "X-Forwarded-For", "127.0.0.1", false},
		{"that names the scheme only", Address{}, loopback, "X-Forwarded-Proto", "https", false},
		{"that goes by the standard", Address{}, loopback, "Forwarded", "for=203.0.113.9", false},
		{"that says who it is", Address{}, loopback, "Via", "1.1 proxy", false},
		{"of another custom", Address{}, loopback, "X-Real-IP", "203.0.113.9", false},
		{"that is configured and silent", Address{Proxies: 1, ProxiesOn: true}, loopback, "", "", false},
		{"that ends TLS and is silent", Address{External: true}, loopback, "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "http://here:5000/api/v1/user/", nil)
			r.RemoteAddr = c.peer
			if c.header != "" {
				r.Header.Set(c.header, c.value)
			}
			var rec record.Record
			c.address.locate(r, &rec)
			if rec.OnMachine() != c.want {
				t.Errorf("local is %v, want %v", rec.OnMachine(), c.want)
			}
		})
	}
}
