package mux

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxStreams bounds what a host can make us hold; it opens a few at a time.
	maxStreams = 256
	// absence is how long the host may be away before its session ends. A single end of file proves nothing.
	absence = 3 * time.Second
	// echoPatience bounds the write of a HELLO echo, so that a host that went again cannot hold the reader.
	echoPatience = 2 * time.Second
)

// Port is the device. Read returns io.EOF when the host seems to have gone; the next Read waits for it to come back.
type Port interface {
	io.ReadWriter
	SetWriteDeadline(time.Time) error
}

// Mux is a net.Listener whose connections are the streams the host opens.
type Mux struct {
	// For, unless empty, is what a nonce has to begin with: other hosts' HELLOs are not answered.
	For string

	port     Port
	accepted chan net.Conn
	closed   chan struct{}

	writing sync.Mutex // held while a frame is written, and while the session changes
	out     []byte
	current atomic.Pointer[session]

	answering atomic.Bool
}

// session is what lies between two HELLOs.
type session struct {
	mu      sync.Mutex
	dead    bool
	streams map[uint32]*stream
}

// New returns a listener over port; Serve must run for it to accept anything.
func New(port Port) *Mux {
	return &Mux{port: port, accepted: make(chan net.Conn, maxStreams), closed: make(chan struct{})}
}

// Serve reads the port until it fails for good.
func (m *Mux) Serve() error {
	defer close(m.closed)
	r := newFrameReader(&patientReader{m: m})
	for {
		f, err := r.next()
		if err != nil {
			m.begin(nil, nil)
			return err
		}
		m.take(f)
	}
}

// Accept waits for the host to open a stream.
func (m *Mux) Accept() (net.Conn, error) {
	select {
	case c := <-m.accepted:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Close does nothing: the port lives as long as the machine.
func (m *Mux) Close() error { return nil }

// Addr names the listener.
func (m *Mux) Addr() net.Addr { return address("guest") }

func (m *Mux) take(f frame) {
	s := m.current.Load() // only this goroutine changes it
	switch {
	case f.kind == typeHello:
		if f.stream == 0 && len(f.payload) == nonceBytes && strings.HasPrefix(string(f.payload), m.For) {
			m.begin(&session{streams: map[uint32]*stream{}}, f.payload)
		}
	case s == nil || s.isDead():
		if f.kind == typeOpen || f.kind == typePing {
			m.answer(s, typeRst, 0) // the host believes in a session that we do not have
		}
	case f.kind == typePing:
		m.answer(s, typePing, 0)
	case f.kind == typeOpen:
		m.open(s, f.stream)
	default:
		if st := s.find(f.stream); st != nil {
			st.take(f)
		}
	}
}

// begin ends the session there was; a next one is announced by echoing its nonce.
func (m *Mux) begin(next *session, nonce []byte) {
	if s := m.current.Load(); s != nil {
		s.kill()
	}
	m.port.SetWriteDeadline(time.Unix(1, 0)) // frees a writer that waits for a host that has gone
	m.writing.Lock()
	defer m.writing.Unlock()
	m.current.Store(next)
	if next == nil {
		m.port.SetWriteDeadline(time.Time{})
		return
	}
	m.port.SetWriteDeadline(time.Now().Add(echoPatience))
	m.out = appendFrame(m.out[:0], typeHello, 0, nonce)
	m.port.Write(m.out) // a host that does not get it asks again
	m.port.SetWriteDeadline(time.Time{})
}

func (m *Mux) open(s *session, id uint32) {
	st := newStream(m, s, id)
	if !s.add(st) {
		m.answer(s, typeRst, id)
		return
	}
	select {
	case m.accepted <- st:
	default:
		s.forget(id)
		m.answer(s, typeRst, id)
	}
}

// answer sends an empty frame without making the reader wait for it. One at a time is enough: the host repeats itself.
func (m *Mux) answer(s *session, kind byte, id uint32) {
	if !m.answering.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer m.answering.Store(false)
		m.send(s, kind, id, nil)
	}()
}

// send writes one frame, unless the session s is over by the time it can be written; of a dead one only that may be told.
func (m *Mux) send(s *session, kind byte, id uint32, payload []byte) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	if m.current.Load() != s || kind != typeRst && s.isDead() {
		return net.ErrClosed
	}
	m.out = appendFrame(m.out[:0], kind, id, payload)
	_, err := m.port.Write(m.out)
	return err
}

func (m *Mux) sendWindow(s *session, id uint32, size int) error {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(size))
	return m.send(s, typeWindow, id, b[:])
}

func (s *session) find(id uint32) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams[id]
}

func (s *session) add(st *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.streams[st.id]; taken || s.dead || len(s.streams) >= maxStreams {
		return false
	}
	s.streams[st.id] = st
	return true
}

func (s *session) forget(id uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, id)
}

func (s *session) isDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

// kill ends every stream. None is touched while s is locked: a stream that closes holds its own lock, and then takes ours.
func (s *session) kill() {
	s.mu.Lock()
	s.dead = true
	streams := s.streams
	s.streams = map[uint32]*stream{}
	s.mu.Unlock()
	for _, st := range streams {
		st.reset()
	}
}

// patientReader hides the port's ends of file, and ends the session when one lasts.
type patientReader struct{ m *Mux }

func (p *patientReader) Read(b []byte) (int, error) {
	var gone *time.Timer
	for {
		n, err := p.m.port.Read(b)
		if gone != nil && (n > 0 || err != io.EOF) {
			gone.Stop()
			gone = nil
		}
		if n > 0 {
			return n, nil
		}
		if err != nil && err != io.EOF {
			return 0, err
		}
		if gone == nil {
			gone = time.AfterFunc(absence, p.m.expire)
		}
	}
}

// expire ends the streams of a host that stayed away. The session itself stays current, so that the reader alone
// changes it; its streams are dead and a next OPEN is refused.
func (m *Mux) expire() {
	if s := m.current.Load(); s != nil {
		s.kill()
	}
}

type address string

func (a address) Network() string { return "virtio" }
func (a address) String() string  { return string(a) }
