// Package gateidentity lets a Go backend behind Gatehouse know who is calling.
//
// Whatever credential a caller showed (a JWT, an API key, a password over
// Basic, a login on a WebSocket), Gatehouse checks it, removes it, and passes
// the request on with one header of its own:
//
//	Gatehouse-Identity: eyJhbGciOiJFUzI1NiIsInR5cCI6ImdhdGVob3VzZS1pZGVudGl0eStqd3QiLC…
//
// The value is a JSON Web Token signed with ES256 by a key that Gatehouse uses
// for nothing else. It names this backend as its audience and lives for a
// minute, so a copy that leaks is soon worthless and is worth nothing to any
// other backend. Gatehouse drops every header of that name, and every
// look-alike, that comes in from outside; verifying the signature additionally
// protects a backend that somebody reaches past the gate.
//
// A [Verifier] holds the public keys, fetched from the gate's JWKS and kept
// up to date. [Verifier.Middleware] is what most backends need; handlers then
// ask [FromContext].
package gateidentity
