// Package foreign believes access tokens of issuers other than ourselves: those
// that an operator has named for a tenant, and no others.
//
// An issuer's token is checked here, by a key set ([KeySource]) and pinned
// algorithms, or there, by introspection (RFC 7662). Either way the issuer only
// says who somebody is. What he may do is ours: the token's claims are mapped to
// one principal of the tenant, whose roles count, narrowed to the token's
// scopes. So everything that ends a caller here ends these, too: the principal,
// the policy, the method, and the token itself by its hash.
//
// # How old a belief may be
//
// What an issuer takes away is not in our log. So a verification is remembered
// for a minute at most, and a token that holds something open is asked about
// again every minute ([Service.Run]). An issuer that says no ends it everywhere,
// through the revocation log; one that does not answer is given three turns.
//
// # What is asked
//
// Only the URLs of the configuration, without redirects, with deadlines and
// limits on every answer. Nothing in a token can name another place: headers
// that point to keys are refused. Keys are fetched again when a token names one
// that is not there, but seldom, and answers of introspection are kept for some
// seconds, bad ones too, so that strangers cannot use us to ask in a flood.
package foreign
