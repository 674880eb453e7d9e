package session

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestRingKeepsTheNewestBytesAtTheirOffsets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var r ring
	var all, kinds []byte
	for r.end < 5*ringBytes {
		p := make([]byte, random.IntN(40000))
		kind := byte(1 + random.IntN(2))
		for i := range p {
			p[i] = byte(random.Uint32())
		}
		r.append(kind, p)
		all, kinds = append(all, p...), append(kinds, bytes.Repeat([]byte{kind}, len(p))...)
		if r.end != int64(len(all)) || r.end-r.base > ringBytes {
			t.Fatalf("keeps %d to %d of %d", r.base, r.end, len(all))
		}
		for at := r.base; at < r.end; {
			buf := make([]byte, 1+random.IntN(70000))
			kind, n := r.read(at, buf)
			if n == 0 || !bytes.Equal(buf[:n], all[at:at+int64(n)]) {
				t.Fatalf("wrong bytes at %d", at)
			}
			if !bytes.Equal(kinds[at:at+int64(n)], bytes.Repeat([]byte{kind}, n)) {
				t.Fatalf("bytes of two kinds as one at %d", at)
			}
			at += int64(n)
		}
	}
	if r.end-r.base != ringBytes {
		t.Fatalf("keeps only %d bytes", r.end-r.base)
	}
}

func TestRingRoomCountsFromWhatMustStay(t *testing.T) {
	var r ring
	r.append(1, make([]byte, ringBytes))
	r.append(1, make([]byte, 100))
	for keep, want := range map[int64]int{0: 0, 100: 0, 150: 50, r.end: ringBytes} {
		if got := r.room(keep); got != want {
			t.Errorf("room(%d) = %d, want %d", keep, got, want)
		}
	}
}
