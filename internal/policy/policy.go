package policy

import (
	"context"
	"errors"
	"net/netip"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/identity"
)

// Request asks whether an identity may do something.
type Request struct {
	Identity *identity.Identity
	Action   string // "site:read"; Cedar entity Action::"site:read"
	Resource Resource
	Source   netip.Addr
	Country  string // from the operator's database or trusted proxy only
}

// Resource is what it would be done to: Cedar entity Type::"ID", a member of
// each of its Parents.
type Resource struct {
	Type    string // "Route", "Site", "Sale"; a Cedar identifier
	ID      string
	Parents []Parent
	Attrs   map[string]string
	// Roles names who may use it, where a configuration says so; attribute
	// roles, a set of Role entities. It belongs to the configuration and is
	// never changed.
	Roles []string
}

// Parent is an entity that a resource belongs to.
type Parent struct{ Type, ID string }

// Decision is the answer. Reasons name the policies that decided it. Its
// slices are shared and must not be changed.
type Decision struct {
	Allowed bool
	Reasons []string
	Errors  []string // non-empty denies
}

// Role is one role of a tenant and the roles it includes.
type Role struct {
	Name     string
	Includes []string

	// Countries and Networks are where the role counts, and what it includes with
	// it; empty means everywhere. Where both are given, both must be met.
	Countries []string       `json:",omitempty"`
	Networks  []netip.Prefix `json:",omitempty"`
}

// Set is the rules of one tenant.
type Set struct {
	Tenant  string
	Version int64
	Cedar   string // policy text
	Roles   []Role
}

// ErrChanged: somebody else has changed the rules since they were read.
var ErrChanged = errors.New("the policies have been changed meanwhile; read them again")

// Store is what policy needs from persistence.
type Store interface {
	// PolicySet returns the tenant's rules; the zero Version when none are stored.
	PolicySet(ctx context.Context, tenant string) (Set, error)
	// PutPolicySet stores the rules if the stored version still is s.Version,
	// else ErrChanged, and writes a revocation (ground Policy of the tenant,
	// effect Recheck).
	PutPolicySet(ctx context.Context, s Set, e audit.Event) (change int64, err error)
}
