//go:build darwin || freebsd

package adminapi

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// peerUID asks the system who connected (LOCAL_PEERCRED, unix(4)).
func peerUID(c net.Conn) (uint32, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0, errors.New("not a Unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Xucred
	var errOpt error
	err = raw.Control(func(fd uintptr) {
		cred, errOpt = unix.GetsockoptXucred(int(fd), 0 /* SOL_LOCAL */, unix.LOCAL_PEERCRED)
	})
	if err := errors.Join(err, errOpt); err != nil {
		return 0, err
	}
	return cred.Uid, nil
}
