// Package vsock listens on AF_VSOCK, which the standard library does not know (vsock(7)).
package vsock

import (
	"net"
	"os"
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

// Listener accepts connections from the host.
type Listener struct {
	file *os.File
	raw  syscall.RawConn
}

// Listen listens on port. A kernel without vsock answers EAFNOSUPPORT.
func Listen(port uint32) (*Listener, error) {
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
	f := os.NewFile(uintptr(fd), "vsock")
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Listener{f, raw}, nil
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	var fd uintptr
	var e syscall.Errno
	waited := l.raw.Read(func(listening uintptr) bool {
		fd, _, e = syscall.Syscall6(syscall.SYS_ACCEPT4, listening, 0, 0, syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0, 0)
		return e != syscall.EAGAIN
	})
	if waited != nil {
		return nil, waited
	}
	if e != 0 {
		return nil, e
	}
	return dial.Over(int(fd), "vsock"), nil
}

// Close implements net.Listener.
func (l *Listener) Close() error { return l.file.Close() }

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return address{} }

type address struct{}

func (address) Network() string { return "vsock" }
func (address) String() string  { return "host" }
