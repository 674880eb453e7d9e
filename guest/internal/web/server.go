package web

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"nexus/guest/internal/kernel"
)

const (
	headPatience = 30 * time.Second
	idlePatience = time.Minute
	// maxUnread is how much of a body that its handler did not want is read for the sake of the next request.
	maxUnread   = 256 * 1024
	bufferBytes = 4096
	// scarcityPause is how long nothing is accepted once the machine had no room for another connection.
	scarcityPause = 50 * time.Millisecond
)

// Handler answers a request.
type Handler func(a *Answer, r *Request)

type route struct {
	method   string
	segments []string
	handle   Handler
}

// Server finds the handler of a request by its method and path.
type Server struct {
	routes []route
	// Otherwise answers what no route is for; nil: 404.
	Otherwise Handler
	// Most is how many connections are answered at a time, further ones wait; 0: any number.
	Most int
}

// Handle registers a handler for a pattern such as "GET /v1/sessions/{id}".
func (s *Server) Handle(pattern string, h Handler) {
	method, path, _ := strings.Cut(pattern, " ")
	s.routes = append(s.routes, route{method, strings.Split(path, "/"), h})
}

// Serve answers the connections of l until it has no more. That there is no room for one now is no such end: whatever
// fills the machine would else take it its only agent.
func (s *Server) Serve(l net.Listener) error {
	var turns chan struct{}
	if s.Most > 0 {
		turns = make(chan struct{}, s.Most)
	}
	for {
		if turns != nil {
			turns <- struct{}{}
		}
		conn, err := accept(l)
		if err != nil {
			return err
		}
		go func() {
			s.Converse(conn)
			if turns != nil {
				<-turns
			}
		}()
	}
}

func accept(l net.Listener) (net.Conn, error) {
	conn, err := l.Accept()
	if isScarcity(err) { // said once, however long it lasts
		kernel.Log(kernel.Error, "a connection could not be accepted yet: %v", err)
	}
	for isScarcity(err) {
		time.Sleep(scarcityPause)
		conn, err = l.Accept()
	}
	return conn, err
}

// isScarcity tells whether accept(2) may do better a moment later.
func isScarcity(err error) bool {
	for _, passing := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// Converse answers the requests of one connection, one after the other.
func (s *Server) Converse(conn net.Conn) {
	a := &Answer{conn: conn, in: bufio.NewReaderSize(conn, bufferBytes)}
	defer func() {
		if broken := recover(); broken != nil {
			kernel.Log(kernel.Error, "a handler broke: %v", broken) // one request is lost, not the machine's only agent
			conn.Close()
		} else if !a.taken {
			conn.Close()
		}
	}()
	for !a.last && s.exchange(a) && !a.taken {
		a = &Answer{conn: conn, in: a.in, last: a.last}
	}
}

// exchange reads a request and answers it; false: the connection is of no more use.
func (s *Server) exchange(a *Answer) bool {
	a.conn.SetReadDeadline(time.Now().Add(idlePatience))
	if _, err := a.in.Peek(1); err != nil {
		return false
	}
	a.conn.SetReadDeadline(time.Now().Add(headPatience))
	r, err := readRequest(a.in)
	if err == nil {
		r.Body, err = r.body(a.in)
	}
	if err != nil {
		if errors.Is(err, errHead) {
			a.last = true
			a.Refuse(400, err)
		}
		return false
	}
	a.conn.SetReadDeadline(time.Time{})
	a.last = r.last
	if strings.EqualFold(r.header["expect"], "100-continue") {
		r.Body = &awaited{Reader: r.Body, conn: a.conn}
	}
	s.dispatch(a, r)
	return a.begun && (a.taken || isRead(r.Body))
}

// isRead skips the rest of a body, if it is short.
func isRead(body io.Reader) bool {
	if b, ok := body.(*awaited); ok && !b.asked {
		return false // the client may send it or not
	}
	_, err := io.CopyN(io.Discard, body, maxUnread)
	return err == io.EOF
}

func (s *Server) dispatch(a *Answer, r *Request) {
	segments := strings.Split(r.Path, "/")
	for _, candidate := range s.routes {
		if candidate.method != r.Method {
			continue
		}
		if values, ok := match(candidate.segments, segments); ok {
			r.values = values
			candidate.handle(a, r)
			return
		}
	}
	if s.Otherwise != nil {
		s.Otherwise(a, r)
		return
	}
	a.Refuse(404, errors.New("there is no "+r.Method+" "+r.Path))
}

func match(pattern, segments []string) (map[string]string, bool) {
	if len(pattern) != len(segments) {
		return nil, false
	}
	values := map[string]string{}
	for i, p := range pattern {
		if name, ok := strings.CutPrefix(p, "{"); ok && segments[i] != "" {
			values[strings.TrimSuffix(name, "}")] = segments[i]
		} else if p != segments[i] {
			return nil, false
		}
	}
	return values, true
}

// awaited is the body of a client that asks before it sends (RFC 9110, 10.1.1).
type awaited struct {
	io.Reader
	conn  net.Conn
	asked bool
}

func (b *awaited) Read(p []byte) (int, error) {
	if !b.asked {
		b.asked = true
		if _, err := io.WriteString(b.conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return 0, err
		}
	}
	return b.Reader.Read(p)
}
