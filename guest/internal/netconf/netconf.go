// Package netconf brings up the machine's interfaces by ioctl(2): IPv4 only, before any of the distribution runs.
package netconf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"unsafe"

	"nexus/guest/internal/config"
	"nexus/guest/internal/kernel"
)

// From linux/sockios.h and linux/route.h.
const (
	setAddress  = 0x8916
	setMask     = 0x891c
	getFlags    = 0x8913
	setFlags    = 0x8914
	addRoute    = 0x890b
	routeUp     = 1
	routeByHost = 2
)

// AddAddress gives this machine a further address, under an alias of an interface such as lo:0.
func AddAddress(alias string, address netip.Addr) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := put(fd, alias, setAddress, address); err != nil {
		return err
	}
	return put(fd, alias, setMask, netip.AddrFrom4([4]byte{255, 255, 255, 255}))
}

// RemoveAddress takes an alias away.
func RemoveAddress(alias string) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	r := named(alias) // its flags without IFF_UP: an alias that goes down is gone
	return kernel.Ioctl(fd, setFlags, unsafe.Pointer(r))
}

// request is struct ifreq on 64-bit machines.
type request struct {
	name [syscall.IFNAMSIZ]byte
	data [24]byte
}

// Apply brings up the loopback and every interface of nics. It does all it can and returns what failed.
func Apply(nics []config.NIC) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	defer syscall.Close(fd)
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	failed := []error{up(fd, "lo")}
	for _, nic := range nics {
		failed = append(failed, apply(fd, nic, interfaces))
	}
	return errors.Join(failed...)
}

func apply(fd int, nic config.NIC, interfaces []net.Interface) error {
	for _, i := range interfaces {
		if strings.EqualFold(i.HardwareAddr.String(), nic.MAC) {
			if err := configure(fd, i.Name, nic); err != nil {
				return fmt.Errorf("%s: %w", i.Name, err)
			}
			return nil
		}
	}
	return fmt.Errorf("no interface has the MAC %s", nic.MAC)
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
	if err := up(fd, name); err != nil {
		return fmt.Errorf("up: %w", err)
	}
	if nic.Gateway.IsValid() {
		return defaultRoute(fd, nic.Gateway)
	}
	return nil
}

func named(name string) *request {
	r := &request{}
	copy(r.name[:len(r.name)-1], name)
	return r
}

func put(fd int, name string, what uintptr, a netip.Addr) error {
	r := named(name)
	putAddress(r.data[:], a)
	return kernel.Ioctl(fd, what, unsafe.Pointer(r))
}

func up(fd int, name string) error {
	r := named(name)
	if err := kernel.Ioctl(fd, getFlags, unsafe.Pointer(r)); err != nil {
		return err
	}
	flags := binary.NativeEndian.Uint16(r.data[:])
	binary.NativeEndian.PutUint16(r.data[:], flags|syscall.IFF_UP)
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
