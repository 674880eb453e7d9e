// Package netconf brings up the machine's interfaces by ioctl(2): IPv4 only, before any of the distribution runs.
package netconf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"nexus/guest/internal/config"
	"nexus/guest/internal/kernel"
)

// From linux/sockios.h and linux/route.h.
const (
	setAddress  = 0x8916
	setMask     = 0x891c
	setHardware = 0x8924
	getHardware = 0x8927
	getLabels   = 0x8912
	getIndex    = 0x8933
	getFlags    = 0x8913
	setFlags    = 0x8914
	addRoute    = 0x890b
	routeUp     = 1
	routeByHost = 2
)

// AddAddress gives this machine a further address, under an alias of an interface such as lo:0.
func AddAddress(alias string, address netip.Addr) error {
	fd, err := socket()
	if err != nil {
		return err
	}
	if err := put(fd, alias, setAddress, address); err != nil {
		return err
	}
	return put(fd, alias, setMask, netip.AddrFrom4([4]byte{255, 255, 255, 255}))
}

// RemoveAddress takes an alias away.
func RemoveAddress(alias string) error {
	fd, err := socket()
	if err != nil {
		return err
	}
	r := about(alias) // its flags without IFF_UP: an alias that goes down is gone
	return kernel.Ioctl(fd, setFlags, unsafe.Pointer(r))
}

// request is struct ifreq on 64-bit machines.
type request struct {
	name [syscall.IFNAMSIZ]byte
	data [24]byte
}

// Apply brings up the loopback and every interface of nics. It does all it can and returns what failed.
func Apply(nics []config.NIC) error {
	fd, cards, err := look()
	if err != nil {
		return err
	}
	failed := []error{setUp(fd, "lo", true)}
	for _, nic := range nics {
		if name, ok := named(cards, nic.MAC); !ok {
			failed = append(failed, fmt.Errorf("no interface has the MAC %s", nic.MAC))
		} else if err := configure(fd, name, nic); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(failed...)
}

var interfaces = kernel.NewListing("/proc/self/net/dev")

// card is an interface that there is.
type card struct{ name, mac string }

// look returns a socket to ask the kernel by, and the interfaces that there are. It reads a list of them rather than
// net.Interfaces, which asks for all that is known of each.
func look() (fd int, cards []card, err error) {
	if fd, err = socket(); err != nil {
		return fd, nil, fmt.Errorf("network: %w", err)
	}
	list, err := interfaces.Read()
	if err != nil {
		return fd, nil, fmt.Errorf("network: %w", err)
	}
	for _, name := range names(list) {
		r := about(name)
		if err := kernel.Ioctl(fd, getHardware, unsafe.Pointer(r)); err == nil { // else it went away
			cards = append(cards, card{name, net.HardwareAddr(r.data[2:8]).String()})
		}
	}
	return fd, cards, nil
}

var (
	opening sync.Mutex
	opened  = -1
)

// socket returns one to ask the kernel by. It stays open, for the reason that a kernel.Listing does.
func socket() (int, error) {
	opening.Lock()
	defer opening.Unlock()
	if opened >= 0 {
		return opened, nil
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err == nil {
		opened = fd
	}
	return fd, err
}

// names reads them from the text of /proc/net/dev (proc(5)): two lines of head, then one a line, up to a colon.
func names(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if name, _, isOne := strings.Cut(strings.TrimSpace(line), ":"); isOne {
			found = append(found, name)
		}
	}
	return found
}

// named returns the name of the interface that has mac.
func named(cards []card, mac string) (string, bool) {
	for _, c := range cards {
		if strings.EqualFold(c.mac, mac) {
			return c.name, true
		}
	}
	return "", false
}

func configure(fd int, name string, nic config.NIC) error {
	if nic.Address.IsValid() {
		if err := put(fd, name, setAddress, nic.Address.Addr()); err != nil {
			return fmt.Errorf("address: %w", err)
		}
		bits := net.CIDRMask(nic.Address.Bits(), 32)
		mask, _ := netip.AddrFromSlice(bits)
		if err := put(fd, name, setMask, mask); err != nil {
			return fmt.Errorf("mask: %w", err)
		}
	}
	if err := setUp(fd, name, true); err != nil {
		return fmt.Errorf("up: %w", err)
	}
	if nic.Gateway.IsValid() {
		return defaultRoute(fd, nic.Gateway)
	}
	return nil
}

func about(name string) *request {
	r := &request{}
	copy(r.name[:len(r.name)-1], name)
	return r
}

func put(fd int, name string, what uintptr, a netip.Addr) error {
	r := about(name)
	putAddress(r.data[:], a)
	return kernel.Ioctl(fd, what, unsafe.Pointer(r))
}

func setUp(fd int, name string, isUp bool) error {
	r := about(name)
	if err := kernel.Ioctl(fd, getFlags, unsafe.Pointer(r)); err != nil {
		return err
	}
	flags := binary.NativeEndian.Uint16(r.data[:]) &^ syscall.IFF_UP
	if isUp {
		flags |= syscall.IFF_UP
	}
	binary.NativeEndian.PutUint16(r.data[:], flags)
	return kernel.Ioctl(fd, setFlags, unsafe.Pointer(r))
}

func defaultRoute(fd int, gateway netip.Addr) error {
	var entry [120]byte // struct rtentry on 64-bit machines: destination at 8, gateway at 24, mask at 40, flags at 56
	putAddress(entry[8:], netip.IPv4Unspecified())
	putAddress(entry[24:], gateway)
	putAddress(entry[40:], netip.IPv4Unspecified())
	binary.NativeEndian.PutUint16(entry[56:], routeUp|routeByHost)
	if err := kernel.Ioctl(fd, addRoute, unsafe.Pointer(&entry)); err != nil && err != syscall.EEXIST {
		return fmt.Errorf("default route: %w", err)
	}
	return nil
}

// putAddress writes a struct sockaddr_in.
func putAddress(b []byte, a netip.Addr) {
	v4 := a.As4()
	binary.NativeEndian.PutUint16(b, syscall.AF_INET)
	copy(b[4:8], v4[:])
}
