package main

// gatehouse is a running server, with what rows need to know about it.
type gatehouse struct {
	*process
}
