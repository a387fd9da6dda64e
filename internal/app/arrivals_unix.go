//go:build unix

package app

import "golang.org/x/sys/unix"

// readable reports whether there is something to read, be it the end or an error.
func readable(fd uintptr) bool {
	var first [1]byte
	_, _, err := unix.Recvfrom(int(fd), first[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err != unix.EAGAIN && err != unix.EINTR
}
