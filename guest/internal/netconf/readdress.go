package netconf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"
	"unsafe"

	"nexus/guest/internal/config"
	"nexus/guest/internal/kernel"
)

// Leave takes the machine's interfaces down, and everything away that they were given: addresses of any kind, and with
// them routes and neighbours. It does all it can and returns what failed.
func Leave(nics []config.NIC) error {
	fd, cards, err := look()
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	var failed []error
	left := map[uint32]bool{}
	for _, nic := range nics {
		name, ok := named(cards, nic.MAC)
		if !ok {
			continue // it has been left, and given another, by an attempt before
		}
		if err := setUp(fd, name, false); err != nil {
			failed = append(failed, fmt.Errorf("%s: down: %w", name, err))
		}
		r := about(name)
		if err := kernel.Ioctl(fd, getIndex, unsafe.Pointer(r)); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			continue
		}
		left[binary.NativeEndian.Uint32(r.data[:])] = true
	}
	return errors.Join(append(failed, removeAddresses(left))...)
}

// Move gives the interface at each place of former the MAC at the same place of nics: a restored device has that of the
// machine it was saved from. Their links must be down.
func Move(former, nics []config.NIC) error {
	fd, cards, err := look()
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
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

// removeAddresses removes every address of the interfaces with these indexes; rtnetlink(7). The message that tells of one
// names it for its removal, too.
func removeAddresses(interfaces map[uint32]bool) error {
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
		if !interfaces[index] {
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
