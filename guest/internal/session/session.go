// Package session runs processes whose output outlives the connection that watches it (docs/protocol/guest.md).
//
// What must stay true: output bytes keep their offsets; a watcher loses none while it stays; nothing waits for a watcher
// that has gone; a process that has ended is reported even when its children hold its pipes.
package session

import (
	"encoding/binary"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"nexus/guest/internal/children"
	"nexus/guest/internal/kernel"
)

// Kinds of a session.
const (
	Exec = "exec"
	PTY  = "pty"
)

const (
	// pipeGrace is how long a process's own children may go on writing to its output after it has ended.
	pipeGrace = 500 * time.Millisecond
	pumpBytes = 16384
)

// Exit says how a process ended, as a shell would.
type Exit struct {
	Code     int  `json:"code"`
	Signal   *int `json:"signal"`
	TimedOut bool `json:"timed_out"`
}

// Session is one process and its output.
type Session struct {
	id    string
	kind  string
	argv  []string
	user  string
	child *children.Child // nil: the program could not be started
	input *os.File        // nil: there is none (any more)

	attaching sync.Mutex // one change of watcher at a time

	mu       sync.Mutex
	changed  sync.Cond
	output   ring
	watcher  *watcher
	exit     *Exit
	timedOut bool
	dropped  bool // deleted: output goes nowhere
}

func newSession(id, kind, user string, argv []string) *Session {
	s := &Session{id: id, kind: kind, user: user, argv: argv}
	s.changed.L = &s.mu
	return s
}

// run takes the process through to its end. outputs are pipes (or the terminal), by frame type.
func (s *Session) run(outputs map[byte]*os.File, timeout time.Duration) {
	if timeout > 0 {
		defer time.AfterFunc(timeout, s.expire).Stop()
	}
	var pumps sync.WaitGroup
	for kind, f := range outputs {
		pumps.Go(func() { s.pump(kind, f) })
	}
	status := s.child.Wait()
	for _, f := range outputs {
		f.SetReadDeadline(time.Now().Add(pipeGrace))
	}
	pumps.Wait()
	for _, f := range outputs {
		f.Close()
	}
	if s.kind == Exec && s.input != nil {
		s.input.Close()
	}
	s.mu.Lock()
	timedOut := s.timedOut
	s.mu.Unlock()
	s.finish(exitOf(status, timedOut))
}

func exitOf(status syscall.WaitStatus, timedOut bool) Exit {
	if status.Signaled() {
		n := int(status.Signal())
		return Exit{Code: 128 + n, Signal: &n, TimedOut: timedOut}
	}
	return Exit{Code: status.ExitStatus(), TimedOut: timedOut}
}

func (s *Session) expire() {
	s.mu.Lock()
	s.timedOut = true
	s.mu.Unlock()
	s.child.Signal(syscall.SIGKILL) // one that has just ended by itself needs none
}

func (s *Session) finish(e Exit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exit = &e
	s.changed.Broadcast()
}

// pump moves output into the ring until its end: the last writer has closed it, or the grace is over.
func (s *Session) pump(kind byte, f *os.File) {
	buf := make([]byte, pumpBytes)
	for {
		n, err := f.Read(buf)
		s.put(kind, buf[:n])
		if os.IsTimeout(err) {
			s.drain(kind, f, buf)
			return
		}
		if err != nil {
			return // io.EOF; a terminal says EIO when its last user has gone
		}
	}
}

// drain takes what lies in the pipe at the end of the grace: the process wrote it, and a slow watcher held it up.
func (s *Session) drain(kind byte, f *os.File, buf []byte) {
	var left int32
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		kernel.Ioctl(int(fd), syscall.TIOCINQ, unsafe.Pointer(&left)) // fails: nothing is left
	})
	f.SetReadDeadline(time.Time{})
	for left > 0 {
		n, err := f.Read(buf[:min(int(left), len(buf))])
		s.put(kind, buf[:n])
		if left -= int32(n); err != nil {
			return
		}
	}
}

// put appends output. It waits while that would overwrite what a watcher has yet to get, or may have lost on the way; an
// exec without a watcher waits for one.
func (s *Session) put(kind byte, p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 && !s.dropped {
		n := len(p)
		switch {
		case s.watcher != nil:
			n = min(n, s.output.room(s.watcher.at-behindBytes))
		case s.kind == Exec:
			n = min(n, s.output.room(s.output.base))
		}
		if n == 0 {
			s.changed.Wait()
			continue
		}
		s.output.append(kind, p[:n])
		p = p[n:]
		s.changed.Broadcast()
	}
}

func (s *Session) drop() {
	s.mu.Lock()
	s.dropped = true
	s.changed.Broadcast()
	s.mu.Unlock()
}

// resize tells a terminal its size; the foreground processes get SIGWINCH.
func (s *Session) resize(cols, rows uint16) error {
	return setSize(s.input, cols, rows)
}

func writeFrame(w io.Writer, buf []byte, kind byte, payload []byte) error {
	buf = append(buf[:0], kind)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(payload)))
	_, err := w.Write(append(buf, payload...))
	return err
}
