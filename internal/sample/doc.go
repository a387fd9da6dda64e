// Package sample is a small backend to stand behind the gate: a few measuring
// sites, a download that streams, and a socket that echoes. `gatehouse demo`
// runs it, and so do tests that need something real behind a route.
//
// It believes nothing but the signed identity that the gate sends, by way of
// package gateidentity, exactly as any other backend would.
package sample
