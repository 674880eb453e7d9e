// Package children starts processes and reaps them, woken by SIGCHLD only.
//
// It waits for every child of this process, so nothing else here may: as PID 1 of a container the orphans are ours too.
package children

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"nexus/guest/internal/kernel"
)

// ErrEnded means that the process has been reaped: its number may be somebody else's by now.
var ErrEnded = os.ErrProcessDone

// Family is this process's children.
type Family struct {
	mu      sync.Mutex // held from before a fork until the child is known, and while one is reaped
	byPID   map[int]*Child
	protect bool
}

// Child is a process that leads a session and a process group of its own.
type Child struct {
	PID    int
	family *Family
	ended  bool
	done   chan struct{}
	status syscall.WaitStatus
}

// NewFamily begins to reap. protect: shield this process from the out-of-memory killer, and none of its children.
func NewFamily(protect bool) *Family {
	f := &Family{byPID: map[int]*Child{}, protect: protect}
	f.shield("-1000")
	woken := make(chan os.Signal, 1)
	signal.Notify(woken, syscall.SIGCHLD)
	go func() {
		for range woken {
			f.reap()
		}
	}()
	return f
}

// Start runs the program; attr.Sys must ask for a session of its own.
func (f *Family) Start(program string, argv []string, attr *syscall.ProcAttr) (*Child, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// A child inherits the shield. Taking it off for the moment of the fork is safer than taking it from the child,
	// whose own children may be born before.
	f.shield("0")
	pid, err := syscall.ForkExec(program, argv, attr)
	f.shield("-1000")
	if err != nil {
		return nil, err
	}
	c := &Child{PID: pid, family: f, done: make(chan struct{})}
	f.byPID[pid] = c
	return c, nil
}

// Wait returns how the process ended.
func (c *Child) Wait() syscall.WaitStatus {
	<-c.done
	return c.status
}

// Signal sends s to the child's process group.
func (c *Child) Signal(s syscall.Signal) error {
	c.family.mu.Lock()
	defer c.family.mu.Unlock()
	if c.ended {
		return ErrEnded
	}
	return syscall.Kill(-c.PID, s)
}

// Run runs a program to its end, with nothing to read and its output thrown away; its error says how it ended. After
// patience its process group is killed.
func (f *Family) Run(argv, env []string, patience time.Duration) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	c, err := f.Start(argv[0], argv, &syscall.ProcAttr{
		Dir: "/", Env: env, Files: []uintptr{null.Fd(), null.Fd(), null.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return fmt.Errorf("%s: %w", argv[0], err)
	}
	late := time.AfterFunc(patience, func() { c.Signal(syscall.SIGKILL) }) // one that has ended needs none
	status := c.Wait()
	switch {
	case !late.Stop():
		return fmt.Errorf("%s: killed after %s", argv[0], patience)
	case status.Signaled():
		return fmt.Errorf("%s: ended by signal %d", argv[0], status.Signal())
	case status.ExitStatus() != 0:
		return fmt.Errorf("%s: ended with %d", argv[0], status.ExitStatus())
	}
	return nil
}

func (f *Family) shield(score string) {
	if !f.protect {
		return
	}
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte(score), 0); err != nil {
		kernel.Log(kernel.Error, "out-of-memory score: %v", err)
	}
}

func (f *Family) reap() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if pid <= 0 || err != nil {
			return
		}
		if c := f.byPID[pid]; c != nil {
			delete(f.byPID, pid)
			c.ended, c.status = true, status
			close(c.done)
		}
	}
}
