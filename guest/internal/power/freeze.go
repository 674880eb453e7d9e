package power

import (
	"os"
	"strings"
	"syscall"
	"time"

	"nexus/guest/internal/kernel"
)

// Nobody unmounts the layer below an overlay: the distribution's init does not see it, and busybox's sees to nothing at
// all. The kernel then cuts the power with the journal still open, and the next boot has to replay it. Freezing closes
// the journal; it cannot be refused for files that are still open, and what would write waits for a power that goes.

// Disk is the file system that keeps a machine's state, by an open directory on it.
type Disk struct{ dir *os.File }

// OpenDisk opens the file system that is mounted at dir.
func OpenDisk(dir string) (*Disk, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return &Disk{f}, nil
}

const freezePatience = 3 * time.Second

// Dir is an open directory on it; nil when there is no such disk.
func (d *Disk) Dir() *os.File {
	if d == nil {
		return nil
	}
	return d.dir
}

// freeze writes everything out and closes the journal. It gives up on a disk that takes too long.
func (d *Disk) freeze() {
	if d == nil {
		return
	}
	finished := make(chan error, 1)
	go func() { finished <- kernel.Freeze(d.dir) }()
	select {
	case err := <-finished:
		if err != nil && err != syscall.EBUSY && err != syscall.EROFS { // frozen already; nothing to close
			kernel.Log(kernel.Error, "the disk is not closed: %v", err)
		}
	case <-time.After(freezePatience):
		kernel.Log(kernel.Error, "the disk is not closed after %s", freezePatience)
	}
}

// FollowRoot keeps d frozen while the root file system is mounted read-only, which is the last thing that an orderly
// shutdown does. The kernel says when mounts change.
func (d *Disk) FollowRoot() error {
	const mounts = "/proc/self/mountinfo"
	fd, err := syscall.Open(mounts, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: mounts, Err: err}
	}
	raw, err := os.NewFile(uintptr(fd), mounts).SyscallConn()
	if err != nil {
		return err
	}
	frozen := false
	return raw.Read(func(uintptr) bool {
		text, err := os.ReadFile(mounts)
		if err != nil {
			return true
		}
		readOnly := rootIsReadOnly(string(text))
		if readOnly && !frozen {
			d.freeze()
		}
		if !readOnly && frozen {
			kernel.Thaw(d.dir) // EINVAL: it never was frozen
		}
		frozen = readOnly
		return false
	})
}

// rootIsReadOnly reads mountinfo (proc(5)): the fifth field is the mount point, the sixth its options. The last one counts.
func rootIsReadOnly(mountinfo string) bool {
	readOnly := false
	for line := range strings.Lines(mountinfo) {
		f := strings.Fields(line)
		if len(f) > 5 && f[4] == "/" {
			readOnly = f[5] == "ro" || strings.HasPrefix(f[5], "ro,")
		}
	}
	return readOnly
}
