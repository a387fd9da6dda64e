// Package policy decides what an identity may do. The rules are Cedar: few,
// constant policies for each tenant, over data. Giving somebody a role is data,
// not a new policy.
//
// # A decision
//
// A decision is "the owner is allowed" and "the scope is allowed", so a scoped
// token never outlives its owner's rights. The two questions are asked of
// different policies: those whose head names a Token or a Scope
// (`principal is Token`, `principal in Scope::"…"`) answer for the scope, all
// others for the owner. So a policy that permits something to everybody does
// not widen a narrow token. An identity without scopes is asked only the first.
//
// Whatever goes wrong while deciding denies: a policy that ends in an error
// denies even where another one permits, and the error is returned to be
// audited.
//
// # What policies see
//
//	principal   User, Client, Application, Device or Bearer::"usr_…", a member of
//	            Role::"…" for every role it holds or that those include;
//	            attributes name, kind. For the scope: Token::"usr_…", a member of
//	            Scope::"…" for each, with the set of actions they name, and of
//	            only those things it was made for, where it was for some.
//	action      Action::"site:read", a member of Action::"site:*"; longer names
//	            are members of every beginning: "admin:read:keys" of
//	            "admin:read:*" and "admin:*".
//	resource    its type and id, a member of its parents; its attributes are
//	            text; roles, where a configuration names who may use it.
//	context     method, dialect; source (an ipaddr) and country when known.
//
// A country comes from the operator's database or proxy. Nothing that a caller
// says about itself is in the context, so it can never satisfy a rule there; a
// rule about a country must ask `context has country` first, or deny where it
// is not known.
//
// # Roles
//
// A role includes others ([Role]); cycles are refused. A role can be held for a
// place only: "ayyeka/operator@Organization:12" counts as "ayyeka/operator"
// when the resource is Organization::"12" or belongs to it, and not at all
// elsewhere. So one constant policy serves account-wide and narrower roles.
//
// A role can be bound to countries and networks ([Role]): it counts, with what
// it includes, for requests from there. A role that does not count takes nothing
// away: one that allows is enough.
//
// # Where rules come from
//
// Parts ([Part]) come with the program: our own administration, and what each
// dialect brings. A tenant adds its own text; a policy of it with the id of a
// part's policy takes that one's place, as does a role of the same name.
// Only what begins with "gatehouse/" cannot be replaced.
//
// Compiled rules are remembered for as long as the ground Policy(tenant) is
// intact, and decisions per identity where no policy looks at anything else.
package policy
