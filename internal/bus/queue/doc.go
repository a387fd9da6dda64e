// Package queue is what a bus puts between the messages that come and the
// function of one subscriber: a bounded queue and one goroutine that empties
// it. A subscriber that is too slow delays nobody and loses the oldest messages
// first; the next one it gets says how many are missing.
package queue
