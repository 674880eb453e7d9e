// Package session runs processes whose output outlives the connection that watches it (docs/protocol/guest.md).
//
// What must stay true: output bytes keep their offsets; a watcher loses none while it stays; nothing waits for a watcher
// that has gone; a process that has ended is reported even when its children hold its pipes.
package session

import (
	"cmp"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"nexus/guest/internal/children"
	"nexus/guest/internal/kernel"
	"nexus/guest/internal/memory"
)

// Kinds of a session.
const (
	Exec = "exec"
	PTY  = "pty"
)

// returnPatience is how long a full terminal waits for its watcher to come back before it forgets its oldest output.
const returnPatience = 60 * time.Second

// pipeGrace is how long a process's own children may go on writing to its output after it has ended.
const pipeGrace = 500 * time.Millisecond

// Exit says how a process ended, as a shell would.
type Exit struct {
	Code     int  `json:"code"`
	Signal   *int `json:"signal"`
	TimedOut bool `json:"timed_out"`
}

// Session is one process and its output.
type Session struct {
	id       string
	kind     string
	argv     []string
	user     string
	openedBy string
	opened   time.Time
	limits   limits
	child    *children.Child // nil: the program could not be started
	input    *os.File        // nil: there is none (any more)

	expiry *time.Timer // when it is forgotten, once it has ended; guarded by the book's mu

	attaching sync.Mutex // one change of watcher at a time

	mu           sync.Mutex
	changed      sync.Cond
	output       ring
	watcher      *watcher
	exit         *Exit
	timedOut     bool
	dropped      bool        // deleted: output goes nowhere
	spoken       time.Time   // when something last went in or out
	left         time.Time   // when the last watcher went; zero: it had none
	floor        int64       // the first byte that it may ask for again
	acknowledged bool        // a watcher has said what it has
	waking       *time.Timer // when nobody waits for it any longer; it holds on to the session, and so to its output
	idle         *time.Timer // runs when the session may have been idle for too long
}

func newSession(id string, q Request, argv []string) *Session {
	now := time.Now()
	s := &Session{id: id, kind: q.Kind, user: q.User, argv: argv, openedBy: q.OpenedBy, opened: now, spoken: now,
		limits: limits{time.Duration(q.IdleMs) * time.Millisecond, time.Duration(q.UnwatchedMs) * time.Millisecond}}
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
	s.rearm()
	s.stopWaking()
	s.changed.Broadcast()
}

// pump moves output into the ring until its end: the last writer has closed it, or the grace is over.
func (s *Session) pump(kind byte, f *os.File) {
	raw, err := f.SyscallConn()
	for err == nil {
		_, err = s.take(kind, raw, memory.BufferBytes)
		if os.IsTimeout(err) {
			f.SetReadDeadline(time.Time{})
			s.drain(kind, raw)
		}
	}
	// io.EOF; a terminal says EIO when its last user has gone
}

// take waits for output and moves at most limit bytes of it. It holds a buffer only while it holds bytes.
func (s *Session) take(kind byte, raw syscall.RawConn, limit int) (n int, err error) {
	buf := (*memory.Buffer)(nil)
	waited := raw.Read(func(fd uintptr) bool {
		buf = memory.Borrow()
		for {
			if n, err = syscall.Read(int(fd), buf[:limit]); err != syscall.EINTR {
				break
			}
		}
		if err == syscall.EAGAIN {
			memory.GiveBack(buf)
			buf = nil
			return false
		}
		return true
	})
	if buf == nil {
		return 0, waited
	}
	defer memory.GiveBack(buf)
	if n <= 0 {
		return 0, cmp.Or(err, io.EOF)
	}
	s.put(kind, buf[:n])
	return n, nil
}

// drain takes what lies in the pipe at the end of the grace: the process wrote it, and a slow watcher held it up.
func (s *Session) drain(kind byte, raw syscall.RawConn) {
	var left int32
	raw.Control(func(fd uintptr) {
		kernel.Ioctl(int(fd), syscall.TIOCINQ, unsafe.Pointer(&left)) // fails: nothing is left
	})
	for left > 0 {
		n, err := s.take(kind, raw, min(int(left), memory.BufferBytes))
		if left -= int32(n); err != nil {
			return
		}
	}
}

// put appends output. It waits while that would overwrite what a watcher has yet to get, or may have lost on the way.
// Without a watcher an exec waits for one, and a terminal that had one for a while.
func (s *Session) put(kind byte, p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 && !s.dropped {
		n := len(p)
		switch {
		case s.watcher != nil:
			n = min(n, s.output.room(s.watcher.floor()))
		case s.kind == Exec:
			n = min(n, s.output.room(s.output.base))
		case time.Since(s.left) < returnPatience:
			n = min(n, s.output.room(s.floor))
		}
		if n == 0 {
			s.changed.Wait()
			continue
		}
		s.output.append(kind, p[:n])
		s.spoken = time.Now()
		p = p[n:]
		s.changed.Broadcast()
	}
}

func (s *Session) drop() {
	s.mu.Lock()
	s.dropped = true
	s.stopWaking()
	s.changed.Broadcast()
	s.mu.Unlock()
}

func (s *Session) stopWaking() {
	if s.waking != nil {
		s.waking.Stop()
	}
}

// resize tells a terminal its size; the foreground processes get SIGWINCH.
func (s *Session) resize(cols, rows uint16) error {
	return setSize(s.input, cols, rows)
}

// held is how much memory the session's output takes.
func (s *Session) held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.output.buf)
}
