// Package fieldpine speaks FD1, the packet protocol of Fieldpine's retail
// platform: JSON requests and responses over one WebSocket, or one packet at a
// time over plain HTTP.
//
// The first packet of a socket must be fd1.session.login with exactly one of an
// API key, a scoped token, or the name of a user whose packets are encrypted
// from then on. Until a login succeeds the server says nothing, in words or in
// time. Afterwards each packet names an action (fd1.products.get_products),
// which a route takes to a backend; responses carry the request's id and come in
// any order.
//
// packet.go and login.go have what travels; nothing in them does I/O.
package fieldpine
