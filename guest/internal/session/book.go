package session

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"nexus/guest/internal/children"
	"nexus/guest/internal/memory"
)

const (
	// keepEnded is how long a session that nobody has fetched stays after its end.
	keepEnded = 10 * time.Minute
	// maxEnded and maxEndedBytes bound what is kept for those who come late, maxSessions what runs.
	maxEnded      = 128
	maxEndedBytes = 4 << 20
	maxSessions   = 128
)

// Errors that the HTTP side gives a status.
var (
	ErrUnknown   = errors.New("there is no such session")
	ErrBeyond    = errors.New("the offset is beyond what was written")
	ErrFull      = fmt.Errorf("%d sessions run already; end some first", maxSessions)
	ErrMalformed = errors.New("malformed request")
)

type spawn func(path string, argv []string, attr *syscall.ProcAttr) (*children.Child, error)

// Book knows the sessions.
type Book struct {
	spawn spawn

	mu          sync.Mutex
	defaultUser string
	sessions    map[string]*Session
	ended       []*Session // oldest first
}

// NewBook returns an empty book whose processes belong to family. defaultUser runs what names no user.
func NewBook(family *children.Family, defaultUser string) *Book {
	return &Book{spawn: family.Start, defaultUser: defaultUser, sessions: map[string]*Session{}}
}

// Open starts a session and returns its id.
func (b *Book) Open(q Request) (string, error) {
	if q.User == "" {
		q.User = b.DefaultUser()
	}
	if q.Kind != Exec && q.Kind != PTY || q.Kind == Exec && len(q.Argv) == 0 || min(q.TimeoutMs, q.IdleMs, q.UnwatchedMs) < 0 {
		return "", fmt.Errorf("%w: kind is exec (with argv) or pty", ErrMalformed)
	}
	p, err := resolve(q)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if b.full() {
		return "", ErrFull
	}
	id, err := newID()
	if err != nil {
		return "", err
	}
	s := newSession(id, q, p.argv)
	if err := s.start(p, q, b.spawn); err != nil {
		exit, words, ok := missing(p.argv[0], err)
		if !ok {
			return "", err
		}
		kind := byte(frameErrorOutput)
		if q.Kind == PTY {
			kind = frameOutput
		}
		s.put(kind, []byte(words))
		s.finish(exit)
	}
	b.add(s)
	return s.id, nil
}

// DefaultUser runs, and owns, what names no other.
func (b *Book) DefaultUser() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.defaultUser
}

// StartOver kills and forgets every session; what names no user from now on is run by defaultUser.
func (b *Book) StartOver(defaultUser string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.defaultUser = defaultUser
	for id, s := range b.sessions {
		s.signalAll(syscall.SIGKILL)
		b.remove(id)
	}
}

// newID asks the kernel, whose numbers differ in machines that were restored from one snapshot.
func newID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/uuid")
	return strings.ReplaceAll(strings.TrimSpace(string(b)), "-", ""), err
}

func (b *Book) full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sessions)-len(b.ended) >= maxSessions
}

func (b *Book) add(s *Session) {
	b.mu.Lock()
	b.sessions[s.id] = s
	b.mu.Unlock()
	go b.keep(s)
}

// keep waits for the end of s and sees to it that s is forgotten some time after.
func (b *Book) keep(s *Session) {
	s.awaitExit()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sessions[s.id] != s {
		return
	}
	b.ended = append(b.ended, s)
	for len(b.ended) > maxEnded || len(b.ended) > 1 && heldBytes(b.ended) > maxEndedBytes {
		b.remove(b.ended[0].id)
	}
	id := s.id // the timer must not hold on to the session, which will mostly be fetched long before
	s.expiry = time.AfterFunc(keepEnded, func() { b.forget(id) })
}

func heldBytes(sessions []*Session) (held int) {
	for _, s := range sessions {
		held += s.held()
	}
	return held
}

func (b *Book) find(id string) (*Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.sessions[id]; s != nil {
		return s, nil
	}
	return nil, ErrUnknown
}

func (b *Book) forget(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remove(id)
}

