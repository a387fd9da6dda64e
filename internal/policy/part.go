package policy

import "gatehouse.dev/internal/principal"

// Part is rules that come with the program, the same for every tenant.
type Part struct {
	Name  string // "gatehouse", "ayyeka"; also begins the ids of its policies: "ayyeka/read"
	Cedar string // every policy with an @id
	Roles []Role
}

// Action names of administration: "admin:read:…" and "admin:write:…", the last
// word being what is read or changed.
const (
	AdminRead  = "admin:read:"
	AdminWrite = "admin:write:"
)

// core is the part that no tenant can replace.
var core = Part{
	Name: "gatehouse",
	Roles: []Role{
		{Name: principal.AuditorRole},
		{Name: principal.AdminRole, Includes: []string{principal.AuditorRole}},
		{Name: principal.InstallationRole, Includes: []string{principal.AdminRole}},
	},
	Cedar: `
// Administrators may do everything in the admin API of their tenant.
@id("gatehouse/administrator")
permit (
  principal in Role::"gatehouse/administrator",
  action in Action::"admin:*",
  resource
);

// Auditors may look, and change nothing.
@id("gatehouse/auditor")
permit (
  principal in Role::"gatehouse/auditor",
  action in Action::"admin:read:*",
  resource
);

// A route of the configuration may name the roles that may call it.
@id("gatehouse/route-roles")
permit (principal, action, resource is Route)
when { resource has roles && principal in resource.roles };

// A scope that is named as an action (or as a group of them, "site:*") stands
// for that action.
@id("gatehouse/scope-names-action")
permit (principal is Token, action, resource)
when { action in principal.actions };

// A token that was made for certain things says nothing about any other,
// whatever else permits it.
@id("gatehouse/scope-only")
forbid (principal is Token, action, resource)
when { principal has only && !(resource in principal.only) };
`,
}

// scopeOnly is the policy that looks at the resource for tokens with an Only,
// and at nothing for all others.
const scopeOnly = "gatehouse/scope-only"

// Defaults returns all parts in their order: our own first.
func Defaults(parts ...Part) []Part { return append([]Part{core}, parts...) }
