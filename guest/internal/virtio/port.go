// Package virtio opens a virtio-serial port by name and reads it without polling.
package virtio

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Port is an open virtio-serial port. One goroutine may read it.
//
// The driver's read returns 0 while no host is connected. Read reports that once, as io.EOF, and then sleeps until the
// driver wakes it, which it does for data and for every change of the connection.
type Port struct {
	file   *os.File
	raw    syscall.RawConn
	absent bool
}

// Open waits up to patience for the port called name (the driver learns names after it has probed) and opens it.
func Open(name string, patience time.Duration) (*Port, error) {
	until := time.Now().Add(patience)
	for {
		device, err := find(name)
		if err == nil {
			return open(device)
		}
		if time.Now().After(until) {
			return nil, err
		}
		time.Sleep(time.Millisecond)
	}
}

// HasConsole says whether the machine has a virtio-serial device at all.
func HasConsole() bool {
	devices, _ := filepath.Glob("/sys/bus/virtio/drivers/virtio_console/virtio*") // the pattern is constant and valid
	return len(devices) > 0
}

func find(name string) (string, error) {
	ports, _ := filepath.Glob("/sys/class/virtio-ports/*/name") // the pattern is constant and valid
	for _, p := range ports {
		b, err := os.ReadFile(p)
		device := "/dev/" + filepath.Base(filepath.Dir(p))
		if err != nil || strings.TrimSpace(string(b)) != name {
			continue
		}
		if _, err := os.Stat(device); err == nil {
			return device, nil
		}
	}
	return "", fmt.Errorf("no virtio-serial port %q", name)
}

func open(device string) (*Port, error) {
	fd, err := syscall.Open(device, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: device, Err: err}
	}
	f := os.NewFile(uintptr(fd), device)
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Port{file: f, raw: raw}, nil
}

// Read reads what the host sent; io.EOF is a hint that it has gone.
func (p *Port) Read(b []byte) (int, error) {
	var n int
	var err error
	waited := p.raw.Read(func(fd uintptr) bool {
		for {
			if n, err = syscall.Read(int(fd), b); err != syscall.EINTR {
				break
			}
		}
		if err == syscall.EAGAIN { // connected, and nothing to read
			p.absent = false
			return false
		}
		return n > 0 || err != nil || !p.absent
	})
	if waited != nil {
		return 0, waited
	}
	if err != nil {
		return 0, &os.PathError{Op: "read", Path: p.file.Name(), Err: err}
	}
	p.absent = n == 0
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Write blocks while the host is away or does not read.
func (p *Port) Write(b []byte) (int, error) { return p.file.Write(b) }

// Close lets another process open the port.
func (p *Port) Close() error { return p.file.Close() }

// SetWriteDeadline also frees a Write that already blocks.
func (p *Port) SetWriteDeadline(t time.Time) error { return p.file.SetWriteDeadline(t) }
