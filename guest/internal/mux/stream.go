package mux

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// stream is a net.Conn. Closing it tells the host that nothing more will come and that nothing more is wanted.
type stream struct {
	mux     *Mux
	session *session
	id      uint32

	mu      sync.Mutex
	changed sync.Cond
	held    []byte // received and unread; at most windowBytes
	owed    int    // read and not yet acknowledged
	credit  int    // what we may still send
	gotFin  bool
	sentFin bool
	closed  bool
	dead    bool // reset by the host, or its session is over
	readBy  deadline
	writeBy deadline
}

func newStream(m *Mux, s *session, id uint32) *stream {
	st := &stream{mux: m, session: s, id: id, credit: windowBytes}
	st.changed.L = &st.mu
	return st
}

// take acts on a frame from the host. It never blocks: the port's reader calls it.
func (s *stream) take(f frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f.kind {
	case typeData:
		if s.closed || s.gotFin {
			return
		}
		if len(s.held)+len(f.payload) > windowBytes {
			s.dead = true // the host ignores the window; there is no place to put this
			s.mux.answer(s.session, typeRst, s.id)
			break
		}
		s.held = append(s.held, f.payload...)
	case typeWindow:
		if len(f.payload) == 4 {
			s.credit += int(binary.BigEndian.Uint32(f.payload))
		}
	case typeFin:
		s.gotFin = true
		if s.sentFin {
			s.session.forget(s.id)
		}
	case typeRst:
		s.dead = true
		s.session.forget(s.id)
	}
	s.changed.Broadcast()
}

func (s *stream) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
	s.changed.Broadcast()
}

// Read implements net.Conn.
func (s *stream) Read(b []byte) (int, error) {
	s.mu.Lock()
	for len(s.held) == 0 {
		err := s.readError()
		if err != nil {
			s.mu.Unlock()
			return 0, err
		}
		s.changed.Wait()
	}
	if s.closed {
		s.mu.Unlock()
		return 0, net.ErrClosed
	}
	n := copy(b, s.held)
	s.held = s.held[n:]
	if len(s.held) == 0 {
		s.held = nil
	}
	acknowledged := 0
	s.owed += n
	if s.owed >= windowBytes/2 && !s.gotFin {
		acknowledged, s.owed = s.owed, 0
	}
	s.mu.Unlock()
	if acknowledged > 0 {
		s.mux.sendWindow(s.session, s.id, acknowledged) // fails with its session only, and then the stream is dead too
	}
	return n, nil
}

func (s *stream) readError() error {
	switch {
	case s.closed:
		return net.ErrClosed
	case s.gotFin:
		return io.EOF
	case s.dead:
		return io.ErrUnexpectedEOF
	case s.readBy.passed():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Write implements net.Conn.
func (s *stream) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		size, err := s.reserve(len(b) - done)
		if err != nil {
			return done, err
		}
		if err := s.mux.send(s.session, typeData, s.id, b[done:done+size]); err != nil {
			return done, err
		}
		done += size
	}
	return done, nil
}

// reserve waits for credit and takes at most want of it.
func (s *stream) reserve(want int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.closed || s.sentFin:
			return 0, net.ErrClosed
		case s.dead:
			return 0, io.ErrClosedPipe
		case s.writeBy.passed():
			return 0, os.ErrDeadlineExceeded
		case s.credit > 0:
			size := min(want, maxPayload, s.credit)
			s.credit -= size
			return size, nil
		}
		s.changed.Wait()
	}
}

// CloseWrite says that nothing more will come; reading goes on.
func (s *stream) CloseWrite() error {
	s.mu.Lock()
	silent := s.sentFin || s.dead || s.closed
	s.sentFin = true
	if s.gotFin {
		s.session.forget(s.id)
	}
	s.mu.Unlock()
	if silent {
		return nil
	}
	return s.mux.send(s.session, typeFin, s.id, nil)
}

// Close implements net.Conn: FIN, and RST behind it unless the host has finished too.
func (s *stream) Close() error {
	s.CloseWrite()
	s.mu.Lock()
	again := s.closed
	tellHost := !again && !s.gotFin && !s.dead
	s.closed = true
	s.held = nil
	s.readBy.stop()
	s.writeBy.stop()
	s.changed.Broadcast()
	s.mu.Unlock()
	s.session.forget(s.id)
	if tellHost {
		return s.mux.send(s.session, typeRst, s.id, nil)
	}
	return nil
}

// Abort ends both directions so that the host sees a stream that was cut, not one that ended.
func (s *stream) Abort() {
	s.mu.Lock()
	silent := s.closed || s.dead
	s.closed, s.sentFin = true, true
	s.held = nil
	s.readBy.stop()
	s.writeBy.stop()
	s.changed.Broadcast()
	s.mu.Unlock()
	s.session.forget(s.id)
	if !silent {
		s.mux.send(s.session, typeRst, s.id, nil) // fails with its session only, and then the stream is gone too
	}
}

// LocalAddr implements net.Conn.
func (s *stream) LocalAddr() net.Addr { return address("guest") }

// RemoteAddr implements net.Conn.
func (s *stream) RemoteAddr() net.Addr { return address("host") }

// SetDeadline implements net.Conn.
func (s *stream) SetDeadline(t time.Time) error {
	s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (s *stream) SetReadDeadline(t time.Time) error { return s.setDeadline(&s.readBy, t) }

// SetWriteDeadline implements net.Conn.
func (s *stream) SetWriteDeadline(t time.Time) error { return s.setDeadline(&s.writeBy, t) }

func (s *stream) setDeadline(d *deadline, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.set(t, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	s.changed.Broadcast()
	return nil
}

// deadline wakes whoever waits when it passes.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (d *deadline) set(t time.Time, wake func()) {
	d.stop()
	d.at = t
	if !t.IsZero() && time.Until(t) > 0 {
		d.timer = time.AfterFunc(time.Until(t), wake)
	}
}
