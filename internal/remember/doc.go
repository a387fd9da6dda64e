// Package remember keeps what was found out at some cost (this secret matches
// this credential, this token is genuine) for as long as it stays true.
//
// Each thing remembered has its grounds and asOf: the position in the
// revocation log that this node had applied before it read the store. It is
// believed only while none of the grounds was taken away after that. There is
// nothing to invalidate: a revocation makes what rested on it unbelievable by
// itself, also what is still being read.
//
//	position 7 ──► read store ──► remember (asOf 7)
//	                  ▲
//	      revocation 8 may fall before, during or after the read:
//	      the table of grounds says 8 > 7, and the belief is dropped
//
// [Memory.Load] makes sure that one thing is found out once, however many ask
// at the same time. It is found out on a context of its own, so that the first
// caller's going away does not fail the others, and each caller checks the
// result at the time it receives it.
//
// Keys are keyed fingerprints: nobody can tell from a copy of the memory what
// was presented, and nobody outside can make two presentations collide.
package remember
