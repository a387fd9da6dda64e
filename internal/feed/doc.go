// Package feed holds the latest state of live reports and pushes it to whoever
// has subscribed.
//
// A tenant has feeds, a feed has reports. A report is either a document, of
// which each new one replaces the last, or a table of rows, each with a key,
// that are changed and removed one by one. Publishers send updates; a node
// applies them in the order in which they arrive and tells the other nodes over
// the bus.
//
//	publishers ──► Put, Patch, Remove ──► state ──► Publication ──► subscribers
//	                      │    ▲                     (made once,
//	                      ▼    │                      encoded once)
//	                     bus, other nodes
//
// Each change makes one [Publication], which all subscribers share. What they
// send of it, in whatever form, is encoded once for each form (see
// [Publication.Encoded]), not once for each of them. A subscriber must not
// block: one that cannot keep up is cut by its socket, never waited for.
package feed
