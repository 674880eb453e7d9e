// Package config reads the machine's configuration; the shape is GuestConfig in src/nexus/protocol/guest.py.
package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path"
	"strings"
)

// Path is where the host's second cpio archive puts the configuration.
const Path = "/nexus/config.json"

// Modes of a machine.
const (
	ModeVM        = "vm"        // the distribution's init becomes PID 1
	ModeContainer = "container" // ours stays PID 1
)

// Mount is a block device and the file system on it.
type Mount struct {
	Device   string `json:"device"`
	FS       string `json:"fs"`
	ReadOnly bool   `json:"read_only"`
}

// NIC is an interface, found by its MAC. Without an address it is only brought up.
type NIC struct {
	MAC     string       `json:"mac"`
	Address netip.Prefix `json:"address"`
	Gateway netip.Addr   `json:"gateway"`
}

// Account is the machine's user. No password hash: login by password is locked.
type Account struct {
	Name              string   `json:"name"`
	PasswordHash      string   `json:"password_hash"`
	SSHAuthorizedKeys []string `json:"ssh_authorized_keys"`
}

// Config is version 1 of the guest's configuration.
type Config struct {
	Version    int          `json:"version"`
	Mode       string       `json:"mode"`
	Root       Mount        `json:"root"`
	Overlay    *Mount       `json:"overlay"`
	Init       string       `json:"init"`
	Hostname   string       `json:"hostname"`
	MachineID  string       `json:"machine_id"`
	User       Account      `json:"user"`
	NICs       []NIC        `json:"nics"`
	DNS        []netip.Addr `json:"dns"`
	TimeUnixMs *int64       `json:"time_unix_ms"`
	Waits      bool         `json:"waits"` // for another configuration, over the guest channel
	Metadata   *Metadata    `json:"metadata"`
	CloudInit  *CloudInit   `json:"cloud_init"`
}

// Metadata is what the metadata service answers, and how.
type Metadata struct {
	Data       json.RawMessage `json:"data"`
	Address    netip.Addr      `json:"address"`
	NeedsToken bool            `json:"needs_token"`
	IsPlain    bool            `json:"is_plain"`
}

// Check refuses what cannot be served.
func (m *Metadata) Check() error {
	if m != nil && !(m.Address.Is4() && m.Address.IsLinkLocalUnicast()) {
		return fmt.Errorf("metadata: %s is no link-local IPv4 address", m.Address)
	}
	return nil
}

// CloudInit is for cloud-init's NoCloud data source.
type CloudInit struct {
	InstanceID string `json:"instance_id"`
	UserData   string `json:"user_data"`
}

const (
	lower    = "abcdefghijklmnopqrstuvwxyz"
	hexDigit = "0123456789abcdef"
	digit    = "0123456789"
)

// isLabel: a host name as hostname(7) wants a label of it.
func isLabel(s string) bool {
	return consistsOf(s, lower+digit+"-", 63) && s[0] != '-' && s[len(s)-1] != '-'
}

// isUser: a name that useradd(8) takes.
func isUser(s string) bool {
	return consistsOf(s, lower+digit+"_-", 32) && strings.ContainsRune(lower+"_", rune(s[0]))
}

func consistsOf(s, letters string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(s, letters) == ""
}

// Load reads and checks the file at p.
func Load(p string) (*Config, error) {
	b, err := os.ReadFile(p)
	if err != nil {
		return nil, err
	}
	c, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	return c, nil
}

// Parse reads a configuration, fills in the defaults and refuses what cannot be used. Unknown fields are ignored.
func Parse(b []byte) (*Config, error) {
	c := &Config{Version: 1, Mode: ModeVM, Init: "/sbin/init", User: Account{Name: "root"}}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, err
	}
	return c, c.check()
}

func (c *Config) check() error {
	switch {
	case c.Version != 1:
		return fmt.Errorf("version %d is not known here", c.Version)
	case c.Mode != ModeVM && c.Mode != ModeContainer:
		return fmt.Errorf("mode %q is neither vm nor container", c.Mode)
	case !path.IsAbs(c.Init):
		return fmt.Errorf("init %q is not an absolute path", c.Init)
	case !isLabel(c.Hostname):
		return fmt.Errorf("hostname %q is not a host label", c.Hostname)
	case len(c.MachineID) != 32 || !consistsOf(c.MachineID, hexDigit, 32):
		return fmt.Errorf("machine_id %q is not 32 hexadecimal digits", c.MachineID)
	case !isUser(c.User.Name):
		return fmt.Errorf("user name %q cannot be used", c.User.Name)
	case strings.ContainsAny(c.User.PasswordHash, ":\n"):
		return fmt.Errorf("the password hash contains a separator")
	}
	for _, key := range c.User.SSHAuthorizedKeys {
		if strings.ContainsAny(key, "\r\n") {
			return fmt.Errorf("an SSH key contains a line break")
		}
	}
	if c.Overlay != nil && c.Overlay.FS != "ext4" {
		return fmt.Errorf("overlay: file system %q cannot hold a writable layer", c.Overlay.FS)
	}
	for _, nic := range c.NICs {
		if nic.Address.IsValid() && !nic.Address.Addr().Is4() || nic.Gateway.IsValid() && !nic.Gateway.Is4() {
			return fmt.Errorf("nic %s: only IPv4 addresses are known here", nic.MAC)
		}
	}
	if err := c.Metadata.Check(); err != nil {
		return err
	}
	if s := c.CloudInit; s != nil && !consistsOf(s.InstanceID, lower+digit+"-", 64) {
		return fmt.Errorf("cloud_init: instance_id %q cannot be used", s.InstanceID)
	}
	for _, m := range []*Mount{&c.Root, c.Overlay} {
		if err := m.check(); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mount) check() error {
	switch {
	case m == nil:
		return nil
	case m.FS != "ext4" && m.FS != "squashfs":
		return fmt.Errorf("file system %q of %s is neither ext4 nor squashfs", m.FS, m.Device)
	case !strings.HasPrefix(m.Device, "/dev/") || path.Clean(m.Device) != m.Device:
		return fmt.Errorf("device %q is not below /dev", m.Device)
	}
	return nil
}
