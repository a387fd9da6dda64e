// Package archtest keeps the import rules of the project as an ordinary test,
// so that the layering in the README stays true without anybody watching.
//
//	cmd → app → edges → authn → nouns → leaves
//
// Edges are what speaks a protocol: dialects, the gateway, the admin API.
// authn is the one way in. Nouns hold the ideas (principal, credential, token,
// grant, policy, audit) and declare the interfaces that stores implement.
// Leaves know nothing of the project but other leaves.
package archtest
