// Package vsock listens on AF_VSOCK, which the standard library does not know (vsock(7)).
package vsock

import (
	"syscall"
	"unsafe"

	"nexus/guest/internal/dial"
)

const (
	family = 40
	anyCID = 0xffffffff
)

// sockaddr is struct sockaddr_vm.
type sockaddr struct {
	family   uint16
	reserved uint16
	port     uint32
	cid      uint32
	flags    uint8
	zero     [3]uint8
}

// Listen listens on port. A kernel without vsock answers EAFNOSUPPORT.
func Listen(port uint32) (*dial.Listener, error) {
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	at := sockaddr{family: family, port: port, cid: anyCID}
	_, _, e := syscall.Syscall(syscall.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&at)), unsafe.Sizeof(at))
	if e == 0 {
		err = syscall.Listen(fd, 64)
	} else {
		err = e
	}
	if err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return dial.Accepting(fd, "vsock")
}
