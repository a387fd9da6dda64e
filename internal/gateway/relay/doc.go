// Package relay passes WebSockets (RFC 6455) on to a backend while the gate
// holds both ends.
//
// Frames pass as they are, header, mask and compressed payload included; only
// what frames them is read, which is enough to count, to limit, and to know
// where one ends. There the gate can speak itself: it pings both sides to find
// out who is gone, and it ends the socket with a close code and a reason of its
// own when the right to it is taken away.
//
//	caller ──► pump ──► backend      each pump is one goroutine, blocked in a
//	caller ◄── pump ◄── backend      two-byte read while nothing is said
//
// A pump borrows its buffers while a frame passes. Whoever does not read what
// is sent within the write timeout is cut: the other side is slowed down
// meanwhile, not buffered for.
package relay
