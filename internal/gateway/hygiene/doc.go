// Package hygiene decides which headers cross the gate.
//
// Towards a backend it takes out what belongs to one connection only (RFC
// 9110, section 7.6.1), what the gate alone may say (who is calling, from
// where), what would make the backend act on another path or method than the
// one that was decided on, and the caller's credential. Servers that hand
// headers on as environment variables (CGI, WSGI, Rack) cannot tell
// X_Forwarded_For from X-Forwarded-For, so names are compared without anything
// that is not a letter or digit.
package hygiene
