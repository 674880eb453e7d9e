package dial

import (
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

func TestAListenerAcceptsAndEndsAsOneOfTheStandardLibrary(t *testing.T) {
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	var at syscall.Sockaddr
	if err := l.raw.Control(func(fd uintptr) { at, err = syscall.Getsockname(int(fd)) }); err != nil {
		t.Fatal(err)
	}
	port := uint16(at.(*syscall.SockaddrInet4).Port)
	if _, err := Listen(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)); err == nil {
		t.Error("two listen on one port")
	}
	ours, err := Local(port, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Write([]byte("hi")); err != nil {
		t.Fatal(err)
	}
	ours.Close()
	if got, err := io.ReadAll(theirs); err != nil || string(got) != "hi" {
		t.Errorf("%q, %v", got, err)
	}
	theirs.Close()
	ended := make(chan error)
	go func() { _, err := l.Accept(); ended <- err }()
	l.Close()
	if err := <-ended; err != net.ErrClosed {
		t.Error(err)
	}
}
