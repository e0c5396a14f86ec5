package outbound

import "net/netip"

// inside reports whether an address is not a public one (the special-purpose address registries of RFC 6890). One that
// carries an IPv4 address is what that is.
func inside(ip netip.Addr) bool {
	if !ip.IsValid() || !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return true // loopback, link-local, multicast, unspecified, broadcast, RFC 1918, fc00::/7
	}
	for _, special := range [...]string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"100::/64", "2001::/23", "2001:db8::/32", "fec0::/10",
	} {
		if netip.MustParsePrefix(special).Contains(ip) {
			return true
		}
	}
	if v4, ok := carried(ip); ok {
		return inside(v4)
	}
	return false
}

// carried is the IPv4 address in an address of NAT64 (RFC 6052), 6to4 (RFC 3056) or the old compatible form.
func carried(ip netip.Addr) (netip.Addr, bool) {
	if !ip.Is6() {
		return netip.Addr{}, false
	}
	b := ip.As16()
	for _, form := range []struct {
		network string
		at      int
	}{{"64:ff9b::/96", 12}, {"64:ff9b:1::/48", 12}, {"2002::/16", 2}, {"::/96", 12}} {
		if netip.MustParsePrefix(form.network).Contains(ip) {
			return netip.AddrFrom4([4]byte(b[form.at : form.at+4])), true
		}
	}
	return netip.Addr{}, false
}
