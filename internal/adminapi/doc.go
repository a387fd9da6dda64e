// Package adminapi is the HTTP API of administration, below /api on the desk:
// tenants, principals, credentials, roles, policy, signing keys, tokens, conns,
// methods and the audit record. Its OpenAPI description is made from the Go
// types here and kept at docs/openapi.json.
//
// # Who may
//
// A caller shows an API key of a principal that holds a role with rights in
// the admin API ("Authorization: Bearer ghk_…"); it is verified by authn and
// remembered like any other caller. Every operation is an action of policy,
// "admin:read:credentials" or "admin:write:credentials", on the tenant it is
// about. Over the Unix socket in the data folder no key is needed: the system
// says who is at the other end, and only root and the server's own user are
// served. Policy is not asked there, so a mistake in it can be mended.
//
// # Which tenant
//
// Without ?tenant= a call is about the tenant of whatever the path names, else
// of the caller's own. With it (a name or an id) it is about that tenant, and
// what the path names must belong to it. A key of another tenant than the
// default one is found only with ?tenant=.
//
// An administrator of one tenant cannot see or touch another: what is there
// looks absent. Administrators of the installation can: principals of the
// default tenant that hold the role gatehouse/installation directly. Only they
// (and the socket) may make, list and switch tenants, check the audit chain,
// give or take that role, or touch a principal that has it.
//
// # What it answers
//
// Failures are problem details (RFC 9457), whoever noticed them. What takes a
// right away answers with a receipt: the number of the change, what each node
// ended and how fast, and which nodes had not answered within two seconds.
// Secrets are shown once, in the answer that made them.
package adminapi
