package boot

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"nexus/guest/internal/config"
	"nexus/guest/internal/kernel"
)

// layer is where the writable file system below an overlay is mounted.
const layer = "/layer"

// WritableDisk is where the file system with the machine's state is mounted before the hand-over; empty when there is
// none.
func WritableDisk(c *config.Config) string {
	switch {
	case c.Overlay != nil:
		return layer
	case c.Root.ReadOnly || c.Root.FS != "ext4":
		return ""
	}
	return NewRoot
}

// mountRoot mounts the machine's root at dir: one file system, or a read-only base below a writable layer.
func mountRoot(c *config.Config, dir string) error {
	if c.Overlay == nil {
		return mount(c.Root, dir)
	}
	base := c.Root
	base.ReadOnly = true
	const lower = "/base"
	if err := mount(base, lower); err != nil {
		return err
	}
	if err := mount(*c.Overlay, layer); err != nil {
		return err
	}
	upper, work := filepath.Join(layer, "upper"), filepath.Join(layer, "work")
	for _, d := range []string{upper, work, dir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work)
	if err := syscall.Mount("overlay", dir, "overlay", 0, options); err != nil {
		return fmt.Errorf("mount the overlay of %s on %s: %w", c.Overlay.Device, c.Root.Device, err)
	}
	return nil
}

func mount(m config.Mount, dir string) error {
	if err := awaitDevice(m.Device, 5*time.Second); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var flags uintptr
	if m.ReadOnly || m.FS == "squashfs" {
		flags = syscall.MS_RDONLY
	}
	var grow *growth
	if m.FS == "ext4" {
		var err error
		if grow, err = examine(m.Device); err != nil {
			return err
		}
	}
	if err := syscall.Mount(m.Device, dir, m.FS, flags, ""); err != nil {
		return fmt.Errorf("mount %s (%s): %w", m.Device, m.FS, err)
	}
	if grow != nil && !m.ReadOnly {
		if err := grow.apply(dir); err != nil {
			kernel.Log(kernel.Error, "%s stays at its old size: %v", m.Device, err)
		}
	}
	return nil
}

// awaitDevice waits for a driver that probes behind our back; the usual ones have made the node before this.
func awaitDevice(device string, patience time.Duration) error {
	for until := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if _, err := os.Stat(device); err == nil {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("there is no %s", device)
		}
	}
}

// growth says that an ext4 file system may grow to this many blocks. Nil: it fills its device.
type growth struct{ blocks uint64 }

// examine reads the superblock (kernel.org, "ext4 Data Structures and Algorithms", 3.1).
func examine(device string) (*growth, error) {
	f, err := os.Open(device)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	super := make([]byte, 1024)
	if _, err := f.ReadAt(super, 1024); err != nil {
		return nil, fmt.Errorf("%s: %w", device, err)
	}
	if binary.LittleEndian.Uint16(super[0x38:]) != 0xEF53 {
		return nil, fmt.Errorf("%s holds no ext4 file system", device)
	}
	const getSize64 = 0x80081272 // BLKGETSIZE64
	var size uint64
	if err := kernel.Ioctl(int(f.Fd()), getSize64, unsafe.Pointer(&size)); err != nil {
		return nil, fmt.Errorf("size of %s: %w", device, err)
	}
	return growthOf(super, size), nil
}

func growthOf(super []byte, deviceBytes uint64) *growth {
	const incompat64Bit = 0x80
	blocks := uint64(binary.LittleEndian.Uint32(super[0x04:]))
	if binary.LittleEndian.Uint32(super[0x60:])&incompat64Bit != 0 {
		blocks |= uint64(binary.LittleEndian.Uint32(super[0x150:])) << 32
	}
	blockBytes := uint64(1024) << binary.LittleEndian.Uint32(super[0x18:])
	if possible := deviceBytes / blockBytes; possible > blocks {
		return &growth{possible}
	}
	return nil
}

func (g *growth) apply(dir string) error {
	const resize = 0x40086610 // EXT4_IOC_RESIZE_FS
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return kernel.Ioctl(int(d.Fd()), resize, unsafe.Pointer(&g.blocks))
}
