// Package ops is the listener for whoever runs the server: /livez, /readyz and
// /metrics, on loopback or a Unix socket.
//
// Live means that the process answers; it never depends on anything else, so
// that a supervisor does not restart every node because a database is away.
// Ready means that this node should get requests; it names each check, and
// stops being true as soon as the server begins to drain.
package ops
