// Package boot is PID 1 of the initramfs: from a bare kernel to the distribution's init, with the agent beside it.
//
// What must stay true (each of these was a failure once): the agent starts before the hand-over and survives it; it sits
// in a control group of its own, or systemd ends it after an out-of-memory kill in init.scope; its argv[0] begins with
// '@', or systemd-shutdown waits 90 s for it; /dev is below the new root before the agent opens its port.
package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"nexus/guest/internal/config"
	"nexus/guest/internal/kernel"
	"nexus/guest/internal/netconf"
)

// NewRoot is where the machine's root file system is mounted before it becomes the root.
const NewRoot = "/newroot"

// ServeContainer runs the agent as PID 1, after enter has made the new root the root; it returns only when it cannot.
type ServeContainer func(c *config.Config, failed error, enter func() error) error

// Run does everything up to the hand-over. It never returns: what cannot be mended ends in a message and a power-off.
func Run(serve ServeContainer) {
	if err := run(serve); err != nil {
		kernel.Log(kernel.Critical, "cannot boot: %v; powering off", err)
	}
	PowerOff()
}

// PowerOff writes everything out and cuts the power.
func PowerOff() {
	syscall.Sync()
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	select {} // PID 1 must not end while the power goes
}

func run(serve ServeContainer) error {
	if err := mountKernelFilesystems(); err != nil {
		return err
	}
	if err := kernel.OpenLog("/dev"); err != nil {
		return err
	}
	c, err := config.Load(config.Path)
	if err != nil {
		return err
	}
	order, err := modulesIn("/modules")
	if err != nil {
		return err
	}
	var agent *agent
	if c.Waits || c.Mode != config.ModeContainer {
		if agent, err = startAgent(); err != nil {
			return fmt.Errorf("start the agent: %w", err)
		}
	}
	var failed error
	if waiting := c; c.Waits {
		if c, err = wait(order); err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		failed = netconf.Move(waiting.NICs, c.NICs) // devices have come with those of the zygote
	} else {
		load(order)
		err = setClock(c)
	}
	// A machine without network or clock is better than none: these are said, and do not end the boot.
	failed = errors.Join(failed, err, netconf.Apply(c.NICs))
	if err := mountRoot(c, NewRoot); err != nil {
		return err
	}
	if err := moveMounts(NewRoot); err != nil {
		return err
	}
	if c.Mode == config.ModeContainer {
		return serve(c, errors.Join(failed, agent.dismiss()), func() error { return enter(NewRoot) })
	}
	return handOver(c, agent, failed)
}

// mostLate is the longest that a boot may have taken since its configuration was written.
const mostLate = 10 * time.Minute

// setClock sets the clock to the time in the configuration, unless it is a little later than that: so it is where the
// kernel has read the hardware's, and the configuration is older by what the boot has taken.
func setClock(c *config.Config) error {
	if c.TimeUnixMs == nil {
		return nil
	}
	if isRight(time.Now(), time.UnixMilli(*c.TimeUnixMs)) {
		return nil
	}
	return kernel.SetClock(*c.TimeUnixMs)
}

func isRight(now, written time.Time) bool {
	late := now.Sub(written)
	return late >= 0 && late < mostLate
}

func mountKernelFilesystems() error {
	for _, m := range []struct{ dir, fs string }{{"/proc", "proc"}, {"/sys", "sysfs"}, {"/dev", "devtmpfs"}} {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(m.fs, m.dir, m.fs, 0, ""); err != nil && err != syscall.EBUSY {
			return fmt.Errorf("mount %s: %w", m.dir, err)
		}
	}
	return nil
}

// modulesIn returns what dir/order names, in that order. No such file, or a kernel without modules: everything is built in.
func modulesIn(dir string) ([]string, error) {
	if _, err := os.Stat("/proc/modules"); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	order, err := os.ReadFile(filepath.Join(dir, "order"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var files []string
	for _, name := range strings.Fields(string(order)) {
		files = append(files, filepath.Join(dir, filepath.Base(name)))
	}
	return files, err
}

func load(modules []string) {
	for _, file := range modules {
		if err := kernel.LoadModule(file); err != nil {
			kernel.Log(kernel.Error, "%v", err) // what needs it says so itself
		}
	}
}

// moveMounts takes /dev, /proc and /sys along, and mounts devpts.
func moveMounts(root string) error {
	for _, dir := range []string{"/dev", "/proc", "/sys"} {
		if err := mkdir(root + dir); err != nil {
			return err
		}
		if err := syscall.Mount(dir, root+dir, "", syscall.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s: %w", dir, err)
		}
	}
	for _, dir := range []string{"/dev/pts", "/dev/shm"} {
		if err := mkdir(root + dir); err != nil {
			return err
		}
	}
	const ttyGroup = "mode=620,gid=5,ptmxmode=666"
	if err := syscall.Mount("devpts", root+"/dev/pts", "devpts", syscall.MS_NOSUID|syscall.MS_NOEXEC, ttyGroup); err != nil {
		return fmt.Errorf("mount /dev/pts: %w", err)
	}
	return nil
}

// mkdir makes a mount point; on a read-only root it has to be there already.
func mkdir(dir string) error {
	if at, err := os.Stat(dir); err == nil && at.IsDir() {
		return nil
	}
	return os.MkdirAll(dir, 0o755)
}

// enter makes root the root of this process and of the mount namespace, and gives the initramfs's memory back.
func enter(root string) error {
	var here syscall.Stat_t
	if err := syscall.Lstat("/", &here); err != nil {
		return err
	}
	wipe("/", here.Dev)
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := syscall.Mount(".", "/", "", syscall.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	if err := syscall.Chroot("."); err != nil {
		return err
	}
	return os.Chdir("/")
}

// wipe removes everything below dir that lies on device. What cannot be removed only costs memory.
func wipe(dir string, device uint64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		p := filepath.Join(dir, entry.Name())
		var at syscall.Stat_t
		if syscall.Lstat(p, &at) != nil || uint64(at.Dev) != device {
			continue
		}
		if entry.IsDir() {
			wipe(p, device)
		}
		os.Remove(p)
	}
}
