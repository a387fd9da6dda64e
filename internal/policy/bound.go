package policy

import (
	"fmt"
	"net/netip"
	"slices"
)

// maxBounds is how many countries, and how many networks, a role can name.
const maxBounds = 64

// checkBounds refuses what no request could ever meet.
func checkBounds(r Role) error {
	if len(r.Countries) > maxBounds || len(r.Networks) > maxBounds {
		return fmt.Errorf("role %q is bound to more than %d countries or networks", r.Name, maxBounds)
	}
	for _, code := range r.Countries {
		if len(code) != 2 || code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z' {
			return fmt.Errorf("role %q: a country is a code of two capital letters such as NZ", r.Name)
		}
	}
	for _, n := range r.Networks {
		if !n.IsValid() || n.Addr().Is4In6() || n != n.Masked() {
			return fmt.Errorf("role %q: a network is written such as 10.0.0.0/8 or 2001:db8::/32", r.Name)
		}
	}
	return nil
}

func (r *Role) isBound() bool { return len(r.Countries) > 0 || len(r.Networks) > 0 }

// met reports whether the role counts for a request. What is not known is not
// met.
func (r *Role) met(q *Request) bool {
	if len(r.Countries) > 0 && !slices.Contains(r.Countries, q.Country) {
		return false
	}
	source := q.Source.Unmap().WithZone("")
	return len(r.Networks) == 0 || slices.ContainsFunc(r.Networks, func(n netip.Prefix) bool { return n.Contains(source) })
}

// boundRoles is all roles by name, where one of them is bound to a place on
// earth or in the network; nil where none is, as nearly always.
type boundRoles map[string]*Role

// bindRoles takes later roles for earlier ones of the same name.
func bindRoles(roles []Role) boundRoles {
	all, bound := make(boundRoles, len(roles)), false
	for i := range roles {
		all[roles[i].Name] = &roles[i]
	}
	for _, r := range all {
		bound = bound || r.isBound()
	}
	if !bound {
		return nil
	}
	return all
}

// any reports whether one of the names is a bound role.
func (b boundRoles) any(names []string) bool {
	return b != nil && slices.ContainsFunc(names, func(name string) bool {
		r := b[name]
		return r != nil && r.isBound()
	})
}

// from adds a role and what it includes to those in effect for a request, but
// passes by what is bound to elsewhere.
func (b boundRoles) from(name string, q *Request, to map[string]bool) {
	r := b[name]
	if to[name] || r != nil && !r.met(q) {
		return
	}
	to[name] = true
	if r != nil {
		for _, included := range r.Includes {
			b.from(included, q, to)
		}
	}
}
