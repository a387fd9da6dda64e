// Package h1 is an HTTP/1.1 client for a proxy: one address, plain TCP.
//
// net/http.Transport serves every connection with two goroutines, so that each
// exchange crosses four channels, and it must be ready for callers who keep a
// response body for ever. A proxy has one goroutine that does nothing but wait
// for this very answer. So here the caller's goroutine writes the request and
// reads the response itself, and a second one exists only while a request body
// is being sent. Parsing is left to net/http.ReadResponse: what frames a message
// is no place for new code.
//
// Without a goroutine that watches idle connections, one that the backend has
// closed, or on which it said something nobody asked for, is found when it is
// taken out: a look at the socket that does not wait. A request that fails on a
// reused connection before any byte of an answer came is sent again on a fresh
// one if it may be (RFC 9110, section 9.2.2), as every client does.
package h1
