package web

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
)

var reasons = map[int]string{
	200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
	500: "Internal Server Error",
}

// Answer is how a handler replies: once, by one of its methods.
type Answer struct {
	conn  net.Conn
	in    *bufio.Reader
	taken bool // the connection is the handler's
	begun bool
	last  bool // the connection ends with this answer
}

// JSON answers with body. The bytes are on their way when it returns; an error means that the host has gone.
func (a *Answer) JSON(status int, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		b, status = []byte(`{"error":"the answer cannot be written"}`), 500
	}
	head := a.head(status, "Content-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(b))+"\r\n")
	_, err = a.conn.Write(append(head, b...))
	return err
}

// Text answers with a body of the given type.
func (a *Answer) Text(status int, contentType, body string) {
	head := a.head(status, "Content-Type: "+contentType+"\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n")
	a.conn.Write(append(head, body...))
}

// Refuse answers with the error's words.
func (a *Answer) Refuse(status int, err error) {
	a.JSON(status, map[string]string{"error": err.Error()})
}

// Stream answers with bytes of unknown number. Without Close the host sees that the answer was cut short.
func (a *Answer) Stream(contentType string) io.WriteCloser {
	s := &stream{a: a}
	_, s.err = a.conn.Write(a.head(200, "Content-Type: "+contentType+"\r\nTransfer-Encoding: chunked\r\n"))
	return s
}

// Upgrade hands the connection over to the handler, which closes it; what the host sent behind the request is in in.
func (a *Answer) Upgrade() (net.Conn, *bufio.Reader) {
	a.taken, a.begun = true, true
	return a.conn, a.in
}

// SwitchProtocols is the head of the answer to an upgrade; headers are whole lines.
func SwitchProtocols(w io.Writer, protocol, headers string) error {
	_, err := io.WriteString(w, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+
		protocol+"\r\n"+headers+"\r\n")
	return err
}

func (a *Answer) head(status int, headers string) []byte {
	a.begun = true
	if a.last {
		headers += "Connection: close\r\n"
	}
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n%s\r\n", status, reasons[status], headers)
}

type stream struct {
	a   *Answer
	err error
}

func (s *stream) Write(p []byte) (int, error) {
	if s.err != nil || len(p) == 0 {
		return 0, s.err
	}
	chunk := strconv.AppendInt(make([]byte, 0, len(p)+16), int64(len(p)), 16)
	chunk = append(append(append(chunk, "\r\n"...), p...), "\r\n"...)
	if _, s.err = s.a.conn.Write(chunk); s.err != nil {
		return 0, s.err
	}
	return len(p), nil
}

func (s *stream) Close() error {
	if s.err == nil {
		_, s.err = io.WriteString(s.a.conn, "0\r\n\r\n")
	}
	return s.err
}
