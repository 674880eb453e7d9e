package web

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asked sends raw bytes to a server and returns all that it answers until it closes the connection.
func asked(t *testing.T, raw string) string {
	t.Helper()
	ours, theirs := net.Pipe()
	var s Server
	s.Handle("POST /echo/{name}", func(a *Answer, r *Request) {
		b, err := io.ReadAll(r.Body)
		a.JSON(200, map[string]any{"name": r.Value("name"), "q": r.Query.Get("q"), "body": string(b), "cut": err != nil})
	})
	s.Handle("POST /deaf", func(a *Answer, r *Request) { a.JSON(200, "deaf") })
	s.Handle("GET /long", func(a *Answer, r *Request) {
		w := a.Stream("text/plain")
		io.WriteString(w, "0123456789abcdef")
		io.WriteString(w, "!")
		w.Close()
	})
	s.Handle("GET /cut", func(a *Answer, r *Request) { io.WriteString(a.Stream("text/plain"), "some"); a.last = true })
	s.Handle("GET /broken", func(a *Answer, r *Request) { panic("a bug") })
	s.Handle("GET /mine", func(a *Answer, r *Request) {
		conn, in := a.Upgrade()
		defer conn.Close()
		rest, _ := in.ReadString('\n')
		SwitchProtocols(conn, "mine", "X: y\r\n")
		io.WriteString(conn, rest)
	})
	go s.Converse(theirs)
	go func() { // in the background: a server that has had enough reads no more
		io.WriteString(ours, raw)
	}()
	ours.SetDeadline(time.Now().Add(time.Minute))
	got, err := io.ReadAll(ours)
	if err != nil {
		t.Fatalf("the connection was not closed: %v; it said %q", err, got)
	}
	return string(got)
}

const end = "GET /nowhere HTTP/1.0\r\n\r\n"

func TestRequestsFollowEachOtherOnOneConnection(t *testing.T) {
	got := asked(t, "POST /echo/a%2Fb?q=1%202 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"+
		"POST /echo/c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: u\r\n\r\n"+
		"GET /long HTTP/1.1\r\n\r\n"+end)
	for _, want := range []string{`"body":"abc0123456789","cut":false,"name":"c"`, "10\r\n0123456789abcdef\r\n1\r\n!\r\n0\r\n\r\n", "404 Not Found"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}

func TestABodyNobodyReadIsNotTheNextRequest(t *testing.T) {
	smuggled := "GET /long HTTP/1.1\r\n\r\n"
	got := asked(t, fmt.Sprintf("POST /deaf HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s%s", len(smuggled), smuggled, end))
	if strings.Contains(got, "0123456789") || !strings.Contains(got, "404") {
		t.Errorf("said %q", got)
	}
	got = asked(t, fmt.Sprintf("POST /deaf HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n%s%s", bytes.Repeat([]byte{'x'}, maxUnread), end))
	if strings.Count(got, "HTTP/1.1") != 1 {
		t.Errorf("went on behind a body without end: %q", got)
	}
}

func TestABodyThatEndsEarlyIsAnError(t *testing.T) {
	for _, raw := range []string{
		"Content-Length: 3\r\n\r\nhi", "Transfer-Encoding: chunked\r\n\r\n3\r\nhi", "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
		"Transfer-Encoding: chunked\r\n\r\n2\r\nhiho\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
		"Transfer-Encoding: chunked\r\n\r\n-1\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n",
	} {
		r, err := readRequest(bufio.NewReader(strings.NewReader("POST /echo/x HTTP/1.1\r\n" + raw)))
		if err != nil {
			t.Fatal(err)
		}
		if r.Body, err = r.body(bufio.NewReader(strings.NewReader(raw[strings.Index(raw, "\r\n\r\n")+4:]))); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r.Body); err == nil {
			t.Errorf("%q was a whole body: %q", raw, b)
		}
	}
}

