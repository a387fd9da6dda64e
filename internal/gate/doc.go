// Package gate is what stands first behind the listener for callers. It settles
// the facts of a request (where it came from, whose host it asks for), and hands
// it to the owner of its path: a dialect, a route, or the gate itself.
//
// # Whose host
//
// A tenant with hosts is asked for by them; a host that is nobody's gets 421.
// Where no tenant has hosts there is one tenant, which has all. Forwarded hosts
// count from trusted proxies only.
//
// # Whose path
//
// Each path on a host has one owner, and [New] refuses a configuration in which
// it would have two. The gate's own paths come first, then those of the
// tenant's dialects, then routes. Owners are found by the canonical form of a
// path (package canonical), so that no spelling of a path reaches another owner
// than the path itself. A path without a canonical form is shown to the dialect
// it textually begins as, because each protocol has its own words of refusal;
// none of them forwards it.
package gate

//go:generate go test . -run TestURLsDocument -update
