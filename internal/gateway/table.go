package gateway

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// table finds the route of a request. It is built once.
type table struct {
	tenants map[string]*hosts // by name
}

// hosts are the routes of one tenant: for one host first, then for all.
type hosts struct {
	named map[string]*node
	any   *node
}

// node is one segment of the paths of a host.
type node struct {
	literal map[string]*node
	param   *node
	exact   []*route // end here
	subtree []*route // take everything below
}

// match is a found route with what its pattern took.
type match struct {
	*route
	params []string // in the order of the pattern's parameters, decoded
	rest   string   // what follows the path of a subtree, escaped
}

func newTable(routes []Route) (*table, error) {
	t := &table{tenants: make(map[string]*hosts)}
	names := make(map[string]bool)
	for _, r := range routes {
		c, err := compile(r)
		if err != nil {
			return nil, err
		}
		if names[c.Name] {
			return nil, fmt.Errorf("two routes are called %s", c.Name)
		}
		names[c.Name] = true
		if err := t.add(c); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *table) add(c *route) error {
	h := t.tenants[c.Tenant]
	if h == nil {
		h = &hosts{named: make(map[string]*node), any: &node{}}
		t.tenants[c.Tenant] = h
	}
	n := h.any
	if c.Host != "" {
		if n = h.named[c.Host]; n == nil {
			n = &node{}
			h.named[c.Host] = n
		}
	}
	for _, s := range c.segments {
		n = n.child(s)
	}
	place := &n.exact
	if c.subtree {
		place = &n.subtree
	}
	for _, other := range *place {
		if len(c.methods) == 0 || len(other.methods) == 0 || slices.ContainsFunc(c.methods, other.takes) {
			return fmt.Errorf("routes %s and %s own the same path %s", other.Name, c.Name, c.Path)
		}
	}
	*place = append(*place, c)
	return nil
}

func (n *node) child(s segment) *node {
	if s.param != "" {
		if n.param == nil {
			n.param = &node{}
		}
		return n.param
	}
	c := n.literal[s.text]
	if c == nil {
		c = &node{}
		if n.literal == nil {
			n.literal = make(map[string]*node)
		}
		n.literal[s.text] = c
	}
	return c
}

// find returns the route for a canonical path, or the methods that its place
// takes, or neither. More specific places win, literals before parameters; a
// place found does not give way to a vaguer one because of its methods.
func (t *table) find(tenant, host, path, method string) (m match, methods []string, ok bool) {
	h := t.tenants[tenant]
	if h == nil {
		return match{}, nil, false
	}
	for _, n := range []*node{h.named[host], h.any} {
		if n == nil {
			continue
		}
		var params []string
		at, rest := n.walk(path[1:], false, &params)
		if at == nil {
			continue
		}
		for _, r := range at {
			if r.takes(method) {
				return match{r, params, rest}, nil, true
			}
			methods = append(methods, r.methods...)
		}
		return match{}, methods, false
	}
	return match{}, nil, false
}

// walk follows the segments of rest, escaped and without the leading slash.
// ended says that nothing follows, not even an empty segment.
func (n *node) walk(rest string, ended bool, params *[]string) ([]*route, string) {
	if ended {
		return n.exact, ""
	}
	segment, after, more := strings.Cut(rest, "/")
	if segment != "" {
		if c := n.literal[segment]; c != nil {
			if at, left := c.walk(after, !more, params); at != nil {
				return at, left
			}
		}
		if n.param != nil {
			value, err := url.PathUnescape(segment)
			if err == nil {
				before := len(*params)
				*params = append(*params, value)
				if at, left := n.param.walk(after, !more, params); at != nil {
					return at, left
				}
				*params = (*params)[:before]
			}
		}
	}
	return n.subtree, rest
}
