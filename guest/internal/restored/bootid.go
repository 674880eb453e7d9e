package restored

import (
	"os"
	"path/filepath"
	"syscall"
)

const (
	bootID = "/proc/sys/kernel/random/boot_id"
	uuid   = "/proc/sys/kernel/random/uuid"
	shown  = "/run/nexus/boot_id"
)

// shownBootID is the file that is mounted over the kernel's boot id; nil: none is yet.
var shownBootID *os.File

// newBootID lets programs see a boot id of this machine's own, as systemd-nspawn does for its containers: the kernel's is
// made once and cannot be changed.
func newBootID() error {
	id, err := os.ReadFile(uuid)
	if err != nil {
		return err
	}
	if err := prepareBootID(); err != nil {
		return err
	}
	_, err = shownBootID.WriteAt(id, 0) // as long as the one before
	return err
}

// prepareBootID mounts a file with the present boot id over it, unless that was done.
func prepareBootID() error {
	if shownBootID != nil {
		return nil
	}
	id, err := os.ReadFile(bootID)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(shown), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(shown, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o444)
	if err != nil {
		return err
	}
	if err := show(file, id); err != nil {
		file.Close()
		return err
	}
	shownBootID = file
	return nil
}

func show(file *os.File, id []byte) error {
	if _, err := file.Write(id); err != nil {
		return err
	}
	if err := syscall.Mount(file.Name(), bootID, "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	return syscall.Mount("", bootID, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}
