// Package outbound makes the calls that other people's addresses ask the registry to make: it never connects to what is
// inside.
//
// An address is judged when the connection is made, after its name was resolved, so that a name which says one thing
// when it is checked and another when it is used gains nothing; redirects are judged the same way. What is inside
// (loopback, private, link-local and other special networks) is called only where the operator lists it
// (SSRF_ALLOWED_HOSTS). No proxy of the environment is used, and nothing is sent along that belongs to the registry.
//
// Whose certificates are believed is the machine's word and the operator's: Roots adds the authorities of
// extra_ca_certs.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	dialTimeout  = 10 * time.Second
	maxRedirects = 5
)

// Guard decides what may be called. Its methods may be called concurrently.
type Guard struct {
	names    map[string]bool
	networks []netip.Prefix
	roots    *x509.CertPool
	resolve  func(ctx context.Context, host string) ([]netip.Addr, error)
}

// New makes a guard that lets calls inside to the listed names, addresses and networks. roots are whose certificates are
// believed; nil for the system's.
func New(allowed []string, roots *x509.CertPool) *Guard {
	g := &Guard{names: map[string]bool{}, roots: roots, resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}}
	for _, entry := range allowed {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if network, err := netip.ParsePrefix(entry); err == nil {
			g.networks = append(g.networks, network.Masked())
		} else if ip, err := netip.ParseAddr(entry); err == nil {
			ip = ip.Unmap()
			g.networks = append(g.networks, netip.PrefixFrom(ip, ip.BitLen()))
		} else if entry != "" {
			g.names[entry] = true
		}
	}
	return g
}

// CheckURL refuses, as Invalid, what is no http or https address, has credentials in it, cannot be resolved, or leads
// inside. Client checks again when it connects.
func (g *Guard) CheckURL(ctx context.Context, raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return problem.New(problem.Invalid, "not an http or https address without credentials")
	}
	host := strings.ToLower(u.Hostname())
	if g.names[host] {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return g.check(ip)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	found, err := g.resolve(ctx, host)
	if err != nil || len(found) == 0 {
		return problem.New(problem.Invalid, "Cannot resolve hostname '%s'", host).WithCode(CodeUnresolved)
	}
	for _, ip := range found {
		if err := g.check(ip); err != nil {
			return err
		}
	}
	return nil
}

// CodeUnresolved is the code of CheckURL's error for a name that cannot be resolved.
const CodeUnresolved = "UNRESOLVED"

// check refuses an address that is inside.
func (g *Guard) check(ip netip.Addr) error {
	ip = ip.WithZone("").Unmap()
	if !inside(ip) {
		return nil
	}
	for _, network := range g.networks {
		if network.Contains(ip) {
			return nil
		}
	}
	return problem.New(problem.Invalid, "%s is an inner address, and SSRF_ALLOWED_HOSTS does not list it", ip)
}

// Client gives a client for such calls; timeout bounds a call with its redirects and the reading of its answer.
func (g *Guard) Client(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext: g.dial, TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: timeout,
			MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: g.roots, MinVersion: tls.VersionTLS12},
		},
		CheckRedirect: func(r *http.Request, before []*http.Request) error {
			if len(before) > maxRedirects {
				return problem.New(problem.Invalid, "more than %d redirects", maxRedirects)
			}
			return g.CheckURL(r.Context(), r.URL.String())
		},
	}
}

// dial connects, and looks at the very address that it connects to.
func (g *Guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: dialTimeout}
	if !g.names[strings.ToLower(host)] {
		d.Control = func(_, resolved string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(resolved)
			if err != nil {
				return err
			}
			return g.check(at.Addr())
		}
	}
	return d.DialContext(ctx, network, address)
}
