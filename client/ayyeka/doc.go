// Package ayyeka is a client for the Ayyeka FAI REST-API, version 2.0, and for
// any server that stands where Ayyeka's stands.
//
// Ayyeka's one way in is OAuth 2.0 client credentials: an API client's key and
// secret, sent as a Basic header to /auth/token, buy a JWT that lives an hour
// and is then shown as a bearer token on every call below /v2.0. Three things
// in that are easy to get wrong, and this package is mostly about them:
//
//   - The key and secret are encoded raw. RFC 6749 section 2.3.1 wants them
//     form-encoded first, but the vendor's samples do not, and secrets are
//     base64 text in which a "+" must stay a "+".
//   - The answer says token_type "JWT", yet the token travels as "Bearer". A
//     general OAuth library would copy the type into the header.
//   - Tokens end without notice when a client is disabled. So a [TokenSource]
//     renews a minute early, and once more when a call comes back with 401.
//
// [New] makes a [Client] with a few typed calls. [Client.HTTP] and [Transport]
// carry the same token for everything else: they are an ordinary http.Client
// and http.RoundTripper, and they show the token to the configured server only.
//
// Failures that the server states arrive as [*Error], with its message and the
// request id to quote to support; compare kinds with errors.Is and
// [ErrUnauthorized] and its neighbours.
package ayyeka
