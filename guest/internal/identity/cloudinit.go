package identity

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"nexus/guest/internal/config"
)

const (
	seedDir = "/var/lib/cloud/seed/nocloud/"
	// seedMark is how a seed that is ours is known again; YAML takes it for a comment.
	seedMark = "# written by nexus at every boot\n"
)

var seedFiles = []string{"meta-data", "network-config", "user-data"}

// seed writes what cloud-init's NoCloud data source looks for, or removes it. The network is set up already: cloud-init
// is told to leave it alone.
func (d *disk) seed(s *config.CloudInit, hostname string) error {
	if s == nil {
		return d.unseed()
	}
	about := seedMark + "instance-id: " + s.InstanceID + "\nlocal-hostname: " + hostname + "\n"
	return errors.Join(
		d.write(seedDir+"user-data", s.UserData, 0o600),
		d.write(seedDir+"network-config", "config: disabled\n", 0o644),
		d.write(seedDir+"meta-data", about, 0o644),
	)
}

// unseed removes a seed that is ours; whose else it is is not our business.
func (d *disk) unseed() error {
	if !strings.HasPrefix(d.read(seedDir+"meta-data"), seedMark) {
		return nil
	}
	var failed []error
	for _, name := range seedFiles {
		if err := os.Remove(d.path(seedDir + name)); !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
