package session

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"
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

// A filter like cat takes no more input while nobody takes its output, and the word that output has arrived comes after
// the input that was sent before it.
func TestAWordBehindInputThatNobodyTakesIsNotWaitedFor(t *testing.T) {
	const size = 3 * ringBytes
	s, fromHost := newSession("x", Request{Kind: Exec}, nil), make([]byte, maxFramePayload)
	stdin, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.input = input
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := stdin.Read(buf)
			if err != nil {
				s.finish(Exit{})
				return
			}
			s.put(frameOutput, buf[:n])
		}
	}()
	guest, host := net.Pipe()
	host.SetDeadline(time.Now().Add(time.Minute))
	defer host.Close()
	go s.serve(&watcher{conn: guest, have: -1, done: make(chan struct{})}, guest, func(int64) error { return nil })
	var got atomic.Int64
	var hasSaidAll atomic.Bool
	acknowledge := func(offset int64) {
		writeFrame(host, binary.BigEndian.AppendUint64(make([]byte, headerBytes), uint64(offset)), frameAck)
	}
	go func() {
		acknowledge(0)
		for sent := 0; sent < size; sent += len(fromHost) {
			writeFrame(host, append(make([]byte, headerBytes), fromHost...), frameInput)
		}
		writeFrame(host, make([]byte, headerBytes), frameEndOfInput)
		hasSaidAll.Store(true)
		acknowledge(got.Load())
	}()
	header := make([]byte, headerBytes)
	for header[0] != frameExit {
		if _, err := io.ReadFull(host, header); err != nil {
			t.Fatalf("%v after %d bytes", err, got.Load())
		}
		payload := make([]byte, binary.BigEndian.Uint32(header[1:]))
		if _, err := io.ReadFull(host, payload); err != nil {
			t.Fatalf("%v after %d bytes", err, got.Load())
		}
		if header[0] == frameOutput {
			got.Add(int64(len(payload)))
		}
		if hasSaidAll.Load() {
			acknowledge(got.Load())
		}
	}
	if got.Load() != size {
		t.Errorf("%d bytes of %d", got.Load(), size)
	}
}
