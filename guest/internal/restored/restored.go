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
// keys is how the directories of host keys were before init began.
func BecomeAnother(former, c *config.Config, keys hostkeys.Directories, run hostkeys.Run) error {
	return errors.Join(
		netconf.Leave(former.NICs),
		connections.Reset(),
		renewKeys(keys, run), // before Change: its last step says that this was done
		forget(),
		identity.Change("/", c, time.Now()),
		wrap("hostname", syscall.Sethostname([]byte(c.Hostname))),
		wrap("boot id", newBootID()),
		netconf.Move(former.NICs, c.NICs),
		netconf.Apply(c.NICs),
	)
}

// renewKeys disturbs no server without need: to start one anew takes a guest that was just restored 40 ms.
func renewKeys(before hostkeys.Directories, run hostkeys.Run) error {
	if !hostkeys.MayBeInUse("/", before) {
		return nil
	}
	return errors.Join(hostkeys.Renew("/", run), hostkeys.Reload(run))
}

// Rehearse does of all this what changes nothing, before the machine is saved: what the kernel has looked up and read
// then is in the memory that clones begin with, and none of them does it again.
func Rehearse() error {
	netconf.Rehearse()
	connections.Rehearse()
	hostkeys.Rehearse("/")
	leftovers()
	identity.Rehearse("/")
	os.ReadDir(hooksDir) // mostly there is none
	return wrap("boot id", prepareBootID())
}

// forget removes what only the original may go on with.
func forget() error {
	var failed []error
	for _, file := range leftovers() {
		failed = append(failed, os.Remove(file))
	}
	return errors.Join(failed...)
}

func leftovers() (found []string) {
	for _, pattern := range append(leases, randomSeed) {
		files, _ := filepath.Glob(pattern) // the patterns are constant and valid
		found = append(found, files...)
	}
	return found
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
