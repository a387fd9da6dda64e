// Package gateway is what stands behind the gate's door for requests that no
// dialect speaks for: any HTTP or WebSocket backend behind any kind of
// credential.
//
// A request goes through these steps, each a file or package of its own:
//
//	canonical    its path is read once, into what is decided on and forwarded
//	table        the route is found, or nothing is
//	cors         preflights are answered, without a credential
//	credential   what was presented becomes an attempt, and authn believes it
//	policy       may this caller do this action to this resource
//	hygiene      headers that must not cross are taken out
//	identity     the signed statement who is calling is added
//	proxy, relay the exchange, or the socket, is carried
//	long         what lasts is held in the live index and ends with its grounds
//
// [Forwarder] is the second half alone, for dialects that have let a request in
// by their own rules. [ForwardAuth] is the first half alone, for other proxies
// that ask before they forward.
package gateway
