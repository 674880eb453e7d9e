// Package connections ends the TCP connections that a restored machine has inherited from the one it was made of: their
// peers talk to that one. What is within the machine stays.
//
// What must stay true: it is called while no interface is up; a reset that left would end the original's connection.
package connections

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"nexus/guest/internal/kernel"
)

var lists = []*kernel.Listing{kernel.NewListing("/proc/self/net/tcp"), kernel.NewListing("/proc/self/net/tcp6")}

// Rehearse reads what Reset will.
func Rehearse() { inherited() }

// Reset ends them as if their peers had. Each process sees its connection reset, or at its end.
func Reset() error {
	inherited, err := inherited()
	if err != nil {
		return fmt.Errorf("connections: %w", err)
	}
	if len(inherited) == 0 {
		return nil
	}
	var failed []error
	links, _ := filepath.Glob("/proc/[1-9]*/fd/*") // the pattern is constant and valid
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil || !inherited[to] {
			continue // gone meanwhile, or another
		}
		if err := resetIn(link); err != nil {
			failed = append(failed, fmt.Errorf("connection %s: %w", link, err))
		}
	}
	return errors.Join(failed...)
}

// inherited are the sockets that are connected to somewhere else, as their links in /proc/PID/fd read.
func inherited() (map[string]bool, error) {
	found := map[string]bool{}
	for _, list := range lists {
		text, err := list.Read()
		if errors.Is(err, fs.ErrNotExist) {
			continue // no such protocol here
		}
		if err != nil {
			return nil, err
		}
		parse(text, found)
	}
	return found, nil
}

// parse adds those that /proc/net/tcp tells of; its format is in proc(5).
func parse(text string, into map[string]bool) {
	const listening, fields = "0A", 10
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < fields || f[3] == listening || f[9] == "0" {
			continue
		}
		word, _, _ := strings.Cut(f[1], ":")
		if a, ok := address(word); ok && !staysInside(a) {
			into["socket:["+f[9]+"]"] = true
		}
	}
}

// address reads an address as the kernel prints it: in words of four bytes, each in the machine's order (little-endian on
// everything we run on).
func address(word string) (netip.Addr, bool) {
	b, err := hex.DecodeString(word)
	if err != nil || len(b)%4 != 0 {
		return netip.Addr{}, false
	}
	for quad := range slices.Chunk(b, 4) {
		slices.Reverse(quad)
	}
	a, ok := netip.AddrFromSlice(b)
	return a.Unmap(), ok
}

// staysInside: loopback, and the metadata service's address.
func staysInside(a netip.Addr) bool { return a.IsLoopback() || a.Is4() && a.IsLinkLocalUnicast() }

// resetIn ends the connection behind /proc/PID/fd/N, through a duplicate of that descriptor.
func resetIn(link string) error {
	const pidfdOpen, pidfdGetfd = 434, 438
	pid, err := strconv.Atoi(strings.Split(link, "/")[2])
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(filepath.Base(link))
	if err != nil {
		return err
	}
	process, _, e := syscall.Syscall(pidfdOpen, uintptr(pid), 0, 0)
	if e != 0 {
		return gone(e)
	}
	defer syscall.Close(int(process))
	fd, _, e := syscall.Syscall(pidfdGetfd, process, uintptr(number), 0)
	if e != 0 {
		return gone(e)
	}
	defer syscall.Close(int(fd))
	return reset(int(fd))
}

func gone(e syscall.Errno) error {
	if e == syscall.ESRCH || e == syscall.EBADF {
		return nil
	}
	return e
}

// reset is connect(2) to nowhere: the socket's owner finds its connection reset. Some kernels refuse that while somebody
// waits in the socket; then both directions are shut, which ends the wait.
func reset(fd int) error {
	err := disconnect(fd)
	if err != syscall.EBUSY {
		return err
	}
	if err := syscall.Shutdown(fd, syscall.SHUT_RDWR); err != nil && err != syscall.ENOTCONN {
		return err
	}
	return nil
}

func disconnect(fd int) error {
	nowhere := syscall.RawSockaddr{Family: syscall.AF_UNSPEC}
	_, _, e := syscall.Syscall(syscall.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&nowhere)), unsafe.Sizeof(nowhere))
	if e != 0 {
		return e
	}
	return nil
}