// forgetLater keeps an ended session for as long as a watcher may take to come back for its end.
func (b *Book) forgetLater(s *Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.expiry != nil && b.sessions[s.id] == s {
		s.expiry.Reset(returnPatience)
	}
}

// remove forgets a session, where there is one; b.mu is held.
func (b *Book) remove(id string) {
	s := b.sessions[id]
	if s == nil {
		return
	}
	delete(b.sessions, id)
	b.ended = slices.DeleteFunc(b.ended, func(e *Session) bool { return e == s })
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.drop()
	memory.Done()
}

// Signal sends a signal to a session's process group.
func (b *Book) Signal(id string, signal int) error {
	s, err := b.find(id)
	if err != nil {
		return err
	}
	if signal < 1 || signal > 64 {
		return fmt.Errorf("%w: there is no signal %d", ErrMalformed, signal)
	}
	if s.child == nil {
		return children.ErrEnded
	}
	return s.child.Signal(syscall.Signal(signal))
}

// Delete kills a session's process group and forgets the session.
func (b *Book) Delete(id string) error {
	s, err := b.find(id)
	if err != nil {
		return err
	}
	s.signalAll(syscall.SIGKILL)
	b.forget(id)
	return nil
}

// HangUp tells every session's processes to end, as a shutdown does, so that none of them holds it up.
func (b *Book) HangUp(signals ...syscall.Signal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sessions {
		s.signalAll(signals...)
	}
}

func (s *Session) signalAll(signals ...syscall.Signal) {
	for _, signal := range signals {
		if s.child != nil {
			s.child.Signal(signal) // one that has ended needs none
		}
	}
}

func (s *Session) awaitExit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.exit == nil {
		s.changed.Wait()
	}
}

// Seen is one line of GET /v1/sessions.
type Seen struct {
	ID          string   `json:"id"`
	Kind        string   `json:"kind"`
	Argv        []string `json:"argv"`
	User        string   `json:"user"`
	OpenedBy    string   `json:"opened_by"`
	AgeMs       int64    `json:"age_ms"`
	QuietMs     int64    `json:"quiet_ms"` // nothing was said for so long
	PID         int      `json:"pid"`
	FirstOffset int64    `json:"first_offset"`
	EndOffset   int64    `json:"end_offset"`
	Watched     bool     `json:"watched"`
	Exit        *Exit    `json:"exit"`
}

// List returns what runs, and what has ended and is still kept.
func (b *Book) List() []Seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Seen, 0, len(b.sessions))
	for _, s := range b.sessions {
		list = append(list, s.seen())
	}
	return list
}

func (s *Session) seen() Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := Seen{
		ID: s.id, Kind: s.kind, Argv: s.argv, User: s.user, OpenedBy: s.openedBy,
		AgeMs: time.Since(s.opened).Milliseconds(), QuietMs: time.Since(s.spoken).Milliseconds(),
		Watched: s.watcher != nil, Exit: s.exit, FirstOffset: s.output.base, EndOffset: s.output.end,
	}
	if s.child != nil {
		seen.PID = s.child.PID
	}
	return seen
}

// Watch checks that a session can be watched from offset on. The connection that Serve is then given is the watcher.
func (b *Book) Watch(id string, offset int64) (*Session, error) {
	s, err := b.find(id)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if offset < 0 {
		return nil, fmt.Errorf("%w: negative offset", ErrMalformed)
	}
	if offset > s.output.end {
		return nil, ErrBeyond
	}
	return s, nil
}

// Serve runs a watcher's connection to its end. in reads from conn; greet is told where the output starts.
func (b *Book) Serve(s *Session, conn net.Conn, in io.Reader, offset int64, greet func(start int64) error) {
	w := &watcher{conn: conn, at: offset, have: -1, done: make(chan struct{})}
	if !s.serve(w, in, greet) {
		return
	}
	s.mu.Lock()
	acknowledges := w.have >= 0
	s.mu.Unlock()
	if acknowledges {
		b.forgetLater(s) // the exit has left us; whether it has arrived at the watcher's end, nobody says
	} else {
		b.forget(s.id)
	}
}
