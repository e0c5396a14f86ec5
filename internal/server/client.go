package server

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/longshore-registry/longshore/internal/server/record"
)

// Address is how clients reach the registry, as far as the configuration says.
type Address struct {
	Hostname  string // SERVER_HOSTNAME; empty: links follow the request's Host
	Scheme    string // PREFERRED_URL_SCHEME, "https" with EXTERNAL_TLS_TERMINATION; used with Hostname
	External  bool   // EXTERNAL_TLS_TERMINATION: a proxy ends TLS, clients always see https
	Proxies   int    // PROXY_COUNT: how many proxies append to X-Forwarded-For
	ProxiesOn bool   // PROXY_COUNT was given: forwarded headers count whoever the peer is
}

// locate fills in where the client is and how it addressed us. Forwarded headers count only from a trusted peer:
// loopback, a private address, or anybody when PROXY_COUNT is given. With SERVER_HOSTNAME links follow it alone, so
// that a forged Host header cannot send a client's credentials elsewhere.
func (a Address) locate(r *http.Request, rec *record.Record) {
	peer := peerAddr(r.RemoteAddr)
	rec.ClientIP, rec.Peer = peer, peer
	rec.Proxied = a.External || a.Proxies > 0 || forwards(r.Header)
	rec.Trusted = a.ProxiesOn && a.Proxies > 0 || peer.IsLoopback() || peer.IsPrivate()
	forwarded := rec.Trusted && (!a.ProxiesOn || a.Proxies > 0)

	rec.Scheme, rec.Host = "http", r.Host
	if r.TLS != nil {
		rec.Scheme = "https"
	}
	if forwarded {
		if ip, ok := a.forwardedFor(r.Header.Values("X-Forwarded-For")); ok {
			rec.ClientIP = ip
		}
		if proto := lastItem(r.Header.Values("X-Forwarded-Proto")); proto == "http" || proto == "https" {
			rec.Scheme = proto
		}
		if host := lastItem(r.Header.Values("X-Forwarded-Host")); validHost(host) {
			rec.Host = host
		}
	}
	if a.External {
		rec.Scheme = "https"
	}
	if a.Hostname != "" {
		rec.Host = a.Hostname
		if a.Scheme != "" {
			rec.Scheme = a.Scheme
		}
	}
}

// forwards reports whether a header is there that only proxies add, also one that is not read otherwise.
func forwards(h http.Header) bool {
	for name := range h {
		if name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-") {
			return true
		}
	}
	return false
}

// forwardedFor picks the client's address out of X-Forwarded-For: each proxy appends the peer it saw, so with n
// proxies the client is the n-th from the right, or the first when fewer are there.
func (a Address) forwardedFor(values []string) (netip.Addr, bool) {
	if len(values) == 0 {
		return netip.Addr{}, false
	}
	items := strings.Split(strings.Join(values, ","), ",")
	hops := max(a.Proxies, 1)
	item := strings.TrimSpace(items[max(len(items)-hops, 0)])
	if ip, err := netip.ParseAddr(strings.Trim(item, "[]")); err == nil {
		return ip.Unmap(), true
	}
	if ap, err := netip.ParseAddrPort(item); err == nil {
		return ap.Addr().Unmap(), true
	}
	return netip.Addr{}, false
}

func peerAddr(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

func lastItem(values []string) string {
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// validHost keeps anything but host[:port] out of links: a name in its ASCII form, an IPv4 address, or an IPv6 address
// in brackets.
func validHost(host string) bool {
	if at := strings.LastIndexByte(host, ':'); at >= 0 && !strings.HasSuffix(host, "]") {
		if _, err := strconv.ParseUint(host[at+1:], 10, 16); err != nil {
			return false
		}
		host = host[:at]
	}
	if literal, ok := strings.CutPrefix(host, "["); ok {
		literal, ok = strings.CutSuffix(literal, "]")
		ip, err := netip.ParseAddr(literal)
		return ok && err == nil && ip.Is6() && ip.Zone() == ""
	}
	return host != "" && !strings.ContainsFunc(host, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_')
	})
}
