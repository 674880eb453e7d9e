// Package restored is what a machine does when it goes on from a snapshot: as another machine than the one that was
// saved, or as the same at a later time.
//
// What must stay true, when it becomes another: nothing random is used before the entropy is the machine's own; no packet
// leaves under the old addresses, nor under the new ones before everything else is done (the host keeps the links down);
// every step may be done again, for the host repeats what it got no answer to.
package restored

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"nexus/guest/internal/config"
	"nexus/guest/internal/connections"
	"nexus/guest/internal/hostkeys"
	"nexus/guest/internal/identity"
	"nexus/guest/internal/netconf"
)

// Reasons.
const (
	Clone    = "clone"    // it is another machine now
	Rollback = "rollback" // the same machine, as it was when it was saved
)

// Valid says whether reason is one.
func Valid(reason string) bool { return reason == Clone || reason == Rollback }

// leases are where DHCP clients keep what they were given; it was given to the original.
var leases = []string{
	"/var/lib/dhcp/*.lease*", "/var/lib/dhclient/*.lease*", "/var/lib/dhcpcd/*.lease*", "/var/lib/NetworkManager/*.lease",
	"/run/systemd/netif/leases/*",
}

// randomSeed is what systemd has saved of the original's randomness for its next boot; systemd-random-seed.service(8).
const randomSeed = "/var/lib/systemd/random-seed"

// BecomeAnother makes this machine, which was former, the one that c describes. It does all it can and returns what failed.
func BecomeAnother(former, c *config.Config, run hostkeys.Run) error {
	return errors.Join(
		netconf.Leave(former.NICs),
		connections.Reset(),
		hostkeys.Renew("/", run), // before Apply: its last step says that this was done
		forget(),
		identity.Apply("/", c, time.Now()),
		wrap("hostname", syscall.Sethostname([]byte(c.Hostname))),
		wrap("boot id", newBootID()),
		hostkeys.Reload(run),
		netconf.Move(former.NICs, c.NICs),
		netconf.Apply(c.NICs),
	)
}

// forget removes what only the original may go on with.
func forget() error {
	var failed []error
	for _, pattern := range append(leases, randomSeed) {
		files, _ := filepath.Glob(pattern) // the patterns are constant and valid
		for _, file := range files {
			failed = append(failed, os.Remove(file))
		}
	}
	return errors.Join(failed...)
}

// newBootID lets programs see a boot id of this machine's own, as systemd-nspawn does for its containers: the kernel's is
// made once and cannot be changed.
func newBootID() error {
	const (
		bootID = "/proc/sys/kernel/random/boot_id"
		source = "/proc/sys/kernel/random/uuid"
		dir    = "/run/nexus"
	)
	id, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, "boot_id")
	if err := os.WriteFile(file, id, 0o444); err != nil {
		return err
	}
	syscall.Unmount(bootID, syscall.MNT_DETACH) // EINVAL: it is the kernel's still
	if err := syscall.Mount(file, bootID, "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	return syscall.Mount("", bootID, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
