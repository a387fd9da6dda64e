// Package canonical reads the path of a request once, into the one form that
// is both decided on and sent to the backend.
//
// Most ways around an access proxy are two programs reading one path
// differently: the proxy sees /public/%2e%2e/admin and allows it, the backend
// sees /admin. So [Parse] brings a path into a normal form (RFC 3986, section
// 6.2.2: escapes of unreserved characters undone, other escapes in upper case),
// and refuses what cannot be read in one way only. What it refuses falls in two
// groups:
//
//   - Never passed: dot segments however written, NUL and other control
//     characters, broken escapes, bytes that are not UTF-8, paths without a
//     leading slash. No backend needs them.
//   - [Oddity]: readable in two ways by common servers, but needed by some
//     backend (an object store with %2F in names). A route may allow each.
//
// The segments that routes match on and the text that is forwarded come from
// the same bytes, and parsing the forwarded text gives the same path again.
package canonical
