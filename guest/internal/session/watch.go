package session

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"nexus/guest/internal/memory"
)

// Session frames (docs/protocol/guest.md).
const (
	frameInput       = 0
	frameOutput      = 1
	frameErrorOutput = 2
	frameResize      = 3
	frameEndOfInput  = 4
	frameExit        = 5
	frameAck         = 6

	headerBytes     = 5
	maxFramePayload = 64 * 1024
	endOfTransmit   = 4 // what a terminal takes as the end of input
)

// watcher is the connection that gets a session's output.
type watcher struct {
	conn net.Conn
	at   int64 // the next byte it gets; guarded by the session's mu
	have int64 // it has said that it has the bytes before; -1: it does not say, so what its connection holds may be lost
	// unsaid: the watcher before acknowledged, so this one probably will; what it came for is kept until then.
	unsaid time.Time
	// unheard: the process takes no more of its input, and what w says of its output is behind that.
	unheard bool
	done    chan struct{}
}

// floor is the first byte that w may yet ask for again; the session's mu is held. A word that cannot be heard is not
// waited for: the process may not read before what it writes has room.
func (w *watcher) floor() int64 {
	if w.have >= 0 && !w.unheard && (w.unsaid.IsZero() || time.Now().Before(w.unsaid)) {
		return w.have
	}
	return max(w.have, w.at-behindBytes)
}

// attach makes w the watcher, in place of the one before, which is done by then; it returns the offset of w's first byte.
func (s *Session) attach(w *watcher) (start int64) {
	s.attaching.Lock()
	defer s.attaching.Unlock()
	s.mu.Lock()
	old := s.watcher
	s.watcher = w
	s.rearm()
	s.stopWaking()
	w.at = max(w.at, s.output.base)
	start = w.at
	if s.acknowledged {
		w.have, w.unsaid = start, time.Now().Add(returnPatience)
		s.waking = time.AfterFunc(returnPatience, s.wake)
	}
	s.changed.Broadcast()
	s.mu.Unlock()
	if old == nil {
		return start
	}
	old.conn.Close()
	if s.input != nil {
		s.input.SetWriteDeadline(time.Unix(1, 0)) // input that the process does not read must not hold up the new one
	}
	<-old.done
	if s.input != nil {
		s.input.SetWriteDeadline(time.Time{})
	}
	return start
}

func (s *Session) detach(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watcher == w {
		s.watcher, s.left, s.floor = nil, time.Now(), w.floor()
		s.rearm()
		s.stopWaking()
		if s.kind == PTY && s.exit == nil && !s.dropped {
			s.waking = time.AfterFunc(returnPatience, s.wake)
		}
	}
	s.changed.Broadcast()
}

// serve runs the connection until it ends; it returns whether the exit frame was delivered.
func (s *Session) serve(w *watcher, in io.Reader, greet func(start int64) error) (delivered bool) {
	defer close(w.done)
	defer w.conn.Close()
	defer s.detach(w)
	if greet(s.attach(w)) != nil {
		return false
	}
	var input sync.WaitGroup
	closedByHost := false
	input.Go(func() {
		closedByHost = s.readInput(w, in) == io.EOF
		s.detach(w)
	})
	said := s.writeOutput(w)
	if said {
		if c, ok := w.conn.(interface{ CloseWrite() error }); ok {
			c.CloseWrite()
		}
		w.conn.SetReadDeadline(time.Now().Add(deliveryPatience))
	} else {
		w.conn.Close()
	}
	s.detach(w)
	input.Wait()
	return said && closedByHost
}

// deliveryPatience is how long the host may take to close its side after the exit frame.
const deliveryPatience = 30 * time.Second

// writeOutput sends frames until the exit frame is out (true), or w is the watcher no longer, or its connection fails.
func (s *Session) writeOutput(w *watcher) bool {
	for {
		exit, more := s.next(w)
		switch {
		case more:
			if s.writeSome(w) != nil {
				return false
			}
		case exit != nil:
			body, err := json.Marshal(exit)
			return err == nil && writeFrame(w.conn, append(make([]byte, headerBytes), body...), frameExit) == nil
		default:
			return false
		}
	}
}

