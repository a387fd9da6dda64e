// Package push brings what backends have to say to the sockets it is meant for,
// whichever node they are on.
//
// A backend hands a message to one node. A message is a packet for the sockets
// of a conn, a principal or a whole tenant, or an event, for whoever listens to
// that kind of event. The node puts it on the bus, on the subject of the tenant,
// and every node, also the one that was asked, delivers to its own sockets what
// comes from there: so all sockets of a node see the messages of a tenant in one
// order, and one node is no special case.
//
// Each node then says how many of its sockets took the message. The backend is
// told what was heard within a moment, not more: like everything that travels
// by bus alone, a message can be lost, and a socket that took it can break
// before its reader has seen it.
//
// What a socket is, what it may see and how a message looks on its wire is the
// affair of the dialect that joins it.
package push
