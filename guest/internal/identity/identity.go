// Package identity makes a root file system that of this machine: its name, its id, its user, its resolver.
//
// It runs with the root file system as its own root (chroot), so that no symbolic link in there leads anywhere else.
// What lies in a user's home is the user's: nothing there is followed, see ssh.go.
package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nexus/guest/internal/accounts"
	"nexus/guest/internal/config"
)

// Apply writes what c says below base ("/" in a machine). It does all it can and returns what failed.
//
// The password and the SSH keys are given to a disk once: when /etc/machine-id is this machine's already, the user may
// have changed them since, and they stay.
func Apply(base string, c *config.Config, now time.Time) error {
	return apply(&disk{base: base}, c, now)
}

// Change is Apply for a machine that runs and was another.
func Change(base string, c *config.Config, now time.Time) error {
	return apply(&disk{base: base, isKept: true}, c, now)
}

// Rehearse reads what Change will.
func Rehearse(base string) {
	d := &disk{base: base}
	for _, file := range []string{
		"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/machine-id",
		busID, seedDir + "meta-data",
	} {
		d.read(file)
	}
	d.shell()
}

func apply(d *disk, c *config.Config, now time.Time) error {
	known := strings.TrimSpace(d.read("/etc/machine-id")) == c.MachineID
	return errors.Join(
		d.rewrite("/etc/hosts", Hosts(d.read("/etc/hosts"), c.Hostname, strings.TrimSpace(d.read("/etc/hostname"))), 0o644),
		d.rewrite("/etc/hostname", c.Hostname+"\n", 0o644),
		d.resolver(c.DNS),
		d.user(c.User, known, now),
		d.seed(c.CloudInit, c.Hostname),
		d.bus(c.MachineID),
		d.rewrite("/etc/machine-id", c.MachineID+"\n", 0o444), // last: it says that the user has been set up
	)
}

// WasAnothers says whether the disk has been that of another machine: it is a copy.
func WasAnothers(base, machineID string) bool {
	there := strings.TrimSpace((&disk{base: base}).read("/etc/machine-id"))
	return len(there) == len(machineID) && there != machineID // machine-id(5): it may be empty, or "uninitialized"
}

// Hosts returns the text of hosts(5) in which name leads to this machine, and former no longer does.
func Hosts(text, name, former string) string {
	const own = "127.0.1.1"
	var out strings.Builder
	local := false
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) > 0 && f[0] == own {
			continue
		}
		line = strings.TrimRight(line, "\n")
		if former != name && former != "localhost" && len(f) > 1 && isLoopback(f[0]) && slices.Contains(f[1:], former) {
			f = slices.DeleteFunc(f, func(word string) bool { return word == former })
			line = f[0] + "\t" + strings.Join(f[1:], " ")
		}
		if len(f) == 1 && isLoopback(f[0]) {
			continue
		}
		local = local || len(f) > 1 && f[0] == "127.0.0.1"
		out.WriteString(line + "\n")
	}
	if !local {
		out.WriteString("127.0.0.1\tlocalhost\n")
	}
	if name != "localhost" {
		out.WriteString(own + "\t" + name + "\n")
	}
	return out.String()
}

func isLoopback(word string) bool {
	a, err := netip.ParseAddr(word)
	return err == nil && a.IsLoopback()
}

// resolver writes /etc/resolv.conf as a plain file; the link that a resolver daemon's package leaves there would dangle.
func (d *disk) resolver(servers []netip.Addr) error {
	if len(servers) == 0 {
		return nil
	}
	var text strings.Builder
	for _, s := range servers {
		fmt.Fprintf(&text, "nameserver %s\n", s)
	}
	const file = "/etc/resolv.conf"
	if at, err := os.Lstat(d.path(file)); err == nil && at.Mode()&fs.ModeSymlink != 0 {
		if err := os.Remove(d.path(file)); err != nil {
			return err
		}
	}
	return d.rewrite(file, text.String(), 0o644)
}

const busID = "/var/lib/dbus/machine-id"

// bus writes the id that D-Bus keeps for itself, where it is not a link to the machine's.
func (d *disk) bus(machineID string) error {
	if at, err := os.Lstat(d.path(busID)); err != nil || !at.Mode().IsRegular() {
		return nil
	}
	return d.rewrite(busID, machineID+"\n", 0o444)
}

func (d *disk) user(u config.Account, known bool, now time.Time) error {
	before := accounts.Files{Passwd: d.read("/etc/passwd"), Group: d.read("/etc/group"), Shadow: d.read("/etc/shadow")}
	_, there := accounts.Find(before.Passwd, u.Name)
	after, account := accounts.Ensure(before, u.Name, d.shell())
	fresh := !there || !known
	if fresh {
		after = accounts.SetPassword(after, u.Name, u.PasswordHash, int(now.Unix()/86400))
	}
	err := errors.Join(
		d.write("/etc/group", after.Group, 0o644),
		d.exchange("/etc/shadow", after.Shadow, 0o600),
		d.write("/etc/passwd", after.Passwd, 0o644),
		d.home(account),
	)
	if fresh && err == nil && len(u.SSHAuthorizedKeys) > 0 {
		d.hasReplaced = true
		err = authorize(d.path(account.Home), account, u.SSHAuthorizedKeys)
	}
	return err
}

func (d *disk) shell() string {
	if _, err := os.Stat(d.path("/bin/bash")); err == nil {
		return "/bin/bash"
	}
	return "/bin/sh"
}

func (d *disk) home(a accounts.Account) error {
	home := d.path(a.Home)
	if _, err := os.Stat(home); err == nil || a.Home == "/" {
		return nil
	}
	d.hasReplaced = true
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return err
	}
	return errors.Join(os.Mkdir(home, 0o700), os.Chown(home, int(a.UID), int(a.GID)))
}
