// Package filesystems holds back what would be written to the machine's disks while the host copies them, so that the
// copy is that of file systems in order.
//
// What must stay true: nothing stays frozen for longer than was agreed, whatever becomes of the host; and the agent itself
// never writes to a disk while it holds one (it logs to the kernel).
package filesystems

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"nexus/guest/internal/kernel"
)

const (
	// LongestHold bounds what the host may ask for.
	LongestHold = time.Minute
	// patience is how long one file system may take to write everything out.
	patience = 20 * time.Second
)

// Freezer freezes and thaws. The zero value is of use with nothing but mounted file systems.
type Freezer struct {
	// State is an open directory on the file system with the machine's state, which no path may lead to (the layer below
	// an overlay). Nil: there is none.
	State *os.File

	mu     sync.Mutex
	frozen []place // in the order in which they were
	expiry *time.Timer
	holds  bool
}

// Frozen says what was done, by mount points. The machine's own file system is "/".
type Frozen struct {
	Frozen  []string `json:"frozen"`
	Skipped []string `json:"skipped"` // those that cannot be frozen, or are by somebody else
}

type place struct {
	name   string
	dir    *os.File
	isKept bool // dir outlives the freezing
}

func (p place) release() {
	if !p.isKept {
		p.dir.Close()
	}
}

// Freeze freezes every writable file system for at most hold; when some are already, for so long from now on.
// An error means that nothing is frozen.
func (f *Freezer) Freeze(hold time.Duration) (Frozen, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.thaw()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Frozen{}, err
	}
	done := Frozen{Frozen: []string{}, Skipped: []string{}}
	places := f.places(string(text))
	for i, p := range places {
		switch err := p.freeze(); err {
		case nil:
			f.frozen = append(f.frozen, p)
			done.Frozen = append(done.Frozen, p.name)
		case syscall.EOPNOTSUPP, syscall.EBUSY:
			p.release()
			done.Skipped = append(done.Skipped, p.name)
		default:
			for _, left := range places[i+1:] {
				left.release()
			}
			f.thaw()
			return Frozen{}, fmt.Errorf("freeze %s: %w", p.name, err)
		}
	}
	f.holds = true
	f.expiry = time.AfterFunc(hold, f.expire)
	return done, nil
}

// Thaw lets everybody write again. False: that had happened already, and what was copied since is of no one moment.
func (f *Freezer) Thaw() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.thaw()
}

func (f *Freezer) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.thaw() {
		kernel.Log(kernel.Error, "nobody has thawed the file systems in time; done")
	}
}

// thaw is Thaw with f.mu held.
func (f *Freezer) thaw() bool {
	for len(f.frozen) > 0 { // the last first: it may lie in a file of the one before
		p := f.frozen[len(f.frozen)-1]
		f.frozen = f.frozen[:len(f.frozen)-1]
		if err := kernel.Thaw(p.dir); err != nil && err != syscall.EINVAL { // somebody else has
			kernel.Log(kernel.Error, "thaw %s: %v", p.name, err)
		}
		p.release()
	}
	if f.expiry != nil {
		f.expiry.Stop()
	}
	held := f.holds
	f.holds = false
	return held
}

// places are the file systems to freeze, in an order in which none waits for one before it: what was mounted last may lie
// in a file of what was mounted earlier, and everything may lie on the machine's own.
func (f *Freezer) places(mountinfo string) []place {
	var places []place
	own := ""
	if f.State != nil {
		own = deviceOf(f.State)
	}
	for _, m := range writable(mountinfo) {
		if m.device == own {
			continue
		}
		dir, err := os.Open(m.point)
		if err != nil {
			continue // it went away, or its device has
		}
		if deviceOf(dir) != m.device {
			dir.Close() // another is mounted over it
			continue
		}
		places = append(places, place{name: m.point, dir: dir})
	}
	if f.State != nil {
		places = append(places, place{"/", f.State, true})
	}
	return places
}

func deviceOf(dir *os.File) string {
	var at syscall.Stat_t
	if err := syscall.Fstat(int(dir.Fd()), &at); err != nil {
		return ""
	}
	return deviceName(uint64(at.Dev))
}

// freeze gives up on a disk that takes too long; should it come to it later, it is undone. An error other than EOPNOTSUPP
// and EBUSY has released p, or will.
func (p place) freeze() error {
	finished, gone := make(chan error), make(chan struct{})
	go func() {
		err := kernel.Freeze(p.dir)
		select {
		case finished <- err:
		case <-gone:
			if err == nil {
				kernel.Thaw(p.dir) // it was not frozen before
			}
			p.release()
		}
	}()
	select {
	case err := <-finished:
		if err != nil && err != syscall.EOPNOTSUPP && err != syscall.EBUSY {
			p.release()
		}
		return err
	case <-time.After(patience):
		close(gone)
		return fmt.Errorf("it took more than %s to write everything out", patience)
	}
}
