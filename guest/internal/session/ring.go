package session

const (
	// ringBytes is how much of a session's output is kept.
	ringBytes = 512 * 1024
	// behindBytes of it are kept behind what a watcher was sent: what its connection held when it was cut. The carrier's
	// window bounds that.
	behindBytes = 256 * 1024
)

// ring keeps the newest bytes of a session's output, each known by its offset from the session's start, and which of
// the two output streams it came from. It grows to ringBytes as it is needed.
type ring struct {
	buf  []byte
	base int64 // offset of the oldest byte kept
	end  int64 // offset of the next byte
	runs []run // what the bytes are, oldest first
}

// run says that the bytes before end, back to the run before, are of one kind.
type run struct {
	kind byte
	end  int64
}

// room is how many bytes fit without losing any from offset keep on.
func (r *ring) room(keep int64) int {
	return ringBytes - int(r.end-max(keep, r.base))
}

// append adds p, of at most ringBytes, and forgets the oldest bytes if it must.
func (r *ring) append(kind byte, p []byte) {
	r.grow(len(p))
	for _, part := range r.slots(r.end, len(p)) {
		p = p[copy(part, p):]
		r.end += int64(len(part))
	}
	r.base = max(r.base, r.end-int64(len(r.buf)))
	if n := len(r.runs); n > 0 && r.runs[n-1].kind == kind {
		r.runs[n-1].end = r.end
	} else {
		r.runs = append(r.runs, run{kind, r.end})
	}
	for r.runs[0].end <= r.base && len(r.runs) > 1 {
		r.runs = r.runs[1:]
	}
}

// read copies bytes of one kind from offset at on; base <= at < end.
func (r *ring) read(at int64, p []byte) (kind byte, n int) {
	for _, u := range r.runs {
		if at < u.end {
			size := min(int(u.end-at), len(p))
			for _, part := range r.slots(at, size) {
				n += copy(p[n:], part)
			}
			return u.kind, n
		}
	}
	return 0, 0
}

// slots are the one or two parts of buf that hold size bytes from offset at.
func (r *ring) slots(at int64, size int) [][]byte {
	from := int(at % int64(len(r.buf)))
	first := min(size, len(r.buf)-from)
	return [][]byte{r.buf[from : from+first], r.buf[:size-first]}
}

func (r *ring) grow(more int) {
	need := int(r.end-r.base) + more
	size := max(len(r.buf), 4096)
	for size < need && size < ringBytes {
		size *= 2
	}
	if size == len(r.buf) {
		return
	}
	kept := make([]byte, r.end-r.base)
	if len(r.buf) > 0 {
		n := 0
		for _, part := range r.slots(r.base, len(kept)) {
			n += copy(kept[n:], part)
		}
	}
	r.buf = make([]byte, size)
	n := 0
	for _, part := range r.slots(r.base, len(kept)) {
		n += copy(part, kept[n:])
	}
}
