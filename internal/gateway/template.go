package gateway

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/policy"
)

// template makes the resource that policy is asked about.
type template struct {
	typ   string
	parts []part
}

// part is literal text, or one of the others.
type part struct {
	text  string
	param int    // index of a path parameter; -1: none
	path  bool   // what follows the path
	query string // name of a parameter of the query
}

func parseTemplate(typ, id string, segments []segment) (template, error) {
	t := template{typ: typ}
	if (typ == "") != (id == "") {
		return t, fmt.Errorf("a resource needs a type and an id")
	}
	var params []string
	for _, s := range segments {
		if s.param != "" {
			if slices.Contains(params, s.param) {
				return t, fmt.Errorf("the path has {%s} twice", s.param)
			}
			params = append(params, s.param)
		}
	}
	for id != "" {
		text, rest, open := strings.Cut(id, "{")
		if text != "" {
			t.parts = append(t.parts, part{text: text, param: -1})
		}
		if !open {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return t, fmt.Errorf("resource id %s: a brace is not closed", id)
		}
		p := part{param: slices.Index(params, name), path: name == "path"}
		p.query, _ = strings.CutPrefix(name, "query.")
		if !strings.HasPrefix(name, "query.") {
			p.query = ""
		}
		if p.param < 0 && !p.path && p.query == "" {
			return t, fmt.Errorf("resource id: {%s} is neither a part of the path, nor {path}, nor {query.…}", name)
		}
		t.parts = append(t.parts, p)
		id = after
	}
	return t, nil
}

// resource fills the template in. A query that cannot be read in one way only
// is an error, because the backend might read it in the other.
func (m *match) policyResource(query string) (policy.Resource, error) {
	r := policy.Resource{Type: "Route", ID: m.Name, Roles: m.Roles}
	if m.resource.typ == "" || len(m.Roles) > 0 {
		return r, nil
	}
	var id strings.Builder
	for _, p := range m.resource.parts {
		switch {
		case p.param >= 0:
			id.WriteString(m.params[p.param])
		case p.path:
			rest, err := url.PathUnescape(m.rest)
			if err != nil {
				return r, err
			}
			id.WriteString(rest)
		case p.query != "":
			v, found, err := canonical.One(query, p.query)
			if err != nil {
				return r, err
			}
			if !found {
				return r, errNoParameter
			}
			id.WriteString(v)
		default:
			id.WriteString(p.text)
		}
	}
	return policy.Resource{Type: m.resource.typ, ID: id.String(), Parents: []policy.Parent{{Type: "Route", ID: m.Name}}}, nil
}

var errNoParameter = fmt.Errorf("a query parameter that decides about access is missing")
