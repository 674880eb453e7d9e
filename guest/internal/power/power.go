// Package power ends the machine in order: through the distribution's init where we know how to ask it.
package power

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"nexus/guest/internal/kernel"
)

// Actions.
const (
	PowerOff = "poweroff"
	Reboot   = "reboot"
)

const (
	// DefaultForce is when an init that was asked and has not finished is overruled; systemd's own limit is 90 s.
	DefaultForce = 120 * time.Second
	// initPatience is how long an init may take from its start to listening for signals.
	initPatience = 10 * time.Second
	// hangUpGrace is how long sessions get between the polite signal and the last.
	hangUpGrace = 2 * time.Second

	systemd = "systemd"

	minRealtime = 34 // SIGRTMIN as C libraries and systemd count
)

// HangUp sends signals to every session's processes.
type HangUp func(signals ...syscall.Signal)

// Switch performs at most one action: the first.
type Switch struct {
	hangUp     HangUp
	disk       *Disk
	terminated <-chan os.Signal
	once       sync.Once
}

// NewSwitch returns a switch that ends the sessions first and closes disk (nil: there is nothing to close) last.
// terminated brings the SIGTERM that an init sends to every process near the end.
func NewSwitch(h HangUp, disk *Disk, terminated <-chan os.Signal) *Switch {
	return &Switch{hangUp: h, disk: disk, terminated: terminated}
}

// Valid says whether action is one.
func Valid(action string) bool { return action == PowerOff || action == Reboot }

// Begin starts the action and returns. After force it happens whatever the init does.
func (s *Switch) Begin(action string, force time.Duration) {
	s.once.Do(func() {
		time.AfterFunc(force, func() {
			kernel.Log(kernel.Error, "%s: the init has not finished after %s; forced", action, force)
			s.cut(action)
		})
		go s.perform(action)
	})
}

func (s *Switch) perform(action string) {
	s.hangUp(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGCONT) // an interactive shell minds only the second
	time.AfterFunc(hangUpGrace, func() { s.hangUp(syscall.SIGKILL) })
	if os.Getpid() == 1 {
		endProcesses()
		s.cut(action)
		return
	}
	init := initName()
	signal := signalFor(init, action)
	if signal == 0 {
		s.cut(action)
		return
	}
	if init == systemd {
		awaitListening(1, signal, initPatience)
	}
	if init != systemd {
		go s.closeDiskAtTheEnd()
	}
	for syscall.Kill(1, signal) == nil && init != systemd {
		time.Sleep(time.Second) // busybox says nothing about whether it listens yet; once it does, repeats change nothing
	}
}

// endProcesses is the end of a machine whose init we are.
func endProcesses() {
	syscall.Kill(-1, syscall.SIGTERM) // ESRCH: there are none
	for until := time.Now().Add(hangUpGrace); time.Now().Before(until) && othersRun(); {
		time.Sleep(10 * time.Millisecond)
	}
	syscall.Kill(-1, syscall.SIGKILL)
}

// othersRun says whether there are processes beside us; the kernel's own, and those that have ended, have no arguments.
func othersRun() bool {
	files, _ := filepath.Glob("/proc/[1-9]*/cmdline") // the pattern is constant and valid
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && len(b) > 0 && f != "/proc/1/cmdline" {
			return true
		}
	}
	return false
}

// closeDiskAtTheEnd waits for the SIGTERM that busybox sends to everybody a second before its SIGKILL, and leaves most
// of that second to those who have something to write.
func (s *Switch) closeDiskAtTheEnd() {
	const lastWords = 600 * time.Millisecond
	<-s.terminated
	time.Sleep(lastWords)
	s.disk.freeze()
}

// cut writes everything out and ends the machine here and now.
func (s *Switch) cut(action string) {
	syscall.Sync()
	s.disk.freeze()
	how := syscall.LINUX_REBOOT_CMD_POWER_OFF
	if action == Reboot {
		how = syscall.LINUX_REBOOT_CMD_RESTART
	}
	if err := syscall.Reboot(how); err != nil {
		kernel.Log(kernel.Error, "%s: %v", action, err)
	}
}

// initName is the program that PID 1 runs: "systemd", "busybox" …
func initName() string {
	if exe, err := os.Readlink("/proc/1/exe"); err == nil {
		return filepath.Base(exe)
	}
	return ""
}

// signalFor is what asks an init for action; 0 when we do not know it. systemd(1), SIGNALS; busybox init/init.c.
func signalFor(init, action string) syscall.Signal {
	off := action == PowerOff
	switch {
	case init == systemd && off:
		return minRealtime + 4
	case init == systemd:
		return minRealtime + 5
	case strings.HasPrefix(init, "busybox") && off:
		return syscall.SIGUSR2
	case strings.HasPrefix(init, "busybox"):
		return syscall.SIGTERM
	}
	return 0
}

// awaitListening waits until process pid takes signal: before that the kernel throws away what PID 1 is sent.
func awaitListening(pid int, signal syscall.Signal, patience time.Duration) {
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err == nil && listens(string(b), signal) {
			return
		}
	}
}

// listens reads a process's status (proc(5)): a signal that is caught, or blocked to be fetched with sigwait or signalfd.
func listens(status string, signal syscall.Signal) bool {
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		if name != "SigCgt" && name != "SigBlk" {
			continue
		}
		mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err == nil && mask&(1<<(signal-1)) != 0 {
			return true
		}
	}
	return false
}
