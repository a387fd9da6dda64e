// Package authn is the one way in. A dialect reads its wire, makes an [Attempt]
// of what was presented, and calls [Service.Login] (it opens something: a token
// is issued, a session begins, a socket is accepted) or [Service.Check] (one
// request). It never sees a store and never compares a secret. Each later
// action asks [Service.Allow], and whatever stays open is given to
// [Service.Hold].
//
// # In this order
//
//	fresh?      does this node know what has been taken away lately
//	method      is this way of proving oneself switched on for this tenant
//	throttle    weak secrets only
//	verify      remembered, or read and compared: equal time, equal answer
//	constraints networks, first and last day; every time, remembered or not
//	limits      requests per credential and tenant
//	audit       logins and refusals
//
// # Equal time, equal answer
//
// Unknown, wrong, locked, expired, from the wrong network and throttled as an
// identity are one [Refusal] of kind [Invalid] to callers, and cost the same:
// where there is no hash to check, one is computed all the same. What it really
// was stands in [Refusal.Reason], for the audit record.
//
// # Remembered, but never stale
//
// A verification is remembered under a keyed fingerprint of all that was
// presented, with its grounds and the log position that this node had applied
// before it read the store. A hit counts only while no ground was taken away
// later, and only while the log can be read. A login with a strong secret reads
// the store again all the same: it is cheap, and what it opens lives long. Those
// who open sockets by the thousand do with once a second. While the
// store is away, what is remembered will do for it until the lease is over.
//
// # Strong and weak
//
// Passwords are weak, and so are secrets imported with a slow hash: they are
// throttled and their checks queue. Keys that we generated and tokens are
// strong.
package authn
