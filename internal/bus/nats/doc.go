// Package nats is the bus of several nodes, over a NATS server or a cluster of
// them. Core NATS is all it needs: no streams, nothing kept on a disk.
//
//	Publish ──► outbox ──► connection ──► NATS ──► topic ──► queue ──► subscriber
//	   │                                             ▲
//	   └──────────── while the bus is away ──────────┘
//
// While there is a connection, a message reaches the subscribers of its own node
// by way of NATS, too, so that all nodes see the messages of one subject in the
// same order. While there is none, each node goes on alone: what is published
// reaches the subscribers of this node at once, and the other nodes miss it. When
// the connection is back, the next message that a subscriber gets says that some
// are missing.
//
// Publishing never waits for the network. Messages go through a bounded outbox
// that one goroutine empties; a connection that takes nothing for a second counts
// as lost. Reconnecting goes on for ever, with growing pauses that differ from
// node to node.
//
// Each span of being connected or alone is a generation. A subscription at NATS
// belongs to the generation it was made in, and what it still brings later is
// dropped: otherwise a message from before an outage could overtake one that was
// handed on during it.
package nats
