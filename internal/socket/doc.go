// Package socket holds WebSockets (RFC 6455) by the ten thousand: what a dialect
// or the gateway needs of one, and none of what it says.
//
// An idle socket is one goroutine blocked in a two-byte read, and a few hundred
// bytes: no buffers, no writer, no ticker. A message borrows its buffer while it
// is handled. Sending puts a frame, encoded once and shared by all who get it,
// into the socket's bounded queue, and the socket into the list of a few writers
// whom all share, as long as its queue is not empty. Sockets that end are cleared
// away by another few. So at no time do thousands of goroutines want to run,
// however many sockets are told something or reset at once. Pings and every other
// deadline of all sockets stand in one [Wheel].
//
//	           Send                     writer, while not empty
//	handler ─────────► queue (bounded) ───────────────────────► peer
//	   ▲                                                          │
//	   └───────────── Message, one at a time ◄── reader ──────────┘
//
// A reader who is too slow for its queue is cut, never waited for.
package socket
