package netconf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"nexus/guest/internal/config"
	"nexus/guest/internal/kernel"
)

// Rehearse looks where Leave will.
func Rehearse() {
	if fd, _, err := look(); err == nil {
		labels(fd)
	}
	ipv6.Read()
}

// Leave takes the machine's interfaces down, and everything away that they were given: addresses of any kind, and with
// them routes and neighbours. It does all it can and returns what failed.
func Leave(nics []config.NIC) error {
	fd, cards, err := look()
	if err != nil {
		return err
	}
	var failed []error
	left := map[string]bool{}
	for _, nic := range nics {
		name, ok := named(cards, nic.MAC)
		if !ok {
			continue // it has been left, and given another, by an attempt before
		}
		if err := setUp(fd, name, false); err != nil {
			failed = append(failed, fmt.Errorf("%s: down: %w", name, err))
		}
		left[name] = true
	}
	if !removeIPv4(fd, cards, left) || hasIPv6(left) {
		failed = append(failed, removeAll(fd, left))
	}
	return errors.Join(failed...)
}

// Move gives the interface at each place of former the MAC at the same place of nics: a restored device has that of the
// machine it was saved from. Their links must be down.
func Move(former, nics []config.NIC) error {
	fd, cards, err := look()
	if err != nil {
		return err
	}
	var failed []error
	for i, nic := range nics[:min(len(nics), len(former))] {
		name, ok := named(cards, former[i].MAC)
		if !ok {
			continue // moved before; or Apply will miss it
		}
		if err := setMAC(fd, name, nic.MAC); err != nil {
			failed = append(failed, fmt.Errorf("%s: MAC %s: %w", name, nic.MAC, err))
		}
	}
	return errors.Join(failed...)
}

func setMAC(fd int, name, mac string) error {
	address, err := net.ParseMAC(mac)
	if err != nil {
		return err
	}
	const ethernet = 1 // ARPHRD_ETHER
	r := about(name)
	binary.NativeEndian.PutUint16(r.data[:], ethernet)
	copy(r.data[2:8], address)
	return kernel.Ioctl(fd, setHardware, unsafe.Pointer(r))
}

// removeIPv4 removes every IPv4 address of these interfaces, and says whether that is certain: not where an address has
// a label that does not say whose it is. In the old way, netdevice(7): it is a quarter of the work that netlink is for a
// guest that does everything for the first time (docs/adr/0046).
func removeIPv4(fd int, cards []card, left map[string]bool) bool {
	labels, isCertain := labels(fd)
	for _, label := range labels {
		name, _, _ := strings.Cut(label, ":")
		if left[name] && put(fd, label, setAddress, netip.IPv4Unspecified()) != nil {
			isCertain = false
		}
		isCertain = isCertain && slices.ContainsFunc(cards, func(c card) bool { return c.name == name })
	}
	return isCertain
}

// labels returns the label of each IPv4 address there is: its interface's name, or an alias of it. False: not of each.
func labels(fd int) (found []string, all bool) {
	requests := make([]request, 64)
	size := int32(unsafe.Sizeof(requests[0]))
	list := struct { // struct ifconf on 64-bit machines
		bytes int32
		at    *request
	}{int32(len(requests)) * size, &requests[0]}
	if kernel.Ioctl(fd, getLabels, unsafe.Pointer(&list)) != nil {
		return nil, false
	}
	told := requests[:list.bytes/size]
	for _, r := range told {
		label, _, _ := strings.Cut(string(r.name[:]), "\x00")
		found = append(found, label)
	}
	return found, len(told) < len(requests)
}

var ipv6 = kernel.NewListing("/proc/self/net/if_inet6")

// hasIPv6 says whether one of these interfaces has an IPv6 address although it is down: those that somebody set may stay
// (keep_addr_on_down, ip-sysctl).
func hasIPv6(left map[string]bool) bool {
	list, err := ipv6.Read()
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) // else no such protocol here
	}
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) > 0 && left[f[len(f)-1]] {
			return true
		}
	}
	return false
}

// removeAll removes every address of these interfaces; rtnetlink(7). The message that tells of one names it for its
// removal, too.
func removeAll(fd int, left map[string]bool) error {
	indexes := map[uint32]bool{}
	for name := range left {
		r := about(name)
		if err := kernel.Ioctl(fd, getIndex, unsafe.Pointer(r)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		indexes[binary.NativeEndian.Uint32(r.data[:])] = true
	}
	dump, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, syscall.AF_UNSPEC)
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	messages, err := syscall.ParseNetlinkMessage(dump)
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	var failed []error
	for _, m := range messages {
		if m.Header.Type != syscall.RTM_NEWADDR || len(m.Data) < syscall.SizeofIfAddrmsg {
			continue
		}
		index := binary.NativeEndian.Uint32(m.Data[4:]) // struct ifaddrmsg
		if !indexes[index] {
			continue
		}
		if err := ask(syscall.RTM_DELADDR, m.Data); err != nil && err != syscall.EADDRNOTAVAIL { // went with another
			failed = append(failed, fmt.Errorf("addresses: %w", err))
		}
	}
	return errors.Join(failed...)
}

// ask sends one message to the kernel and reads whether it has done so.
func ask(kind uint16, data []byte) error {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	b := make([]byte, syscall.NLMSG_HDRLEN, syscall.NLMSG_HDRLEN+len(data))
	binary.NativeEndian.PutUint32(b, uint32(syscall.NLMSG_HDRLEN+len(data)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], syscall.NLM_F_REQUEST|syscall.NLM_F_ACK)
	if err := syscall.Sendto(fd, append(b, data...), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := syscall.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n < syscall.NLMSG_HDRLEN+4 {
		return syscall.EBADMSG
	}
	if e := int32(binary.NativeEndian.Uint32(answer[syscall.NLMSG_HDRLEN:])); e != 0 { // struct nlmsgerr
		return syscall.Errno(-e)
	}
	return nil
}
