package adminapi

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// peerUID asks the system who connected (SO_PEERCRED, unix(7)).
func peerUID(c net.Conn) (uint32, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0, errors.New("not a Unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var errOpt error
	err = raw.Control(func(fd uintptr) {
		cred, errOpt = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, errOpt); err != nil {
		return 0, err
	}
	return cred.Uid, nil
}
