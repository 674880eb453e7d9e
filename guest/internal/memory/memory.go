// Package memory keeps the agent small: what it takes from the machine for a burst of work, it gives back soon after.
package memory

import (
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// tidyAfter is how long after a piece of work the memory goes back to the machine.
const tidyAfter = time.Second

// BufferBytes is the size of the buffers by which output, files and connections are moved.
const BufferBytes = 16384

// Buffer is borrowed for as long as it holds bytes, so that waiting costs none.
type Buffer = [BufferBytes]byte

var (
	buffers = sync.Pool{New: func() any { return new(Buffer) }}
	mu      sync.Mutex
	waiting bool
)

// Economize sets the runtime up for a process that should be small rather than fast.
func Economize() {
	debug.SetGCPercent(25) // memory is the machine's, and there is little garbage
	runtime.GOMAXPROCS(min(2, runtime.NumCPU()))
}

// Borrow returns a buffer with anything in it; GiveBack takes it again.
func Borrow() *Buffer { return buffers.Get().(*Buffer) }

// GiveBack takes a borrowed buffer, which nobody may use any longer.
func GiveBack(b *Buffer) { buffers.Put(b) }

// Done says that a piece of work has ended; a moment later nothing is left of what it took.
func Done() {
	mu.Lock()
	defer mu.Unlock()
	if !waiting {
		waiting = true
		time.AfterFunc(tidyAfter, tidy)
	}
}

func tidy() {
	mu.Lock()
	waiting = false
	mu.Unlock()
	debug.FreeOSMemory()
}
