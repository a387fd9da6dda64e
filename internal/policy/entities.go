package policy

import (
	"net/netip"

	"github.com/cedar-policy/cedar-go/types"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/principal"
)

// world is the entities of one decision. Role entities are absent on purpose:
// a principal is a direct member of everything its roles include, so Cedar
// finds membership in one step.
type world struct {
	principal, action, resource types.Entity
}

func (w *world) Get(uid types.EntityUID) (types.Entity, bool) {
	switch uid {
	case w.principal.UID:
		return w.principal, true
	case w.action.UID:
		return w.action, true
	case w.resource.UID:
		return w.resource, true
	}
	return types.Entity{}, false
}

var kindTypes = map[principal.Kind]types.EntityType{
	principal.User:        "User",
	principal.Client:      "Client",
	principal.Application: "Application",
	principal.Device:      "Device",
	principal.Bearer:      "Bearer",
}

// ownerEntity is the caller with the given roles, which include whatever these
// include.
func (c *compiled) ownerEntity(id *identity.Identity, roles []string) types.Entity {
	typ, ok := kindTypes[id.Kind]
	if !ok {
		typ = "Principal"
	}
	e := types.Entity{UID: types.NewEntityUID(typ, types.String(id.Principal)), Parents: c.roleSet(roles)}
	if c.named {
		e.Attributes = types.NewRecord(types.RecordMap{
			"name": types.String(id.Name),
			"kind": types.String(id.Kind),
		})
	}
	return e
}

func tokenEntity(id *identity.Identity) types.Entity {
	parents := make([]types.EntityUID, len(id.Scopes))
	actions := make([]types.Value, len(id.Scopes))
	for i, s := range id.Scopes {
		parents[i] = types.NewEntityUID("Scope", types.String(s))
		actions[i] = types.NewEntityUID("Action", types.String(s))
	}
	attrs := types.RecordMap{"actions": types.NewSet(actions...)}
	if id.Only != nil {
		things := make([]types.Value, len(id.Only))
		for i, t := range id.Only {
			things[i] = types.NewEntityUID(types.EntityType(t.Type), types.String(t.ID))
		}
		attrs["only"] = types.NewSet(things...)
	}
	return types.Entity{
		UID:        types.NewEntityUID("Token", types.String(id.Principal)),
		Parents:    types.NewEntityUIDSet(parents...),
		Attributes: types.NewRecord(attrs),
	}
}

// resourceEntity builds what the rules look at, and no more.
func resourceEntity(r *Resource, n needs) types.Entity {
	e := types.Entity{UID: types.NewEntityUID(types.EntityType(r.Type), types.String(r.ID))}
	if len(r.Parents) > 0 {
		parents := make([]types.EntityUID, len(r.Parents))
		for i, p := range r.Parents {
			parents[i] = types.NewEntityUID(types.EntityType(p.Type), types.String(p.ID))
		}
		e.Parents = types.NewEntityUIDSet(parents...)
	}
	if !n.resource && !n.roles {
		return e
	}
	attrs := make(types.RecordMap, len(r.Attrs)+1)
	for k, v := range r.Attrs {
		attrs[types.String(k)] = types.String(v)
	}
	// After the attributes: what a request says cannot pretend to be what the
	// configuration says.
	delete(attrs, "roles")
	if r.Roles != nil {
		roles := make([]types.Value, len(r.Roles))
		for i, name := range r.Roles {
			roles[i] = role(name)
		}
		attrs["roles"] = types.NewSet(roles...)
	}
	e.Attributes = types.NewRecord(attrs)
	return e
}

func contextRecord(r *Request, n needs) types.Record {
	if !n.context && !n.fixed {
		return types.Record{}
	}
	m := types.RecordMap{
		"method":  types.String(r.Identity.Method),
		"dialect": types.String(r.Identity.Dialect),
	}
	if r.Source.IsValid() {
		a := r.Source.Unmap().WithZone("")
		m["source"] = types.IPAddr(netip.PrefixFrom(a, a.BitLen()))
	}
	if r.Country != "" {
		m["country"] = types.String(r.Country)
	}
	return types.NewRecord(m)
}
