package fieldpine

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gatehouse.dev/internal/policy"
)

// Roles that come with the dialect. Operators add their own, and conditional
// ones, as policies of the tenant; one allowing role is enough.
const (
	Staff = "fieldpine/staff" // every endpoint
	Shop  = "fieldpine/shop"  // products and sales

	Listener = "fieldpine/listener" // firehoses
)

// Rules are this dialect's part of every tenant's policy. A scope may name an
// action ("fd1:sales:get_sale"), and a thing it is limited to ("Sale::7741").
var Rules = policy.Part{
	Name: Name,
	Roles: []policy.Role{
		{Name: Shop},
		{Name: Listener},
		{Name: Staff, Includes: []string{Shop, Listener}},
	},
	Cedar: `
@id("fieldpine/staff")
permit (
  principal in Role::"fieldpine/staff",
  action in Action::"fd1:*",
  resource
);

@id("fieldpine/products")
permit (
  principal in Role::"fieldpine/shop",
  action in Action::"fd1:products:*",
  resource
);

@id("fieldpine/firehoses")
permit (
  principal in Role::"fieldpine/listener",
  action == Action::"fd1:firehose:open_firehose",
  resource
);

@id("fieldpine/sales")
permit (
  principal in Role::"fieldpine/shop",
  action in Action::"fd1:sales:*",
  resource
);
`,
}

// actionOf spells an endpoint the way policies name actions:
// fd1.products.get_products is fd1:products:get_products.
func actionOf(endpoint string) string { return strings.ReplaceAll(endpoint, ".", ":") }

// member is what stands at "k", "v.name" or "q.name" of the packet.
func (p packet) member(where string) jsontext.Value {
	in, name, inner := strings.Cut(where, ".")
	if !inner {
		return p.Key
	}
	object := p.Values
	if in == "q" {
		object = p.Query
	}
	var members map[string]jsontext.Value
	if object.Kind() != '{' || json.Unmarshal(object, &members) != nil {
		return nil
	}
	return members[name]
}

// resourceOf is what the packet's action would be done to.
func (p packet) resourceOf(e Endpoint) policy.Resource {
	endpoint := policy.Parent{Type: "Fd1", ID: p.Action}
	key, _ := scalar(p.member(e.Key))
	if e.Type == "" || key == "" {
		return policy.Resource{Type: endpoint.Type, ID: endpoint.ID}
	}
	return policy.Resource{Type: e.Type, ID: key, Parents: []policy.Parent{endpoint}}
}
