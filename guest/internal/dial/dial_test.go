package dial

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestEachDirectionEndsByItself(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("not here: %v", err)
			continue
		}
		go func() {
			c, _ := l.Accept()
			heard, _ := io.ReadAll(c)
			c.Write(append([]byte("heard "), heard...))
			c.Close()
		}()
		c, err := Local(uint16(l.Addr().(*net.TCPAddr).Port), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("this"))
		c.CloseWrite()
		if got, err := io.ReadAll(c); string(got) != "heard this" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		c.Close()
	}
}

func TestAPortWhereNothingListensIsNamed(t *testing.T) {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	if _, err := Local(uint16(port), time.Minute); err == nil || !strings.Contains(err.Error(), "nothing in the guest listens") {
		t.Errorf("%v", err)
	}
}

func TestAnAbortedConnectionLooksCut(t *testing.T) {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	seen := make(chan error)
	go func() {
		c, _ := l.Accept()
		_, err := io.ReadAll(c)
		seen <- err
	}()
	c, err := Local(uint16(l.Addr().(*net.TCPAddr).Port), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	c.Abort()
	if err := <-seen; err == nil {
		t.Error("it looked ended")
	}
}
