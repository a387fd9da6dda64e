// Package throttle slows down guessing. It is for weak secrets (passwords,
// device tokens, typed codes): generated keys are too long to guess and need
// none of it.
//
// # What is counted
//
// Every attempt at a weak secret takes a [Turn] before the secret is looked at
// and says afterwards how it went. Failures are counted in three tables:
//
//   - identity and source together, the tight limit: one client that guesses;
//   - source alone: one client that tries many names. An IPv6 source is its
//     /64, because a customer owns at least that; an IPv4 source is one
//     address;
//   - identity alone, the loose limit: many clients that guess one name. A
//     source from which that identity has logged in before is spared, so that
//     strangers cannot lock somebody out of the place he always comes from.
//
// A full allowance starts a pause, and each further one a longer pause, up to
// fifteen minutes. A refused identity looks like a wrong secret ([Wrong]), so
// that the refusal tells nothing about the name; a refused source is told when
// to come back ([Later]).
//
// Attempts whose outcome is not known yet count too. Otherwise a thousand
// guesses sent at once would all be admitted before the first has failed.
//
// # Why it cannot be made to forget
//
// Tables have a fixed size; whoever invents names or owns many addresses must
// not gain by filling them. A table is an array of small sets. When a set is
// full, the coldest entry leaves, and what it had on its account is kept as the
// set's floor, field by field the maximum of all that ever left. A key that is
// not in its set starts from that floor. So what we believe about a key is
// never less than what it did: pushing oneself out of the table gains nothing.
// The price is that a flood makes strangers in the same sets look worse than
// they are, for as long as the flood's own pauses last; which sets those are
// depends on a random key and cannot be chosen.
//
// Identities are stored as keyed hashes only.
//
// [Limiter] is the other half of the package: request limits for callers who
// are known, on the same tables.
//
// Nothing here reads a clock; time is passed in.
package throttle
