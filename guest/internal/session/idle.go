package session

import (
	"syscall"
	"time"
)

// hangUpGrace is how long the processes of an idle session may take to go after they were told.
const hangUpGrace = 10 * time.Second

// limits end a session that nobody uses; zero: no limit. Nobody may be left to do it from outside: whoever opened the
// session, and the manager between, may be gone for good.
type limits struct{ idle, unwatched time.Duration }

// watchIdleness begins to look; rearm looks again, whenever the watcher changes or the session has ended.
func (s *Session) watchIdleness() {
	if s.limits == (limits{}) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = time.AfterFunc(time.Hour, s.hangUpIfIdle)
	s.rearm()
}

func (s *Session) rearm() {
	if s.idle == nil {
		return
	}
	if left, any := s.quietLeft(); any && s.exit == nil {
		s.idle.Reset(left)
	} else {
		s.idle.Stop()
	}
}

// quietLeft is how long the session may stay silent from now on; s.mu is held.
func (s *Session) quietLeft() (left time.Duration, any bool) {
	if s.limits.idle > 0 {
		left, any = time.Until(s.spoken.Add(s.limits.idle)), true
	}
	if s.limits.unwatched > 0 && s.watcher == nil {
		since := s.spoken
		if s.left.After(since) {
			since = s.left
		}
		if unwatched := time.Until(since.Add(s.limits.unwatched)); !any || unwatched < left {
			left, any = unwatched, true
		}
	}
	return left, any
}

func (s *Session) hangUpIfIdle() {
	s.mu.Lock()
	left, any := s.quietLeft()
	if !any || s.exit != nil || left > 0 {
		s.rearm()
		s.mu.Unlock()
		return
	}
	s.timedOut = true
	s.mu.Unlock()
	s.child.Signal(syscall.SIGHUP) // one that has just ended by itself needs none
	time.AfterFunc(hangUpGrace, func() { s.child.Signal(syscall.SIGKILL) })
}
