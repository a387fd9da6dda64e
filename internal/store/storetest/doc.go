// Package storetest is the suite that every engine passes: [Engines] for what
// package store asks of an engine, [Run] for what the nouns ask of the store.
// An engine's own test is a few lines that hand in a constructor.
package storetest
