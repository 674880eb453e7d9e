// Package dial connects to ports of the guest itself, and listens on them, without the resolver and the probing that
// package net brings along.
package dial

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// Local connects to a TCP port of this machine, over IPv4 or else IPv6. Its errors are sentences' ends.
func Local(port uint16, patience time.Duration) (Conn, error) {
	c, err := dial(syscall.AF_INET, &syscall.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}, patience)
	if err == nil {
		return c, nil
	}
	c, err6 := dial(syscall.AF_INET6, &syscall.SockaddrInet6{Port: int(port), Addr: [16]byte{15: 1}}, patience)
	if err6 == nil {
		return c, nil
	}
	if err == syscall.ECONNREFUSED {
		return Conn{}, fmt.Errorf("nothing in the guest listens on port %d", port)
	}
	return Conn{}, fmt.Errorf("port %d of the guest: %w", port, err)
}

func dial(family int, to syscall.Sockaddr, patience time.Duration) (Conn, error) {
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return Conn{}, err
	}
	begun := syscall.Connect(fd, to)
	c := Over(fd, "tcp")
	if begun == nil {
		return c, nil
	}
	if begun != syscall.EINPROGRESS {
		c.File.Close()
		return Conn{}, begun
	}
	if err := c.connected(patience); err != nil {
		c.File.Close()
		return Conn{}, err
	}
	return c, nil
}

// Over makes a connection of a socket that does not block.
func Over(fd int, name string) Conn { return Conn{os.NewFile(uintptr(fd), name)} }

// Conn is a connection whose two directions close by themselves.
type Conn struct{ *os.File }

// connected waits for the end of a connect that goes on.
func (c Conn) connected(patience time.Duration) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	c.SetWriteDeadline(time.Now().Add(patience))
	defer c.SetWriteDeadline(time.Time{})
	var failed error
	waited := raw.Write(func(fd uintptr) bool {
		if _, err := syscall.Getpeername(int(fd)); err == nil {
			return true
		}
		// Asked before each wait: what happened before the first one is not told again.
		number, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
		if failed = err; err == nil && number != 0 {
			failed = syscall.Errno(number)
		}
		return failed != nil
	})
	return cmp.Or(waited, failed)
}

// LocalAddr and RemoteAddr implement net.Conn; nobody asks.
func (c Conn) LocalAddr() net.Addr  { return address(c.Name()) }
func (c Conn) RemoteAddr() net.Addr { return address(c.Name()) }

// CloseWrite tells the other side that nothing more will come.
func (c Conn) CloseWrite() error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	refused := raw.Control(func(fd uintptr) { err = syscall.Shutdown(int(fd), syscall.SHUT_WR) })
	if refused != nil {
		return refused
	}
	return err
}

// Abort closes the connection so that the other side sees that it was cut, not ended.
func (c Conn) Abort() {
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
		})
	}
	c.Close()
}

type address string

func (a address) Network() string { return string(a) }
func (a address) String() string  { return string(a) }
