// Package forwarded settles where a request really came from when trusted
// proxies stand in front of the gate, and tells backends.
//
// X-Forwarded-For and Forwarded (RFC 7239) are lists that every hop appends to,
// and anyone can begin one. So only the part that trusted proxies wrote counts:
// reading from the right, the first address that is not a trusted proxy is the
// client. Only one of the two families of headers is read, the one that the
// operator says the proxies write: a proxy that writes one passes the other on
// as the client sent it.
//
// What a backend gets is not that list but the answer: one address, one scheme,
// one host.
package forwarded
