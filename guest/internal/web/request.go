// Package web serves as much of HTTP/1.1 (RFC 9112) as the host's agent and curl speak over the guest channel.
//
// It stands in for net/http, which is six times its size with the cryptography behind it, resident in every guest
// (docs/adr/0029). What must stay true: a request that cannot be read whole is refused and its connection closed; a body
// that a handler left unread never becomes the next request; nothing that comes is held without a bound.
package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
)

const (
	maxHead    = 16 * 1024
	maxHeaders = 64
)

var errHead = errors.New("malformed request")

// Request is one request. Body is never nil.
type Request struct {
	Method string
	Path   string // decoded
	Query  url.Values
	Body   io.Reader

	header map[string]string // by name in lower case
	values map[string]string
	last   bool // the client wants the connection closed
}

// Header is a field of the head; its name in lower case.
func (r *Request) Header(name string) string { return r.header[name] }

// Value is the part of the path that stands for {name} in the route's pattern.
func (r *Request) Value(name string) string { return r.values[name] }

// readRequest reads a head. Errors: io.EOF between two requests, errHead, whatever the connection says.
func readRequest(in *bufio.Reader) (*Request, error) {
	left := maxHead
	line, err := readLine(in, &left)
	if err != nil {
		return nil, err
	}
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if method == "" || !strings.HasPrefix(target, "/") || version != "HTTP/1.1" && version != "HTTP/1.0" {
		return nil, fmt.Errorf("%w: %.60q is no request line", errHead, line)
	}
	r := &Request{Method: method, header: map[string]string{}}
	path, query, _ := strings.Cut(target, "?")
	if r.Path, err = url.PathUnescape(path); err == nil {
		r.Query, err = url.ParseQuery(query)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errHead, err)
	}
	if err := r.readHeader(in, &left); err != nil {
		return nil, err
	}
	r.last = version == "HTTP/1.0" || strings.EqualFold(r.header["connection"], "close")
	return r, nil
}

func (r *Request) readHeader(in *bufio.Reader, left *int) error {
	for {
		line, err := readLine(in, left)
		if err != nil {
			return unexpected(err)
		}
		if line == "" {
			return nil
		}
		name, value, ok := strings.Cut(line, ":")
		name = strings.ToLower(name)
		if _, twice := r.header[name]; twice && (name == "content-length" || name == "transfer-encoding") {
			ok = false
		}
		if !ok || name == "" || strings.ContainsAny(name, " \t") || len(r.header) >= maxHeaders {
			return fmt.Errorf("%w: header %.60q", errHead, line)
		}
		r.header[name] = strings.TrimSpace(value)
	}
}

// readLine returns a line without its end, taking its length from left.
func readLine(in *bufio.Reader, left *int) (string, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if *left -= len(part); *left < 0 {
			return "", fmt.Errorf("%w: the head is longer than %d bytes", errHead, maxHead)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r"), nil
		case err == io.EOF && len(line) > 0:
			return "", io.ErrUnexpectedEOF
		case err != bufio.ErrBufferFull:
			return "", err
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// body is what follows the head: by its length, in chunks, or nothing.
func (r *Request) body(in *bufio.Reader) (io.Reader, error) {
	length, coding := r.header["content-length"], r.header["transfer-encoding"]
	switch {
	case length != "" && coding != "":
		return nil, fmt.Errorf("%w: a body of two lengths", errHead)
	case strings.EqualFold(coding, "chunked"):
		return &chunks{in: in}, nil
	case coding != "":
		return nil, fmt.Errorf("%w: transfer coding %.60q", errHead, coding)
	case length == "":
		return &measured{in: in}, nil
	}
	n, err := strconv.ParseUint(length, 10, 63)
	if err != nil {
		return nil, fmt.Errorf("%w: a body of %.60q bytes", errHead, length)
	}
	return &measured{in: in, left: int64(n)}, nil
}

// measured is a body of known length; its end is io.EOF only where all of it came.
type measured struct {
	in   *bufio.Reader
	left int64
}

func (b *measured) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, unexpected(err)
}

// chunks is a body in chunked transfer coding (RFC 9112, 7.1). Trailers are skipped.
type chunks struct {
	in   *bufio.Reader
	left int64
	any  bool
	err  error
}

func (b *chunks) Read(p []byte) (int, error) {
	if b.left == 0 && b.err == nil {
		b.err = b.next()
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	b.err = unexpected(err)
	return n, b.err
}

// next reads the head of a chunk, and behind the last one to the end of the body.
func (b *chunks) next() error {
	left := maxHead
	if b.any {
		if line, err := readLine(b.in, &left); err != nil || line != "" {
			return errors.Join(fmt.Errorf("%w: a chunk is longer than it said", errHead), err)
		}
	}
	b.any = true
	line, err := readLine(b.in, &left)
	if err != nil {
		return unexpected(err)
	}
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 63)
	if err != nil {
		return fmt.Errorf("%w: chunk size %.60q", errHead, line)
	}
	if b.left = int64(n); n > 0 {
		return nil
	}
	for line != "" {
		if line, err = readLine(b.in, &left); err != nil {
			return unexpected(err)
		}
	}
	return io.EOF
}
