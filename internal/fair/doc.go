// Package fair bounds costly work (hashing passwords, checking RSA signatures)
// and shares the bound between whoever asks.
//
// A [Queue] lets a fixed number of callers work at once and a fixed number
// wait. Who waits is served in turn by source, not by arrival: with one source
// asking a thousand times and another once, the other is second. When no place
// is left, a newcomer takes the place of the last arrival of the source that
// holds the most; so filling the queue harms only him who fills it.
//
//	enter ─► free turn? ──yes──────────────────────────► work ─► leave
//	           │no                                         ▲        │
//	           ▼                                           │        ▼
//	         place left? ─yes─► wait, per source ──────────┘◄─ next source
//	           │no
//	           ▼
//	         a source with more than mine? ─yes─► its last waiter gets ErrBusy
//	           │no
//	           ▼
//	         ErrBusy
//
// [Places] bounds what costs little but must not be without end, such as sockets
// of callers who have not said who they are.
package fair
