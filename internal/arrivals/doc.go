// Package arrivals is a listener for crowds. It takes connections from the kernel
// as fast as they come, lets those wait that have said nothing yet, and hands the
// others over in turn by source and a few at a time.
//
// The kernel's own queue is first come, first served, and short. When ten
// thousand clients return at once, whoever else opens a connection would stand
// behind them all, or be turned away and try again seconds later.
//
// And the Go runtime hears of 128 connections at a time, in the order in which
// something came for them, and while it has anything to run only every ten
// milliseconds. If it knew ten thousand that speak at the same moment, a request
// on any other connection would not even be noticed before most of them. So on
// Linux those who wait are none of the runtime's business: they stand on a porch
// of their own ([epoll]), where they cost no goroutine either, and the runtime is
// told of each when its turn has come.
//
// [epoll]: https://man7.org/linux/man-pages/man7/epoll.7.html
package arrivals
