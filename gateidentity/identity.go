package gateidentity

import (
	"context"
	"slices"
	"time"
)

// Header is the request header that carries the identity.
const Header = "Gatehouse-Identity"

// Type is the `typ` of the token's header. It keeps tokens of other kinds that
// the same house signs from being taken for an identity (RFC 8725, section 3.11).
const Type = "gatehouse-identity+jwt"

// Identity is who is calling, as Gatehouse has established it.
type Identity struct {
	// Principal is the stable id of the user, client, application or device.
	Principal string
	// Tenant is the stable id of the tenant that the principal belongs to, and
	// TenantName what people call it.
	Tenant     string
	TenantName string
	// Name is what people call the principal. It can change; do not key on it.
	Name string
	// Kind is the kind of principal, such as "user" or "client".
	Kind string
	// Roles are the roles that the principal holds.
	Roles []string
	// Scopes limit what this credential may do for its owner. Nil means that
	// the credential is not narrowed; empty means that it may do nothing.
	Scopes []string
	// Credential is the id of the credential that was shown, and Secret says
	// which of its live secrets it was. Neither is confidential.
	Credential string
	Secret     string
	// Dialect is the protocol the caller spoke, Method how it proved itself.
	Dialect string
	Method  string

	// Issuer is the gate that signed, IssuedAt when, and ExpiresAt the end of
	// the statement. The caller's own credential may live longer.
	Issuer    string
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// HasRole reports whether the principal holds role.
func (id Identity) HasRole(role string) bool { return slices.Contains(id.Roles, role) }

// clone copies what callers could otherwise change for each other.
func (id Identity) clone() Identity {
	id.Roles, id.Scopes = slices.Clone(id.Roles), slices.Clone(id.Scopes)
	return id
}

type contextKey struct{}

// NewContext returns a copy of ctx that carries id. Middleware does this;
// tests of handlers may too.
func NewContext(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, id)
}

// FromContext returns the identity that [Verifier.Middleware] put in ctx. The
// bool is false when there is none, and the Identity is then empty.
func FromContext(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(contextKey{}).(Identity)
	return id, ok
}
