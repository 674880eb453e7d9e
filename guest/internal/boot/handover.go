package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"nexus/guest/internal/config"
	"nexus/guest/internal/kernel"
)

const (
	// AgentName is the agent's argv[0]; for '@' see the package comment.
	AgentName = "@nexus-agent"
	// PreparedFD is where the agent writes a byte when it has begun (/dev is elsewhere later), and another when the root
	// file system is prepared and it is about to serve.
	PreparedFD = 3
	// HandedOverFD is where the agent reads the end of file that comes when the distribution's init has begun.
	HandedOverFD = 4
	// FailuresFD is where the agent reads what went wrong before it may begin, as text; its end says that it may.
	FailuresFD = 5
)

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// agent is the agent's process. It waits to be let on: in a zygote it has come this far before anybody knew for whom.
type agent struct {
	pid        int
	failures   *os.File
	prepared   *os.File
	handedOver *os.File
}

func handOver(c *config.Config, a *agent, failed error) error {
	if err := requireInit(c.Init); err != nil {
		return err
	}
	if err := a.letOn(failed); err != nil {
		return fmt.Errorf("prepare the root file system: %w", err)
	}
	if err := enter(NewRoot); err != nil {
		return err
	}
	if err := openConsole(); err != nil {
		kernel.Log(kernel.Error, "console: %v", err) // the init opens its own
	}
	err := syscall.Exec(c.Init, []string{c.Init}, []string{"HOME=/", "TERM=linux", path})
	return fmt.Errorf("run %s: %w", c.Init, err)
}

// requireInit looks for the init inside the new root, by a child that has it as its root: links in there are its own.
func requireInit(init string) error {
	r, err := os.OpenRoot(NewRoot)
	if err != nil {
		return err
	}
	defer r.Close()
	at, err := r.Lstat(init[1:])
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the root file system has no %s", init)
	}
	if err == nil && at.IsDir() {
		return fmt.Errorf("%s is a directory", init)
	}
	return nil // a link, or a directory on the way that is one: exec(2) will tell
}

// startAgent starts the agent, in the root of the initramfs.
func startAgent() (*agent, error) {
	prepared, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	wait, handedOver, err := os.Pipe() // our end closes by itself in exec(2)
	if err != nil {
		return nil, err
	}
	failures, say, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{AgentName}, &syscall.ProcAttr{
		Env:   []string{path, "GODEBUG=asyncpreemptoff=1"}, // no signals to itself: nothing here computes for long
		Files: []uintptr{null.Fd(), null.Fd(), null.Fd(), tell.Fd(), wait.Fd(), failures.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, err
	}
	err = errors.Join(null.Close(), tell.Close(), wait.Close(), failures.Close(), ownCgroup(pid))
	a := &agent{pid: pid, failures: say, prepared: prepared, handedOver: handedOver}
	return a, errors.Join(err, a.awaitByte())
}

// letOn has the agent prepare the root file system, which is mounted, and waits for that.
func (a *agent) letOn(failed error) error {
	if failed != nil {
		a.failures.WriteString(failed.Error())
	}
	if err := a.failures.Close(); err != nil {
		return err
	}
	if err := a.awaitByte(); err != nil {
		return err
	}
	keepOpen = a.handedOver
	return a.prepared.Close()
}

func (a *agent) awaitByte() error {
	if _, err := a.prepared.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("it ended early: %w", err)
	}
	return nil
}

// dismiss ends an agent that is not needed; none at all is one.
func (a *agent) dismiss() error {
	if a == nil {
		return nil
	}
	err := syscall.Kill(a.pid, syscall.SIGKILL)
	if err == nil {
		_, err = syscall.Wait4(a.pid, nil, 0, nil)
	}
	return errors.Join(err, a.failures.Close(), a.prepared.Close(), a.handedOver.Close())
}

// keepOpen holds the pipe whose end tells the agent of the hand-over: collected as garbage, it would close too early.
var keepOpen *os.File

func ownCgroup(pid int) error {
	const dir = "/cgroup"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("cgroup2", dir, "cgroup2", 0, ""); err != nil {
		kernel.Log(kernel.Error, "no cgroup2: %v", err) // a kernel without it has no systemd that would mind
		return nil
	}
	group := filepath.Join(dir, "nexus")
	if err := os.MkdirAll(group, 0o755); err != nil {
		return err
	}
	err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
	return errors.Join(err, detach(dir))
}

// detach takes a mount out of sight. Somebody may be in it just now, and that is no reason not to boot: the agent's Go
// runtime looks into its control group, and the agent runs by then.
func detach(dir string) error {
	return syscall.Unmount(dir, syscall.MNT_DETACH)
}

func openConsole() error {
	console, err := os.OpenFile("/dev/console", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	for fd := range 3 {
		if err := syscall.Dup3(int(console.Fd()), fd, 0); err != nil {
			return err
		}
	}
	return nil
}