func TestHeadsThatCannotBeReadAreRefusedAndTheConnectionClosed(t *testing.T) {
	for _, raw := range []string{
		"hello\r\n\r\n", "GET long HTTP/1.1\r\n\r\n", "GET /long HTTP/2\r\n\r\n", "GET /%zz HTTP/1.1\r\n\r\n",
		"GET /long?%zz HTTP/1.1\r\n\r\n", "GET /long HTTP/1.1\r\nno colon\r\n\r\n", "GET /long HTTP/1.1\r\n folded: x\r\n\r\n",
		"GET /long HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "GET /long HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"GET /long HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET /long HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
		"GET /" + strings.Repeat("x", maxHead) + " HTTP/1.1\r\n\r\n",
		"GET /long HTTP/1.1\r\n" + strings.Repeat("A: b\r\nB: c\r\n", maxHead/8) + "\r\n",
	} {
		got := asked(t, raw+end)
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") || strings.Count(got, "HTTP/1.1 ") != 1 {
			t.Errorf("%.80q was answered %.200q", raw, got)
		}
	}
}

func TestAClientThatWaitsToBeAskedIsAsked(t *testing.T) {
	ours, theirs := net.Pipe()
	var s Server
	s.Handle("PUT /", func(a *Answer, r *Request) { b, _ := io.ReadAll(r.Body); a.JSON(200, string(b)) })
	go s.Converse(theirs)
	ours.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(ours, "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n")
	in := bufio.NewReader(ours)
	if line, err := in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("said %q, %v", line, err)
	}
	io.WriteString(ours, "ok")
	if got, err := io.ReadAll(in); err != nil || !strings.HasSuffix(string(got), `"ok"`) {
		t.Fatalf("said %q, %v", got, err)
	}
}

func TestAnAnswerThatWasNotFinishedHasNoEnd(t *testing.T) {
	if got := asked(t, "GET /cut HTTP/1.1\r\n\r\n"); !strings.HasSuffix(got, "4\r\nsome\r\n") {
		t.Errorf("said %q", got)
	}
}

func TestAHandlerThatBreaksTakesOnlyItsConnection(t *testing.T) {
	if got := asked(t, "GET /broken HTTP/1.1\r\n\r\n"+end); got != "" {
		t.Errorf("said %q", got)
	}
}

func TestAnUpgradedConnectionIsTheHandlers(t *testing.T) {
	got := asked(t, "GET /mine HTTP/1.1\r\nUpgrade: mine\r\n\r\nbehind\n")
	if got != "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: mine\r\nX: y\r\n\r\nbehind\n" {
		t.Errorf("said %q", got)
	}
}

// queue is a listener that has these connections and errors, and then is closed.
type queue chan any

func (q queue) Accept() (net.Conn, error) {
	switch next := (<-q).(type) {
	case net.Conn:
		return next, nil
	case error:
		return nil, next
	}
	return nil, net.ErrClosed
}
func (q queue) Close() error   { return nil }
func (q queue) Addr() net.Addr { return nil }

func TestServingGoesOnWhenThereWasNoRoomForAConnection(t *testing.T) {
	ours, theirs := net.Pipe()
	q := make(queue, 9)
	for _, e := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		q <- &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", e)}
	}
	q <- syscall.EMFILE // as vsock has it
	q <- theirs
	close(q)
	var s Server
	if err := s.Serve(q); err != net.ErrClosed {
		t.Fatal(err)
	}
	ours.SetDeadline(time.Now().Add(time.Minute))
	go io.WriteString(ours, end)
	if got, err := io.ReadAll(ours); err != nil || !strings.Contains(string(got), "404") {
		t.Errorf("said %q, %v", got, err)
	}
}

func TestNoMoreThanSoManyConnectionsAreAnsweredAtATime(t *testing.T) {
	q, begun, done := make(queue, 9), make(chan struct{}, 9), make(chan struct{})
	s := Server{Most: 2, Otherwise: func(a *Answer, r *Request) { begun <- struct{}{}; <-done; a.JSON(200, "") }}
	for range 3 {
		ours, theirs := net.Pipe()
		ours.SetDeadline(time.Now().Add(time.Minute))
		go func() { io.WriteString(ours, end); io.Copy(io.Discard, ours) }()
		q <- theirs
	}
	close(q)
	ended := make(chan error)
	go func() { ended <- s.Serve(q) }()
	<-begun
	<-begun
	if len(q) != 1 {
		t.Fatalf("%d wait, not 1", len(q))
	}
	close(done)
	<-begun
	if err := <-ended; err != net.ErrClosed {
		t.Error(err)
	}
}
