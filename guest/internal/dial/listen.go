package dial

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
)

// backlog is how many connections wait to be accepted, as long as the kernel has no lower bound (listen(2)).
const backlog = 128

// Listener accepts the connections of a socket.
type Listener struct {
	file   *os.File
	raw    syscall.RawConn
	closed atomic.Bool
}

// Listen listens on an IPv4 address of this machine. net.Listen finds out first what else this kernel could do, which is
// more work for a machine that boots than to listen is (docs/adr/0046).
func Listen(at netip.AddrPort) (*Listener, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()})
	}
	if err == nil {
		err = syscall.Listen(fd, backlog)
	}
	if err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return Accepting(fd, "tcp")
}

// Accepting makes a listener of a socket that listens and does not block; it is the listener's from then on.
func Accepting(fd int, name string) (*Listener, error) {
	f := os.NewFile(uintptr(fd), name)
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Listener{file: f, raw: raw}, nil
}

// Accept implements net.Listener. accept4(2) is called as it is: what it says of the other side is not asked for, and
// not every family of addresses is known to the standard library.
func (l *Listener) Accept() (net.Conn, error) {
	var fd uintptr
	var e syscall.Errno
	waited := l.raw.Read(func(listening uintptr) bool {
		fd, _, e = syscall.Syscall6(syscall.SYS_ACCEPT4, listening, 0, 0, syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0, 0)
		return e != syscall.EAGAIN
	})
	switch {
	case waited != nil && l.closed.Load():
		return nil, net.ErrClosed
	case waited != nil:
		return nil, waited
	case e != 0:
		return nil, e
	}
	return Over(int(fd), l.file.Name()), nil
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.closed.Store(true)
	return l.file.Close()
}

// Addr implements net.Listener; nobody asks for more than the network.
func (l *Listener) Addr() net.Addr { return address(l.file.Name()) }