// next waits for something to send: output (more), or the exit. Neither: w has been replaced or has gone.
func (s *Session) next(w *watcher) (exit *Exit, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.watcher == w && w.at == s.output.end && s.exit == nil && !s.dropped {
		s.changed.Wait()
	}
	switch {
	case s.watcher != w:
		return nil, false
	case w.at < s.output.end:
		return nil, true
	}
	return s.exit, false
}

// writeSome sends a frame of output.
func (s *Session) writeSome(w *watcher) error {
	frame := memory.Borrow()
	defer memory.GiveBack(frame)
	s.mu.Lock()
	if s.watcher != w { // nothing keeps the ring from having moved past w
		s.mu.Unlock()
		return net.ErrClosed
	}
	kind, n := s.output.read(w.at, frame[headerBytes:])
	s.mu.Unlock()
	if err := writeFrame(w.conn, frame[:headerBytes+n], kind); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.at += int64(n)
	s.changed.Broadcast()
	return nil
}

// writeFrame sends a payload that has room for the frame's header before it.
func writeFrame(w io.Writer, frame []byte, kind byte) error {
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:], uint32(len(frame)-headerBytes))
	_, err := w.Write(frame)
	return err
}

// readInput acts on the watcher's frames until it leaves (io.EOF) or is lost.
func (s *Session) readInput(w *watcher, in io.Reader) error {
	var header [headerBytes]byte
	var payload []byte
	for {
		if _, err := io.ReadFull(in, header[:]); err != nil {
			return err
		}
		size := binary.BigEndian.Uint32(header[1:])
		if size > maxFramePayload {
			return io.ErrUnexpectedEOF
		}
		if int(size) > cap(payload) {
			payload = make([]byte, size)
		}
		payload = payload[:size]
		if _, err := io.ReadFull(in, payload); err != nil {
			return io.ErrUnexpectedEOF
		}
		if err := s.act(w, header[0], payload); err != nil {
			return err
		}
	}
}

func (s *Session) act(w *watcher, kind byte, payload []byte) error {
	if s.input == nil && kind != frameAck {
		return nil
	}
	if kind == frameInput {
		s.mu.Lock()
		s.spoken = time.Now()
		s.mu.Unlock()
	}
	switch kind {
	case frameInput:
		// A process that no longer reads is none of the watcher's faults; being pushed aside in the middle is the end.
		if err := s.feed(w, payload); os.IsTimeout(err) {
			return err
		}
	case frameAck:
		s.acknowledge(w, payload)
	case frameResize:
		var size struct{ Cols, Rows uint16 }
		if s.kind != PTY || json.Unmarshal(payload, &size) != nil {
			return nil
		}
		s.resize(size.Cols, size.Rows) // the terminal of a process that has ended has no size
	case frameEndOfInput:
		if s.kind == PTY {
			s.input.Write([]byte{endOfTransmit}) // as above
		} else {
			s.input.Close()
		}
	}
	return nil
}

// feed gives the process input, however long it takes for it.
func (s *Session) feed(w *watcher, p []byte) error {
	raw, err := s.input.SyscallConn()
	if err != nil {
		return err
	}
	defer s.hear(w, true)
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for len(p) > 0 {
			var n int
			n, failed = syscall.Write(int(fd), p)
			switch failed {
			case nil:
				p = p[n:]
			case syscall.EINTR:
			case syscall.EAGAIN:
				s.hear(w, false)
				return false
			default:
				return true
			}
		}
		return true
	})
	return cmp.Or(err, failed)
}

// hear notes whether w's frames are being read, or wait behind input that the process does not take.
func (s *Session) hear(w *watcher, heard bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.unheard == heard {
		w.unheard = !heard
		s.changed.Broadcast()
	}
}

// acknowledge takes a watcher's word for what has arrived at its end: from then on everything behind that is kept for it.
func (s *Session) acknowledge(w *watcher, payload []byte) {
	if len(payload) != 8 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Up to the end, not to w.at: the word may be here before the write that it answers has returned.
	if have := int64(binary.BigEndian.Uint64(payload)); have >= w.have && have <= s.output.end {
		w.have, w.unsaid, s.acknowledged = have, time.Time{}, true
		s.changed.Broadcast()
	}
}

func (s *Session) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}
