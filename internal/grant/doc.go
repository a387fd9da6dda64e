// Package grant keeps refresh families: the right to get new tokens without
// showing a password again, as a chain of refresh tokens of which only the last
// is good.
//
// Every use of a refresh token gives a new one and spends the old. A client
// whose answer got lost repeats the request, so for ten seconds a repeat gets
// the same successor; but only digests are stored, so the successor cannot be
// looked up. It is derived instead: HMAC, under the refresh key, of the
// presented token and a random salt that stands in its row.
//
//	token n ──HMAC(refresh key, token n, salt n)──► token n+1
//
// The salt is erased when the successor is first used, or ten seconds after the
// rotation, whichever is earlier. From then on nobody, with whatever copy of
// the database and the keys, can compute token n+1 from token n, and showing
// token n again means that two parties hold the chain: the family ends, and
// with it, through the revocation log, everything that rests on it.
//
// A repeat must come with the same client authentication and the same proof key
// as the first use; else it counts as reuse too.
package grant
