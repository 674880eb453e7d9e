package kernel

import (
	"sync"
	"syscall"
)

// Listing is a file of proc(5) that says how things are now. It stays open: to find and open one takes a guest several
// times the work of reading it, and one that was just restored does all for the first time (docs/adr/0046).
type Listing struct {
	path string

	mu   sync.Mutex
	text []byte
	fd   int // -1: not open
}

// NewListing returns the listing at path; it is opened when it is first read.
func NewListing(path string) *Listing { return &Listing{path: path, fd: -1} }

// Read returns all of it. The error is the kernel's: ENOENT where it keeps no such list.
func (l *Listing) Read() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd < 0 {
		fd, err := syscall.Open(l.path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			return "", err
		}
		l.fd, l.text = fd, make([]byte, 4096)
	}
	for size := 0; ; {
		n, err := syscall.Pread(l.fd, l.text[size:], int64(size)) // from 0 it is made anew
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return "", err
		case n == 0:
			return string(l.text[:size]), nil
		}
		if size += n; size == len(l.text) {
			l.text = append(l.text, make([]byte, len(l.text))...)
		}
	}
}
