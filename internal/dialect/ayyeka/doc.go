// Package ayyeka stands where the token service and the REST-API of Ayyeka FAI
// stand: OAuth 2.0 client credentials buy an RS384 JWT for an hour, and with it
// everything below /v2.0 of a backend may be called.
//
//	POST /auth/token    key and secret, by Basic or in the form    → the JWT
//	GET  /v2.0/health   nobody is asked                            → backend
//	any  /v2.0/...      the JWT as bearer, a role that may         → backend
//
// What is the vendor's promise and what our decision is marked line by line in
// testdata. The peculiar parts, all of them the vendor's:
//
//   - Key and secret are Basic-encoded raw. The form-encoded reading of RFC 6749
//     is tried second, and only where there is a "%".
//   - token_type says JWT, the token travels as Bearer.
//   - The JWT has the claims aud, exp, iat, iss, sub in this order and no kid.
//     aud is the number of the tenant as text; sub is "<principal>:<secret>",
//     two numbers that are given once and never reused. The second names the
//     secret that bought the token, so that a token dies with its secret.
//   - Refusals of the API are {"message", "request_id"}; those of the token
//     service have the members of RFC 6749 as well.
//
// Issuing writes nothing to the database: a token is believed by its signature
// and by the rows of tenant, principal, credential and secret that its numbers
// name. One token is taken away by its hash, all of a client's by a time.
//
// wire.go and claims.go have what travels and do no I/O; login.go issues, api.go
// passes calls on, errors.go says every refusal, roles.go brings the vendor's
// roles as policy data.
package ayyeka
