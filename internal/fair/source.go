package fair

import "net/netip"

// Source names who is behind an address: the address itself, or for IPv6 the
// network that one subscriber gets. Otherwise one of them could be as many
// sources as he likes.
func Source(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
