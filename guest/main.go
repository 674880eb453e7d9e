// Nexus's part of a guest, one static binary in two roles: /init of the initramfs (PID 1), and the in-guest agent,
// which PID 1 starts beside the distribution's init and which stays until the machine's end.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"nexus/guest/internal/agent"
	"nexus/guest/internal/boot"
	"nexus/guest/internal/children"
	"nexus/guest/internal/config"
	"nexus/guest/internal/hostkeys"
	"nexus/guest/internal/identity"
	"nexus/guest/internal/kernel"
	"nexus/guest/internal/power"
)

var version = "dev" // set by the build

func main() {
	switch {
	case os.Args[0] == boot.AgentName:
		if err := errors.Join(kernel.OpenLog("/dev"), beside()); err != nil {
			kernel.Log(kernel.Critical, "agent: %v", err)
			os.Exit(1)
		}
	case os.Getpid() == 1:
		boot.Run(container)
	default:
		fmt.Println("nexus guest", version)
	}
}

// beside is the agent's life next to the distribution's init.
func beside() error {
	// Not ignored but caught: an ignored signal would stay ignored in every process that we start. systemd sends SIGTERM
	// to whom it finds in its own groups.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	prepared := os.NewFile(boot.PreparedFD, "prepared")
	if _, err := prepared.Write([]byte{1}); err != nil {
		return err
	}
	failed, err := earlierFailures() // comes when we may begin; in a zygote there is no configuration before
	if err != nil {
		return err
	}
	c, err := config.Load(config.Path)
	if err != nil {
		return err
	}
	disk, err := openDisk(c)
	failed = errors.Join(failed, err)
	if err := errors.Join(syscall.Chroot(boot.NewRoot), os.Chdir("/")); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/self/comm", []byte(boot.AgentName[1:]), 0); err != nil {
		kernel.Log(kernel.Info, "comm: %v", err)
	}
	a := newAgent(c, agent.Machine{Family: children.NewFamily(true), Disk: disk, Terminated: terminated, Failed: failed})
	carriers := agent.Open()
	if err := handedOver(prepared); err != nil {
		return err
	}
	if c.Overlay != nil && disk != nil {
		go followRoot(disk)
	}
	a.Serve(carriers)
	return nil
}

func openDisk(c *config.Config) (*power.Disk, error) {
	if dir := boot.WritableDisk(c); dir != "" {
		return power.OpenDisk(dir)
	}
	return nil, nil
}

func followRoot(disk *power.Disk) {
	if err := disk.FollowRoot(); err != nil {
		kernel.Log(kernel.Error, "mounts: %v", err)
	}
}

// container is our life as the only init: the same agent, and the orphans are ours.
func container(c *config.Config, failed error, enter func() error) error {
	disk, err := openDisk(c)
	failed = errors.Join(failed, err)
	if err := enter(); err != nil {
		return err
	}
	for _, dir := range []string{"/dev/shm", "/run", "/tmp"} {
		failed = errors.Join(failed, mountMemory(dir))
	}
	a := newAgent(c, agent.Machine{Family: children.NewFamily(false), Disk: disk, Failed: failed})
	a.Serve(agent.Open())
	return nil
}

func mountMemory(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	mode := "mode=1777"
	if dir == "/run" {
		mode = "mode=755"
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, mode); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	return nil
}

func newAgent(c *config.Config, m agent.Machine) *agent.Agent {
	m.Version, m.Config = version, c
	if identity.WasAnothers("/", c.MachineID) {
		m.Failed = errors.Join(m.Failed, hostkeys.Renew("/", m.Family.Run))
	}
	m.Failed = errors.Join(m.Failed, identity.Apply("/", c, time.Now()), syscall.Sethostname([]byte(c.Hostname)))
	return agent.New(m)
}

func earlierFailures() (error, error) {
	f := os.NewFile(boot.FailuresFD, "failures")
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil || len(b) == 0 {
		return nil, err
	}
	return errors.New(string(b)), nil
}

// handedOver lets PID 1 go on, and waits until it has become the distribution's init.
func handedOver(prepared *os.File) error {
	wait := os.NewFile(boot.HandedOverFD, "handed over")
	_, err := prepared.Write([]byte{1})
	if _, end := wait.Read(make([]byte, 1)); end != io.EOF {
		err = errors.Join(err, end)
	}
	return errors.Join(err, prepared.Close(), wait.Close())
}
