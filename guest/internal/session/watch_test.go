package session

import (
	"encoding/binary"
	"testing"
)

func TestAWordThatComesBeforeItsWriteReturnsCounts(t *testing.T) {
	s := newSession("x", Request{Kind: PTY}, nil)
	s.output.append(frameOutput, make([]byte, ringBytes))
	w := &watcher{at: 1000, have: -1}
	for offset, want := range map[int64]int64{ringBytes: ringBytes, ringBytes + 1: -1} {
		w.have = -1
		s.acknowledge(w, binary.BigEndian.AppendUint64(nil, uint64(offset)))
		if w.have != want {
			t.Errorf("after %d it has %d, want %d", offset, w.have, want)
		}
	}
	w.have = 500
	s.acknowledge(w, binary.BigEndian.AppendUint64(nil, 400))
	s.acknowledge(w, []byte{1})
	if w.have != 500 {
		t.Errorf("it went back to %d", w.have)
	}
}
