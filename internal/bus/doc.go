// Package bus says what Gatehouse expects of a message bus between its nodes:
// a nudge that the revocation log has grown, an update of a feed, a question
// to whoever is there.
//
// A bus may lose messages, and a slow subscriber does. Nothing that must not be
// lost travels by bus alone: whatever a message says can be found out by
// looking in the store a little later. What a bus does promise, the suite in
// bustest checks:
//
//   - messages of one publisher on one subject arrive in order, at most once;
//   - a subscriber that cannot keep up loses the oldest messages first, and
//     the next one it gets says how many are missing;
//   - a slow subscriber delays neither publishers nor other subscribers.
//
// Package inproc serves a single node; a bus over NATS serves several.
package bus
