// Package demo shows that Gatehouse works, on a machine with nothing set up: it
// makes an installation in a folder, starts the server and a sample backend,
// and then does over the network what a client would do, step by step, with the
// time each step took. At the end everything is still up for whoever wants to
// try it by hand, and demo.json has what a script needs.
//
// The demonstration is the server, not a likeness of it: it writes a
// configuration as an operator would, hands it to package app, and administers
// it through the admin API.
package demo
