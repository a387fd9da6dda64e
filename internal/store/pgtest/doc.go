// Package pgtest gives tests a real PostgreSQL that is theirs alone.
//
// The first test of a process that asks makes a cluster in a temporary folder,
// from the binaries installed on the machine, reachable through a Unix socket
// in that folder and nowhere else, and migrates a template database once. Each
// test then gets a clone of it, which takes some 30 ms.
//
// The server is the child of a small shell that reads from a pipe whose other
// end the test process holds. However that process ends, the pipe closes, and
// the shell stops the server and removes the folder.
//
// Where no PostgreSQL is installed the test is skipped, except in CI (the
// environment has CI=true), where it fails.
package pgtest
