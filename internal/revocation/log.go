// Package revocation is the numbered log of rights taken away, its tail on
// every node, and the receipts.
//
// Every write that takes a right away takes the next number in its own
// transaction, so number order is commit order. Each node reads the log in that
// order and applies it: first the table of grounds that [Tail.Intact] consults,
// then the live conns. Whatever was read from the store while the node stood at
// position p stays believable as long as none of its grounds is revoked later
// than p.
package revocation

import (
	"context"
	"time"
)

// Position is a place in the log. A restored or promoted database has a higher
// incarnation; nothing remembered crosses it.
type Position struct {
	Incarnation int64
	N           int64
}

// Before reports whether p is earlier than q.
func (p Position) Before(q Position) bool {
	if p.Incarnation != q.Incarnation {
		return p.Incarnation < q.Incarnation
	}
	return p.N < q.N
}

// Entry is one row of the log: one number, one or more grounds.
type Entry struct {
	N       int64
	Effect  Effect
	Grounds []Ground
	Reason  string // for people: "credential revoked"
	At      time.Time
}

// Batch is what one read of the log returns, from one transaction.
type Batch struct {
	Incarnation int64
	Head        int64   // the last number given
	Entries     []Entry // after the asked number, ascending, complete up to the last
}

// Receipt is one node's report on one change.
type Receipt struct {
	Change        int64
	Node          string
	SocketsClosed int           // conns and long requests ended
	Took          time.Duration // from commit (or first sight) to the last one closed
}

// Outcome is what the caller of a revocation gets.
type Outcome struct {
	Change    int64
	Nodes     []Receipt
	Unreached []string // nodes that had not answered; their lease bounds them
}

// Store is what the tail needs from persistence.
type Store interface {
	// RevocationsSince returns entries after n, at most limit (0: 1000).
	RevocationsSince(ctx context.Context, n int64, limit int) (Batch, error)
	// Revoke writes one entry on its own, for grounds without a row of their
	// own (a conn, a method switched off).
	Revoke(ctx context.Context, e Entry) (change int64, err error)
	// Heartbeat notes that the node lives and how far it has applied the log;
	// LiveNodes returns those seen within the lease.
	Heartbeat(ctx context.Context, node string, applied Position, receipts []Receipt) error
	LiveNodes(ctx context.Context, within time.Duration) ([]string, error)
	// Receipts returns what nodes have reported on a change.
	Receipts(ctx context.Context, change int64) ([]Receipt, error)
}
